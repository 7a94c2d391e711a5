"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, annual tasks, the calendar, the inbox, workflows, rules."""

from fastapi import APIRouter

from services.planning.api import (
    calendar,
    effects,
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
for each in (plans, sheets, goals, lint, improvements, effects, ledger, calendar, inbox, projects, tasks, workflows, rules):
    router.include_router(each.router)
