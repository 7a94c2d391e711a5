"""Who answers for an improvement: the first held post of a ladder, from the nearest upwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCHOOL_WIDE = frozenset({"quality_office", "school_leader"})
"""Posts whose object is the whole school, whatever their row says."""

_OBJECTS = {
    "course_leader": "course",
    "programme_leader": "unit",
    "office_head": "unit",
    "department_quality_officer": "unit",
    "department_head": "unit",
    "class_teacher": "class",
    "level_group": "level",
}
"""What kind of place a post is held over; `teacher` is held by teaching, not by a post."""


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


def objects_of(post: str, places: Sequence[str], homerooms: Sequence[str]) -> list[str]:
    """Return the ids of what a post must be held over to answer for these places; a class teacher's are the homerooms."""
    kind = _OBJECTS.get(post)
    if kind == "class":
        return list(homerooms)
    return ids_of(kind, places) if kind else []
