"""What is wrong with a value is said in our own words, at the field that decides."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from libs.common.reasons import at, reason_of, where_of


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]*$")] = "ab"
    line: Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$")] = ""
    number: Annotated[int, Field(ge=1, lt=9)] = 1
    more: Annotated[float, Field(gt=0, le=1)] = 1.0
    word: Literal["a", "b"] = "a"
    flag: bool = False
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    day: Annotated[date, Field(strict=False)] = date(2026, 3, 1)
    id: Annotated[UUID | None, Field(strict=False)] = None
    part: Said | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if self.flag and self.word == "b":
            raise at("word", "with a flag it is a")
        return self


@pytest.mark.parametrize(
    ("said", "where", "why"),
    [
        ({"colour": 1}, "colour", "there is no such field"),
        ({"text": 1}, "text", "text is needed"),
        ({"text": "a"}, "text", "at least 2 characters"),
        ({"text": "aaaa"}, "text", "at most 3 characters"),
        ({"text": "A!"}, "text", "it does not fit the pattern ^[a-z]*$"),
        ({"line": "\x01"}, "line", "text without control characters is needed"),
        ({"number": 1.5}, "number", "a whole number is needed"),
        ({"number": 0}, "number", "at least 1 is needed"),
        ({"number": 9}, "number", "less than 9 is needed"),
        ({"more": 0.0}, "more", "more than 0.0 is needed"),
        ({"more": 2.0}, "more", "at most 1.0 is needed"),
        ({"word": "c"}, "word", "one of these is needed: 'a' or 'b'"),
        ({"flag": 1}, "flag", "true or false is needed"),
        ({"items": 1}, "items", "a list is needed"),
        ({"items": []}, "items", "at least 1 entry"),
        ({"items": [1, 2, 3]}, "items", "at most 2 entries"),
        ({"day": "soon"}, "day", "a date is needed, written YYYY-MM-DD"),
        ({"id": "x"}, "id", "an id is needed, like 6f9619ff-8b86-4d11-b42d-00c04fc964ff"),
        ({"part": 1}, "part", "an object is needed: JSON, sent as application/json"),
        ({"part": {"flag": True, "word": "b"}}, "part/word", "with a flag it is a"),
    ],
)
def test_each_refusal_is_in_our_own_words(said: dict[str, Any], where: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Said.model_validate(said)
    (fault,) = refused.value.errors()
    assert ("/".join(map(str, where_of(fault))), reason_of(fault)) == (where, why)
