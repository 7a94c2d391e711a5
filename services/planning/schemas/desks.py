"""Desks (工作台) and rankings as people see them."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from libs.common.http import Body, View
from services.planning.domain.desks import MOST
from services.planning.schemas.improvements import Words


class ItemView(View):
    """A row of a desk; `link` is the path of this API to read on, `says` why it is there or what comes next."""

    kind: Annotated[str, Field(examples=["improvement", "task", "due_item", "plan", "agreement", "student", "standard"])]
    id: str
    title: str
    link: str
    status: str | None
    subject_name: str | None
    severity: str | None
    due_on: date | None
    overdue: bool
    says: str | None
    count: int | None


class SectionView(View):
    """A part of a desk: what is due first comes first; `total` rows in all, to be read at `link`."""

    name: str
    items: Annotated[list[ItemView], Field(max_length=MOST)]
    total: int
    link: str | None


class DeskView(View):
    """What somebody sees first; `of` are the units, courses, homerooms or the student that it is about, empty: the whole school."""

    desk: str
    of: list[str]
    sections: list[SectionView]


class TalkBody(Body):
    """A talk with a student (谈话记录): one tap writes it beside every standing warning of theirs."""

    student: Annotated[str, Field(min_length=1, max_length=128)]
    text: Words = "已谈话"


class TalkView(View):
    """Beside which improvements the talk was written down."""

    improvements: list[UUID]


class AnswerBody(Body):
    """What a student answers to a warning of theirs."""

    improvement: Annotated[UUID, Field(strict=False)]
    text: Words


class RankView(View):
    """A unit's tasks of a year: how many there are, are verified, met their aim, are late. What is not submitted stays in both rates.

    Rates have six decimals, as everywhere.
    """

    unit: str
    unit_name: str | None
    total: int
    completed: int
    met: int
    overdue: int
    completion: float
    attainment: float
