"""Reporting's endpoints."""

from fastapi import APIRouter

from services.reporting.api import overview, stream

router = APIRouter(tags=["reporting"])
router.include_router(overview.router)
router.include_router(stream.router)
