"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, annual tasks, the calendar, what is due, the inbox, workflows, rules,
the guarantee chain, the matrix, desks.
"""

from fastapi import APIRouter

from services.planning.api import (
    budgets,
    calendar,
    desks,
    due,
    effects,
    entries,
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
    desks,
):
    router.include_router(each.router)
