"""Planning's endpoints: plans, goals, the lint, improvements, the spiral, the calendar, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, cycles, goals, improvements, inbox, lint, plans, proposals, sheets

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, cycles, proposals, calendar, inbox):
    router.include_router(each.router)
