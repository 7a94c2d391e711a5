"""When a warning begins, worsens and ends: a pure function of the numbers in the order in which they were counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct

from services.monitoring.domain.windows import WINDOWS, Window, to_day

MILLION = 1_000_000
ADDITIVE = frozenset({"sum", "count"})  # kinds whose value is the numerator alone
UNITS = ("class", "course", "programme", "department")  # most specific first
SEVERITIES = ("blue", "yellow", "orange", "red")


class Sum(Struct, frozen=True, gc=False):
    """What was observed of one series in one window; both in millionths, exact. `revision` counts the changes.

    Adding is associative and commutative, so batches, order and replicas cannot change a result. Where `at` is given (kind
    `latest`: the time of the observation, in microseconds) the newest one is the sum; of one time, the one added last.
    """

    numerator: int = 0
    denominator: int = 0
    revision: int = 0
    at: int = -1

    def __add__(self, other: Sum) -> Sum:
        if self.at < 0 and other.at < 0:
            return Sum(self.numerator + other.numerator, self.denominator + other.denominator, self.revision + other.revision)
        newest = other if other.at >= self.at else self
        return Sum(newest.numerator, newest.denominator, self.revision + other.revision, newest.at)

    def less(self, other: Sum) -> Sum:
        """The sum as it was before the other was added."""
        return Sum(self.numerator - other.numerator, self.denominator - other.denominator, self.revision - other.revision)


def millionths(number: Decimal | str) -> int:
    """An exact decimal of at most 6 places, in millionths."""
    return int(Decimal(number).scaleb(6))


def decimal(value: int) -> Decimal:
    """Millionths as a plain decimal without trailing zeros."""
    whole, rest = divmod(value, MILLION)
    return Decimal(value).scaleb(-6).normalize() if rest else Decimal(whole)


def ratio(total: Sum) -> Decimal | None:
    """Numerator / denominator rounded to 6 decimals (half away from zero); None without denominator: that is not zero."""
    if total.denominator == 0:
        return None
    sign = -1 if total.numerator < 0 else 1
    return decimal(sign * ((2 * abs(total.numerator) * MILLION + total.denominator) // (2 * total.denominator)))


def value_of(total: Sum, kind: str) -> Decimal | None:
    """What a sum says by the metric's kind: of `sum` and `count` the numerator, of the others numerator / denominator.

    None without denominator: nothing observed is not zero.
    """
    if kind in ADDITIVE:
        return decimal(total.numerator) if total.denominator else None
    return ratio(total)


@dataclass(frozen=True, slots=True)
class Line:
    """Where a warning of one severity begins (`enter`) and ends (`clear`), in millionths; of a band these are its lower bounds, and
    `upper` has the others.
    """

    severity: str
    enter: int
    clear: int
    upper: Line | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Line:
        """Read a line as standards published it: numbers, or bands as [low, high]."""
        enter, clear = said["enter"], said["clear"]
        if not isinstance(enter, list | tuple):
            return cls(said["severity"], millionths(enter), millionths(clear))
        low, high = (cls(said["severity"], millionths(enter[n]), millionths(clear[n])) for n in (0, 1))
        return replace(low, upper=high)


@dataclass(frozen=True, slots=True)
class Repetition:
    """A severity that a warning has at least, once the latest `windows` windows with enough data are all past the mildest line."""

    severity: str
    windows: int


@dataclass(frozen=True, slots=True, eq=False)
class Indicator:
    """One activated version of an indicator. Lines are mildest first; a value on a line is not past it.

    `overridden` maps units (kind, id) to the form that it has there: with other lines, or `off`; `unit` says of a form which unit's
    it is. `kind` is the metric's. `evaluate` is `on_update`, `window_close`, `daily_at`, that with the minute of the school's day, or
    `lesson_end`, that with the minutes after it. In `trial` (试运行) its episodes are counted, and nobody is told of them.
    """

    code: str
    version: int
    name: str
    metric: str
    level: str
    window: Window
    below: bool
    min_denominator: int
    evaluate: str
    lines: tuple[Line, ...]
    effective_from: int
    kind: str = "ratio"
    daily_at: int | None = None
    stale_after_days: int | None = None
    grace_days: int = 0
    lesson_minutes: int | None = None
    outside: bool = False
    raise_after: int = 1
    clear_after: int = 1
    hold_days: int = 0
    repetition: Repetition | None = None
    unit: tuple[str, str] | None = None
    off: bool = False
    effect_windows: int | None = None
    trial: bool = False
    overridden: Mapping[tuple[str, str], Indicator] = field(default_factory=dict)

    @classmethod
    def of(cls, definition: dict[str, Any], kind: str) -> Indicator:
        """Read what standards published (`IndicatorActivated` as JSON) about a metric of that kind."""
        evaluate, daily_at, lesson_minutes = _evaluate(definition["evaluate"])
        repetition = definition.get("repetition")
        plain = cls(
            code=definition["code"],
            version=definition["version"],
            name=definition["name"],
            metric=definition["metric"],
            level=definition["level"],
            window=WINDOWS[definition["window"]],
            below=definition["comparison"] == "below",
            min_denominator=millionths(definition["min_denominator"]),
            evaluate=evaluate,
            lines=mildest_first(Line.of(line) for line in definition["warning_lines"]),
            effective_from=to_day(date.fromisoformat(definition["effective_from"])),
            kind=kind,
            daily_at=daily_at,
            lesson_minutes=lesson_minutes,
            stale_after_days=definition.get("stale_after_days"),
            grace_days=definition.get("grace_days", 0),
            outside=definition["comparison"] == "outside",
            raise_after=definition.get("raise_after_windows", 1),
            clear_after=definition.get("clear_after_windows", 1),
            hold_days=definition.get("hold_days", 0),
            trial=definition.get("trial", False),
            repetition=None if repetition is None else Repetition(repetition["severity"], repetition["windows"]),
            effect_windows=definition.get("effect_windows"),
        )
        return replace(
            plain, overridden={(each["kind"], each["id"]): plain._over(each) for each in definition.get("overrides", ())}
        )

    def _over(self, said: Mapping[str, Any]) -> Indicator:
        lines, least = said["warning_lines"], said["min_denominator"]
        return replace(
            self,
            unit=(said["kind"], said["id"]),
            off=said["off"],
            lines=mildest_first(Line.of(line) for line in lines) if lines else self.lines,
            min_denominator=self.min_denominator if least is None else millionths(least),
        )

    def form(self, units: Mapping[str, str]) -> Indicator:
        """How it judges a subject that lies in these units: of those with lines of their own the most specific decides."""
        found = (self.overridden.get((kind, units[kind])) for kind in UNITS if kind in units)
        return next((form for form in found if form is not None), self)

    @property
    def override(self) -> dict[str, str] | None:
        """The unit whose form it is, as `{kind: id}`."""
        return None if self.unit is None else dict([self.unit])

    @property
    def leasts(self) -> Sequence[int]:
        """The denominators from which on its forms judge, its own first."""
        if not self.overridden:
            return (self.min_denominator,)
        return tuple(dict.fromkeys((self.min_denominator, *(form.min_denominator for form in self.overridden.values()))))

    @property
    def looks_back(self) -> int:
        """How many windows before the deciding one have a say."""
        return max(self.raise_after, self.clear_after, 0 if self.repetition is None else self.repetition.windows) - 1

    @property
    def plain(self) -> bool:
        """Whether the deciding window's sum and the lines are all that decides."""
        return not (self.looks_back or self.hold_days or self.outside or self.overridden)

    def is_under(self, line: int) -> bool:
        """Whether a line that was passed was passed downwards; of a band, whether it is a lower bound."""
        return line <= self.lines[0].enter if self.outside else self.below

    def side_of(self, line: int) -> str:
        """On which side a line was passed, in words: `below` or `above`."""
        return "below" if self.is_under(line) else "above"

    def clear_of(self, line: int) -> int:
        """Where a warning ends that began at this line; of a band, the bound on the same side."""
        mildest = self.lines[0]
        return mildest.clear if mildest.upper is None or self.is_under(line) else mildest.upper.clear

    def past(self, total: Sum, line: int, *, under: bool) -> bool:
        """Whether the value is beyond the line, under it or over it; compared exactly. The denominator is greater than 0."""
        if self.kind in ADDITIVE:
            value, limit = total.numerator, line
        else:
            value, limit = total.numerator * MILLION, line * total.denominator
        return value < limit if under else value > limit

    def passed(self, total: Sum, line: Line) -> Line | None:
        """The line where the value is past it, of a band the bound that it is past; None where it is not."""
        if self.past(total, line.enter, under=self.below or self.outside):
            return line
        return line.upper if line.upper is not None and self.past(total, line.upper.enter, under=False) else None

    def worst(self, total: Sum, earlier: Sequence[Sum]) -> Line | None:
        """The worst line that the value is past, made as severe as its repetition asks for."""
        line = next((found for line in reversed(self.lines) if (found := self.passed(total, line)) is not None), None)
        again = self.repetition
        if line is None or again is None or not self._lasts(again.windows, total, earlier):
            return line
        return replace(line, severity=again.severity) if _rank(again.severity) > _rank(line.severity) else line

    def raises(self, total: Sum, earlier: Sequence[Sum]) -> bool:
        """Whether enough windows in a row are past the mildest line for a warning to begin."""
        return self._lasts(self.raise_after, total, earlier)

    def recovered(self, total: Sum, earlier: Sequence[Sum]) -> bool:
        """Whether in enough windows in a row the value is not past the clear line of the mildest warning line."""
        windows = (total, *earlier)[: self.clear_after]
        return len(windows) == self.clear_after and all(self._recovered(each) for each in windows)

    def _lasts(self, many: int, total: Sum, earlier: Sequence[Sum]) -> bool:
        windows = (total, *earlier)[:many]
        return len(windows) == many and all(self.passed(each, self.lines[0]) is not None for each in windows)

    def _recovered(self, total: Sum) -> bool:
        mildest = self.lines[0]
        if self.past(total, mildest.clear, under=self.below or self.outside):
            return False
        return mildest.upper is None or not self.past(total, mildest.upper.clear, under=False)


