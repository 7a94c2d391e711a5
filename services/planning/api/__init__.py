"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the spiral, annual tasks, the calendar, the inbox, workflows, rules."""

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
    inbox,
    projects,
    tasks,
    workflows,
    rules,
):
    router.include_router(each.router)
