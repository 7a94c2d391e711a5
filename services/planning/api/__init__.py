"""Planning's endpoints: the chains of goals, implementation and guarantee, improvements, what is due, workflows, files, the inbox, desks."""

from fastapi import APIRouter

from services.planning.api import (
    agreements,
    budgets,
    calendar,
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
