"""The kinds of values that indicators and standards are made of: codes, exact numbers, dates, text."""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from libs.common.numbers import NUMBER_SCHEMA, exact_number, plain

CODE = "^[a-z0-9][a-z0-9_-]{0,63}$"
METRIC = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"  # its code or its alias


def _given_or_kept(value: object, info: ValidationInfo) -> Decimal:
    """A number of a request, or the text that a document keeps of one."""
    return Decimal(value) if info.mode == "json" and isinstance(value, str) else exact_number(value)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day where it is shorter. Raises ValueError past the year 9999."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        raise ValueError("a date ends with the year 9999")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


Number = Annotated[Decimal, BeforeValidator(exact_number), WithJsonSchema(NUMBER_SCHEMA)]
Kept = Annotated[Decimal, BeforeValidator(_given_or_kept), WithJsonSchema(NUMBER_SCHEMA)]
"""A number of a document that is kept as JSON: given as a number, kept as text, read as the same decimal."""
Shown = Annotated[Decimal, AfterValidator(plain), WithJsonSchema({"type": "number"})]
Level = Literal["student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school"]
Window = Literal["day", "week", "month", "term", "year"]
Code = Annotated[str, Field(pattern=METRIC)]
Post = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$", examples=["quality_office"])]
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text of one line."""
Prose = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
"""Text that may have several lines."""
