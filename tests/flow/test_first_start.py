"""The demo school of a first start: what its simulator reports finds the people who answer for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.stack import Process, School, Stack, free_port, until

SEVERAL = 8  # the first lessons: students, classes and teachers


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[School]:
    """A first start with its demo school; the simulator needs a port that is known."""
    process = Process("all", tmp_path / "home", {"ZHENGAI_DEMO": "1"})
    process.port = free_port()
    stack = Stack([process])
    try:
        stack.start()
        yield School(stack, "demo")
    finally:
        stack.stop()


def test_every_task_of_the_demo_school_has_owner_and_verifier_by_its_posts(demo: School) -> None:
    def several() -> list[Any]:
        found = list(demo.items("planning/improvements"))
        return found if len(found) >= SEVERAL else []

    until(several, "tasks of the first lessons")
    demo.settle()  # a warning may be told before the posts are
    posts = {"course_leader", "department_head", "quality_office"}
    tasks = list(demo.items("planning/improvements"))
    assert [task for task in tasks if None in {task["owner"], task["verifier"]} or task["vacant"]] == []
    assert {task["verifier_post"] for task in tasks} <= posts
    warned = {warning["id"] for warning in demo.items("monitoring/warnings")}
    assert {task["warning"] for task in tasks} <= warned
