"""The intake's few statements, on the driver itself: thousands of rows a statement, the same words for both databases.

SQLite gets `executemany` and VALUES lists, PostgreSQL arrays: each is the fast road of its driver. Integers go as `bigint`, none of
them missing; PostgreSQL makes them what their columns are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import text

from libs.common.database import Transaction
from services.monitoring.domain.episodes import Sum
from services.monitoring.domain.log import Ints

_PARAMETERS = 30_000  # SQLite takes at most 32,766 in one statement
Columns = Mapping[str, str]  # name → PostgreSQL type
FoundT = TypeVar("FoundT")
Asked = Callable[[], Awaitable[FoundT]]  # the answer to what was asked

_CELL = {"series": "bigint", "span": "bigint", "start": "bigint"}
_WORD = {"school_id": "bigint", "kind": "text", "code": "text"}
_TOTALS = {
    **_CELL,
    "numerator": "bigint",
    "denominator": "bigint",
    "revision": "bigint",
    "measured_at": "bigint",
}
_SAME = "t.series = k.series AND t.span = k.span AND t.start = k.start"
_SPAN = "t.series = k.series AND t.span = 0 AND t.start >= k.since AND t.start < k.before"


async def _insert(tx: Transaction, table: str, columns: Columns, rows: Sequence[tuple[Any, ...]], tail: str = "") -> None:
    if rows:
        await _insert_columns(tx, table, columns, _columns(rows, columns), tail)


def _columns(rows: Sequence[tuple[Any, ...]], columns: Columns) -> list[Any]:
    """The rows column by column, integers as PostgreSQL gets them in one step."""
    values = zip(*rows, strict=True)
    whole = (type_ == "bigint" for type_ in columns.values())
    return [np.array(v, dtype=np.int64) if integers else list(v) for v, integers in zip(values, whole, strict=True)]


async def _insert_columns(tx: Transaction, table: str, columns: Columns, values: Sequence[Any], tail: str = "") -> None:
    """As `_insert`, for rows that are columns already: int64 where they are numbers."""
    names = ", ".join(f'"{name}"' for name in columns)
    if tx.is_sqlite:
        sql = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) {tail}"
        rows = zip(*(v.tolist() if isinstance(v, np.ndarray) else v for v in values), strict=True)
        await tx.driver(lambda connection: connection.executemany(sql, rows))
    else:
        arrays = ", ".join(f"%b::{type_}[]" for type_ in columns.values())
        sql = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {tail}"
        await tx.driver(lambda connection: connection.execute(sql, values))


async def _lookup(tx: Transaction, keys: Columns, rows: Sequence[tuple[Any, ...]], select: str) -> list[tuple[Any, ...]]:
    """Run `select`, in which `k` is the table of key rows."""
    return await (await _ask(tx, keys, _columns(rows, keys), select))() if rows else []


async def _ask(tx: Transaction, keys: Columns, values: Sequence[Any], select: str) -> Asked[list[tuple[Any, ...]]]:
    """As `_lookup`, for keys that are columns already: int64 where they are numbers. The rows come when they are asked for: several
    questions go `together`.
    """
    names = ", ".join(keys)
    size = _PARAMETERS // len(keys)
    parts = [[v[at : at + size] for v in values] for at in range(0, len(values[0]), size)]
    if tx.is_sqlite:
        found = [row for part in parts for row in await tx.driver(partial(_rows_of, names, part, select))]
        return partial(_known, found)
    arrays = ", ".join(f"%b::{type_}[]" for type_ in keys.values())
    sql = f"WITH k AS (SELECT * FROM unnest({arrays}) AS k({names})) {select}"
    cursors = [await tx.driver(methodcaller("execute", sql, part)) for part in parts]
    return partial(_fetched, cursors)


def _rows_of(names: str, values: Sequence[Any], select: str, connection: Any) -> list[tuple[Any, ...]]:
    marks = ", ".join([f"({', '.join('?' * len(values))})"] * len(values[0]))
    rows = zip(*(v.tolist() if isinstance(v, np.ndarray) else v for v in values), strict=True)
    sql, flat = f"WITH k({names}) AS (VALUES {marks}) {select}", [value for row in rows for value in row]
    found: list[tuple[Any, ...]] = connection.execute(sql, flat).fetchall()
    return found


async def _known(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return rows


async def _fetched(cursors: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [row for cursor in cursors for row in await cursor.fetchall()]


def _each(tx: Transaction, table: str, where: str) -> str:
    """`k` with the rows of a table that belong to each of its rows, found down an index.

    PostgreSQL would plan a join as a scan of the whole table while it has no statistics of a new one.
    """
    if tx.is_sqlite:
        return f"k CROSS JOIN {table} t WHERE {where}"
    return f"k CROSS JOIN LATERAL (SELECT * FROM {table} t WHERE {where} OFFSET 0) t"


async def add_unplaced(tx: Transaction, rows: Sequence[tuple[int, int, int]]) -> None:
    """Remember words that the roster does not know: school, word, position at which it was named first."""
    columns = {"school_id": "bigint", "word": "bigint", "position": "bigint"}
    await _insert(tx, "unplaced", columns, rows, "ON CONFLICT DO NOTHING")


async def add_taught(tx: Transaction, rows: Sequence[tuple[int, int]]) -> None:
    """Remember lessons with the classes that observations named together with them, in words."""
    await _insert(tx, "taught", {"lesson": "bigint", "class": "bigint"}, rows, "ON CONFLICT DO NOTHING")


async def end(tx: Transaction, school_id: int, position: int, by: int | None) -> None:
    """Put an observation of the log out of force by what stands at the position `by`; None: let it stand again."""
    sql = (
        "INSERT INTO amended (school_id, position, ended_by) VALUES (:school_id, :position, :by) "
        "ON CONFLICT (school_id, position) DO UPDATE SET ended_by = excluded.ended_by"
    )
    await tx.session.execute(text(sql), {"school_id": school_id, "position": position, "by": by})


async def ask_warned(tx: Transaction, school_id: int, words: Ints) -> Asked[list[tuple[Any, ...]]]:
    """Those of the subjects, by word, that have an uncleared warning, with its indicator."""
    return await _ask(
        tx,
        {"word": "bigint"},
        (words,),
        "SELECT t.subject_word, t.indicator FROM "
        + _each(tx, "warning", f"t.school_id = {int(school_id)} AND t.subject_word = k.word AND t.episode_open"),
    )


async def lock_school(tx: Transaction, code: str, columns: Sequence[str]) -> dict[str, Any] | None:
    """These columns of a school, which is held from now on; None where there is none."""
    names, lock = ", ".join(f't."{name}"' for name in columns), "" if tx.is_sqlite else "FOR UPDATE OF t"
    rows = await _lookup(tx, {"code": "text"}, [(code,)], f"SELECT {names} FROM k CROSS JOIN school t WHERE t.code = k.code {lock}")
    return dict(zip(columns, rows[0], strict=True)) if rows else None


async def find_words(tx: Transaction, school_id: int, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Map (kind, code) to its integer, for those that have one."""
    rows = await _lookup(
        tx,
        _WORD,
        [(school_id, kind, code) for kind, code in wanted],
        "SELECT t.kind, t.code, t.id FROM "
        + _each(tx, "word", "t.school_id = k.school_id AND t.kind = k.kind AND t.code = k.code"),
    )
    return {(kind, code): id_ for kind, code, id_ in rows}


