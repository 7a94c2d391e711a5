"""Endpoints of standards."""

from fastapi import APIRouter

from services.standards.api import attainment, exceptions, families, indicators, standards

router = APIRouter()
for part in (indicators, families, standards, attainment, exceptions):
    router.include_router(part.router)
