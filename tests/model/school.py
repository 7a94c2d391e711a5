"""A school as the contract describes it: what came is kept in a list, and what follows from it is found by going through the list."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

SEVERITIES = ["blue", "yellow", "orange", "red"]
NEVER = date.min
Bound = Fraction | tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Content:
    """What an observation says."""

    metric: str
    day: date
    numerator: int
    denominator: int
    named: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sent:
    """An event: an observation (`target` empty), a correction of `target`, or a retraction of it (no content)."""

    id: str
    content: Content | None
    target: str = ""


@dataclass(frozen=True)
class Version:
    """An indicator's version; `lines` are (severity, enter, clear), mildest first; enter and clear are numbers, or pairs: bands."""

    code: str
    version: int
    metric: str
    level: str
    window: str
    below: bool
    least: int
    when: str  # "on_update", "window_close", "daily" or "lesson_end"
    lines: tuple[tuple[str, Bound, Bound], ...]
    since: date
    raise_after: int = 1
    clear_after: int = 1
    hold: int = 0
    repetition: tuple[str, int] | None = None
    grace: int = 0
    overrides: tuple[Override, ...] = ()
    off: bool = False
    wait: int = 0  # with "lesson_end": days after the day of the lesson

    def past(self, value: Fraction, limit: Bound) -> bool:
        """Whether a value is past an `enter` or `clear`; one that is a pair is passed on either side."""
        if isinstance(limit, tuple):
            return value < limit[0] or value > limit[1]
        return value < limit if self.below else value > limit


@dataclass(frozen=True)
class Override:
    """What holds in a unit instead: `lines` empty: the indicator is off there; `least` None: as elsewhere."""

    kind: str
    id: str
    lines: tuple[tuple[str, Bound, Bound], ...]
    least: int | None


Key = tuple[str, str, str]  # indicator, level, subject


