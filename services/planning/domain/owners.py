"""Who answers for an improvement: the first held post of a ladder, from the nearest upwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

SCHOOL_WIDE = frozenset({"quality_office", "school_leader"})
"""Posts whose object is the whole school, whatever their row says."""

OBJECTS = {
    "course_leader": "course",
    "programme_leader": "unit",
    "office_head": "unit",
    "department_quality_officer": "unit",
    "department_head": "unit",
    "level_group": "level",
}
"""What kind of place a post is held over; a class teacher's is the homeroom, and a teacher teaches."""

VERIFY = ("course_leader", "programme_leader", "office_head", "department_head", "quality_office", "school_leader")
"""Posts that let their holders verify the work of others: those to which the gateway gives `improvement.verify`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task is about, where it lies (`kind:id`), and the day that decides who holds what."""

    level: str
    subject: str
    places: tuple[str, ...]
    day: date


@dataclass(frozen=True, slots=True)
class Held:
    """A person over an object (of a post, or a class), or a student in a homeroom, from `start` (inclusive) to `end` (exclusive)."""

    person: str
    object: str | None
    start: date | None = None
    end: date | None = None
    primary: bool = False

    def on(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who holds a post now; `nearness` 0 is the nearest of several objects, `primary` the first of several holders."""

    person: str
    post: str
    nearness: int = 0
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who it is by which post, and the posts passed over because nobody holds them. `person` None: all are vacant."""

    person: str | None
    post: str
    vacant: tuple[str, ...]


def climb(ladder: Sequence[str], holders: Mapping[str, Sequence[Holder]], never: str | None = None) -> Chosen:
    """Return the holder of the first post that somebody but `never` holds: the nearest, then the primary, then the smallest id.

    A post that only `never` holds is passed over without being vacant.
    """
    vacant: list[str] = []
    for post in ladder:
        held = holders.get(post, ())
        if free := [holder for holder in held if holder.person != never]:
            best = min(free, key=lambda holder: (holder.nearness, not holder.primary, holder.person))
            return Chosen(best.person, post, tuple(vacant))
        if not held:
            vacant.append(post)
    return Chosen(None, ladder[-1], tuple(vacant))


def ids_of(kind: str, places: Sequence[str]) -> list[str]:
    """Return the ids of the places `kind:id`."""
    return [id_ for found, _, id_ in (place.partition(":") for place in places) if found == kind]


def upwards(unit: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return a unit and those above it, the nearest first; a circle ends where it began."""
    chain: list[str] = []
    at: str | None = unit
    while at is not None and at not in chain:
        chain.append(at)
        at = parents.get(at)
    return chain


@dataclass(frozen=True, slots=True)
class Directory:
    """What of roster and posts decides who answers for some subjects.

    `posts`: holders by post and object (None: of a school-wide post); `teachers` by class; `stays` in homerooms by
    student; `homerooms`: the classes that are one; `gone`: teachers who left; `parents`: the unit above each unit.
    """

    posts: Mapping[tuple[str, str | None], Sequence[Held]] = field(default_factory=dict)
    teachers: Mapping[str, Sequence[Held]] = field(default_factory=dict)
    stays: Mapping[str, Sequence[Held]] = field(default_factory=dict)
    homerooms: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    parents: Mapping[str, str | None] = field(default_factory=dict)

    def holders(self, about: Subject, posts: Sequence[str]) -> dict[str, list[Holder]]:
        """Return who holds each of these posts over the subject on its day."""
        return {post: self._holders(about, post) for post in posts}

    def homerooms_of(self, about: Subject) -> list[str]:
        """Return the homeroom that the subject is or belongs to: of several of a student, the one joined last."""
        if about.level == "homeroom":
            return [about.subject]
        if about.level != "student":
            return [id_ for id_ in ids_of("class", about.places) if id_ in self.homerooms]
        stays = [stay for stay in self.stays.get(about.subject, ()) if stay.on(about.day)]
        stays.sort(key=lambda stay: (stay.start is not None, stay.start or date.min, stay.object))
        return [stay.object for stay in stays[-1:] if stay.object is not None]

    def _holders(self, about: Subject, post: str) -> list[Holder]:
        if post in SCHOOL_WIDE:
            return [Holder(held.person, post) for held in self._on(about, self.posts.get((post, None), ()))]
        if post == "class_teacher":
            homerooms = self.homerooms_of(about)
            by_post = [held for id_ in homerooms for held in self._on(about, self.posts.get((post, id_), ()))]
            return [Holder(held.person, post, primary=True) for held in by_post] + self._teaching(about, post, homerooms)
        if post == "teacher":
            if about.level == "teacher":
                return [] if about.subject in self.gone else [Holder(about.subject, post)]
            return self._teaching(about, post, self._classes(about))
        objects = ids_of(OBJECTS[post], about.places)
        near = self.nearness(objects)
        return [
            Holder(held.person, post, near[id_]) for id_ in objects for held in self._on(about, self.posts.get((post, id_), ()))
        ]

    def _teaching(self, about: Subject, post: str, classes: Sequence[str]) -> list[Holder]:
        held = [each for id_ in classes for each in self._on(about, self.teachers.get(id_, ()))]
        return [Holder(each.person, post, primary=each.primary) for each in held]

    def _classes(self, about: Subject) -> list[str]:
        if about.level in {"class", "homeroom"}:
            return [about.subject]
        homerooms = self.homerooms_of(about)
        return [id_ for id_ in ids_of("class", about.places) if id_ not in homerooms]

    @staticmethod
    def _on(about: Subject, held: Sequence[Held]) -> list[Held]:
        return [each for each in held if each.on(about.day)]

    def nearest_unit(self, places: Sequence[str]) -> str | None:
        """Return the deepest unit of these places, of several the smallest; None where they name none."""
        near = self.nearness(ids_of("unit", places))
        return min(near, key=lambda unit: (near[unit], unit), default=None)

    def nearness(self, units: Sequence[str]) -> dict[str, int]:
        """Return 0 for the deepest of these units, 1 for one a step above it, and so on."""
        depth = {unit: len(upwards(unit, self.parents)) for unit in units}
        deepest = max(depth.values(), default=0)
        return {unit: deepest - d for unit, d in depth.items()}
