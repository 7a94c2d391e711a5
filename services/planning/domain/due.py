"""What is due: whom an item is about, and what its owner must hand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import Fault
from libs.common.events.routines import Kind, Routine
from services.planning.domain.calendar import Day


class DueStatus(StrEnum):
    """`done` by its owner; that an open one is late is said beside it."""

    OPEN = "open"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class About:
    """Whom or what an item is about, and where it lies (`kind:id`)."""

    subject: str
    name: str | None
    places: tuple[str, ...]


class TeacherKind(BaseModel):
    """A teacher is of a kind (新任、兼职…) from `first` to `last`, both inclusive; None is open. The kinds are the school's own words."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    person: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
    kind: Kind
    first: Day | None = None
    last: Day | None = None

    def on(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


class TeacherKinds(BaseModel):
    """Which teachers are of which kind; who is not named is of none."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    teachers: Annotated[list[TeacherKind], Field(max_length=5000)] = []

    def on(self, day: date) -> dict[str, set[str]]:
        """The kinds of each teacher that is of some on a day."""
        found: dict[str, set[str]] = {}
        for each in self.teachers:
            if each.on(day):
                found.setdefault(each.person, set()).add(each.kind)
        return found


class Routines(BaseModel):
    """The routines of a school."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    routines: Annotated[list[Routine], Field(max_length=300)] = []


def concerns(routine: Routine, kinds: set[str]) -> bool:
    """Whether a routine for teachers concerns one of these kinds."""
    wanted = not routine.of_kinds or not kinds.isdisjoint(routine.of_kinds)
    return wanted and kinds.isdisjoint(routine.not_of_kinds)


def handed_in_faults(needs: str, minutes: str | None, evidence: Sequence[str]) -> list[Fault]:
    """What an owner who says that it is done has left out."""
    if needs == "minutes" and minutes is None:
        return [Fault(pointer="/minutes", detail="a meeting is over once there are minutes of it")]
    if needs == "document" and not evidence:
        return [Fault(pointer="/evidence", detail="it takes a document")]
    return []
