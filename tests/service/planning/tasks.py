"""What tests of annual tasks begin with: a school's classes of tasks, people who give and have them, and a task in a few words."""

from __future__ import annotations

from typing import Any

from libs.common.events.gateway import SetupChanged
from services.cli.template.reading import find, read_template
from tests.service.harness import principal

WORK = ("task.read", "task.work", "project.read", "inbox.read")
GIVE = (*WORK, "task.assign", "task.verify", "plan.read", "plan.write", "plan.approve")
OFFICE = principal(*GIVE, id="Q1")
OTHER_OFFICE = principal(*GIVE, id="Q2")
LEADER = principal(*GIVE, id="B1")
HEAD = principal(*GIVE, id="D1", over=["unit:mech"])
OFFICER = principal(*WORK, id="T2", over=["unit:mech"])
TEACHER = principal(*WORK, id="T1", over=["teacher:T1"])


def set_up_as(template: str) -> SetupChanged:
    """A school is set up as a template says."""
    setup = read_template(find(template)).setup
    return SetupChanged(code="demo", content=setup.model_dump(mode="json", exclude_defaults=True))


HUBEI = set_up_as("hubei-polytechnic")


def task(title: str = "完成部门工作", task_class: str = "c", **said: Any) -> dict[str, Any]:
    """A task of 2026 that lacks the link that its class asks for, but for what a test says otherwise."""
    whole: dict[str, Any] = {
        "task_class": task_class,
        "title": title,
        "year": 2026,
        "acceptance": "按期完成",
        "assessment": "按期完成得满分，每迟一周扣 10 分",
        "start": "2026-01-01",
        "due": "2026-12-31",
    }
    return {name: value for name, value in {**whole, **said}.items() if value is not None}
