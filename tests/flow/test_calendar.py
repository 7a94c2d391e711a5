"""The calendar of a running school: scenarios 12 and 16, as far as one need not wait for a month to end; the rest is told in
tests/service/planning/test_due.py, where the clock can be set.
"""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.template.reading import find, read_template
from tests.flow.stack import Stack, until
from tests.flow.test_chains import Chain

pytestmark = pytest.mark.servers  # long: the same scenarios run as service tests in the short suite


def routine(code: str, **changes: Any) -> dict[str, Any]:
    """A routine of Yanbu's documents, changed."""
    (found,) = [each for each in read_template(find("foshan-yanbu")).setup.routines if each.code == code]
    return {**found.model_dump(mode="json", exclude_defaults=True), **changes}


@pytest.fixture
def chain(standing: Stack, request: pytest.FixtureRequest) -> Chain:
    return Chain(standing, request.node.originalname.removeprefix("test_")[:40])


def due(chain: Chain, **params: Any) -> list[dict[str, Any]]:
    return list(chain.school.items("planning/due-items", **params))


def test_scenario_12_every_department_has_its_self_diagnosis_of_the_month_to_submit(chain: Chain) -> None:
    chain.school.change("PUT", "setup", json={"routines": [routine("yb-department-month")]})
    (item,) = until(lambda: due(chain), "the department has something to submit")
    assert (item["per"], item["subject"], item["owner"], item["status"]) == ("department", "D1", "HD", "open")
    head = chain.person("HD")
    assert [each["id"] for each in head.get("planning/due-items", params={"owner": "HD"}).json()["items"]] == [item["id"]]
    done = chain.done(head, f"planning/due-items/{item['id']}/done", {"note": "十项目标完成八项"})
    assert (done["status"], done["done_by"]) == ("done", "HD")
    assert head.post(f"planning/due-items/{item['id']}/done", json={}).status_code == 409
    teacher = chain.person("T1")
    assert teacher.get("planning/due-items").json()["items"] == []


def test_scenario_16_who_is_new_is_appraised_and_the_others_only_by_their_academic_year(chain: Chain) -> None:
    wanted = {"opens": "start"}
    own = [routine(code, **wanted) for code in ("yb-teacher-term", "yb-teacher-new", "yb-teacher-others")]
    chain.school.change("PUT", "planning/teacher-kinds", json={"teachers": [{"person": "T1", "kind": "new"}]})
    chain.school.change("PUT", "planning/routines", json={"routines": own})
    until(lambda: len(due(chain)) == 2, "a new teacher has two")
    found = sorted((each["routine"], each["subject"], each["owner"]) for each in due(chain))
    assert found == [("yb-teacher-new", "T1", "HD"), ("yb-teacher-term", "T1", "T1")]
    chain.school.change("PUT", "planning/teacher-kinds", json={"teachers": []})
    until(lambda: len(due(chain)) == 3, "who is of no kind is appraised by the year")
    assert {each["routine"] for each in due(chain)} == {"yb-teacher-new", "yb-teacher-term", "yb-teacher-others"}


def test_nothing_falls_due_in_a_vacation_and_a_killed_school_makes_nothing_twice(stack: Stack) -> None:
    chain = Chain(stack, "vacation")
    chain.school.change("PUT", "setup", json={"routines": [routine("yb-department-month"), routine("yb-committee")]})
    until(lambda: len(due(chain)) == 2, "two are due")
    before = {each["id"]: each["due_on"] for each in due(chain)}
    last = max(before.values())
    closed = {"vacations": [{"name": "假期", "first": min(before.values()), "last": last}]}
    chain.school.change("PUT", "planning/calendar", json=closed)
    moved = {each["id"]: each["due_on"] for each in due(chain)}
    assert moved.keys() == before.keys()
    assert min(moved.values()) > last
    refused = chain.school.call(
        "PUT", "planning/calendar", json={"vacations": [{"name": "假期", "first": last, "last": "2000-01-01"}]}
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/vacations/0/last")
    for process in stack.processes.values():
        process.kill()
    stack.start()
    posts = b"person,post,object,from,to\nT1,department_quality_officer,D1,2020-01-01,\n"
    chain.school.change("PUT", "posts", content=posts, headers={"Content-Type": "text/csv"})
    until(lambda: "T1" in {each["owner"] for each in due(chain)}, "who holds the nearer post has it")
    assert {each["id"]: each["due_on"] for each in due(chain)} == moved
