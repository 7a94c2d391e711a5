"""Planning's endpoints: plans, goals, the guarantee chain, the matrix, the lint, improvements, the ledger, the calendar, the inbox."""

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
    registers,
    sheets,
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
):
    router.include_router(each.router)
