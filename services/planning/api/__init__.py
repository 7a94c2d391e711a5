"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the spiral, the calendar, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import (
    calendar,
    cycles,
    goals,
    improvements,
    inbox,
    ledger,
    lint,
    plans,
    projects,
    proposals,
    sheets,
    tasks,
)

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, cycles, proposals, calendar, inbox, projects, tasks):
    router.include_router(each.router)
