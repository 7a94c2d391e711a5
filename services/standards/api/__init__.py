"""Endpoints of standards."""

from fastapi import APIRouter

from services.standards.api import attainment, families, handbooks, indicators, standards

router = APIRouter()
for part in (indicators, families, standards, attainment, handbooks):
    router.include_router(part.router)
