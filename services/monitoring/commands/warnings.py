"""Warnings: raised, worsened and ended by the data; acknowledged and dismissed by people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from sqlalchemy import inspect, select, update
from sqlalchemy.orm.attributes import set_committed_value

from libs.common.auth import Scope
from libs.common.database import Transaction, in_batches
from libs.common.errors import Conflict
from libs.common.event import NAMESPACE, Event
from libs.common.events.monitoring import (
    WarningAcknowledged,
    WarningCleared,
    WarningDismissed,
    WarningEscalated,
    WarningImproving,
    WarningRaised,
)
from libs.common.telemetry import OBSERVATION_TO_WARNING
from services.monitoring.domain.episodes import Episode, Indicator, Line, Step, Sum, decimal, millionths, value_of
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.places import Described, classes_of_lessons, describe
from services.monitoring.queries.schools import School, get_school
from services.monitoring.queries.warnings import get_warning, hold_school
from services.monitoring.tables import MomentRow, TurnRow, WarningPlaceRow, WarningRow, WarningStepRow


def identity(school: str, indicator: str, level: str, subject: str, cause: str) -> UUID:
    """The id of the episode of an (indicator, subject) that a cause raised."""
    return uuid5(NAMESPACE, f"warning|{school}|{indicator}|{level}|{subject}|{cause}")


class Judged(Struct, frozen=True):
    """A deciding window as it stood when it was judged, and what made it so. `taught` is the class of a lesson; `place` says how
    far the school had counted.
    """

    indicator: Indicator
    level: str
    subject: str
    word: int
    start: int
    total: Sum
    cause: str
    place: int
    taught: str | None = None
    traceparent: str | None = None
    recorded_at: datetime | None = None


_COLUMNS = tuple(column.key for column in inspect(WarningRow).column_attrs)


@dataclass
class Ledger:
    """The uncleared warnings of a batch's indicators and subjects, and what becomes of them.

    Judging only takes notes here; `write`, or `prepare` and then `send`, writes all of them at once. `tells`: the steps taken are turns
    of the story, too; where the story was told anew it has its turns already.
    """

    tx: Transaction
    school: School
    tells: bool = True
    open_: dict[tuple[str, int], WarningRow] = field(default_factory=dict)
    raised: list[tuple[WarningRow, Judged]] = field(default_factory=list)
    steps: list[tuple[WarningRow, Judged, Step, dict[str, Any]]] = field(default_factory=list)
    last: dict[UUID, tuple[WarningRow, Judged]] = field(default_factory=dict)
    described: Mapping[tuple[str, str], Described] = field(default_factory=dict)

    @classmethod
    async def open(cls, tx: Transaction, school: School, codes: Collection[str], words: Collection[int]) -> Ledger:
        """Read the uncleared warnings of these indicators and subjects."""
        ledger = cls(tx, school)
        if codes:
            for part in in_batches(sorted(words), 10_000):
                rows = await tx.session.scalars(
                    select(WarningRow).where(
                        WarningRow.school_id == school.id,
                        WarningRow.episode_open,
                        WarningRow.indicator.in_(sorted(codes)),
                        WarningRow.subject_word.in_(part),
                    )
                )
                ledger.open_.update({(row.indicator, row.subject_word): row for row in rows})
        return ledger

    def episode(self, code: str, word: int, deciding: int | None) -> Episode:
        """Where the (indicator, subject) stands."""
        row = self.open_.get((code, word))
        if row is None:
            return Episode(deciding=deciding)
        return Episode(row.severity, row.status == "dismissed", deciding, row.began)

    def take(self, judged: Judged, step: Step | None, line: Line | None, by: Indicator | None = None) -> None:
        """Note what judging a deciding window led to; `by`: whose line it is, where that is not what judged last."""
        by = judged.indicator if by is None else by
        key = (judged.indicator.code, judged.word)
        said: dict[str, Any] = {}
        if line is not None:
            said = {"severity": line.severity, "line": decimal(line.enter), "version": by.version}
            said |= {} if by.override is None else {"override": by.override}
        if step is Step.RAISED and line is not None:
            row = self.open_[key] = self._new(judged, line, by)
            self.raised.append((row, judged))
            self._note(row, judged, step, said)
            return
        if (found := self.open_.get(key)) is None:
            return
        row = found
        self.last[row.id] = (row, judged)
        if step is Step.ESCALATED and line is not None:
            row.severity, row.line, row.version, row.override = line.severity, line.enter, by.version, by.override
            self._note(row, judged, step, said)
        elif step in {Step.CLEARED, Step.ENDED}:
            row.episode_open, row.ended_place = False, judged.place
            del self.open_[key]
            if step is Step.CLEARED:
                row.was = row.was if row.status == "stale" else row.status
                row.status = "cleared"
            self._note(row, judged, step, {})

    def _new(self, judged: Judged, line: Line, by: Indicator) -> WarningRow:
        indicator, school = judged.indicator, self.school
        return WarningRow(
            id=identity(school.code, indicator.code, judged.level, judged.subject, judged.cause),
            school_id=school.id,
            indicator=indicator.code,
            version=by.version,
            override=by.override,
            metric=indicator.metric,
            kind=indicator.kind,
            level=judged.level,
            subject=judged.subject,
            subject_word=judged.word,
            window=indicator.window.name.lower(),
            start=from_day(judged.start),
            severity=line.severity,
            status="open",
            episode_open=True,
            numerator=judged.total.numerator,
            denominator=judged.total.denominator,
            line=line.enter,
            raised_at=self.tx.now,
            revision=judged.total.revision,
            began=judged.start,
            raised_place=judged.place,
            trial=indicator.trial,
        )

    def _note(self, row: WarningRow, judged: Judged, step: Step, detail: dict[str, Any]) -> None:
        self.steps.append((row, judged, step, detail))

    async def prepare(self) -> None:
        """Read what `send` needs to say: nothing is read while it sends."""
        self.described = await self._describe()
        for row, _ in self.raised:
            row.subject_name = self.described[row.level, row.subject].name
        await self.tx.session.flush()  # episodes that ended, before new ones of the same subjects

    async def write(self) -> None:
        """Send all rows to the database and all facts to the outbox, in the order in which they were noted."""
        await self.prepare()
        await self.send()

    async def send(self) -> None:
        """The second half of `write`, which may be put off."""
        # A row is told once what it was judged by last, not at each observation. A new version may watch others.
        new = {row.id for row, _ in self.raised}
        shown = [told for told in (_shown(row, judged) for row, judged in self.last.values()) if told["id"] not in new]
        self.last.clear()
        places = [
            {"warning": row.id, "place": place} for row, _ in self.raised for place in self.described[row.level, row.subject].places
        ]
        numbers = [_numbers(judged) for _, judged, _, _ in self.steps]
        async with self.tx.together():
            await self.tx.update(WarningRow, shown)
            await self.tx.insert(WarningRow, [{name: vars(row).get(name) for name in _COLUMNS} for row, _ in self.raised])
            await self.tx.insert(WarningPlaceRow, places)
            steps = [self._step(*step, said) for step, said in zip(self.steps, numbers, strict=True)]
            await self.tx.insert(WarningStepRow, steps)
            if self.tells:
                await self.tx.insert(TurnRow, [self._turn(*step) for step in self.steps])
        for (row, judged, step, detail), said in zip(self.steps, numbers, strict=True):
            self._publish(row, judged, step, detail, said)
        self.raised.clear()
        self.steps.clear()

    async def _describe(self) -> dict[tuple[str, str], Described]:
        school, tx = self.school, self.tx
        today = from_day(school.calendar.day_of(tx.now))
        taught = {judged.subject: judged.taught for _, judged in self.raised if judged.taught is not None}
        lost = {judged.word: judged.subject for _, judged in self.raised if judged.level == "lesson" and judged.taught is None}
        if lost:  # not judged by an observation: look the lesson's class up
            taught |= await classes_of_lessons(tx.session, lost)
        subjects = {(row.level, row.subject) for row, _ in self.raised}
        return await describe(tx.session, school.id, school.roster, subjects, today, taught) if subjects else {}

    def _step(self, row: WarningRow, _: Judged, step: Step, detail: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        plain = {name: str(v) if isinstance(v, Decimal | date) else v for name, v in {**said, **detail}.items()}
        return {"warning": row.id, "at": self.tx.now, "step": step.value, "by": None, "detail": plain}

    def _turn(self, row: WarningRow, judged: Judged, step: Step, detail: dict[str, Any]) -> dict[str, Any]:
        raised = step in {Step.RAISED, Step.ESCALATED}
        return {
            "school_id": self.school.id,
            "indicator": row.indicator,
            "subject_word": row.subject_word,
            "place": judged.place,
            "severity": detail["severity"] if raised else None,
            "quiet": False,
            "version": detail["version"] if raised else judged.indicator.version,
            "line": millionths(detail["line"]) if raised else None,
            "began": row.began if raised else None,
            "override": detail.get("override"),
        }

    def _publish(
        self,
        row: WarningRow,
        judged: Judged,
        step: Step,
        detail: dict[str, Any],
        said: dict[str, Any],
    ) -> None:
        if row.trial:
            return
        self.tx.traceparent = judged.traceparent
        # From what was judged, never from the row: a later step of the same batch may have changed that already.
        numbers = {"warning": row.id, **said, "revision": judged.total.revision}
        if step is Step.RAISED:
            fact: Event = self._raised(row, judged, detail, self.described[row.level, row.subject], said)
        elif step is Step.ESCALATED:
            severity, line, indicator = detail["severity"], detail["line"], judged.indicator
            about = {"window": indicator.window.name.lower(), "comparison": indicator.side_of(millionths(line))}
            fact = WarningEscalated(severity=severity, line=line, **about, **numbers)
        elif step is Step.CLEARED:
            fact = WarningCleared(**numbers)
        else:
            return
        self.tx.publish(fact, cause=judged.cause, school=self.school.code)

    def _raised(
        self, row: WarningRow, judged: Judged, detail: dict[str, Any], described: Described, said: dict[str, Any]
    ) -> WarningRaised:
        if judged.recorded_at is not None:
            waited = (self.tx.now - judged.recorded_at).total_seconds()
            self.tx.when_committed.append(lambda: OBSERVATION_TO_WARNING.observe(max(waited, 0.0)))
        indicator, line = judged.indicator, millionths(detail["line"])
        return WarningRaised(
            warning=row.id,
            indicator=row.indicator,
            indicator_name=indicator.name,
            version=detail["version"],
            metric=indicator.metric,
            level=row.level,
            subject=row.subject,
            subject_name=described.name,
            window=indicator.window.name.lower(),
            severity=detail["severity"],
            comparison=indicator.side_of(line),
            line=detail["line"],
            clear=decimal(indicator.clear_of(line)),
            raised_at=self.tx.now,
            observed_at=judged.recorded_at,
            places=described.places,
            kind=indicator.kind,
            revision=judged.total.revision,
            override=detail.get("override"),
            **said,
        )


def _shown(row: WarningRow, judged: Judged) -> dict[str, Any]:
    """What a warning shows of the window that it was judged by last: set without the session's noticing, for many at once are written
    by one statement.
    """
    indicator, total = judged.indicator, judged.total
    shown = {
        "metric": indicator.metric,
        "kind": indicator.kind,
        "window": indicator.window.name.lower(),
        "start": from_day(judged.start),
        "numerator": total.numerator,
        "denominator": total.denominator,
        "revision": total.revision,
    }
    for name, value in shown.items():
        set_committed_value(row, name, value)
    return {"id": row.id, **shown}


def _numbers(judged: Judged) -> dict[str, Any]:
    return {
        "start": from_day(judged.start),
        "value": value_of(judged.total, judged.indicator.kind),
        "numerator": decimal(judged.total.numerator),
        "denominator": decimal(judged.total.denominator),
    }


# --- by people -------------------------------------------------------------------------------------------------------


async def acknowledge(tx: Transaction, scope: Scope, warning: UUID, by: str) -> WarningRow:
    """Note that a person has seen it. Raises NotFound, Conflict unless it is open (again by anybody: nothing changes)."""
    row = await get_warning(tx.session, scope, warning, lock=True)
    if row.status == "acknowledged":
        return row
    if row.status != "open":
        raise Conflict(f"the warning is {row.status}: only an open one is acknowledged")
    row.status = "acknowledged"
    tx.session.add(WarningStepRow(warning=row.id, at=tx.now, step="acknowledged", by=by, detail={}))
    tx.publish(WarningAcknowledged(warning=row.id, by=by))
    await tx.session.flush()
    return row


async def dismiss(tx: Transaction, scope: Scope, warning: UUID, by: str, reason: str) -> WarningRow:
    """Judge it unfounded: quiet until the data is back over the clear line. Raises NotFound, Conflict when it is over."""
    row = await get_warning(tx.session, scope, warning, lock=True)
    if row.status not in {"open", "acknowledged", "improving", "stale"}:
        raise Conflict(f"the warning is {row.status}: only an uncleared one is dismissed")
    row.was, row.status = row.status, "dismissed"
    if row.episode_open:
        position = (await get_school(tx.session, scope.school)).position
        story = {"school_id": row.school_id, "subject_word": row.subject_word}
        tx.session.add(MomentRow(what="dismissed", code=row.indicator, position=position, **story))
        turn = {
            "place": position,
            "severity": row.severity,
            "quiet": True,
            "version": row.version,
            "line": row.line,
            "began": row.began,
            "override": row.override,
        }
        tx.session.add(TurnRow(indicator=row.indicator, **turn, **story))
    tx.session.add(WarningStepRow(warning=row.id, at=tx.now, step="dismissed", by=by, detail={"reason": reason}))
    tx.publish(WarningDismissed(warning=row.id, by=by, reason=reason))
    await tx.session.flush()
    return row


async def link_improvement(tx: Transaction, warning: UUID, improvement: UUID) -> None:
    """Remember the warning's improvement task."""
    sql = update(WarningRow).where(WarningRow.id == warning).values(improvement=improvement)
    await tx.session.execute(sql.execution_options(synchronize_session=False))


async def mark_improving(tx: Transaction, warning: UUID, by: str) -> None:
    """The improvement was started: an open or acknowledged warning is improving."""
    await hold_school(tx.session, tx.school)
    row = await tx.session.get(WarningRow, warning)
    if row is not None and row.status in {"stale", "cleared", "withdrawn"} and row.was in {"open", "acknowledged"}:
        row.was = "improving"  # should it stand again, that is what it is
    elif row is not None and row.status in {"open", "acknowledged"}:
        row.status = "improving"
        tx.session.add(WarningStepRow(warning=row.id, at=tx.now, step="improving", by=by, detail={}))
        tx.publish(WarningImproving(warning=row.id))
