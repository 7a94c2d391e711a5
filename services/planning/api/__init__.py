"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the calendar, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, ledger, lint, plans, sheets

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, calendar, inbox):
    router.include_router(each.router)
