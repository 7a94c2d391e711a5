"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the calendar, the inbox, annual tasks, agreements, files."""

from fastapi import APIRouter

from services.planning.api import (
    agreements,
    calendar,
    files,
    goals,
    improvements,
    inbox,
    ledger,
    lint,
    plans,
    projects,
    sheets,
    tasks,
)

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, calendar, inbox, projects, tasks, agreements, files):
    router.include_router(each.router)
