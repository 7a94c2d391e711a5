"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the calendar, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import calendar, effects, goals, improvements, inbox, ledger, lint, plans, projects, sheets, tasks

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, effects, ledger, calendar, inbox, projects, tasks):
    router.include_router(each.router)
