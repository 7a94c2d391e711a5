"""What must stand after a log, told in the plainest way: a list of observations, folded anew for each question.

It shares nothing with the platform's code; where the contract says a rule, the rule stands here in its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from libs.common.events.gateway import Session
from libs.common.events.standards import IndicatorActivated

SEVERITIES = ["blue", "yellow", "orange", "red"]
NEVER = date.min
# What tests/service/monitoring/world.py says of its school: a class's course, programme and department, a student's homerooms.
CLASSES = {"C1": ("K1", "cnc", "mech"), "C2": ("K2", None, "arts"), "H1": (None, "cnc", "mech"), "H2": (None, None, "arts")}
HOMEROOMS = [
    ("S1", "H1", date.min, date.max),
    ("S2", "H2", date.min, date.max),
    ("S3", "H1", date.min, date(2026, 3, 9)),
    ("S3", "H2", date(2026, 3, 9), date.max),
]


@dataclass
class Counted:
    """An observation that counts, and the subjects that it counts for so far, by level."""

    metric: str
    day: date
    numerator: int
    denominator: int
    named: dict[str, str]
    subjects: dict[str, str] = field(default_factory=dict)


@dataclass
class Warned:
    """An episode: its severity, and whether a person has dismissed it."""

    severity: str
    dismissed: bool = False


@dataclass
class Model:
    """A school: what it has counted and knows, its open episodes, and every step they took, by (indicator, level, subject)."""

    known: set[str] = field(default_factory=set)
    terms: list[Session] = field(default_factory=list)
    log: list[Counted] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    versions: list[IndicatorActivated] = field(default_factory=list)
    through: dict[tuple[str, int], date] = field(default_factory=dict)
    open: dict[tuple[str, str, str], Warned] = field(default_factory=dict)
    steps: list[tuple[Any, ...]] = field(default_factory=list)

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
                return max((t.start for t in self.terms if t.start <= day < t.end), default=None)
        return day

    def subjects(self, named: dict[str, str], day: date) -> dict[str, str]:
        found = {**{kind: id_ for kind, id_ in named.items() if kind != "activity"}, "school": "demo"}
        homes = [home for s, home, since, before in HOMEROOMS if s == named.get("student") and since <= day < before]
        if named.get("student") in self.known and homes:
            found.setdefault("homeroom", homes[0])
        place = CLASSES.get(named["class"]) if "class" in named and named["class"] in self.known else None
        if not {"class", "lesson", "course"} & named.keys() and found.get("homeroom") in self.known:
            place = CLASSES[found["homeroom"]]
        for level, subject in zip(("course", "programme", "department"), place or (), strict=False):
            if subject is not None:
                found.setdefault(level, subject)
        return found

    def sums(self, metric: str, level: str, subject: str, window: str) -> dict[date, tuple[int, int, int]]:
        """Numerator, denominator and number of observations of each window of a subject."""
        cells: dict[date, tuple[int, int, int]] = {}
        for o in self.log:
            start = self.start(window, o.day)
            if o.metric == metric and o.subjects.get(level) == subject and start is not None:
                n, d, count = cells.get(start, (0, 0, 0))
                cells[start] = (n + o.numerator, d + o.denominator, count + 1)
        return cells

    def in_force(self, code: str, day: date) -> IndicatorActivated | None:
        covering = [v for v in self.versions if v.code == code and v.effective_from <= day]
        return max(covering, key=lambda v: (v.effective_from, v.version), default=None)

    def deciding(self, v: IndicatorActivated, subject: str) -> date | None:
        """The latest-starting window with enough denominator; with `window_close`, of those that were closed."""
        last = self.through[v.code, v.version] if v.evaluate == "window_close" else date.max
        cells = self.sums(v.metric, v.level, subject, v.window)
        return max((start for start, (_, d, _) in cells.items() if d >= v.min_denominator and start <= last), default=None)

    def judge(self, v: IndicatorActivated, subject: str, start: date) -> None:
        """Decide what the window's sum means for the episode of (indicator, subject)."""
        n, d, _ = self.sums(v.metric, v.level, subject, v.window)[start]
        lines = sorted(v.warning_lines, key=lambda line: SEVERITIES.index(line.severity))
        value, sign = Fraction(n, d), 1 if v.comparison == "below" else -1
        passed = [line.severity for line in lines if sign * value < sign * Fraction(line.enter)]
        key = (v.code, v.level, subject)
        episode = self.open.get(key)
        if episode is None:
            if passed:
                self.open[key] = Warned(passed[-1])
                self.steps.append((*key, "raised", passed[-1], str(start), n, d))
        elif not episode.dismissed and passed and SEVERITIES.index(passed[-1]) > SEVERITIES.index(episode.severity):
            episode.severity = passed[-1]
            self.steps.append((*key, "escalated", passed[-1], str(start), n, d))
        elif not passed and sign * value >= sign * Fraction(lines[0].clear):
            del self.open[key]
            self.steps.append((*key, "ended" if episode.dismissed else "cleared", None, str(start), n, d))

    def count(self, id_: str, o: Counted) -> None:
        """Count an observation unless its id was counted before."""
        if id_ not in self.ids:
            self.ids.add(id_)
            self.log.append(o)
            self.attribute(o, self.subjects(o.named, o.day))

    def attribute(self, o: Counted, subjects: dict[str, str]) -> None:
        """Let it count for what it did not count for yet, and judge that."""
        added = {level: subject for level, subject in subjects.items() if level not in o.subjects}
        o.subjects |= added
        for level, subject in added.items():
            for code in sorted({v.code for v in self.versions}):
                v = self.in_force(code, o.day)
                if v is not None and (v.metric, v.level) == (o.metric, level):
                    start = self.start(v.window, o.day)
                    if start is not None and self.deciding(v, subject) == start:
                        self.judge(v, subject, start)

    def learn(self, ids: Collection[str]) -> None:
        """The roster brings these classes and people."""
        self.known |= set(ids)
        for o in self.log:
            if {o.named.get(kind) for kind in ("student", "class", "homeroom")} & set(ids):
                self.attribute(o, self.subjects(o.named, o.day))

    def set_terms(self, terms: Iterable[Session]) -> None:
        self.terms = [t for t in terms if t.kind in {"term", "semester"}]
        for v in self.versions:
            if v.window == "term":
                self.settle(v.code, v.metric, v.level)

    def activate(self, v: IndicatorActivated, today: date) -> None:
        self.versions.append(v)
        if v.evaluate == "window_close":
            self.through[v.code, v.version] = self.newest_closed(v.window, today)
        self.settle(v.code, v.metric, v.level)

    def settle(self, code: str, metric: str, level: str) -> None:
        """Judge each subject's deciding window by the version in force at the newest observation in it."""
        here = [v for v in self.versions if (v.code, v.metric, v.level) == (code, metric, level)]
        for subject in sorted({o.subjects[level] for o in self.log if o.metric == metric and level in o.subjects}):
            for v in sorted(here, key=lambda v: (v.effective_from, v.version), reverse=True):
                start = self.deciding(v, subject)
                if start is not None and self.in_force(code, self.newest_day(v, subject, start)) is v:
                    self.judge(v, subject, start)
                    break

    def newest_day(self, v: IndicatorActivated, subject: str, start: date) -> date:
        return max(day for day in self.sums(v.metric, v.level, subject, "day") if self.start(v.window, day) == start)

    def newest_closed(self, window: str, today: date) -> date:
        """Start of the newest window that has ended."""
        if window == "term":
            return max((t.start for t in self.terms if t.end <= today), default=NEVER)
        start = self.start(window, today)
        assert start is not None
        return self.start(window, start - timedelta(1)) or NEVER

    def close(self, today: date) -> None:
        """Judge each window that has ended since the last time, once, in order."""
        for v in [v for v in self.versions if v.evaluate == "window_close"]:
            newest, after = self.newest_closed(v.window, today), self.through[v.code, v.version]
            self.through[v.code, v.version] = max(newest, after)
            subjects = sorted({o.subjects[v.level] for o in self.log if o.metric == v.metric and v.level in o.subjects})
            cells = {subject: self.sums(v.metric, v.level, subject, v.window) for subject in subjects}
            for start in sorted({start for of in cells.values() for start in of if after < start <= newest}):
                for subject in subjects:
                    if start in cells[subject] and cells[subject][start][1] >= v.min_denominator:  # noqa: SIM102
                        if self.in_force(v.code, self.newest_day(v, subject, start)) is v:
                            self.judge(v, subject, start)

    def everything(self) -> list[tuple[Any, ...]]:
        """Every sum that is kept: days of all subjects, longer windows where an indicator watches."""
        places = Counter((o.metric, level, subject) for o in self.log for level, subject in o.subjects.items())
        return sorted(
            (metric, level, subject, window, str(start), n, d, count)
            for metric, level, subject in places
            for window in {"day", *(v.window for v in self.versions if (v.metric, v.level) == (metric, level))}
            for start, (n, d, count) in self.sums(metric, level, subject, window).items()
        )

    def histories(self) -> list[tuple[Any, ...]]:
        """The steps of each (indicator, level, subject), in order."""
        return sorted(self.steps, key=lambda step: step[:3])
