"""Warnings: raised, worsened and ended by the data; acknowledged and dismissed by people."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from libs.common.auth import Scope
from libs.common.database import Transaction, in_batches
from libs.common.errors import Conflict
from libs.common.event import NAMESPACE
from libs.common.events.monitoring import (
    WarningAcknowledged,
    WarningCleared,
    WarningDismissed,
    WarningEscalated,
    WarningImproving,
    WarningRaised,
)
from libs.common.telemetry import OBSERVATION_TO_WARNING
from services.monitoring.domain.episodes import Episode, Indicator, Line, Step, Sum, decimal, ratio
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.places import name_of, places_of
from services.monitoring.queries.schools import School
from services.monitoring.queries.warnings import get_warning
from services.monitoring.tables import WarningPlaceRow, WarningRow, WarningStepRow


@dataclass(frozen=True, slots=True)
class Judged:
    """A deciding window as it stood when it was judged, and what made it so."""

    indicator: Indicator
    level: str
    subject: str
    word: int
    start: int
    total: Sum
    cause: str
    traceparent: str | None = None
    recorded_at: datetime | None = None


@dataclass
class Ledger:
    """The uncleared warnings of a batch's indicators and subjects, and what becomes of them."""

    tx: Transaction
    school: School
    open_: dict[tuple[str, int], WarningRow] = field(default_factory=dict)

    @classmethod
    async def open(cls, tx: Transaction, school: School, codes: Collection[str], words: Collection[int]) -> Ledger:
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

    def find(self, code: str, word: int) -> WarningRow | None:
        return self.open_.get((code, word))

    def episode(self, code: str, word: int, deciding: int | None) -> Episode:
        """Where the (indicator, subject) stands."""
        row = self.find(code, word)
        return Episode(deciding=deciding) if row is None else Episode(row.severity, row.status == "dismissed", deciding)

    async def take(self, judged: Judged, step: Step | None, line: Line | None) -> None:
        """Carry out what judging a deciding window led to."""
        row = self.find(judged.indicator.code, judged.word)
        if step is Step.RAISED and line is not None:
            await self._raise(judged, line)
            return
        if row is None:
            return
        row.start, row.numerator, row.denominator = from_day(judged.start), judged.total.numerator, judged.total.denominator
        if step is Step.ESCALATED and line is not None:
            row.severity, row.line, row.version = line.severity, line.enter, judged.indicator.version
            self._note(row, judged, step, {"severity": line.severity, "line": decimal(line.enter)})
            self._publish(
                WarningEscalated(severity=row.severity, line=decimal(line.enter), window=row.window, **self._numbers(row)), judged
            )
        elif step in {Step.CLEARED, Step.ENDED}:
            row.episode_open = False
            del self.open_[row.indicator, row.subject_word]
            self._note(row, judged, step, {})
            if step is Step.CLEARED:
                row.status = "cleared"
                self._publish(WarningCleared(**self._numbers(row)), judged)
            await self.tx.session.flush()  # before a new episode of the same subject is inserted

    async def write(self) -> None:
        """Send all rows to the database."""
        await self.tx.session.flush()

    async def _raise(self, judged: Judged, line: Line) -> None:
        indicator, tx, school = judged.indicator, self.tx, self.school
        today = from_day(school.calendar.day_of(tx.now))
        places = await places_of(tx.session, school.id, school.roster, judged.level, judged.subject, today)
        row = WarningRow(
            id=uuid5(NAMESPACE, f"warning|{school.code}|{indicator.code}|{judged.level}|{judged.subject}|{judged.cause}"),
            school_id=school.id,
            indicator=indicator.code,
            version=indicator.version,
            metric=indicator.metric,
            level=judged.level,
            subject=judged.subject,
            subject_word=judged.word,
            subject_name=await name_of(tx.session, school.id, judged.level, judged.subject),
            window=indicator.window.name.lower(),
            start=from_day(judged.start),
            severity=line.severity,
            status="open",
            episode_open=True,
            numerator=judged.total.numerator,
            denominator=judged.total.denominator,
            line=line.enter,
            raised_at=tx.now,
        )
        tx.session.add(row)
        await tx.session.flush()
        tx.session.add_all(WarningPlaceRow(warning=row.id, place=place) for place in places)
        self.open_[row.indicator, row.subject_word] = row
        self._note(row, judged, Step.RAISED, {"severity": line.severity, "line": decimal(line.enter), "version": row.version})
        fact = WarningRaised(
            indicator=row.indicator,
            indicator_name=indicator.name,
            version=row.version,
            metric=row.metric,
            level=row.level,
            subject=row.subject,
            subject_name=row.subject_name,
            window=row.window,
            severity=row.severity,
            comparison="below" if indicator.below else "above",
            line=decimal(line.enter),
            clear=decimal(indicator.lines[0].clear),
            raised_at=row.raised_at,
            observed_at=judged.recorded_at,
            places=places,
            **self._numbers(row),
        )
        self._publish(fact, judged)
        if judged.recorded_at is not None:
            waited = (tx.now - judged.recorded_at).total_seconds()
            tx.when_committed.append(lambda: OBSERVATION_TO_WARNING.observe(max(waited, 0.0)))

    def _numbers(self, row: WarningRow) -> dict[str, Any]:
        return {
            "warning": row.id,
            "start": row.start,
            "value": ratio(Sum(row.numerator, row.denominator)),
            "numerator": decimal(row.numerator),
            "denominator": decimal(row.denominator),
        }

    def _note(self, row: WarningRow, judged: Judged, step: Step, detail: dict[str, Any]) -> None:
        numbers = {
            "start": from_day(judged.start).isoformat(),
            "numerator": decimal(judged.total.numerator),
            "denominator": decimal(judged.total.denominator),
            "value": ratio(judged.total),
        }
        plain = {name: str(value) if isinstance(value, Decimal) else value for name, value in {**numbers, **detail}.items()}
        self.tx.session.add(WarningStepRow(warning=row.id, at=self.tx.now, step=step.value, by=None, detail=plain))

    def _publish(self, fact: Any, judged: Judged) -> None:
        self.tx.traceparent = judged.traceparent
        self.tx.publish(fact, cause=judged.cause, school=self.school.code)


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
    row.status = "dismissed"
    tx.session.add(WarningStepRow(warning=row.id, at=tx.now, step="dismissed", by=by, detail={"reason": reason}))
    tx.publish(WarningDismissed(warning=row.id, by=by, reason=reason))
    await tx.session.flush()
    return row


async def link_improvement(tx: Transaction, warning: UUID, improvement: UUID) -> None:
    """Remember the warning's improvement task."""
    if (row := await tx.session.get(WarningRow, warning)) is not None:
        row.improvement = improvement


async def mark_improving(tx: Transaction, warning: UUID, by: str) -> None:
    """The improvement was started: an open or acknowledged warning is improving."""
    row = await tx.session.get(WarningRow, warning)
    if row is not None and row.status in {"open", "acknowledged"}:
        row.status = "improving"
        tx.session.add(WarningStepRow(warning=row.id, at=tx.now, step="improving", by=by, detail={}))
        tx.publish(WarningImproving(warning=row.id))
