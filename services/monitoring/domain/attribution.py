"""Which subjects an observation counts for: the ids it names, and what the roster derives from them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

LEVELS = ("student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school")
NAMED = frozenset({"student", "teacher", "class", "lesson"})  # levels that only a named id counts at
LEVEL_CODE = {level: code for code, level in enumerate(LEVELS)}


WORD_BITS = 36


def series_key(metric_id: int, level: int, word: int) -> int:
    """The integer that the sums of a series are keyed by: one metric, at one level (its code), of one subject (its word)."""
    return (metric_id * len(LEVELS) + level << WORD_BITS) | word


@dataclass(frozen=True, slots=True)
class Org:
    """A unit and the one above it. `kind` is `school`, `department`, `programme` or `office`."""

    kind: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class of the roster: its course, and the unit it belongs to."""

    kind: str
    course: str | None
    org: str | None


@dataclass(frozen=True, slots=True)
class Stay:
    """A student's time in a homeroom, in days; `start` inclusive, `end` exclusive, None open."""

    homeroom: str
    start: int | None
    end: int | None

    def holds(self, day: int) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a class belongs."""

    course: str | None
    programme: str | None
    department: str | None


_NOWHERE = Placement(None, None, None)


@dataclass
class Roster:
    """What attribution needs of a school's roster.

    `past`: how orgs, courses and classes were before the days on which one of them moved, earliest day first.
    """

    school: str
    orgs: Mapping[str, Org] = field(default_factory=dict)
    courses: Mapping[str, str | None] = field(default_factory=dict)
    classes: Mapping[str, SchoolClass] = field(default_factory=dict)
    students: frozenset[str] = frozenset()
    stays: Mapping[str, Sequence[Stay]] = field(default_factory=dict)
    past: Sequence[tuple[int, Roster]] = ()
    _placements: dict[str, Placement] = field(default_factory=dict, compare=False)

    def at(self, day: int) -> Roster:
        """How orgs, courses and classes stood on a day; who is in a homeroom is dated by itself."""
        return next((older for before, older in self.past if day < before), self)

    def units_above(self, org: str | None) -> list[str]:
        """The org and those above it, lowest first, the school's own left out."""
        units: list[str] = []
        while org is not None and org not in units and (row := self.orgs.get(org)) is not None and row.kind != "school":
            units.append(org)
            org = row.parent
        return units

    def placement(self, class_id: str) -> Placement:
        """Course, programme and department of a class; nothing where the roster does not know it.

        The programme and department are the class's unit or lie above it, else those of its course's unit (contract, "Levels").
        """
        if (known := self._placements.get(class_id)) is not None:
            return known
        if (row := self.classes.get(class_id)) is None:
            return _NOWHERE
        own, course = self.units_above(row.org), self.units_above(self.courses.get(row.course or ""))
        placement = Placement(
            row.course, *(self._first(kind, own) or self._first(kind, course) for kind in ("programme", "department"))
        )
        self._placements[class_id] = placement
        return placement

    def _first(self, kind: str, units: Sequence[str]) -> str | None:
        return next((unit for unit in units if self.orgs[unit].kind == kind), None)

    def homeroom_of(self, student: str, day: int) -> str | None:
        """The student's homeroom on a day; of several, the one joined last."""
        if (stays := self.stays.get(student)) is None:
            return None
        stays = [stay for stay in stays if stay.holds(day)]
        return max(stays, key=lambda stay: (stay.start is not None, stay.start or 0, stay.homeroom)).homeroom if stays else None

    def subjects(self, named: Mapping[str, str], day: int) -> dict[str, str]:
        """Map each level that an observation of `day` counts at to its subject: once a level, named ids as they are named."""
        found = {level: named[level] for level in LEVELS if level in named}
        found["school"] = self.school
        if "student" in named and "homeroom" not in found and (homeroom := self.homeroom_of(named["student"], day)) is not None:
            found["homeroom"] = homeroom
        then = self.at(day) if self.past else self
        if "class" in named:
            placement = then.placement(named["class"])
            derived = {"course": placement.course, "programme": placement.programme, "department": placement.department}
        elif "homeroom" in found and not {"lesson", "course"} & named.keys():
            placement = then.placement(found["homeroom"])
            derived = {"programme": placement.programme, "department": placement.department}
        else:
            derived = {}
        for level, subject in derived.items():
            if subject is not None:
                found.setdefault(level, subject)
        return found

    def units(self, level: str, subject: str, day: int, taught: str | None = None) -> dict[str, str]:
        """Class, course, programme and department that a subject is or lies in on a day, by kind; none for teachers and the school.

        A student lies in the homeroom, a lesson in the class that is `taught`.
        """
        then = self.at(day) if self.past else self
        class_ = {"class": subject, "homeroom": subject, "lesson": taught}.get(level)
        if level == "student":
            class_ = self.homeroom_of(subject, day)
        if class_ is not None:
            place = then.placement(class_)
            course = place.course if level in {"class", "lesson"} else None
            found = {"class": class_, "course": course, "programme": place.programme, "department": place.department}
        elif level in {"course", "programme", "department"}:
            above = then.units_above(then.courses.get(subject) if level == "course" else subject)
            found = {
                kind: next((unit for unit in above if then.orgs[unit].kind == kind), None) for kind in ("programme", "department")
            }
            found[level] = subject
        else:
            found = {}
        return {kind: unit for kind, unit in found.items() if unit is not None}

    @property
    def placing(self) -> dict[str, Container[str]]:
        """The ids, by kind, that place an observation which names them; one that is not among them may come with a later roster."""
        return {"class": self.classes, "homeroom": self.classes, "student": self.students}


def first_differences(before: Roster, after: Roster) -> tuple[dict[str, int], dict[str, int]]:
    """The earliest day from which each class, and each student, may count for other subjects than before.

    Only of what both rosters know: what is new to the second one is found by the ids that observations named in vain.
    """
    days = sorted({0, *(day for roster in (before, after) for day, _ in roster.past)})
    classes: dict[str, int] = {}
    for day in days:
        then, now = before.at(day), after.at(day)
        for class_id in before.classes:
            if class_id not in classes and then.placement(class_id) != now.placement(class_id):
                classes[class_id] = day
    students: dict[str, int] = {}
    for student in before.students | before.stays.keys() | after.stays.keys():
        old, new = before.stays.get(student, ()), after.stays.get(student, ())
        bounds = sorted({0, *(day for stay in (*old, *new) for day in (stay.start, stay.end) if day is not None)})
        if list(old) != list(new):
            moved = next((day for day in bounds if before.homeroom_of(student, day) != after.homeroom_of(student, day)), None)
            if moved is not None:
                students[student] = moved
        for stay in new:
            if stay.homeroom in classes:
                since = max(classes[stay.homeroom], stay.start or 0)
                students[student] = min(since, students.get(student, since))
    return classes, students
