"""Planning's endpoints: plans, goals, the lint, improvements, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, due, goals, improvements, inbox, lint, plans

router = APIRouter()
for each in (plans, goals, lint, improvements, calendar, due, inbox):
    router.include_router(each.router)
