"""What goes through cycles: objects of a level, each at a place of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from libs.common.events.setup import Span, Spiral

PLACES = {
    "school": "school",
    "department": "unit",
    "programme": "unit",
    "course": "course",
    "teacher": "teacher",
    "homeroom": "class",
    "student": "student",
    "post": "post",
}
NEAREST = ("student", "teacher", "homeroom", "course", "post", "programme", "department", "school")
"""Levels from what is nearest to a person to the whole."""
KINDS = {"management": ("school", "department"), "post": ("post", "teacher")}
"""Levels that a kind of standards is about; any other kind is a level's name, or about none."""


@dataclass(frozen=True, slots=True)
class Thing:
    """An object: its id, its name where one is known, its own place, and all places that it lies in."""

    subject: str
    name: str | None
    place: str
    places: frozenset[str]


@dataclass(frozen=True, slots=True)
class Going:
    """How the objects of a level go: through which spiral, in cycles of which lengths."""

    level: str
    spiral: Spiral
    spans: Sequence[Span]


def place_of(level: str, subject: str) -> str:
    """Return an object's own place."""
    return f"{PLACES.get(level, level)}:{subject}"


def levels_of(kind: str | None, levels: Iterable[str]) -> set[str]:
    """Return the levels that a standard is about: those that it says itself, and those of its kind."""
    return {*levels, *(KINDS.get(kind, (kind,)) if kind is not None else ())}


def plan_places(level: str, subject: str | None, unit: str | None, school: str) -> list[str]:
    """Return the places of the objects that a plan is about: of the school's and of units' plans also the unit that leads."""
    found = [place_of(level, subject)] if subject is not None else [f"school:{school}"] if level == "school" else []
    if unit is not None and level in {"school", "department", "programme"}:
        found.append(f"unit:{unit}")
    return found


def unit_places(school: str, unit: str | None, person: str | None) -> list[str]:
    """Return the places of the objects that have what a unit or a person takes on: these, and the school."""
    return [f"school:{school}", *([f"unit:{unit}"] if unit else []), *([f"teacher:{person}"] if person else [])]
