"""What a roster says, as values: the rows of all files, checked against one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from libs.common.events import gateway as events

PARENT_ROLES = frozenset({"parent", "guardian", "relative"})


@dataclass(frozen=True, slots=True)
class Org:
    """A unit. `kind` is school, department, programme (专业) or office (教研室)."""

    id: str
    name: str
    kind: str
    parent: str | None
    active: bool = True

    def fact(self) -> events.Org:
        return events.Org(id=self.id, name=self.name, kind=self.kind, parent=self.parent, active=self.active)


@dataclass(frozen=True, slots=True)
class Session:
    """A span of the calendar; `end` is exclusive."""

    id: str
    title: str
    kind: str
    start: date
    end: date
    active: bool = True

    def fact(self) -> events.Session:
        return events.Session(id=self.id, title=self.title, kind=self.kind, start=self.start, end=self.end, active=self.active)


@dataclass(frozen=True, slots=True)
class Course:
    """What is taught, and the unit that answers for it."""

    id: str
    title: str
    org: str | None
    active: bool = True

    def fact(self) -> events.Course:
        return events.Course(id=self.id, title=self.title, org=self.org, active=self.active)


@dataclass(frozen=True, slots=True)
class Class:
    """A group that is taught (scheduled) or belongs together (homeroom)."""

    id: str
    title: str
    kind: str
    course: str | None
    org: str | None
    active: bool = True

    def fact(self) -> events.Class:
        return events.Class(id=self.id, title=self.title, kind=self.kind, course=self.course, org=self.org, active=self.active)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, with the roles held today and the units where they are held. `enabled`: may sign in."""

    id: str
    name: str
    enabled: bool
    roles: tuple[str, ...]
    orgs: tuple[str, ...]
    active: bool = True

    def fact(self) -> events.Person:
        return events.Person(id=self.id, name=self.name, roles=list(self.roles), orgs=list(self.orgs), active=self.active)


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a person holds in a unit, from `start` to before `end`."""

    id: str
    person: str
    role: str
    org: str
    start: date | None
    end: date | None
    active: bool = True

    def held_on(self, day: date) -> bool:
        """Whether the role has not ended by that day; one that is to begin counts as held, no import may follow to say so."""
        return self.active and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Enrollment:
    """Somebody in a class, as the file has it."""

    id: str
    class_id: str
    person: str
    role: str
    primary: bool
    start: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent, guardian or relative of a student."""

    person: str
    student: str
    active: bool = True

    @property
    def id(self) -> tuple[str, str]:
        return self.person, self.student

    def fact(self) -> events.Relation:
        return events.Relation(person=self.person, student=self.student, active=self.active)


@dataclass(frozen=True)
class Roster:
    """All rows of an import that are to stand, by id; `rows` counts the rows of each file."""

    rows: dict[str, int] = field(default_factory=dict)
    orgs: dict[str, Org] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    enrollments: dict[str, Enrollment] = field(default_factory=dict)
    parents: dict[tuple[str, str], Parent] = field(default_factory=dict)

    def people_on(self, day: date) -> dict[str, Person]:
        """The people with the roles and units that they have on that day, each in the order of the file."""
        held: dict[str, list[Role]] = {}
        for role in self.roles.values():
            if role.held_on(day):
                held.setdefault(role.person, []).append(role)
        return {id_: _with_roles(person, held.get(id_, ())) for id_, person in self.people.items()}


def _with_roles(person: Person, roles: Any) -> Person:
    names = tuple(sorted({role.role for role in roles}))
    orgs = tuple(sorted({role.org for role in roles}))
    return Person(person.id, person.name, person.enabled, names, orgs)


def cycle(parents: Mapping[str, str | None]) -> list[str]:
    """Return the ids of one circle of parents, or none."""
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in done and at not in path:
            path[at] = None
            at = parents.get(at)
        if at is not None and at in path:
            ids = list(path)
            return ids[ids.index(at) :]
        done.update(path)
    return []
