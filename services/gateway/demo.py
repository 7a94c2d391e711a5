"""The demo school of a first start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from libs.common.settings import Settings


@asynccontextmanager
async def first_start(gateway: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Create what a first start creates, then let the simulator run."""
    del gateway, settings
    yield
