"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, annual tasks, the calendar, what is due, the inbox, workflows, rules."""

from fastapi import APIRouter

from services.planning.api import (
    calendar,
    due,
    goals,
    improvements,
    inbox,
    ledger,
    lint,
    plans,
    projects,
    rules,
    sheets,
    tasks,
    workflows,
)

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, calendar, due, inbox, projects, tasks, workflows, rules):
    router.include_router(each.router)
