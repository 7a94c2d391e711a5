"""What a task may go through, what its class asks for, and when its number is reached."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from pydantic import ValidationError

from libs.common.errors import Conflict
from services.planning.domain.agreements import hash_of
from services.planning.domain.tasks import (
    Aim,
    Task,
    TaskStatus,
    TaskStep,
    days_left,
    document_of,
    kept_task,
    missing_link,
    next_status,
)

LIFE = {
    "draft": {"assign": "assigned"},
    "assigned": {"accept": "accepted", "withdraw": "draft"},
    "accepted": {"progress": "in_progress", "submit": "submitted", "withdraw": "draft"},
    "in_progress": {"progress": "in_progress", "submit": "submitted", "withdraw": "draft"},
    "submitted": {"verify": "verified", "return": "returned", "withdraw": "draft"},
    "returned": {"progress": "in_progress", "submit": "submitted", "withdraw": "draft"},
    "verified": {"close": "closed"},
    "closed": {},
}


def a_task(**said: object) -> Task:
    whole = {"task_class": "a", "title": "任务", "year": 2026, "acceptance": "完成", "assessment": "按期", "start": "2026-01-01"}
    return Task.model_validate({**whole, "due": "2026-12-31", **said})


@pytest.mark.parametrize(("status", "step"), list(product(TaskStatus, TaskStep)))
def test_a_task_lives_as_the_documents_say(status: TaskStatus, step: TaskStep) -> None:
    if (after := LIFE[status].get(step)) is not None:
        assert next_status(status, step) == after
    else:
        with pytest.raises(Conflict, match=f"the task is {status}"):
            next_status(status, step)


@pytest.mark.parametrize("link", ["goal", "resolution", "duty", "project", "plan", "finding"])
def test_a_class_asks_for_its_own_link_and_no_other(link: str) -> None:
    id_ = str(UUID(int=1))
    said = {"goal": id_, "resolution": "1号", "duty": id_, "project": "p", "plan": "q", "finding": id_}
    assert missing_link(link, a_task(**{link: said[link]})) == []
    others = {name: value for name, value in said.items() if name != link}
    assert [fault["pointer"] for fault in missing_link(link, a_task(**others))] == [f"/{link}"]
    assert missing_link("none", a_task()) == []


@pytest.mark.parametrize(
    ("operator", "below", "on", "above"),
    [("at_least", False, True, True), ("at_most", True, True, False), ("equal", False, True, False)],
)
def test_on_the_target_is_reached(operator: str, below: bool, on: bool, above: bool) -> None:
    aim = Aim.model_validate({"target": 0.75, "operator": operator})
    assert [aim.met(Decimal(value)) for value in ("0.749999", "0.75", "0.750001")] == [below, on, above]


@pytest.mark.parametrize(
    ("aim", "text"),
    [
        ({"target": 0.75, "unit": "%"}, "不低于 75%"),
        ({"target": 1, "unit": "%"}, "不低于 100%"),
        ({"target": 10, "operator": "at_most", "unit": "件"}, "不高于 10件"),
        ({"target": 1200, "operator": "equal"}, "等于 1200"),
    ],
)
def test_an_aim_reads_as_people_write_it(aim: dict[str, object], text: str) -> None:
    assert Aim.model_validate(aim).text() == text


def test_what_is_kept_is_what_was_said() -> None:
    task = a_task(aim={"target": 0.1}, weight=12.5, measures=["一", "二"])
    assert kept_task(document_of(task)) == task


@pytest.mark.parametrize("said", [{"assessment": None}, {"acceptance": None}, {"due": "2025-12-31"}, {"weight": 0}, {"other": 1}])
def test_a_task_that_cannot_be_judged_is_none(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_task(**said)


def test_the_due_date_is_the_last_day() -> None:
    assert [days_left(date(2026, 3, 2), date(2026, 3, day)) for day in (1, 2, 3)] == [1, 0, -1]


def test_a_hash_is_of_what_is_said_and_not_of_the_order_in_which() -> None:
    assert hash_of({"a": 1, "b": ["甲"]}) == hash_of({"b": ["甲"], "a": 1}) != hash_of({"a": 1, "b": ["乙"]})
