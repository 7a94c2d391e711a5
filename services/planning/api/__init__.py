"""Planning's endpoints: plans, goals, the guarantee chain, the lint, improvements, the inbox."""

from fastapi import APIRouter

from services.planning.api import goals, guarantees, improvements, inbox, lint, plans

router = APIRouter()
for each in (plans, goals, guarantees, lint, improvements, inbox):
    router.include_router(each.router)