async def make_words(tx: Transaction, school_id: int, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Map (kind, code) to its integer; new ones are made."""
    rows = [(school_id, kind, code) for kind, code in wanted]
    made = {(kind, code): id_ for kind, code, id_ in await _make(tx, "word", _WORD, rows, "kind, code, id")}
    return made | await find_words(tx, school_id, [word for word in wanted if word not in made])


async def _make(
    tx: Transaction, table: str, keys: Columns, rows: Sequence[tuple[Any, ...]], returned: str
) -> list[tuple[Any, ...]]:
    """Insert the rows that are not there; PostgreSQL tells them at once."""
    if tx.is_sqlite:
        await _insert(tx, table, keys, rows, "ON CONFLICT DO NOTHING")
        return []
    insert = f"INSERT INTO {table} ({', '.join(keys)}) SELECT * FROM k ON CONFLICT DO NOTHING RETURNING {returned}"
    return await _lookup(tx, keys, rows, f", made AS ({insert}) SELECT * FROM made")


async def find_totals(tx: Transaction, keys: Sequence[tuple[int, int, int]]) -> dict[tuple[int, int, int], Sum]:
    """Map (series, window, start) to its sum, for those that have one."""
    rows = await _lookup(
        tx,
        _CELL,
        keys,
        f"SELECT t.series, t.span, t.start, t.numerator, t.denominator, t.revision, t.at FROM {_each(tx, 'total', _SAME)}",
    )
    return {(series, span, start): Sum(n, d, revision, at) for series, span, start, n, d, revision, at in rows}


async def ask_sums(tx: Transaction, series: Ints, window: Ints, start: Ints) -> Asked[list[tuple[Any, ...]]]:
    """Index, numerator, denominator and revision of those of these cells that have a sum."""
    return await _ask(
        tx,
        {**_CELL, "n": "bigint"},
        (series, window, start, np.arange(len(series))),
        f"SELECT k.n, t.numerator, t.denominator, t.revision FROM {_each(tx, 'total', _SAME)}",
    )


async def add_totals(tx: Transaction, columns: Sequence[Ints]) -> None:
    """Add to the sums: series, window, start, numerator, denominator, number of observations, measured at, in the order of the key."""
    if not len(columns[0]):
        return
    await _insert_columns(
        tx,
        "total",
        _TOTALS,
        columns,
        "ON CONFLICT (series, span, start) DO UPDATE SET numerator = total.numerator + excluded.numerator, "
        "denominator = total.denominator + excluded.denominator, revision = total.revision + excluded.revision, "
        "measured_at = excluded.measured_at",
    )


def columns_of(rows: Iterable[tuple[int, ...]]) -> Sequence[Ints]:
    """Rows of numbers as `add_totals` takes them."""
    return list(np.array(sorted(rows), dtype=np.int64).reshape(-1, len(_TOTALS)).T)


async def add_newest(tx: Transaction, rows: Sequence[tuple[int, int, int, int, int, int, int, int]]) -> None:
    """Let the newest observation stand in the sums of a metric of kind `latest`; columns as `add_totals`, and its time."""
    newer = "CASE WHEN excluded.at >= total.at THEN excluded.{0} ELSE total.{0} END"
    numbers = ", ".join(f"{name} = {newer.format(name)}" for name in ("numerator", "denominator", "at"))
    await _insert(
        tx,
        "total",
        {**_TOTALS, "at": "bigint"},
        sorted(rows),
        f"ON CONFLICT (series, span, start) DO UPDATE SET {numbers}, revision = total.revision + excluded.revision, "
        "measured_at = excluded.measured_at",
    )


async def add_untold(tx: Transaction, rows: Sequence[tuple[int, int, int]]) -> None:
    """Remember days of series that changed and that somebody follows: school, series, day."""
    await _insert(tx, "untold", {"school_id": "bigint", "series": "bigint", "start": "bigint"}, rows, "ON CONFLICT DO NOTHING")


async def add_late(tx: Transaction, rows: Sequence[tuple[int, int, int]]) -> None:
    """Remember days that changed although effects have been measured by them: school, metric with level, day."""
    await _insert(tx, "late", {"school_id": "bigint", "place": "bigint", "start": "bigint"}, rows, "ON CONFLICT DO NOTHING")


async def list_sums(tx: Transaction, spans: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int, int, int, int]]:
    """Series, day, numerator, denominator, revision, at of days; a span is a series, a day (inclusive) and a day (exclusive)."""
    rows = await _lookup(
        tx,
        {"series": "bigint", "since": "bigint", "before": "bigint"},
        spans,
        f"SELECT t.series, t.start, t.numerator, t.denominator, t.revision, t.at FROM {_each(tx, 'total', _SPAN)}",
    )
    return [(series, day, n, d, revision, at) for series, day, n, d, revision, at in rows]


async def add_up(tx: Transaction, series: Sequence[int], since: int, before: int, *, newest: bool) -> dict[int, Sum]:
    """Map each series to the sum of its days from a day (inclusive) to a day (exclusive), for those that have one; `newest`: of the
    newest day with an observation alone, as a metric of kind `latest` has it.
    """
    days = f"t.series = k.series AND t.span = 0 AND t.start >= {int(since)} AND t.start < {int(before)}"
    last = f"(SELECT max(t.start) FROM total t WHERE {days} AND t.denominator > 0)"
    numbers = "CAST(sum(t.numerator) AS bigint), CAST(sum(t.denominator) AS bigint)"
    only = f"AND t.start = {last}" if newest else ""
    select = f"SELECT k.series, {numbers} FROM {_each(tx, 'total', f'{days} {only}')} GROUP BY k.series"
    rows = await _lookup(tx, {"series": "bigint"}, [(each,) for each in series], select)
    return {key: Sum(numerator, denominator) for key, numerator, denominator in rows}


async def set_newest(tx: Transaction, cell: tuple[int, int, int], found: Sum, measured_at: int) -> int:
    """Let this be the newest observation of a sum of kind `latest` (none where its `at` is -1); return 1 where it was another."""
    known = (await find_totals(tx, [cell])).get(cell, Sum())
    if (known.numerator, known.denominator, known.at) == (found.numerator, found.denominator, found.at):
        return 0
    columns = {**_TOTALS, "at": "bigint"}
    changes = ", ".join(f"{name} = excluded.{name}" for name in ("numerator", "denominator", "at", "measured_at"))
    row = (*cell, found.numerator, found.denominator, 1, measured_at, found.at)
    tail = f"ON CONFLICT (series, span, start) DO UPDATE SET {changes}, revision = total.revision + 1"
    await _insert(tx, "total", columns, [row], tail)
    return 1


async def add_rebuilt(tx: Transaction, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
    """Add to the sums of a rebuild: series, window, start, numerator, denominator."""
    columns = {name: type_ for name, type_ in _TOTALS.items() if name not in {"revision", "measured_at"}}
    await _insert(
        tx,
        "rebuilt_total",
        columns,
        sorted(rows),
        "ON CONFLICT (series, span, start) DO UPDATE SET numerator = rebuilt_total.numerator + excluded.numerator, "
        "denominator = rebuilt_total.denominator + excluded.denominator",
    )


async def add_tally(tx: Transaction, rows: Sequence[tuple[int, str, int, str, int]]) -> None:
    """Add to what sources brought: school, source, day, outcome, events."""
    columns = {"school_id": "bigint", "source": "text", "day": "bigint", "outcome": "text", "events": "bigint"}
    tail = "ON CONFLICT (school_id, day, source, outcome) DO UPDATE SET events = tally.events + excluded.events"
    await _insert(tx, "tally", columns, sorted(rows), tail)


async def find_deciding(
    tx: Transaction, series: Sequence[int], window: int, min_denominator: int, through: int | None = None
) -> dict[int, int]:
    """Map each series to the start of its deciding window: the latest one with enough denominator (none after `through`)."""
    most = "" if through is None else f"AND t.start <= {int(through)}"
    # Down the key from the newest window: a join is planned as a scan of all sums while PostgreSQL has no statistics of a new table.
    rows = await _lookup(
        tx,
        {"series": "bigint"},
        [(each,) for each in series],
        f"SELECT k.series, (SELECT t.start FROM total t WHERE t.series = k.series AND t.span = {int(window)} "
        f"AND t.denominator >= {int(min_denominator)} AND t.denominator > 0 {most} ORDER BY t.start DESC LIMIT 1) FROM k",
    )
    return {series: day for series, day in rows if day is not None}


async def find_newest_days(tx: Transaction, spans: Sequence[tuple[int, int, int]]) -> dict[int, int]:
    """Map each series to its newest day with an observation; a span is a series, a day (inclusive) and a day (exclusive)."""
    rows = await _lookup(
        tx,
        {"series": "bigint", "since": "bigint", "before": "bigint"},
        spans,
        f"SELECT t.series, max(t.start) FROM {_each(tx, 'total', f'{_SPAN} AND t.denominator > 0')} GROUP BY t.series",
    )
    newest: dict[int, int] = {}
    for series, day in rows:
        newest[series] = max(day, newest.get(series, day))
    return newest
