"""What a guarantee measure says (保障措施): which mechanism protects which goals, with what, until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from libs.common.days import Day
from libs.common.errors import Fault
from libs.common.reasons import at
from services.planning.domain.goals import Code, Id, Line, Part, Words
from services.planning.domain.settings import Level

Status = Literal["planned", "running", "done", "dropped"]
Goals = Annotated[list[Annotated[UUID, Field(strict=False)]], Field(max_length=200)]


class Guarantee(Part):
    """A measure whole. `unit` leads it (None: the school itself), `helpers` are units, `level` is whom it serves, `needs` what it takes.

    `goals` are those that it protects: a measure that was dropped protects none. Source: the guarantee chain of the schools' documents
    (mechanism, lead, level, needs, indicators).
    """

    mechanism: Code
    name: Line
    unit: Id | None = None
    helpers: Annotated[list[Id], Field(max_length=100)] = []
    level: Level
    system: Code | None = None
    needs: Words | None = None
    period_from: Day
    period_to: Day
    status: Status = "planned"
    indicators: Annotated[list[Line], Field(max_length=50)] = []
    goals: Goals = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.period_to < self.period_from:
            raise at("period_to", "the period ends before it begins")
        if len(set(self.helpers)) < len(self.helpers) or self.unit in self.helpers:
            raise at("helpers", "a helper is named once and does not lead")
        if len(set(self.goals)) < len(self.goals) or len(set(self.indicators)) < len(self.indicators):
            raise at("goals", "each goal and each indicator is named once")
        return self


def named(setup: Mapping[str, Any], *path: str, by: str = "code") -> set[str]:
    """What a part of a school's set-up names; empty where it names nothing, and then any word will do."""
    part: Any = setup
    for step in path:
        part = part.get(step, {})
    return {each[by] for each in part or ()}


def word_faults(wanted: Iterable[tuple[str, str | None, set[str]]]) -> list[Fault]:
    """What the school's own words lack: (pointer, word, the words there are)."""
    return [
        Fault(pointer=pointer, detail=f"the school's set-up has no {word!r}: it has {', '.join(sorted(there))}")
        for pointer, word, there in wanted
        if word is not None and there and word not in there
    ]
