"""Planning's endpoints: plans, goals, their sheets, the lint, improvements, the calendar, what is due, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, due, goals, improvements, inbox, lint, plans, sheets

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, calendar, due, inbox):
    router.include_router(each.router)
