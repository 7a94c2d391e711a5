"""Endpoints of standards."""

from fastapi import APIRouter

from services.standards.api import attainment, exceptions, families, handbooks, indicators, standards

router = APIRouter()
for part in (indicators, families, standards, attainment, handbooks, exceptions):
    router.include_router(part.router)
