"""Rows that the gateway owns."""

from services.gateway.tables.base import Table

__all__ = ["Table"]