def _evaluate(said: str | Mapping[str, Any]) -> tuple[str, int | None, int | None]:
    """When it is judged, with the minute of the day or the minutes after a lesson."""
    if isinstance(said, str):
        return said, None, None
    if "daily_at" in said:
        hour, minute = map(int, said["daily_at"].split(":"))
        return "daily_at", hour * 60 + minute, None
    return "lesson_end", None, int(said["lesson_end_plus_minutes"])


def mildest_first(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines in the order of their severities."""
    return tuple(sorted(lines, key=lambda line: _rank(line.severity)))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def in_force(versions: Sequence[Indicator], day: int) -> Indicator | None:
    """The version that judges an observation of `day`: the latest-effective one, of several the newest."""
    if len(versions) == 1:
        return versions[0] if versions[0].effective_from <= day else None
    covering = [version for version in versions if version.effective_from <= day]
    return max(covering, key=lambda version: (version.effective_from, version.version)) if covering else None


class Episode(Struct, frozen=True, gc=False):
    """Where an (indicator, subject) stands: the severity of its uncleared warning, and the start of its deciding window.

    `severity` None: no episode. `quiet`: a person dismissed the warning, and the episode lasts until the data recovers. `began`:
    the start of the window that raised it.
    """

    severity: str | None = None
    quiet: bool = False
    deciding: int | None = None
    began: int | None = None


class Step(StrEnum):
    """What judging an observation can lead to."""

    RAISED = "raised"
    ESCALATED = "escalated"
    DISMISSED = "dismissed"  # by a person
    CLEARED = "cleared"
    ENDED = "ended"  # a dismissed warning's episode is over; its status stays


def judge(
    episode: Episode, indicator: Indicator, start: int, total: Sum, earlier: Sequence[Sum] = ()
) -> tuple[Episode, Step | None, Line | None]:
    """Decide what the new sum of the window that starts on `start` means.

    Only the deciding window is judged: the latest-starting one whose denominator is at least `min_denominator`. `earlier` are the
    sums of those before it with enough data, newest first, as many as the indicator `looks_back`. Where the indicator is off,
    nothing begins or ends. Returns the episode as it is now, the step taken, and the worst line passed (contract, "Warnings").
    """
    if total.denominator < indicator.min_denominator or total.denominator <= 0:
        return episode, None, None
    if episode.deciding is not None and start < episode.deciding:
        return episode, None, None
    if indicator.off:
        return Episode(episode.severity, episode.quiet, start, episode.began), None, None
    line = indicator.worst(total, earlier)
    if episode.severity is None:
        if line is None or not indicator.raises(total, earlier):
            return Episode(deciding=start), None, None
        return Episode(line.severity, deciding=start, began=start), Step.RAISED, line
    if line is not None and not episode.quiet and _rank(line.severity) > _rank(episode.severity):
        return Episode(line.severity, deciding=start, began=episode.began), Step.ESCALATED, line
    held = indicator.hold_days > 0 and episode.began is not None and start < episode.began + indicator.hold_days
    if line is None and not held and indicator.recovered(total, earlier):
        return Episode(deciding=start), Step.ENDED if episode.quiet else Step.CLEARED, None
    return Episode(episode.severity, episode.quiet, start, episode.began), None, line
