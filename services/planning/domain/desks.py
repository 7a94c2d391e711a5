"""A desk: what somebody sees first (工作台), at most seven rows a section before "more", by due date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

MOST = 7
"""Rows of a section before "more": as many as one takes in at a glance."""
NEWS_DAYS = 7
"""How long news is news, and how far ahead what one owes is shown."""


@dataclass(frozen=True, slots=True)
class Item:
    """A row of a desk. `says`: why it is there or what comes next, in words; `link`: the API's path to it; `count`: how many warnings
    stand behind a row about a person.
    """

    kind: str
    id: str
    title: str
    link: str
    status: str | None = None
    subject_name: str | None = None
    severity: str | None = None
    due_on: date | None = None
    overdue: bool = False
    says: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The first of some rows, and how many there are."""

    items: Sequence[Item]
    total: int


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a desk: its first rows, how many there are, and where to read all."""

    name: str
    items: Sequence[Item]
    total: int
    link: str | None


def section(name: str, found: Iterable[Found], link: str | None = None) -> Section:
    """Several kinds of rows in one section: what is due first comes first, what has no date last."""
    found = list(found)
    items = sorted((item for each in found for item in each.items), key=lambda item: (item.due_on or date.max, item.kind, item.id))
    return Section(name, items[:MOST], sum(each.total for each in found), link)
