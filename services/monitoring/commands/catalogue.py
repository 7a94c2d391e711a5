"""Schools, metrics and indicators, as monitoring needs them."""

from __future__ import annotations

import secrets

from libs.common.database import Transaction
from libs.common.errors import Conflict
from libs.common.events.gateway import SchoolAdded, SourceAdded
from libs.common.events.monitoring import MetricDefined
from libs.common.events.standards import IndicatorActivated, IndicatorTried, TrialAbandoned
from services.monitoring.commands.judging import judge_all, refill, start_closing
from services.monitoring.commands.trials import end_trials
from services.monitoring.domain.story import activated_cause
from services.monitoring.queries.catalogue import codes_of, find_indicator, find_metric
from services.monitoring.queries.schools import changed, find_school_locked, get_school
from services.monitoring.queries.trials import find_trial
from services.monitoring.tables import IndicatorRow, InstallationRow, MetricRow, MomentRow, SchoolRow, SourceRow, TrialRow
from services.monitoring.templates import STARTING, TEMPLATE


async def add_school(tx: Transaction, event: SchoolAdded) -> None:
    """Begin to count for a school, with the metrics that every school starts with."""
    if await tx.session.get(InstallationRow, 1) is None:
        tx.session.add(InstallationRow(id=1, key=secrets.token_bytes(32)))
    row = SchoolRow(code=event.code, timezone=event.timezone, year_start=event.year_start, position=0, version=1)
    tx.session.add(row)
    await tx.session.flush()
    for metric in STARTING:
        _write(tx, MetricRow(school_id=row.id), metric)
    changed(row)


async def define_metric(tx: Transaction, metric: MetricDefined) -> tuple[MetricRow, bool]:
    """Add a metric, or change one: what `metric` leaves unset stays as it is. Return it and whether it is new.

    Raises Conflict for another grain or kind (sums of two grains cannot be told apart), and for a code or an alias that
    another metric has.
    """
    school = await get_school(tx.session, tx.school, lock=True)
    row = await find_metric(tx.session, school.id, metric.code)
    new = row is None
    if row is None:
        row = MetricRow(school_id=school.id)
    else:
        before = MetricDefined.model_validate(row, from_attributes=True)
        if before.code != metric.code:
            raise Conflict(f"{metric.code!r} is the alias of {before.code!r} already")
        if sorted(before.grain) != sorted(metric.grain) or before.kind != metric.kind:
            raise Conflict(f"the grain and kind of {metric.code!r} are fixed: give the other metric another code")
        said = {name: getattr(metric, name) for name in metric.model_fields_set - {"grain"}}
        metric = before.model_copy(update=said)
        if metric == before:
            return row, False
    if metric.alias is not None and (other := await find_metric(tx.session, school.id, metric.alias)) not in {None, row}:
        raise Conflict(f"{metric.alias!r} is a code of {other.code!r} already")
    _write(tx, row, metric)
    changed(school)
    await tx.session.flush()
    return row, new


async def apply_template(tx: Transaction) -> tuple[list[str], list[str]]:
    """Add what the school lacks of the template's metrics; return the codes of those, and of those it had.

    A metric is there where one has its code or its alias as code or alias: what the school has said of it stays.
    """
    school = await get_school(tx.session, tx.school, lock=True)
    there = await codes_of(tx.session, school.id)
    added = [metric for metric in TEMPLATE if not {metric.code, metric.alias} & there]
    for metric in added:
        _write(tx, MetricRow(school_id=school.id), metric)
    if added:
        changed(school)
    return [metric.code for metric in added], [metric.code for metric in TEMPLATE if metric not in added]


def _write(tx: Transaction, row: MetricRow, metric: MetricDefined) -> None:
    """Make the row say what the metric says, and publish it."""
    for name in MetricDefined.model_fields:
        setattr(row, name, getattr(metric, name))
    row.counting_rules = None if metric.counting_rules is None else metric.counting_rules.model_dump(exclude_none=True)
    tx.session.add(row)
    tx.publish(metric)


async def label_source(tx: Transaction, event: SourceAdded) -> None:
    """Remember how the numbers of a source arise."""
    school = await get_school(tx.session, tx.school)
    for uri in event.uris:
        await tx.session.merge(SourceRow(school_id=school.id, uri=uri, label=event.label))


async def activate_indicator(tx: Transaction, event: IndicatorActivated) -> None:
    """Watch by this version from now on; each subject's deciding window is judged at once over the data already there."""
    school = await get_school(tx.session, tx.school, lock=True)
    if await find_indicator(tx.session, school.id, event.code, event.version) is not None:
        return
    await end_trials(tx, school, event.code, event.version)
    await _watch(tx, school, event)


async def try_indicator(tx: Transaction, event: IndicatorTried) -> None:
    """Judge by this version as by an indicator of its own, of which nobody is told; the trial before it is over."""
    school = await get_school(tx.session, tx.school, lock=True)
    if await find_trial(tx.session, school.id, event.code, event.version) is not None:
        return
    await end_trials(tx, school, event.code, event.version)
    story = f"{event.code}@{event.version}"  # no indicator has such a code
    about = {"code": event.code, "version": event.version, "name": event.name, "level": event.level}
    tx.session.add(TrialRow(school_id=school.id, story=story, began_at=tx.now, **about))
    await _watch(tx, school, event.model_copy(update={"code": story, "stale_after_days": None}), trial=True)


async def abandon_trial(tx: Transaction, event: TrialAbandoned) -> None:
    """End the trial of a version; what it counted stays."""
    school = await get_school(tx.session, tx.school, lock=True)
    changed(school)
    await end_trials(tx, school, event.code, event.version)


async def _watch(tx: Transaction, school: SchoolRow, event: IndicatorActivated, *, trial: bool = False) -> None:
    definition = event.model_dump(mode="json") | {"trial": trial}
    version = IndicatorRow(school_id=school.id, code=event.code, version=event.version, definition=definition)
    version.stale_after_days = event.stale_after_days
    tx.session.add(version)
    changed(school)
    await tx.session.flush()
    found = await find_school_locked(tx, tx.school)
    assert found is not None
    indicator = next(v for v in found[1].versions[event.code] if v.version == event.version)
    closed = await start_closing(tx, found[1], indicator)
    story = {
        "school_id": school.id,
        "code": event.code,
        "version": event.version,
        "position": school.position,
        "subject_word": None,
    }
    if closed is not None:
        tx.append(MomentRow, what="closed", start=closed, **story)
    tx.append(MomentRow, what="activated", start=None, **story)
    await refill(tx, found[1], {(indicator.metric, indicator.level, indicator.window)})
    await judge_all(tx, *found, (indicator.metric, indicator.level), indicator.code, activated_cause(indicator))
