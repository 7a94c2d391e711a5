"""Versions that no cycle, period or document called for. What belongs to one school takes its scope first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.standards.tables import StandardVersionRow, StepRow, VersionRow

Key = tuple[datetime, str, str, int]


async def list_exceptions(session: AsyncSession, scope: Scope, *, after: Key | None, limit: int) -> Sequence[Row[Any]]:
    """Return versions of indicators and standards whose origin is an exception, newest first; one more than `limit`."""
    confirmed = (
        select(StepRow.by)
        .where(
            StepRow.school == StandardVersionRow.school,
            StepRow.code == StandardVersionRow.code,
            StepRow.version == StandardVersionRow.version,
            StepRow.step == "approved",
        )
        .order_by(StepRow.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    parts = [
        select(
            literal(kind).label("kind"),
            row.code.label("code"),
            row.version.label("version"),
            row.created_at.label("at"),
            row.created_by.label("by"),
            row.origin["reason"].as_string().label("reason"),
            by.label("confirmed_by"),
        ).where(row.school == scope.school, row.origin["kind"].as_string() == "exception")
        for kind, row, by in (("indicator", VersionRow, VersionRow.activated_by), ("standard", StandardVersionRow, confirmed))
    ]
    found = union_all(*parts).subquery()
    order = (found.c.at, found.c.kind, found.c.code, found.c.version)
    sql = select(found).order_by(*(column.desc() for column in order)).limit(limit + 1)
    if after is not None:
        there = (literal(value, column.type) for value, column in zip(after, order, strict=True))
        sql = sql.where(tuple_(*order) < tuple_(*there))
    return (await session.execute(sql)).all()
