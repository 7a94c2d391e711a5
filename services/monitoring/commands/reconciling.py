"""Make warnings agree with their stories told anew.

A warning is withdrawn where no episode of the story ran while it stood: it would never have been raised. Otherwise the story's
end decides: the warning of the last episode stands as the story says, be it that it had been cleared; every other one is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningRevised, WarningWithdrawn
from services.monitoring.commands.warnings import Judged, Ledger, identity
from services.monitoring.domain.episodes import Indicator, Line, Step, Sum, decimal, value_of
from services.monitoring.domain.story import Spell, Teller, Turn
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.schools import School
from services.monitoring.queries.story import Pair
from services.monitoring.tables import SchoolRow, TurnRow, WarningRow, WarningStepRow


@dataclass(frozen=True, slots=True)
class Why:
    """What made stories be told anew: `because` is `corrected`, `retracted`, `roster` or `terms`; `cause` names the event."""

    because: str
    cause: str
    reason: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Retold:
    """A story that was told anew; `begun` is the turn it began with where an episode was open there."""

    code: str
    subject: tuple[str, str]
    word: int
    teller: Teller
    begun: TurnRow | None

    @property
    def spells(self) -> list[Spell]:
        return self.teller.spells(self.begun is not None)


async def reconcile(
    tx: Transaction,
    row: SchoolRow,
    school: School,
    retold: Sequence[Retold],
    warnings: Mapping[Pair, Sequence[WarningRow]],
    since: int,
    why: Why,
) -> None:
    """Withdraw, clear, revise or raise what differs from the stories."""
    ledger = Ledger(tx, school, tells=False)
    tx.traceparent = why.traceparent
    again: list[WarningRow] = []
    for story in retold:
        _Agreement(ledger, row.position, story, why, again).reach(warnings.get((story.code, story.word), ()), since)
    await ledger.write()
    for warning in again:  # after what is over is written as such: one warning of a story is uncleared at a time
        warning.episode_open = True
    await tx.session.flush()


@dataclass
class _Agreement:
    """One story and its warnings."""

    ledger: Ledger
    position: int
    story: Retold
    why: Why
    again: list[WarningRow]

    def reach(self, warnings: Sequence[WarningRow], since: int) -> None:
        spells = self.story.spells
        last = spells[-1] if spells and spells[-1].ended is None else None
        touched = [w for w in warnings if w.ended_place is None or w.ended_place >= since]
        standing = [w for w in touched if w.status != "withdrawn" and any(_overlap(w, spell) for spell in spells)]
        for warning in touched:
            if warning.status != "withdrawn" and warning not in standing:
                self._withdraw(warning)
        for warning in standing:
            self._place(warning, [spell for spell in spells if _overlap(warning, spell)])
        bearer = self._bearer(standing, warnings, last)
        for warning in standing:
            if warning is not bearer and warning.episode_open:
                self._clear(warning, [spell for spell in spells if _overlap(warning, spell)][-1])
        if last is None:
            return
        if bearer is None:
            self._raise(last)
        else:
            self._stand(bearer, last)

    @staticmethod
    def _place(warning: WarningRow, spells: Sequence[Spell]) -> None:
        """Let the warning stand where its episodes do in the story; one that is over keeps the numbers that ended it."""
        if spells[0].begin > 0:
            warning.raised_place = spells[0].begin
        if not warning.episode_open and (ended := spells[-1].ended) is not None:
            numbers = (from_day(ended.start), ended.total.numerator, ended.total.denominator)
            if numbers != (warning.start, warning.numerator, warning.denominator):
                warning.start, warning.numerator, warning.denominator = numbers
                warning.revision = ended.total.revision
            warning.ended_place = ended.place

    def _bearer(self, standing: Sequence[WarningRow], all_: Sequence[WarningRow], last: Spell | None) -> WarningRow | None:
        """The warning that the story's open episode goes on in: of those that ran with it the uncleared one, else the latest; or
        the one that was withdrawn.
        """
        if last is None:
            return None
        quiet = self.story.teller.episode.quiet
        found = [w for w in standing if _overlap(w, last)]
        if alike := [w for w in found if (w.status == "dismissed") == quiet]:
            return next((w for w in alike if w.episode_open), alike[-1])
        if last.raised is None:
            return None
        level, subject = self.story.subject
        id_ = identity(self.ledger.school.code, self.story.code, level, subject, last.raised.cause)
        return next((w for w in all_ if w.id == id_), None)

    # --- what becomes of a warning ------------------------------------------------------------------------------------

    def _withdraw(self, warning: WarningRow) -> None:
        warning.episode_open, warning.ended_place = False, self.position
        if warning.status == "dismissed":
            return  # a person had said so before
        warning.was = warning.was if warning.status == "stale" else warning.status
        warning.status = "withdrawn"
        self._note(warning, "withdrawn", {})
        self._publish(warning, WarningWithdrawn(warning=warning.id, because=self.why.because, reason=self.why.reason))

    def _clear(self, warning: WarningRow, spell: Spell) -> None:
        """The story ended the warning's episode, or goes on in one of another warning: then this one was never needed."""
        turn = spell.ended
        if turn is None or turn.indicator is None:
            self._withdraw(warning)
            return
        level, subject = self.story.subject
        about = (turn.indicator, level, subject, self.story.word, turn.start, turn.total, self.why.cause, turn.place)
        self.ledger.open_[self.story.code, self.story.word] = warning
        step = Step.ENDED if warning.status == "dismissed" else Step.CLEARED
        self.ledger.take(Judged(*about, traceparent=self.why.traceparent), step, None)

    def _raise(self, spell: Spell) -> None:
        judged, (severity, line) = self._judged(), self._severity(spell)
        if judged is None or severity is None:
            return
        if (turn := spell.raised) is not None:
            judged = replace(judged, cause=turn.cause, place=turn.place, taught=turn.taught)
        self.ledger.take(judged, Step.RAISED, Line(severity, line or 0, 0), self._by(spell))
        self._begin(self.ledger.open_[self.story.code, self.story.word])

    def _begin(self, warning: WarningRow) -> None:
        """The story says in which window the warning began."""
        if (began := self.story.teller.episode.began) is not None:
            warning.began = began

    def _stand(self, warning: WarningRow, spell: Spell) -> None:
        """The warning stands; say so where that, or its severity, is not what it was."""
        severity, line = self._severity(spell)
        if severity is None or line is None:
            severity, line = warning.severity, warning.line
        quiet = self.story.teller.episode.quiet
        again = not warning.episode_open
        worse = severity != warning.severity
        if again:
            self.again.append(warning)
            warning.ended_place = None
            if warning.status in {"cleared", "withdrawn"}:
                warning.status, warning.was = warning.was or "open", None
        warning.severity, warning.line = severity, line
        if (by := self._by(spell)) is not None:
            warning.version, warning.override = by.version, by.override
        elif self.story.begun is not None and self.story.begun.line is not None:
            warning.version, warning.override = self.story.begun.version, self.story.begun.override
        self._begin(warning)
        judged = self._judged()
        if judged is not None:
            total = judged.total
            warning.start, warning.numerator, warning.denominator = from_day(judged.start), total.numerator, total.denominator
            warning.revision, warning.metric, warning.kind = total.revision, judged.indicator.metric, judged.indicator.kind
            warning.window = judged.indicator.window.name.lower()
        if (again or worse) and not quiet:
            self._note(warning, "revised", {"severity": severity, "status": warning.status})
            self._publish(warning, self._revised(warning, judged))

    # --- particulars --------------------------------------------------------------------------------------------------

    def _severity(self, spell: Spell) -> tuple[str | None, int | None]:
        """Severity of the story's open episode, and the line that made it so."""
        if (turn := self._worst(spell)) is not None:
            return turn.severity, turn.line
        begun = self.story.begun
        return (None, None) if begun is None else (begun.severity, begun.line)

    def _by(self, spell: Spell) -> Indicator | None:
        """Whose line made it so; None where that was before this telling."""
        turn = self._worst(spell)
        return None if turn is None else turn.indicator

    def _worst(self, spell: Spell) -> Turn | None:
        turns = (turn for turn in reversed(self.story.teller.turns) if turn.place >= spell.begin)
        return next((turn for turn in turns if turn.step in {Step.RAISED, Step.ESCALATED}), None)

    def _judged(self) -> Judged | None:
        """What was judged last, which the story's open episode shows."""
        if self.story.teller.judged is None:
            return None
        indicator, start, total = self.story.teller.judged
        level, subject = self.story.subject
        about = (indicator, level, subject, self.story.word, start, total, self.why.cause, self.position)
        return Judged(*about, traceparent=self.why.traceparent)

    def _note(self, warning: WarningRow, step: str, detail: dict[str, str]) -> None:
        said = {"because": self.why.because, "reason": self.why.reason, "cause": self.why.cause, **detail}
        self.ledger.tx.append(WarningStepRow, warning=warning.id, at=self.ledger.tx.now, step=step, by=None, detail=said)

    def _publish(self, warning: WarningRow, fact: WarningWithdrawn | WarningRevised) -> None:
        if warning.trial:
            return
        self.ledger.tx.publish(fact, cause=self.why.cause, school=self.ledger.school.code)

    def _revised(self, warning: WarningRow, judged: Judged | None) -> WarningRevised:
        return WarningRevised(
            warning=warning.id,
            status=warning.status,
            severity=warning.severity,
            window=warning.window,
            start=warning.start,
            value=value_of(Sum(warning.numerator, warning.denominator), warning.kind),
            numerator=decimal(warning.numerator),
            denominator=decimal(warning.denominator),
            line=decimal(warning.line),
            because=self.why.because,
            reason=self.why.reason,
            revision=warning.revision,
            comparison=None if judged is None else judged.indicator.side_of(warning.line),
        )


def _overlap(warning: WarningRow, spell: Spell) -> bool:
    """Whether the warning stood while the episode ran; both from a place to a place, or still."""
    begins_in_time = spell.ended is None or warning.raised_place <= spell.ended.place
    return begins_in_time and (warning.ended_place is None or spell.begin <= warning.ended_place)
