"""What a school may set."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.planning.domain.settings import DUE_DAYS, OWNERS, SchoolSettings


def test_what_a_document_leaves_out_keeps_its_default() -> None:
    settings = SchoolSettings.model_validate(
        {"due_days": {"red": 3}, "plan_days": {"red": 1}, "owners": {"course": ["department_head"]}}
    )

    assert settings.due_days == {**DUE_DAYS, "red": 3}
    assert settings.owners == {**OWNERS, "course": ["department_head"]}
    assert SchoolSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "document",
    [
        {"due_days": {"purple": 3}},
        {"due_days": {"red": -1}},
        {"due_days": {"red": True}},
        {"due_days": {"red": 366}},
        {"due_days": {"red": 30, "orange": 20}},  # worse cannot have longer
        {"plan_days": {"blue": 31}},  # a plan cannot be due after its work
        {"owners": {"course": []}},
        {"owners": {"course": ["king"]}},
        {"owners": {"activity": ["teacher"]}},
        {"measures": {"class": [" "]}},
        {"measures": {"class": "谈话"}},
        {"colour": "red"},
        {"due_days": None},
    ],
)
def test_a_document_that_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SchoolSettings.model_validate(document)
