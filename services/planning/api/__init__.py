"""Planning's endpoints: plans and goals, improvements, annual tasks and agreements, files, the calendar, what is due, the inbox, workflows, rules."""

from fastapi import APIRouter

from services.planning.api import (
    agreements,
    calendar,
    due,
    files,
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
for each in (
    plans,
    sheets,
    goals,
    lint,
    improvements,
    ledger,
    calendar,
    due,
    inbox,
    projects,
    tasks,
    workflows,
    rules,
    agreements,
    files,
):
    router.include_router(each.router)
