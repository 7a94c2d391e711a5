"""Planning's endpoints: plans, goals, the lint, improvements, the inbox, annual tasks."""

from fastapi import APIRouter

from services.planning.api import calendar, goals, improvements, inbox, lint, plans, projects, tasks

router = APIRouter()
for each in (plans, goals, lint, improvements, calendar, inbox, projects, tasks):
    router.include_router(each.router)
