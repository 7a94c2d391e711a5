"""The story of one (indicator, subject): what its log says happened, told again from some place on.

Counting tells it as it goes. Where a correction, a retraction or the roster changes what was counted, the rest is told anew
by the same rules over what stands now, "as if the first had never been wrong" (contract, "Posting events").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from services.monitoring.domain.episodes import Episode, Indicator, Step, Sum, in_force, judge
from services.monitoring.domain.windows import Calendar, Window


class Told(Struct, frozen=True):
    """One observation of the subject. `place` is where it stands in the order of counting; `cause` names it."""

    place: int
    metric: str
    day: int
    total: Sum
    cause: str
    taught: str | None = None


class Moment(Struct, frozen=True):
    """What happened between observations, after `place`: a version was `activated`, its windows were judged as they `closed`
    (`start`: that of the newest), it was judged at its time of the day (`daily`, `start` is the day), the lesson was judged at its
    end (`ended`), or a person `dismissed`.
    """

    place: int
    what: str
    version: Indicator | None = None
    start: int | None = None


class Turn(Struct, frozen=True):
    """A turn of the story: the step, what was judged, and how things are after it."""

    place: int
    step: Step
    severity: str | None
    quiet: bool
    indicator: Indicator | None
    line: int | None
    cause: str
    taught: str | None = None
    start: int = 0
    total: Sum = Sum()
    began: int | None = None


class Spell(Struct):
    """An episode of the story: from the turn that raised it (None: before this telling began) to the one that ended it."""

    raised: Turn | None = None
    ended: Turn | None = None

    @property
    def begin(self) -> int:
        """Its place; 0 where that lies before this telling."""
        return 0 if self.raised is None else self.raised.place


def closed_cause(indicator: Indicator, start: int) -> str:
    """What names the close of a window as the cause of what it led to."""
    return f"closed|{indicator.code}|{indicator.window.name}|{start}"


def daily_cause(indicator: Indicator, day: int) -> str:
    """What names the judgement of a day as the cause of what it led to."""
    return f"daily|{indicator.code}|{indicator.version}|{day}"


def ended_cause(indicator: Indicator) -> str:
    """What names the end of a lesson as the cause of what it led to; of each lesson there is one."""
    return f"ended|{indicator.code}|{indicator.version}"


def activated_cause(indicator: Indicator) -> str:
    """What names the activation of a version as the cause of what it led to."""
    return f"activated|{indicator.code}|{indicator.version}"


@dataclass
class Teller:
    """Tells the story of an (indicator, subject) from where it stood: `episode`, the sums of its days, what was closed.

    `versions` are those activated by then, in order of activation; `later` those still to come. `days` maps (metric, day) to
    the sum of the subject; `through` maps a version to the newest window of it that was judged at its close. `form` says how a
    version judges the subject on a day, `taught` the class that a lesson's observations named last, by metric and day,
    `ended` the versions that judged the lesson at its end.
    """

    level: str
    calendar: Calendar
    versions: list[Indicator]
    later: Sequence[Indicator]
    episode: Episode
    days: Mapping[tuple[str, int], Sum]
    through: dict[int, int]
    form: Callable[[Indicator, int, str | None], Indicator] = lambda version, _day, _taught: version
    taught: dict[tuple[str, int], str] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    turns: list[Turn] = field(default_factory=list)
    judged: tuple[Indicator, int, Sum] | None = None
    _cells: dict[tuple[str, Window, int], Sum] = field(default_factory=dict)
    _newest: dict[tuple[str, Window, int], int] = field(default_factory=dict)
    _deciding: dict[tuple[int, int], int | None] = field(default_factory=dict)
    _windows: dict[str, set[Window]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for version in (*self.versions, *self.later):
            if version.level == self.level:
                self._windows[version.metric].add(version.window)
        for (metric, day), total in sorted(self.days.items()):
            self._add(metric, day, total)
        self._decide_anew()

    def tell(self, told: Iterable[Told], moments: Iterable[Moment]) -> list[Turn]:
        """The turns that observations and moments make, in their order; a moment comes after the observation at its place."""
        steps: list[tuple[int, int, Told | Moment]] = [*((t.place, 0, t) for t in told), *((m.place, 1, m) for m in moments)]
        for _, _, each in sorted(steps, key=lambda step: step[:2]):
            if isinstance(each, Told):
                self._observe(each)
            elif each.version is None:
                self._dismiss(each)
            elif each.what == "activated":
                self._activate(each, each.version)
            elif each.what == "ended":
                self._end(each, each.version)
            elif each.start is not None:
                told_at_once = self._close if each.what == "closed" else self._judge_daily
                told_at_once(each, each.version, each.start)
        return self.turns

    def spells(self, begun: bool) -> list[Spell]:
        """The episodes told, in order; the last one is open where nothing ended it."""
        spells = [Spell()] if begun else []
        for turn in self.turns:
            if turn.step is Step.RAISED:
                spells.append(Spell(turn))
            elif turn.step in {Step.CLEARED, Step.ENDED}:
                spells[-1].ended = turn
        return spells

    def _add(self, metric: str, day: int, total: Sum) -> dict[Window, int]:
        starts: dict[Window, int] = {}
        for window in self._windows.get(metric, ()):
            if (start := self.calendar.start(window, day)) is not None:
                key = (metric, window, start)
                starts[window] = start
                before = self._cells.get(key)
                self._cells[key] = total if before is None else before + total
                if total.denominator > 0:
                    self._newest[key] = max(day, self._newest.get(key, day))
        return starts

    def _decides(self, version: Indicator, start: int, least: int) -> bool:
        total = self._cells[version.metric, version.window, start]
        return total.denominator >= least and total.denominator > 0 and self._closed(version, start)

    def _closed(self, version: Indicator, start: int) -> bool:
        if version.lesson_minutes is not None:
            return version.version in self.ended
        return version.evaluate != "window_close" or start <= self.through.get(version.version, -1)

    def _decide_anew(self) -> None:
        for version in self.versions:
            for least in version.leasts if version.level == self.level else ():
                self._deciding[version.version, least] = self._deciding_of(version, least)

    def _decide(self, version: Indicator, changed: int) -> None:
        """Which window decides once this one has changed: of a metric of kind `latest` it may have enough data no more."""
        for least in version.leasts:
            known = self._deciding.get((version.version, least))
            if known == changed and not self._decides(version, changed, least):
                self._deciding[version.version, least] = self._deciding_of(version, least)
            elif (known is None or changed > known) and self._decides(version, changed, least):
                self._deciding[version.version, least] = changed

    def _deciding_of(self, version: Indicator, least: int) -> int | None:
        starts = [s for m, w, s in self._cells if (m, w) == (version.metric, version.window)]
        return max((start for start in starts if self._decides(version, start, least)), default=None)

    def _observe(self, told: Told) -> None:
        starts = self._add(told.metric, told.day, told.total)
        for version in self.versions:
            if version.level == self.level and version.metric == told.metric and (start := starts.get(version.window)) is not None:
                self._decide(version, start)
        if told.taught is not None:
            self.taught[told.metric, told.day] = told.taught
        version_now = in_force(self.versions, told.day)
        if version_now is None or version_now.level != self.level or version_now.metric != told.metric:
            return
        form = self.form(version_now, told.day, told.taught)
        start = starts.get(form.window)
        if start is not None and self._deciding.get((form.version, form.min_denominator)) == start and form.daily_at is None:
            self._judge(form, start, told.place, told.cause, told.taught)

    def _judge(self, version: Indicator, start: int, place: int, cause: str, taught: str | None = None) -> None:
        total = self._cells[version.metric, version.window, start]
        before = replace(self.episode, deciding=start)
        self.episode, step, line = judge(before, version, start, total, self._earlier(version, start))
        self.judged = (version, start, total)
        if step is not None:
            after, enter = self.episode, None if line is None else line.enter
            said = (place, step, after.severity, after.quiet, version, enter, cause, taught, start, total)
            self.turns.append(Turn(*said, began=after.began))

    def _earlier(self, version: Indicator, start: int) -> tuple[Sum, ...]:
        """The sums of the windows before that have enough data, newest first, as many as the version looks back."""
        if not version.looks_back:
            return ()
        kind = (version.metric, version.window)
        starts = sorted(
            (s for m, w, s in self._cells if (m, w) == kind and s < start and self._decides(version, s, version.min_denominator)),
            reverse=True,
        )
        return tuple(self._cells[*kind, each] for each in starts[: version.looks_back])

    def _activate(self, moment: Moment, version: Indicator) -> None:
        self.versions.append(version)
        self._decide_anew()
        if version.level != self.level:
            return
        here = [v for v in self.versions if (v.metric, v.level) == (version.metric, version.level)]
        for each in sorted(here, key=lambda v: (v.effective_from, v.version), reverse=True):
            for form, start in self._due(each):
                self._judge(form, start, moment.place, activated_cause(version))
                return

    def _due(self, version: Indicator) -> Iterator[tuple[Indicator, int]]:
        """The deciding windows that a version judges by the clock, and in which form: as of the newest observation in them."""
        for least in version.leasts:
            if (start := self._deciding.get((version.version, least))) is not None:
                day = self._newest[version.metric, version.window, start]
                form = self.form(version, day, self.taught.get((version.metric, day)))
                if form.min_denominator == least and in_force(self.versions, day) is version:
                    yield form, start

    def _close(self, moment: Moment, version: Indicator, newest: int) -> None:
        """Judge each window that closed since the last time, in order, up to the newest."""
        before = self.through.get(version.version, -1)
        starts = {s for m, w, s in self._cells if (m, w) == (version.metric, version.window) and before < s <= newest}
        for start in sorted({*starts, newest}):
            self.through[version.version] = start
            self._decide_anew()
            if version not in self.versions or version.level != self.level:
                continue
            for form in [form for form, decides in self._due(version) if decides == start]:
                self._judge(form, start, moment.place, closed_cause(version, start))

    def _judge_daily(self, moment: Moment, version: Indicator, day: int) -> None:
        for form, start in self._due(version):
            self._judge(form, start, moment.place, daily_cause(version, day))
            return

    def _end(self, moment: Moment, version: Indicator) -> None:
        self.ended.add(version.version)
        self._decide_anew()
        for form, start in self._due(version):
            self._judge(form, start, moment.place, ended_cause(version))
            return

    def _dismiss(self, moment: Moment) -> None:
        if self.episode.severity is not None and not self.episode.quiet:
            self.episode = replace(self.episode, quiet=True)
            said = (moment.place, Step.DISMISSED, self.episode.severity, True)
            self.turns.append(Turn(*said, None, None, "", began=self.episode.began))
