<<<<<<< HEAD
"""Planning's endpoints: plans, goals, the lint, improvements, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, lint, plans, projects, tasks

router = APIRouter()
for each in (plans, goals, lint, improvements, calendar, inbox, projects, tasks):
=======
"""Planning's endpoints: plans, goals, the lint, improvements, the ledger, the calendar, the inbox."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, ledger, lint, plans, sheets

router = APIRouter()
for each in (plans, sheets, goals, lint, improvements, ledger, calendar, inbox):
>>>>>>> 1cdfb196856bafe90aa36c67c6ff05a81657533a
    router.include_router(each.router)
