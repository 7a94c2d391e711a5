"""How much a service keeps, looked at now and then: the numbers that nothing else would tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import MetaData, func, make_url, select, table, text

from libs.common.database import CommonTable, Database, OutboxRow
from libs.common.service import Service
from libs.common.telemetry import BYTES_KEPT, OUTBOX_ROWS, ROWS_KEPT

OFTEN_S, SELDOM = 5.0, 24  # the outbox is counted each 5 s, everything else each 2 minutes


async def gauges(service: Service, database: Database, works: Callable[[], None]) -> None:
    """Keep the gauges of one service's database up to date, for ever; also while its outbox cannot be relayed."""
    turn = 0
    while True:
        async with database.reading() as session:
            waiting = await session.scalar(select(func.count()).select_from(OutboxRow))
        OUTBOX_ROWS.labels(service.name).set(waiting or 0)
        if turn % SELDOM == 0:
            await _count_rows(service, database)
        turn += 1
        works()
        await asyncio.sleep(OFTEN_S)


async def _count_rows(service: Service, database: Database) -> None:
    for metadata in (CommonTable.metadata, service.tables):
        for name in sorted(metadata.tables):
            ROWS_KEPT.labels(service.name, name).set(await _rows(database, name))
    BYTES_KEPT.labels(service.name).set(await _bytes(database, service.tables))


async def _rows(database: Database, name: str) -> int:
    """Rows of a table: counted on SQLite, PostgreSQL's own estimate there (-1 before its first analysis counts as 0)."""
    async with database.reading() as session:
        if database.engine.dialect.name == "sqlite":
            return await session.scalar(select(func.count()).select_from(table(name))) or 0
        sql = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
        return max(0, await session.scalar(sql, {"name": f'"{name}"'}) or 0)


async def _bytes(database: Database, tables: MetaData) -> int:
    if database.engine.dialect.name == "sqlite":
        return _file_bytes(make_url(database.url).database or "")
    sql = text(
        "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint FROM unnest(CAST(:names AS text[])) name"
    )
    names = [f'"{name}"' for metadata in (CommonTable.metadata, tables) for name in metadata.tables]
    async with database.reading() as session:
        return int(await session.scalar(sql, {"names": names}) or 0)


def _file_bytes(path: str) -> int:
    return sum(file.stat().st_size for suffix in ("", "-wal") if (file := Path(path + suffix)).exists())
