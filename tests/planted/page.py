"""The page that tells which test catches which bug."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.contract.write_docs import DOCS, table
from tests.planted.bug import Bug

PAGE = DOCS / "planted-bugs.md"
OPENING = """# Planted bugs

<!-- Written by `make planted` after a run in which every bug was caught; edit the lists in tests/planted, not this page. -->

Would the tests notice? `make planted` plants each of these bugs in a copy of the tree, runs the tests named beside it, and fails where one of them
stays green. On an unchanged copy all of them are green. What changes in the source stands in `tests/planted/delivering.py`, `counting.py`, `judging.py` and `working.py`.
"""


def written(bugs: Sequence[Bug]) -> str:
    """The page for these bugs, all of which were caught."""
    rows = ((str(n), bug.name, bug.harm, "<br>".join(_cell(test) for test in bug.tests)) for n, bug in enumerate(bugs, 1))
    return f"{OPENING}\n{table(('', 'Bug', 'What it would do', 'Turns red'), rows)}\n"


def _cell(test: str) -> str:
    path, _, name = test.partition("::")
    return f"`{path}`: {name.removeprefix('test_').replace('_', ' ')}"


def rows_of(page: Path) -> list[str]:
    """The names of the bugs that a page lists."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [line.split(" | ")[1] for line in lines if line.startswith("| ") and line[2].isdigit()]
