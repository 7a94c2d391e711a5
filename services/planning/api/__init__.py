"""Planning's endpoints: plans, goals, the lint, improvements, the calendar, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, lint, plans, sheets

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, calendar, inbox):
    router.include_router(each.router)
