"""What is wrong with a value, in the project's own words: the library's speak of its own types, and change with its versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

_PREFIX = "Value error, "
_OBJECT = "an object is needed: JSON, sent as application/json"
_DAY = "a date is needed, written YYYY-MM-DD"
_ID = "an id is needed, like 6f9619ff-8b86-4d11-b42d-00c04fc964ff"


def _length(what: str, whats: str, *, most: bool) -> Callable[[Mapping[str, Any]], str]:
    def said(limits: Mapping[str, Any]) -> str:
        number = limits["max_length" if most else "min_length"]
        return f"at {'most' if most else 'least'} {number} {what if number == 1 else whats}"

    return said


def _one_of(limits: Mapping[str, Any]) -> str:
    return f"one of these is needed: {limits['expected']}"


def _pattern(limits: Mapping[str, Any]) -> str:
    pattern = str(limits["pattern"])
    if pattern.startswith(r"^[^\x00"):
        return "text without control characters is needed"
    return f"it does not fit the pattern {pattern}"


_REASONS: dict[str, str | Callable[[Mapping[str, Any]], str]] = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "string_type": "text is needed",
    "string_unicode": "text without half characters (lone surrogates) is needed",
    "string_too_short": _length("character", "characters", most=False),
    "string_too_long": _length("character", "characters", most=True),
    "string_pattern_mismatch": _pattern,
    "int_type": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "int_parsing": "a whole number is needed",
    "int_parsing_size": "a whole number that is not as large is needed",
    "bool_type": "true or false is needed",
    "bool_parsing": "true or false is needed",
    "list_type": "a list is needed",
    "too_short": _length("entry", "entries", most=False),
    "too_long": _length("entry", "entries", most=True),
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "literal_error": _one_of,
    "enum": _one_of,
    "greater_than": lambda limits: f"more than {limits['gt']} is needed",
    "greater_than_equal": lambda limits: f"at least {limits['ge']} is needed",
    "less_than": lambda limits: f"less than {limits['lt']} is needed",
    "less_than_equal": lambda limits: f"at most {limits['le']} is needed",
    "uuid_type": _ID,
    "uuid_parsing": _ID,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
}


def at(field: str, said: str) -> PydanticCustomError:
    """What a check of several fields raises: the one to be looked at first, and what is wrong."""
    return PydanticCustomError("at", "{said}", {"field": field, "said": said})


def where_of(fault: ErrorDetails) -> tuple[str | int, ...]:
    """Where it is wrong, down to the field that a check of several names."""
    return (*fault["loc"], fault["ctx"]["field"]) if fault["type"] == "at" else fault["loc"]


def reason_of(fault: ErrorDetails) -> str:
    """Say what is wrong; of what our own checks found, their words."""
    said = _REASONS.get(fault["type"])
    if callable(said):
        return said(fault.get("ctx", {}))
    return said or fault["msg"].removeprefix(_PREFIX)
