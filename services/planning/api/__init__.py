"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the spiral, annual tasks, the calendar, what is due, the inbox,
workflows, rules, the guarantee chain, the matrix.
"""

from fastapi import APIRouter

from services.planning.api import (
    budgets,
    calendar,
    cycles,
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
):
    router.include_router(each.router)
