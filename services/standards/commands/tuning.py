"""Try warning lines out, tune them, and let them warn or give them up: by the quality office, never by whom they judge."""

from __future__ import annotations

from collections.abc import Sequence

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Invalid
from libs.common.events.origin import Origin
from libs.common.events.standards import TrialAbandoned, WarningLine
from services.standards.commands.indicators import not_judged, not_judged_before, put_in_force, put_in_trial, write_version
from services.standards.commands.standards import whole_school
from services.standards.domain.indicators import Definition, faults_of
from services.standards.queries.indicators import get_indicator, get_version
from services.standards.queries.subjects import today_in
from services.standards.tables import IndicatorRow, VersionRow

ORIGIN_MOST = 1000
Found = tuple[VersionRow, IndicatorRow]


async def release(tx: Transaction, scope: Scope, by: str, code: str, version: int) -> Found:
    """End the trial of a version: its lines warn from now on, and what is there is judged at once. Again changes nothing.

    Raises NotFound, Conflict unless it is in trial, Forbidden for whom it judges, Invalid for a target past a floor.
    """
    indicator = await get_indicator(tx.session, scope, code)
    row = await get_version(tx.session, scope, code, version)
    definition = Definition.model_validate(row.definition)
    await _not_judged(tx, scope, by, definition)
    if indicator.active == version:
        return row, indicator
    if indicator.trial != version:
        raise Conflict(f"version {version} is not in trial")
    await not_judged_before(tx, scope, by, indicator)
    row.released_at, row.released_by = tx.now, by
    await put_in_force(tx, scope, indicator, version, definition)
    return row, indicator


async def abandon(tx: Transaction, scope: Scope, by: str, code: str, version: int, reason: str) -> Found:
    """End the trial of a version that shall not warn, with the reason: what it counted stays. Again changes nothing.

    What is in force beside it stays in force. Raises NotFound, Conflict unless it is in trial, Forbidden for whom it judges.
    """
    indicator = await get_indicator(tx.session, scope, code)
    row = await get_version(tx.session, scope, code, version)
    await _not_judged(tx, scope, by, Definition.model_validate(row.definition))
    if row.abandoned_at is not None:
        return row, indicator
    if indicator.trial != version:
        raise Conflict(f"version {version} is not in trial")
    indicator.trial = None
    row.abandoned_at, row.abandoned_by, row.abandoned_because = tx.now, by, reason
    tx.publish(TrialAbandoned(code=code, version=version))
    return row, indicator


async def tune(tx: Transaction, scope: Scope, by: str, code: str, lines: Sequence[WarningLine], reason: str) -> Found:
    """Give an indicator other warning lines: a new version, which at once takes the place of the one in trial, else of the active one.

    In trial it judges from the same day on; in force from today, so that what was judged before stands. The same lines again change
    nothing. Raises NotFound, Conflict where it is neither in trial nor in force, Forbidden for whom it judges, Invalid for lines that
    contradict themselves.
    """
    indicator = await get_indicator(tx.session, scope, code)
    if (base := indicator.trial or indicator.active) is None:
        raise Conflict("it is neither in trial nor in force: it is changed by defining it again")
    row = await get_version(tx.session, scope, code, base)
    before = Definition.model_validate(row.definition)
    today = await today_in(tx.session, scope.school, tx.now)
    await _not_judged(tx, scope, by, before)
    tuned = before.model_copy(update={"warning_lines": tuple(lines)})
    if faults := faults_of(tuned):
        raise Invalid("the lines cannot stand like this", faults)
    tuned = tuned.in_order()
    if tuned == before:
        return row, indicator
    live = indicator.trial is None
    tuned = tuned.model_copy(
        update={"trial": not live, "effective_from": max(today, before.effective_from) if live else before.effective_from}
    )
    indicator.newest += 1
    origin = Origin(kind="exception", reason=reason[:ORIGIN_MOST]).document()
    row = write_version(tx, indicator, by, tuned, origin, reason)
    row.activated_at, row.activated_by = tx.now, by
    await (put_in_force if live else put_in_trial)(tx, scope, indicator, row.version, tuned)
    return row, indicator


async def _not_judged(tx: Transaction, scope: Scope, by: str, definition: Definition) -> None:
    whole_school(scope, "warning lines hold")
    await not_judged(tx, scope, by, definition)
