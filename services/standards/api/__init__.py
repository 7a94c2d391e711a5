"""Endpoints of standards."""

from fastapi import APIRouter

from services.standards.api import indicators

router = APIRouter()
router.include_router(indicators.router)
