"""Planning's endpoints: plans, goals, the lint, improvements."""

from fastapi import APIRouter

from services.planning.api import goals, improvements, lint, plans

router = APIRouter()
for each in (plans, goals, lint, improvements):
    router.include_router(each.router)
