"""Rebuild sums and stories from the observation log, part by part, while intake goes on.

Sums are added up anew beside the kept ones, a part a transaction, so that a stop in between loses nothing: the next part goes
on from there. When the log is at its end the two are compared, what differs is mended, and every story is told again. Nobody
is told what they were told before: facts are published only where something differed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from libs.common.database import Transaction
from services.monitoring.commands.counting import cells_of, find_newest_anew, resolve
from services.monitoring.commands.entries import Entry, entry_of
from services.monitoring.commands.folding import Cell
from services.monitoring.commands.reconciling import Why
from services.monitoring.commands.retelling import retell
from services.monitoring.commands.telling import note_changed
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.queries import bulk
from services.monitoring.queries.log import standing_after
from services.monitoring.queries.rebuilding import (
    canonical_state,
    differing_totals,
    find_rebuild,
    forget_rebuilt,
)
from services.monitoring.queries.schools import School, find_school_locked, get_school
from services.monitoring.queries.totals import list_days, list_series
from services.monitoring.tables import RebuildRow, SchoolRow

PART = 10_000
AT_ONCE = 500_000  # observations that are told from at once: what they take stays in memory meanwhile


async def start(tx: Transaction, code: str) -> tuple[RebuildRow, SchoolRow]:
    """Begin to rebuild a school; one that is being rebuilt goes on."""
    school = await get_school(tx.session, code, lock=True)
    row = await find_rebuild(tx.session, school.id)
    if row is None:
        row = RebuildRow(school_id=school.id)
        tx.session.add(row)
    elif row.finished_at is None:
        return row, school
    row.started_at, row.finished_at, row.version, row.done = tx.now, None, school.version, 0
    row.before = row.after = row.mended = None
    await forget_rebuilt(tx.session, school.id)
    await tx.session.flush()
    return row, school


async def go_on(tx: Transaction) -> None:
    """Add up the next part of a school that is being rebuilt, or finish."""
    found = await find_school_locked(tx, tx.school)
    if found is None or (rebuild := await find_rebuild(tx.session, found[0].id)) is None or rebuild.finished_at is not None:
        return
    row, school = found
    if rebuild.version != row.version:  # roster, metrics or indicators changed: what was added up may be of other subjects
        rebuild.version, rebuild.done = row.version, 0
        await forget_rebuilt(tx.session, school.id)
    part = await standing_after(tx.session, school.id, rebuild.done, PART)
    await _add(tx, school, [], [entry_of(school, o) for o in part])
    if len(part) == PART:
        rebuild.done = part[-1].position
    else:
        rebuild.done = row.position
        await _finish(tx, row, school, rebuild)


async def follow(tx: Transaction, school: School, gone: Sequence[tuple[int, Entry]], come: Sequence[tuple[int, Entry]]) -> None:
    """Let a rebuild under way know of a correction of what it has added up already; entries come with the positions of their rows."""
    rebuild = await find_rebuild(tx.session, school.id)
    if rebuild is not None and rebuild.finished_at is None:
        known = [[entry for position, entry in entries if position <= rebuild.done] for entries in (gone, come)]
        await _add(tx, school, *known)


async def _add(tx: Transaction, school: School, gone: Sequence[Entry], come: Sequence[Entry]) -> None:
    spots = await resolve(tx, school, [*gone, *come])
    numbers: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for sign, entries in ((-1, gone), (1, come)):
        for entry in (entry for entry in entries if entry.at < 0):  # the newest ones are looked at when the log is at its end
            for cell in cells_of(school, spots, entry):
                numbers[cell][0] += sign * entry.numerator
                numbers[cell][1] += sign * entry.denominator
    await bulk.add_rebuilt(tx, [(*cell, n, d) for cell, (n, d) in numbers.items()])


async def _finish(tx: Transaction, row: SchoolRow, school: School, rebuild: RebuildRow) -> None:
    rebuild.before = await canonical_state(tx.session, school.id)
    wrong = await differing_totals(tx.session, school.id)
    measured_at = int(tx.now.timestamp() * 1_000_000)
    await bulk.add_totals(tx, bulk.columns_of((*cell, 1, measured_at) for cell in wrong))
    await note_changed(tx, school, wrong)
    newest = await _newest_anew(tx, school)
    why = Why("rebuilt", f"rebuilt|{rebuild.started_at.isoformat()}", "按观测日志重建")
    for (metric, level), by_code in sorted(school.watch.items()):
        del by_code
        subjects = [subject for _, _, subject in await list_series(tx.session, school.metric_ids[metric], LEVEL_CODE[level])]
        parts = 1 + row.position // AT_ONCE
        for n in range(parts):
            await retell(tx, row, school, {(metric, level): subjects[n::parts]}, 1, why)
    await tx.session.flush()
    rebuild.after = await canonical_state(tx.session, school.id)
    rebuild.mended, rebuild.finished_at = len(wrong) + newest, tx.now
    await forget_rebuilt(tx.session, school.id)


async def _newest_anew(tx: Transaction, school: School) -> int:
    wrong = 0
    for metric in sorted(code for code, rule in school.rules.items() if rule.kind == "latest"):
        for level, code in LEVEL_CODE.items():
            subjects = {key: subject for key, _, subject in await list_series(tx.session, school.metric_ids[metric], code)}
            days = await list_days(tx.session, sorted(subjects))
            cells = [(metric, level, subjects[series], series, day) for series, day, *_ in days]
            wrong += await find_newest_anew(tx, school, cells)
    return wrong
