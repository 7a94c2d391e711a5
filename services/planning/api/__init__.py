"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the inbox."""

from fastapi import APIRouter

from services.planning.api import goals, improvements, inbox, ledger, lint, plans

router = APIRouter()
for each in (plans, goals, lint, improvements, ledger, inbox):
    router.include_router(each.router)