@dataclass
class School:
    """What came, in order, and what the school knows by now of classes, students and terms."""

    inputs: list[tuple[str, Any]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    classes: dict[str, list[tuple[date, dict[str, str]]]] = field(
        default_factory=dict
    )  # since when: its course, programme, department
    homes: dict[str, list[tuple[date, date, str]]] = field(default_factory=dict)  # from, before, homeroom
    students: set[str] = field(default_factory=set)
    terms: list[tuple[date, date]] = field(default_factory=list)
    lessons: dict[str, str] = field(default_factory=dict)  # the class of each
    above: dict[str, dict[str, str]] = field(default_factory=dict)  # courses and programmes: the units above them

    def send(self, event: Sent) -> None:
        """The same id counts once."""
        if event.id not in self.ids:
            self.ids.add(event.id)
            self.inputs.append(("event", event))

    def activate(self, version: Version, today: date) -> None:
        if version.when == "window_close":
            self.inputs.append(("closed", (version, self.newest_closed(version, today))))
        self.inputs.append(("activated", version))

    def stop(self, code: str) -> None:
        """A trial is over: as if there had been none."""

        def about(what: Any) -> str:
            found: str = what.code if isinstance(what, Version) else about(what[0]) if isinstance(what, tuple) else what
            return found

        self.inputs = [(kind, what) for kind, what in self.inputs if kind == "event" or about(what) != code]

    def close(self, today: date) -> None:
        """The clock goes on to another day: windows close, and what is judged daily is judged."""
        for version in [what for kind, what in self.inputs if kind == "activated"]:
            if version.when == "window_close":
                self.inputs.append(("closed", (version, self.newest_closed(version, today))))
            elif version.when == "daily":
                self.inputs.append(("daily", version))
        for version in [what for kind, what in self.inputs if kind == "activated" and what.when == "lesson_end"]:
            self._end_lessons(version, today)

    def _end_lessons(self, version: Version, today: date) -> None:
        """Each lesson is judged once, when its newest observation is long enough ago."""
        newest: dict[str, date] = {}
        for content in self.standing().values():
            for kind, lesson in content.named:
                if kind == "lesson" and content.metric == version.metric:
                    newest[lesson] = max(content.day, newest.get(lesson, content.day))
        for lesson in sorted(newest):
            if newest[lesson] + timedelta(version.wait) <= today and ("ended", (version, lesson)) not in self.inputs:
                self.inputs.append(("ended", (version, lesson)))

    def dismiss(self, key: Key) -> None:
        self.inputs.append(("dismissed", key))

    # --- calendar and roster --------------------------------------------------------------------------------------------

    def start(self, window: str, day: date) -> date | None:
        """First day of the window that holds the day."""
        match window:
            case "week":
                return day - timedelta(day.weekday())
            case "month":
                return day.replace(day=1)
            case "year":
                return date(day.year if day >= date(day.year, 9, 1) else day.year - 1, 9, 1)
            case "term":
                return max((start for start, end in self.terms if start <= day < end), default=None)
        return day

    def newest_closed(self, version: Version, today: date) -> date:
        """Start of the newest window that has ended, its grace with it."""
        window, today = version.window, today - timedelta(version.grace)
        if window == "term":
            return max((start for start, end in self.terms if end <= today), default=NEVER)
        start = self.start(window, today)
        assert start is not None
        return self.start(window, start - timedelta(1)) or NEVER

    def subjects(self, content: Content) -> dict[str, str]:
        """Whom an observation counts for: as named, the rest by the roster as of its day."""
        named = dict(content.named)
        found = {**{kind: id_ for kind, id_ in named.items() if kind != "activity"}, "school": "demo"}
        if named.get("student") in self.students:
            homes = [home for since, before, home in self.homes.get(named["student"], []) if since <= content.day < before]
            if homes:
                found.setdefault("homeroom", homes[-1])
        place = self._place(named["class"], content.day) if "class" in named else {}
        if not {"class", "lesson", "course"} & named.keys() and "homeroom" in found:
            place = {level: unit for level, unit in self._place(found["homeroom"], content.day).items() if level != "course"}
        return {**place, **found}

    def _place(self, class_: str, day: date) -> dict[str, str]:
        return next((place for since, place in reversed(self.classes.get(class_, [])) if since <= day), {})

    def form(self, v: Version, level: str, subject: str, day: date) -> Version:
        """The version as it judges a subject as of a day: with what holds in the most specific of its units."""
        units = {level: subject} if level in {"course", "programme", "department"} else {}
        if level in {"course", "programme"}:
            units |= self.above.get(subject, {})
        class_ = self.lessons.get(subject) if level == "lesson" else subject if level in {"class", "homeroom"} else None
        if level == "student":
            homes = [home for since, before, home in self.homes.get(subject, []) if since <= day < before]
            class_ = homes[-1] if homes else None
        if class_ is not None:
            place = self._place(class_, day)
            units |= {
                "class": class_,
                **{kind: unit for kind, unit in place.items() if kind != "course" or level in {"class", "lesson"}},
            }
        for kind in ("class", "course", "programme", "department"):
            for o in v.overrides:
                if (o.kind, o.id) == (kind, units.get(kind)):
                    return replace(v, lines=o.lines or v.lines, least=v.least if o.least is None else o.least, off=not o.lines)
        return v

    # --- what stands ----------------------------------------------------------------------------------------------------

    def standing(self) -> dict[str, Content]:
        """What is in force in the place of each original."""
        events = {e.id: e for kind, e in self.inputs if kind == "event"}

        def root(id_: str) -> str:
            passed = set()
            while id_ in events and events[id_].target and id_ not in passed:  # what goes round in a circle has no original
                passed.add(id_)
                id_ = events[id_].target
            return id_

        found = {}
        for id_, original in events.items():
            if original.target:
                continue
            retracted = {e.target for e in events.values() if e.target and e.content is None}
            corrections = [e for e in events.values() if e.target and e.content and root(e.id) == id_ and e.id not in retracted]
            if id_ not in retracted:
                content = corrections[-1].content if corrections else original.content
                assert content is not None
                found[id_] = content
        return found

    def tell(self) -> Telling:
        """Go through everything that came."""
        telling, standing = Telling(self), self.standing()
        for place, (kind, what) in enumerate(self.inputs):
            match kind:
                case "event" if what.id in standing:
                    telling.count(place, standing[what.id])
                case "activated":
                    telling.activate(place, what)
                case "closed":
                    telling.close(place, *what)
                case "ended":
                    telling.end(place, *what)
                case "daily":
                    telling.judge_daily(place, what)
                case "dismissed" if what in telling.open and not telling.open[what][1]:
                    telling.open[what] = (telling.open[what][0], True)
                    telling.steps.append((*what, place, "dismissed", telling.open[what][0], 0, 0))
        return telling


@dataclass
class Telling:
    """Sums, open episodes (severity, dismissed; the window that raised it) and the steps that led there."""

    school: School
    versions: list[Version] = field(default_factory=list)
    through: dict[tuple[str, int], date] = field(default_factory=dict)
    sums: dict[tuple[str, str, str, str], dict[date, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    open: dict[Key, tuple[str, bool]] = field(default_factory=dict)
    began: dict[Key, date] = field(default_factory=dict)
    ended: set[tuple[Version, str]] = field(default_factory=set)
    steps: list[tuple[Any, ...]] = field(default_factory=list)

    def count(self, place: int, content: Content) -> None:
        subjects = self.school.subjects(content)
        for level, subject in subjects.items():
            for window in ("day", "week", "month", "term", "year"):
                if (start := self.school.start(window, content.day)) is not None:
                    cells = self.sums[content.metric, level, subject, window]
                    n, d = cells.get(start, (0, 0))
                    cells[start] = (n + content.numerator, d + content.denominator)
        for level, subject in subjects.items():
            for code in sorted({v.code for v in self.versions}):
                v = self.in_force(code, content.day)
                if v is not None and (v.metric, v.level) == (content.metric, level) and v.when != "daily" and self.over(v, subject):
                    start, form = self.school.start(v.window, content.day), self.school.form(v, level, subject, content.day)
                    if start is not None and self.deciding(form, subject) == start:
                        self.judge(place, form, subject, start)

    def over(self, v: Version, subject: str) -> bool:
        return v.when != "lesson_end" or (v, subject) in self.ended

    def end(self, place: int, v: Version, lesson: str) -> None:
        self.ended.add((v, lesson))
        if due := self.due(v, lesson):
            self.judge(place, due[0][0], lesson, due[0][1])

    def in_force(self, code: str, day: date) -> Version | None:
        covering = [v for v in self.versions if v.code == code and v.since <= day]
        return max(covering, key=lambda v: (v.since, v.version), default=None)

    def deciding(self, v: Version, subject: str) -> date | None:
        """The latest-starting window with enough denominator; judged at close: of those that were closed."""
        last = self.through.get((v.code, v.version), NEVER) if v.when == "window_close" else date.max
        cells = self.sums[v.metric, v.level, subject, v.window]
        return max((start for start, (_, d) in cells.items() if d >= v.least and start <= last), default=None)

    def judge(self, place: int, v: Version, subject: str, start: date) -> None:
        """Decide what the window's sum means for the episode of (indicator, subject)."""
        if v.off:
            return
        n, d = self.sums[v.metric, v.level, subject, v.window][start]
        values = self.latest(v, subject, start)
        passed = [severity for severity, enter, _ in v.lines if v.past(values[0], enter)]
        bad = [v.past(value, v.lines[0][1]) for value in values]
        if v.repetition is not None and bad[: v.repetition[1]] == [True] * v.repetition[1]:
            passed = sorted([*passed, v.repetition[0]], key=SEVERITIES.index)
        good = [not v.past(value, v.lines[0][2]) for value in values][: v.clear_after] == [True] * v.clear_after
        key = (v.code, v.level, subject)
        severity, dismissed = self.open.get(key, (None, False))
        if severity is None:
            if passed and bad[: v.raise_after] == [True] * v.raise_after:
                self.open[key], self.began[key] = (passed[-1], False), start
                self.steps.append((*key, place, "raised", passed[-1], n, d))
        elif not dismissed and passed and SEVERITIES.index(passed[-1]) > SEVERITIES.index(severity):
            self.open[key] = (passed[-1], False)
            self.steps.append((*key, place, "escalated", passed[-1], n, d))
        elif not passed and good and (v.hold == 0 or (start - self.began[key]).days >= v.hold):
            del self.open[key]
            self.steps.append((*key, place, "ended" if dismissed else "cleared", None, n, d))

    def latest(self, v: Version, subject: str, start: date) -> list[Fraction]:
        """The values of the windows with enough denominator through that one, newest first."""
        cells = self.sums[v.metric, v.level, subject, v.window]
        return [Fraction(*cells[s]) for s in sorted(cells, reverse=True) if s <= start and cells[s][1] >= v.least]

    def activate(self, place: int, version: Version) -> None:
        """Each subject's deciding window is judged at once, by the version in force at the newest observation in it."""
        self.versions.append(version)
        here = [v for v in self.versions if (v.code, v.metric, v.level) == (version.code, version.metric, version.level)]
        for subject in self._subjects(version):
            for v in sorted(here, key=lambda v: (v.since, v.version), reverse=True):
                if due := self.due(v, subject):
                    self.judge(place, due[0][0], subject, due[0][1])
                    break

    def due(self, v: Version, subject: str) -> list[tuple[Version, date]]:
        """Where a version judges a subject by the clock, in the form that holds as of the newest observation in its window."""
        found = []
        for least in dict.fromkeys([v.least, *(o.least for o in v.overrides if o.least is not None)]):
            start = self.deciding(replace(v, least=least), subject)
            if (
                start is not None
                and self.over(v, subject)
                and self.in_force(v.code, day := self._newest_day(v, subject, start)) is v
            ):
                form = self.school.form(v, v.level, subject, day)
                found += [(form, start)] if form.least == least else []
        return found

    def judge_daily(self, place: int, v: Version) -> None:
        """Each subject's deciding window is judged, whatever changed it since the day before."""
        for subject in self._subjects(v):
            if due := self.due(v, subject):
                self.judge(place, due[0][0], subject, due[0][1])

    def close(self, place: int, v: Version, newest: date) -> None:
        """Judge each window that has ended since the last time, once, in order."""
        after = self.through.get((v.code, v.version), NEVER)
        self.through[v.code, v.version] = max(newest, after)
        if v not in self.versions:
            return
        for subject in self._subjects(v):
            cells = self.sums[v.metric, v.level, subject, v.window]
            for start in sorted(s for s, (_, d) in cells.items() if after < s <= newest and d > 0):
                if self.in_force(v.code, day := self._newest_day(v, subject, start)) is v:
                    form = self.school.form(v, v.level, subject, day)
                    if cells[start][1] >= form.least:
                        self.judge(place, form, subject, start)

    def _subjects(self, v: Version) -> list[str]:
        return sorted({subject for metric, level, subject, _ in self.sums if (metric, level) == (v.metric, v.level)})

    def _newest_day(self, v: Version, subject: str, start: date) -> date:
        return max(day for day in self.sums[v.metric, v.level, subject, "day"] if self.school.start(v.window, day) == start)
