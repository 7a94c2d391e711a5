"""Planning's endpoints: plans, goals, the lint, improvements, the calendar, the inbox, workflows, rules."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, lint, plans, rules, sheets, workflows

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, calendar, inbox, workflows, rules):
    router.include_router(each.router)
