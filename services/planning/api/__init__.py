"""Planning's endpoints: the chains of goals, implementation and guarantee, the spiral, improvements, what is due, workflows, files, the inbox, desks."""

from fastapi import APIRouter

from services.planning.api import (
    agreements,
    budgets,
    calendar,
    cycles,
    desks,
    due,
    effects,
    entries,
    files,
    goals,
    guarantees,
    improvements,
    inbox,
    ledger,
    lint,
    matrix,
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
    effects,
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
    guarantees,
    budgets,
    entries,
    matrix,
    agreements,
    files,
    desks,
):
    router.include_router(each.router)
