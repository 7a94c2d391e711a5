"""Bottom lines that refuse a target, and what of a family or a standard cannot stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.common.events.standards import IndicatorActivated, StandardActivated
from tests.service.standards.school import (
    AUTHOR,
    FAMILY,
    element,
    measured,
    school,
    standard,
)

AT = "/standards/HB-ST-TCH/versions/1"

# --- floors -------------------------------------------------------------------------------------------------------------

INDICATOR: dict[str, Any] = {
    "code": "hours",
    "name": "培训学时",
    "metric": "training_hours",
    "level": "teacher",
    "window": "year",
    "comparison": "below",
    "min_denominator": 1,
    "evaluate": "window_close",
    "warning_lines": [{"severity": "yellow", "enter": 50, "clear": 50}],
    "effective_from": "2026-03-01",
}


def with_floor(metric: str = "training_hours", comparison: str = "at_least", **changes: Any) -> dict[str, Any]:
    floor = {"metric": metric, "comparison": comparison, "value": 60, "clause": "第五条"}
    clauses = [{"code": "第五条", "text": "每年培训不少于60学时"}]
    elements = [element("E", "培训", clauses=clauses, floor=floor)]
    return {"groups": [{"code": "G", "name": "组", "elements": elements}], "ladders": [], "level": "teacher", **changes}


@pytest.mark.parametrize(
    ("level", "kind", "unit", "status"),
    [
        ("class", "programme", "cnc", 201),
        ("class", "programme", "mech", 422),
        ("class", "department", "mech", 201),
        ("class", "department", "cnc", 422),
        ("class", "department", "demo", 422),
        ("class", "course", "CNC101", 201),
        ("class", "course", "cnc", 422),
        ("class", "class", "CNC101-A", 201),
        ("class", "class", "CNC2301", 422),
        ("homeroom", "class", "CNC2301", 201),
        ("student", "class", "CNC101-A", 422),
    ],
)
async def test_lines_of_a_units_own_name_a_unit_of_that_kind(
    database_url: str, tmp_path: Path, level: str, kind: str, unit: str, status: int
) -> None:
    async with school(database_url, tmp_path) as office:
        said = {**INDICATOR, "level": level, "overrides": [{kind: unit, "off": True}]}
        found, shown = await office.ask(AUTHOR, "POST", "/indicators", said)

        assert found == status, shown
        assert [each["pointer"] for each in shown.get("errors", [])] == ([f"/overrides/0/{kind}"] if status == 422 else [])


@pytest.mark.parametrize(
    ("floor", "target", "status"),
    [
        ({}, 59.999999, 422),
        ({}, 60, 200),
        ({}, 61, 200),
        ({}, None, 200),
        ({"comparison": "at_most"}, 60.000001, 422),
        ({"comparison": "at_most"}, 60, 200),
        ({"metric": "errors"}, 1, 200),
        ({"trial": True}, 1, 200),
        ({"effective_from": "2026-03-03"}, 1, 200),
    ],
)
async def test_a_target_past_the_bottom_line_is_refused_with_its_clause(
    database_url: str, tmp_path: Path, floor: dict[str, Any], target: float | None, status: int
) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force(**with_floor(**floor))
        await office.ask(AUTHOR, "POST", "/indicators", {**INDICATOR, "target": target})
        await office.published()

        found, shown = await office.ask(AUTHOR, "POST", "/indicators/hours/versions/1/activate")

        assert found == status, shown
        events = await office.published()
        assert [isinstance(event, IndicatorActivated) for event in events] == ([True] if status == 200 else [])
        if status == 422:
            (fault,) = shown["errors"]
            assert fault["pointer"] == "/target"
            assert "第五条 of 师资队伍建设标准" in fault["detail"]


async def test_what_is_in_force_tells_its_floors_and_a_trial_tells_none(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force(**with_floor())
        await office.in_force(**with_floor(trial=True, code="tried"))
        events = [each for each in await office.published() if isinstance(each, StandardActivated)]
        floors = [(each.code, each.trial, each.elements[0].floor) for each in events]
        assert [(code, trial, floor and floor.clause) for code, trial, floor in floors] == [
            ("HB-ST-TCH", False, "第五条"),
            ("tried", True, None),
        ]


# --- what cannot stand ----------------------------------------------------------------------------------------------------

E = "/groups/0/elements/0"


def only(**said: Any) -> dict[str, Any]:
    """A standard whose one element says this."""
    return {"groups": [{"code": "G", "name": "组", "elements": [{"code": "E", "name": "要素", **said}]}], "ladders": []}


def ladder(**rung: Any) -> dict[str, Any]:
    rungs = [{"code": "r", "name": "级", **rung}]
    return {**only(), "ladders": [{"code": "l", "name": "阶梯", "level": "teacher", "rungs": rungs}]}


@pytest.mark.parametrize(
    ("changes", "pointer", "word"),
    [
        ({"code": "a b"}, "/code", "pattern"),
        ({"family": "none"}, "/family", "no family"),
        ({"name": ""}, "/name", "1 character"),
        ({"name": "a\nb"}, "/name", "control characters"),
        ({"issuer": "galactic"}, "/issuer", "'national'"),
        ({"effective_from": "1 March"}, "/effective_from", "YYYY-MM-DD"),
        ({"effective_to": "2026-03-01"}, "/effective_to", "after the day"),
        ({"trial": "yes"}, "/trial", "true or false"),
        ({"more": 1}, "/more", "no such field"),
        ({"groups": [{"code": "G", "name": "组"}, {"code": "G", "name": "组"}]}, "/groups/1/code", "twice"),
        (only(more=1), f"{E}/more", "no such field"),
        (only(met_by="magic"), f"{E}/met_by", "'measured'"),
        (only(met_by="measured"), f"{E}/indicators", "names indicators"),
        (only(met_by="measured", indicators=["none"]), f"{E}/indicators/0", "no indicator"),
        (only(**measured("none", 1)), f"{E}/criterion/metric", "no metric"),
        (only(**measured("workload", 1, "equal")), f"{E}/criterion/comparison", "'at_least'"),
        (only(**measured("workload", 1, window="decade")), f"{E}/criterion/window", "'day'"),
        (only(**measured("workload", 1, min_denominator=0)), f"{E}/criterion/min_denominator", "more than 0"),
        (only(**measured("workload", 0.0000001)), f"{E}/criterion/value", "6 decimals"),
        (only(**{**measured("workload", 1), "met_by": "document", "document": {"rule": "r"}}), f"{E}/criterion", "only"),
        (only(met_by="judged"), f"{E}/judged", "says it"),
        (only(judged={"by": "teacher"}), f"{E}/judged", "only"),
        (only(met_by="judged", judged={"by": "Dean!"}), f"{E}/judged/by", "pattern"),
        (only(met_by="judged", judged={"by": "dean", "every_months": 0}), f"{E}/judged/every_months", "at least"),
        (only(met_by="document"), f"{E}/document", "says it"),
        (only(clauses=[{"code": "1", "text": "\x00"}]), f"{E}/clauses/0/text", "control characters"),
        (
            only(
                clauses=[{"code": "1", "text": "x"}],
                floor={"metric": "errors", "comparison": "at_most", "value": 1, "clause": "2"},
            ),
            f"{E}/floor/clause",
            "no clause",
        ),
        (only(floor={"metric": "none", "comparison": "at_most", "value": 1, "clause": "2"}), f"{E}/floor/metric", "no metric"),
        (ladder(elements=["E", "X"]), "/ladders/0/rungs/0/elements/1", "no element"),
        (ladder(elements=["E", "E"]), "/ladders/0/rungs/0/elements/1", "twice"),
    ],
)
async def test_a_standard_that_cannot_stand_is_refused_where_it_cannot(
    database_url: str, tmp_path: Path, changes: dict[str, Any], pointer: str, word: str
) -> None:
    async with school(database_url, tmp_path) as office:
        status, shown = await office.ask(AUTHOR, "POST", "/standards", standard(**changes))
        assert status == 422, shown
        assert [pointer, True] in [[each["pointer"], word in each["detail"]] for each in shown["errors"]], shown["errors"]
        assert (await office.ask(AUTHOR, "GET", "/standards"))[1]["items"] == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"review_path": []}, "/review_path"),
        ({"review_path": ["A B"]}, "/review_path/0"),
        ({"revision_years": 0}, "/revision_years"),
        ({"kind": ""}, "/kind"),
        ({"name": 1}, "/name"),
        ({"more": 1}, "/more"),
    ],
)
async def test_a_family_that_cannot_stand_is_refused(
    database_url: str, tmp_path: Path, changes: dict[str, Any], pointer: str
) -> None:
    async with school(database_url, tmp_path) as office:
        status, shown = await office.ask(AUTHOR, "PUT", "/families/x", {**FAMILY, **changes})
        assert (status, [each["pointer"] for each in shown["errors"]]) == (422, [pointer])


async def test_numbers_of_a_standard_are_kept_and_shown_exactly(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office, office.sut.as_(AUTHOR) as client:
        await office.ask(AUTHOR, "POST", "/standards", standard(**only(**measured("workload", 123456789.123456))))
        shown = await client.get(AT)
        assert '"value":123456789.123456' in shown.text
        again = standard(**only(**measured("workload", 123456789.123456)))
        assert (await office.ask(AUTHOR, "POST", "/standards", again))[0] == 200
        assert (await office.ask(AUTHOR, "GET", AT))[1]["authors"] == ["Q1"]
