"""Planning's endpoints: plans, goals, the guarantee chain, the matrix, the lint, improvements, the ledger, the calendar, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import (
    budgets,
    calendar,
    goals,
    guarantees,
    improvements,
    inbox,
    ledger,
    lint,
    matrix,
    plans,
    projects,
    registers,
    sheets,
    tasks,
)

router = APIRouter()
for each in (
    plans,
    sheets,
    goals,
    guarantees,
    budgets,
    registers,
    matrix,
    lint,
    improvements,
    ledger,
    calendar,
    inbox,
    projects,
    tasks,
):
    router.include_router(each.router)
