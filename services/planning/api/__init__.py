"""Planning's endpoints: plans, goals, the lint, improvements, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, effects, goals, improvements, inbox, lint, plans

router = APIRouter()
for each in (plans, goals, lint, improvements, effects, calendar, inbox):
    router.include_router(each.router)
