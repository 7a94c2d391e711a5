"""Everything that changes an indicator."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.exc import IntegrityError

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.origin import Origin
from libs.common.events.standards import MeasureWanted
from services.standards.commands.origins import origin_of, second_person
from services.standards.domain.indicators import Definition, faults_of
from services.standards.queries.indicators import find_indicator, find_metric, get_indicator, get_version, list_metrics
from services.standards.queries.standards import active_indicators, indicator_codes, list_in_force
from services.standards.queries.subjects import levels_of, today_in, unknown_units
from services.standards.tables import IndicatorRow, MetricRow, VersionRow
from services.standards.templates import SUGGESTED


async def keep_metric(tx: Transaction, code: str, alias: str | None, direction: str) -> None:
    """Remember that the school has this metric, by which second code it is found, and in which direction it is good."""
    await tx.session.merge(MetricRow(school=tx.school, code=code, alias=alias, direction=direction))


async def define_indicator(
    tx: Transaction, scope: Scope, by: str, code: str, definition: Definition, origin: Origin | None = None
) -> tuple[VersionRow, IndicatorRow, bool]:
    """Write the indicator's next version as a draft; the content of its newest version again gives that version, unless its trial was
    abandoned: that is tried anew as the next.

    A metric named by its alias is the metric: the version says its code. Returns the version, its indicator and whether it is new.
    Raises Invalid for lines that contradict themselves, an unknown metric or unit, Forbidden where the caller's posts do not reach the level.
    """
    _check_level(scope, definition)
    faults = faults_of(definition)
    units = [(each.kind, each.id) for each in definition.overrides]
    unknown = await unknown_units(tx.session, scope.school, definition.level, units)
    faults += [
        Fault(pointer=f"/overrides/{n}/{each.kind}", detail=f"the roster has no {each.kind} {each.id!r}")
        for n, each in enumerate(definition.overrides)
        if (each.kind, each.id) in unknown
    ]
    metric = await find_metric(tx.session, scope.school, definition.metric)
    if metric is None:
        faults.append(Fault(pointer="/metric", detail=f"the school has no metric {definition.metric!r}"))
    elif definition.comparison == "outside" and metric.direction in {"higher", "lower"}:
        detail = f"of {definition.metric!r} {metric.direction} is better: a band is for metrics of direction 'band'"
        faults.append(Fault(pointer="/comparison", detail=detail))
    if faults or metric is None:
        raise Invalid("the indicator cannot stand like this", faults)
    definition = definition.in_order().model_copy(update={"metric": metric.code})
    indicator = await find_indicator(tx.session, scope, code)
    if indicator is None:
        indicator = await _first(tx, scope, code)
    else:
        newest = await get_version(tx.session, scope, code, indicator.newest)
        if newest.abandoned_at is None and Definition.model_validate(newest.definition) == definition:
            return newest, indicator, False
        indicator.newest += 1
    came_of = await origin_of(tx, scope.school, indicator.newest, origin)
    return write_version(tx, indicator, by, definition, came_of), indicator, True


def write_version(
    tx: Transaction,
    indicator: IndicatorRow,
    by: str,
    definition: Definition,
    origin: dict[str, Any],
    reason: str | None = None,
) -> VersionRow:
    """Write what the newest version of an indicator says."""
    version = VersionRow(
        school=indicator.school,
        code=indicator.code,
        version=indicator.newest,
        definition=definition.model_dump(mode="json"),
        origin=origin,
        created_at=tx.now,
        created_by=by,
        activated_at=None,
        activated_by=None,
        reason=reason,
        released_at=None,
        released_by=None,
        abandoned_at=None,
        abandoned_by=None,
        abandoned_because=None,
    )
    tx.session.add(version)
    return version


async def draft_suggested(
    tx: Transaction, scope: Scope, by: str, effective_from: date | None, *, trial: bool
) -> tuple[list[str], list[str], list[str]]:
    """Write a draft for each suggested line that the school has no indicator for yet, in force from a date (None: today in its zone).

    `trial`: activated, they are in trial first.
    Returns the codes of the indicators that are new, that were there in whatever version, and that the school has no metric for.
    Raises as `define_indicator`.
    """
    effective_from = effective_from or await today_in(tx.session, scope.school, tx.now)
    known = await indicator_codes(tx.session, scope.school)
    metrics = await list_metrics(tx.session, scope.school)
    added: list[str] = []
    there: list[str] = []
    without: list[str] = []
    for suggested in SUGGESTED:
        said = {name: value for name, value in suggested.items() if name != "code"}
        code, definition = suggested["code"], Definition(**said, effective_from=effective_from, trial=trial)
        if code in known:
            there.append(code)
        elif definition.metric not in metrics:
            without.append(code)
        else:
            await define_indicator(tx, scope, by, code, definition)
            added.append(code)
    return added, there, without


async def _first(tx: Transaction, scope: Scope, code: str) -> IndicatorRow:
    indicator = IndicatorRow(school=scope.school, code=code, newest=1, active=None, trial=None)
    tx.session.add(indicator)
    try:
        await tx.session.flush()
    except IntegrityError as error:  # only where databases have several writers
        raise Conflict(f"somebody else made the indicator {code!r} at this moment: send it again") from error
    return indicator


async def activate_version(tx: Transaction, scope: Scope, by: str, code: str, version: int) -> tuple[VersionRow, IndicatorRow]:
    """Put a version in force from its `effective_from`, or in trial where it says so; the active one again changes nothing.

    Raises NotFound, Conflict where a newer version is active or in trial already and where its trial is over, Forbidden as
    `define_indicator`, for who claimed an exception, and for a change of a line that judges the caller, Invalid for a target past a floor.
    """
    indicator = await get_indicator(tx.session, scope, code)
    row = await get_version(tx.session, scope, code, version)
    definition = Definition.model_validate(row.definition)
    _check_level(scope, definition)
    if version in {indicator.active, indicator.trial}:
        return row, indicator
    if row.abandoned_at is not None:
        raise Conflict(f"the trial of version {version} was abandoned: define it again as the next version")
    newer = max(indicator.active or 0, (indicator.trial or 0) if definition.trial else 0)
    if newer > version:
        state = "active" if newer == indicator.active else "in trial"
        raise Conflict(f"version {newer} is {state}: an older one cannot replace it; define it again as the next version")
    if row.activated_at is not None:
        raise Conflict(f"the trial of version {version} is over: define it again as the next version")
    second_person(row.origin, row.created_by, by)
    if indicator.active is not None or indicator.trial is not None:
        await not_judged(tx, scope, by, definition)
        await not_judged_before(tx, scope, by, indicator)
    row.activated_at, row.activated_by = tx.now, by
    await (put_in_trial if definition.trial else put_in_force)(tx, scope, indicator, version, definition)
    return row, indicator


async def put_in_trial(tx: Transaction, scope: Scope, indicator: IndicatorRow, version: int, definition: Definition) -> None:
    """Let a version count what it would warn of, in the place of the one in trial before. Raises Invalid for a target past a floor."""
    await _check_floors(tx, scope, definition)
    indicator.trial = version
    tx.publish(definition.tried(indicator.code, version))


async def put_in_force(tx: Transaction, scope: Scope, indicator: IndicatorRow, version: int, definition: Definition) -> None:
    """Let a version warn; a trial of it, or of an older one, is over. Raises Invalid for a target past a floor."""
    await _check_floors(tx, scope, definition)
    indicator.active = version
    if indicator.trial is not None and indicator.trial <= version:
        indicator.trial = None
    tx.publish(definition.activated(indicator.code, version))
    await _follow(tx, scope, indicator.code)


async def _check_floors(tx: Transaction, scope: Scope, definition: Definition) -> None:
    """A target may be better than the bottom line of a standard in force, never worse. Raises Invalid, with the clause."""
    if definition.target is None:
        return
    faults = [
        Fault(pointer="/target", detail=f"{definition.target:f} is past {floor.clause} of {each.content.name}: {floor.said()}")
        for each in await list_in_force(tx.session, scope.school)
        for _, floor in each.content.floors
        if floor.metric == definition.metric and not floor.holds(definition.target)
    ]
    if faults:
        raise Invalid("the target is past the bottom line of a standard in force", faults)


async def _follow(tx: Transaction, scope: Scope, code: str) -> None:
    """Ask for what the indicator watches now, where an element of a standard in force is measured by it."""
    used = [e for each in await list_in_force(tx.session, scope.school) for e in each.content.elements if code in e.indicators]
    if any(element.met_by == "measured" and element.criterion is None for element in used):
        said = (await active_indicators(tx.session, scope.school))[code]
        tx.publish(MeasureWanted(metric=said.metric, level=said.level, window=said.window))


async def not_judged(tx: Transaction, scope: Scope, by: str, definition: Definition) -> None:
    """Raises Forbidden for whom a line judges (digest §1.5: nobody changes the line that judges themselves)."""
    today = await today_in(tx.session, scope.school, tx.now)
    if definition.level in await levels_of(tx.session, scope.school, by, today):
        raise Forbidden("nobody changes lines by which they are judged, or what they answer for: somebody else does")


async def not_judged_before(tx: Transaction, scope: Scope, by: str, indicator: IndicatorRow) -> None:
    """As `not_judged`, for what a version replaces: it may judge at another level."""
    for version in (indicator.active, indicator.trial):
        if version is not None:
            row = await get_version(tx.session, scope, indicator.code, version)
            await not_judged(tx, scope, by, Definition.model_validate(row.definition))


def _check_level(scope: Scope, definition: Definition) -> None:
    if not scope.covers([f"level:{definition.level}"]):
        raise Forbidden(f"your posts do not reach indicators of level {definition.level!r}")
