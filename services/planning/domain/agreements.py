"""Letters of responsibility (责任状): what one says, its hash, its life, and how it is printed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from libs.common.word import Block, Fields, Grid, Heading, Lines
from services.planning.domain.tasks import Task


class AgreementStatus(StrEnum):
    """`outdated`: a task that it freezes says something else by now, so that a new version is due; `replaced`: that is there."""

    ISSUED = "issued"
    SIGNED = "signed"
    OUTDATED = "outdated"
    REPLACED = "replaced"


def hash_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of a content as JSON with sorted keys: the same content has the same hash, whoever writes it."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def line_of(id_: str, version: int, task: Task, class_name: str) -> dict[str, Any]:
    """A task as an agreement freezes it."""
    reached = "；".join(part for part in (task.aim and task.aim.text(), task.acceptance) if part)
    return {
        "task": id_,
        "version": version,
        "class": class_name,
        "title": task.title,
        "target": reached,
        "assessment": task.assessment,
        "weight": None if task.weight is None else f"{task.weight:f}",
        "measures": list(task.measures),
        "due": task.due.isoformat(),
    }


def blocks_of(content: Mapping[str, Any], signed: Sequence[tuple[str, str]]) -> list[Block]:
    """An agreement to be printed: the parties, the clauses, a table of tasks, and who signed (labels and what each says)."""
    parties = Fields(
        [("甲方", content["school"]), ("乙方", content["party"]), ("年度", str(content["year"])), ("版本", str(content["version"]))]
    )
    blocks: list[Block] = [parties]
    if content["clauses"]:
        blocks += [Heading("责任内容"), Lines([f"{n}. {clause}" for n, clause in enumerate(content["clauses"], 1)])]
    if content["tasks"]:
        columns = ("序号", "类别", "任务", "目标或验收标准", "考核标准", "权重", "完成期限")
        names = ("class", "title", "target", "assessment", "weight", "due")
        rows = [[str(n), *(task[name] or "" for name in names)] for n, task in enumerate(content["tasks"], 1)]
        blocks += [Heading("目标任务"), Grid(columns, rows)]
    return [*blocks, Heading("签署"), Fields(list(signed))]
