"""Two versions of a standard side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.standards.domain.content import Content


@dataclass(frozen=True, slots=True)
class Field:
    """A field with what either version says."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Changed:
    code: str
    fields: list[Field]


@dataclass(frozen=True, slots=True)
class Differences:
    """Parts by their codes: what only the newer has, what only the older has, and what is in both and not the same."""

    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    changed: list[Changed]


Parts = Mapping[str, Mapping[str, Any]]


def difference(old: Content, new: Content) -> tuple[list[Field], dict[str, Differences]]:
    """Return the changed fields of the standard itself, and what differs in its groups, elements and ladders.

    An element that moved to another group has changed its field `group`.
    """
    fields = _fields(old.model_dump(exclude={"groups", "ladders"}), new.model_dump(exclude={"groups", "ladders"}))
    ways = {"groups": _groups, "elements": _elements, "ladders": _ladders}
    return fields, {name: _compare(parts(old), parts(new)) for name, parts in ways.items()}


def _compare(old: Parts, new: Parts) -> Differences:
    both = [(code, _fields(old[code], new[code])) for code in new if code in old]
    return Differences(
        added=[dict(new[code]) for code in new if code not in old],
        removed=[dict(old[code]) for code in old if code not in new],
        changed=[Changed(code, fields) for code, fields in both if fields],
    )


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Field]:
    return [Field(name, old[name], new[name]) for name in new if old[name] != new[name]]


def _groups(content: Content) -> Parts:
    return {group.code: group.model_dump(exclude={"elements"}) for group in content.groups}


def _elements(content: Content) -> Parts:
    return {each.code: {**each.model_dump(), "group": group.code} for group in content.groups for each in group.elements}


def _ladders(content: Content) -> Parts:
    return {part.code: part.model_dump() for part in content.ladders}
