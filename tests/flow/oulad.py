"""The real data of the shared folder, as a campus would send it, and what must come of it."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.flow.stack import School

BATCH = 1000


class Oulad:
    """A slice of the data; `every` n: the students whose number is divisible by n, with an expectation of their own."""

    def __init__(self, shared: Path, folder: Path, every: int = 1) -> None:
        self.tool = load_tool(shared)
        self.tool.roster(folder / "roster")
        self.roster = zipped(folder / "roster")
        events = self.tool.observations()
        self.events: list[dict[str, Any]] = [e for e in events if int(e["data"]["student"][1:]) % every == 0]
        expected = self.tool.expected(self.events)
        self.sums = {tuple(row[:5]): (row[5], row[6]) for row in expected["sums"]}
        self.open = {tuple(pair) for pair in expected["open"]}
        self.lines = [json.dumps(event, separators=(",", ":")).encode() for event in self.events]

    @property
    def indicators(self) -> list[dict[str, Any]]:
        return [
            {
                "code": each["code"],
                "name": each["code"],
                "metric": each["metric"],
                "level": each["level"],
                "window": each["window"],
                "comparison": "below",
                "target": 0.9,
                "min_denominator": each["min_denominator"],
                "evaluate": "on_update",
                "warning_lines": [{"severity": each["severity"], "enter": each["line"], "clear": each["line"]}],
                "effective_from": "2013-09-01",
            }
            for each in self.tool.INDICATORS
        ]

    def set_up(self, school: School) -> str:
        """Add the school with its roster and indicators; return the source's key."""
        key = school.add()
        school.change("PUT", "roster", content=self.roster, headers={"Content-Type": "application/zip"})
        for indicator in self.indicators:
            school.activate(indicator)
        return key

    def batches(self, lines: Sequence[bytes] | None = None) -> list[bytes]:
        """The events as bodies of batched requests."""
        lines = self.lines if lines is None else lines
        return [b"[" + b",".join(lines[i : i + BATCH]) + b"]" for i in range(0, len(lines), BATCH)]

    def check(self, school: School) -> None:
        """Every sum to the last unit, exactly the pairs in warning, and one improvement task for each warning."""
        measured = {}
        for metric in {row[0] for row in self.sums}:
            for level in ("student", "class", "course", "department", "school"):
                for window in ("day", "week", "term"):
                    for m in school.items("monitoring/measurements", metric=metric, level=level, window=window):
                        measured[metric, level, m["subject"], window, m["start"]] = (m["numerator"], m["denominator"])
        assert measured == self.sums
        warnings = list(school.items("monitoring/warnings"))
        pairs = [(w["indicator"], w["subject"]) for w in warnings if w["status"] == "open"]
        assert len(pairs) == len(set(pairs))
        assert set(pairs) == self.open
        improvements = list(school.items("planning/improvements"))
        assert sorted(i["warning"] for i in improvements) == sorted(w["id"] for w in warnings)
        assert {w["id"]: w["improvement"] for w in warnings} == {i["warning"]: i["id"] for i in improvements}


def load_tool(shared: Path) -> ModuleType:
    """The program that makes a school's events of the data."""
    return _load(shared / "tools" / "oulad.py")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("oulad", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def zipped(folder: Path) -> bytes:
    """The files of a roster as they are sent."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return buffer.getvalue()


def post(school: School, key: str, body: bytes) -> int:
    """Post one batch; return how many events were accepted."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    answer = school.http.post(f"{school.stack.url}/api/v1/events", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    accepted: int = answer.json()["accepted"]
    return accepted
