"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the spiral, tasks, the calendar, what is due, the inbox, workflows, rules."""

from fastapi import APIRouter

from services.planning.api import (
    calendar,
    cycles,
    due,
    goals,
    improvements,
    inbox,
    ledger,
    lint,
    plans,
    projects,
    proposals,
    rules,
    sheets,
    tasks,
    workflows,
)

router = APIRouter()
for each in (
    plans,
    sheets,
    goals,
    lint,
    improvements,
    ledger,
    cycles,
    proposals,
    calendar,
    due,
    inbox,
    projects,
    tasks,
    workflows,
    rules,
):
    router.include_router(each.router)
