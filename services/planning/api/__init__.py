"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the calendar, what is due, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import calendar, due, goals, improvements, inbox, ledger, lint, plans, projects, sheets, tasks

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, calendar, due, inbox, projects, tasks):
    router.include_router(each.router)
