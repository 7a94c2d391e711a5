"""The list of planted bugs fits the code, and the page tells of exactly those."""

from __future__ import annotations

import pytest

from tests.contract.write_docs import DOCS
from tests.planted.bug import Bug
from tests.planted.bugs import BUGS
from tests.planted.page import PAGE, rows_of, written

ROOT = DOCS.parent


def test_the_page_lists_exactly_the_bugs_of_the_list() -> None:
    assert rows_of(PAGE) == [bug.name for bug in BUGS]
    assert PAGE.read_text(encoding="utf-8") == written(BUGS), "the list has changed since: make planted"


def test_each_bug_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 15


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_a_bug_replaces_stands_exactly_once_and_its_tests_exist(bug: Bug) -> None:
    found = [(ROOT / edit.file).read_text(encoding="utf-8").count(edit.old) for edit in bug.edits]
    assert found == [1] * len(bug.edits)
    for test in bug.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
