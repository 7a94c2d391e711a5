"""Days as requests write them: `YYYY-MM-DD`, and nothing else that could be read as one."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SCHEMA = {"type": "string", "format": "date"}


def read_day(value: object) -> object:
    """A day from its text; a day or None stays as it is. Raises ValueError for anything else, numbers and moments included."""
    if value is None or type(value) is date:
        return value
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema(_SCHEMA)]
MaybeDay = Annotated[date | None, BeforeValidator(read_day), WithJsonSchema({"anyOf": [_SCHEMA, {"type": "null"}]})]
"""A day that may be left out."""
