"""Scenario 15 by number, and what leaves an element met, not met or undetermined."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.standards.domain.attainment import Verdict
from tests.service.harness import principal
from tests.service.standards.school import (
    AUTHOR,
    HEAD,
    OTHER_HEAD,
    STUDENT,
    TEACHER,
    Office,
    element,
    measured,
    metric,
    school,
    standard,
    told,
)

LADDER = "/ladders/HB-ST-TCH/rank/T1"


def rung(shown: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [each for each in shown["rungs"] if each["code"] == code]
    return dict(found)


async def met(office: Office, rung_: str, *, but: str = "") -> None:
    """The head of the department judges all elements of a rung met that are judged, but one."""
    (group,) = [group for group in standard()["groups"] if group["code"] == rung_]
    for each in group["elements"]:
        if each["met_by"] == "judged":
            status, shown = await office.judge(HEAD, each["code"], met=each["name"] != but)
            assert status == 201, shown


async def test_scenario_15_eleven_of_twelve_is_not_attained_and_names_what_is_missing(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        await met(office, "R2")
        await met(office, "R3", but="社会服务能力")
        await office.sut.handle(told("workload", "T1", ("2025-09-01", "320")))

        status, shown = await office.ask(TEACHER, "GET", LADDER)

        assert status == 200
        third, second = rung(shown, "R3"), rung(shown, "R2")
        assert (third["required"], len(third["met"]), third["share"], third["attained"]) == (12, 11, 0.916667, False)
        assert [each["name"] for each in third["missing"]] == ["社会服务能力"]
        assert third["undetermined"] == []
        assert (second["required"], len(second["met"]), second["share"], second["attained"]) == (7, 7, 1, True)
        assert shown["highest"] == "R2"
        assert shown["next"] == {"rung": "R3", "name": "R3", "missing": ["社会服务能力"], "undetermined": []}


async def test_a_rung_is_complete_in_itself_unless_the_school_says_cumulative(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        ladders = standard()["ladders"]
        ladders.append({**ladders[0], "code": "sum", "cumulative": True})
        await office.in_force(ladders=ladders)
        await met(office, "R3")
        await office.sut.handle(told("workload", "T1", ("2025-09-01", "400")))

        _, single = await office.ask(TEACHER, "GET", LADDER)
        _, cumulative = await office.ask(TEACHER, "GET", "/ladders/HB-ST-TCH/sum/T1")

        assert (single["highest"], single["next"]) == ("R3", None)
        assert (rung(cumulative, "R3")["required"], rung(cumulative, "R3")["share"]) == (19, 0.631579)
        assert (cumulative["highest"], cumulative["next"]["rung"]) == (None, "R2")


async def test_without_data_or_judgement_or_with_one_that_is_over_it_is_undetermined(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        _, shown = await office.ask(TEACHER, "GET", LADDER)
        third = rung(shown, "R3")
        assert {(each["verdict"], each["why"]) for each in third["undetermined"]} == {
            ("undetermined", "not_judged"),
            ("undetermined", "no_data"),
        }
        assert (len(third["undetermined"]), third["missing"], third["share"]) == (12, [], 0)

        _, judged = await office.judge(HEAD, "R3-01")
        assert judged["valid_until"] == "2027-03-02"
        office.clock.now = datetime(2027, 3, 2, 15, 59, tzinfo=UTC)  # 23:59 in Shanghai, on its last day
        _, shown = await office.ask(TEACHER, "GET", LADDER)
        assert [each["element"] for each in rung(shown, "R3")["met"]] == ["R3-01"]

        office.clock.advance(minutes=1)
        _, shown = await office.ask(TEACHER, "GET", LADDER)
        assert rung(shown, "R3")["met"] == []
        assert {each["why"] for each in rung(shown, "R3")["undetermined"] if each["element"] == "R3-01"} == {"expired"}


async def test_the_latest_window_with_data_decides_and_on_the_line_is_met(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()

        async def workload() -> tuple[str, str | None]:
            _, shown = await office.ask(TEACHER, "GET", "/standards/HB-ST-TCH/elements/teacher/T1")
            (found,) = [each for each in shown["elements"] if each["element"] == "R3-10"]
            return found["verdict"], found["measured"][0]["start"] if found["measured"] else None

        await office.sut.handle(told("workload", "T1", ("2024-09-01", "500"), ("2025-09-01", "319.999999")))
        assert await workload() == (Verdict.NOT_MET, "2025-09-01")
        await office.sut.handle(told("workload", "T1", ("2025-09-01", "320")))
        assert await workload() == (Verdict.MET, "2025-09-01")
        await office.sut.handle(told("workload", "T1", ("2025-09-01", None)))
        assert await workload() == (Verdict.MET, "2024-09-01")
        await office.sut.handle(
            told("workload", "T9", ("2025-09-01", "1")), told("workload", "T1", ("2026-03-01", "1"), window="month")
        )
        assert await workload() == (Verdict.MET, "2024-09-01")
        await office.sut.handle(told("workload", "T1", ("2024-09-01", None)))
        assert await workload() == (Verdict.UNDETERMINED, None)


async def test_an_indicator_measures_by_its_target_and_data_may_be_too_old(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        indicator = {
            "code": "hours",
            "name": "培训学时",
            "metric": "training_hours",
            "level": "teacher",
            "window": "year",
            "comparison": "below",
            "target": 60,
            "min_denominator": 1,
            "evaluate": "window_close",
            "warning_lines": [{"severity": "yellow", "enter": 50, "clear": 50}],
            "effective_from": "2026-03-01",
        }
        await office.ask(AUTHOR, "POST", "/indicators", indicator)
        elements = [
            element("E1", "培训", met_by="measured", indicators=["hours"]),
            element("E2", "差错", **measured("errors", 2, "at_most", valid_months=12)),
            element("E3", "规章", met_by="document", document={"rule": "教师管理办法", "version": "2026"}),
            element("E4", "制度", met_by="document", document={"rule": "待定"}),
            element("E5", "素养", note="文中未列出"),
        ]
        groups = [{"code": "G", "name": "组", "elements": elements}, {"code": "H", "name": "空组", "elements": []}]
        await office.in_force(groups=groups, ladders=[], level="teacher")
        await office.published()

        async def found() -> list[tuple[str, str | None]]:
            _, shown = await office.ask(TEACHER, "GET", "/standards/HB-ST-TCH/elements/teacher/T1")
            return [(each["verdict"], each["why"]) for each in shown["elements"]]

        rest = [("met", None), ("undetermined", "no_version"), ("undetermined", "unstated")]
        await office.sut.handle(told("errors", "T1", ("2025-03-03", "2")), told("training_hours", "T1", ("2025-09-01", "59.5")))
        assert await found() == [("undetermined", "no_target"), ("met", None), *rest]

        await office.ask(AUTHOR, "POST", "/indicators/hours/versions/1/activate")
        assert [type(event).__name__ for event in await office.published()] == ["IndicatorActivated", "MeasureWanted"]
        assert (await found())[0] == ("not_met", None)
        office.clock.advance(days=1)
        assert (await found())[1] == ("undetermined", "too_old")


async def test_a_judgement_holds_in_the_next_version_only_where_the_element_says_the_same(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        await met(office, "R2")
        changed = standard(effective_from="2026-03-02")
        changed["groups"][0]["elements"][0]["judged"]["evidence"] = "师德档案"
        await office.in_force(groups=changed["groups"], effective_from="2026-03-02")

        _, shown = await office.ask(TEACHER, "GET", LADDER)

        assert (shown["version"], len(rung(shown, "R2")["met"])) == (2, 6)
        assert [(each["element"], each["why"]) for each in rung(shown, "R2")["undetermined"]] == [("R2-01", "not_judged")]


async def test_the_newest_judgement_counts_and_all_stay(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        for answer in (True, False):
            await office.judge(HEAD, "R2-01", met=answer)
            office.clock.advance(minutes=1)

        _, shown = await office.ask(TEACHER, "GET", LADDER)
        _, first = await office.ask(TEACHER, "GET", "/judgements", limit=1, subject="T1")
        _, second = await office.ask(TEACHER, "GET", "/judgements", limit=1, subject="T1", cursor=first["next"])

        assert [each["element"] for each in rung(shown, "R2")["missing"]] == ["R2-01"]
        assert [each["met"] for each in (*first["items"], *second["items"])] == [False, True]
        assert second["next"] is None
        assert (first["items"][0]["judged_by"], first["items"][0]["post"]) == ("D1", "department_head")


async def test_who_judges_holds_the_post_over_the_subject_and_never_judges_themselves(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        said = standard()
        said["groups"][0]["elements"][1]["judged"] = {"by": "self"}
        await office.in_force(groups=said["groups"])
        everywhere = principal("judgement.write", id="D2")

        assert (await office.judge(AUTHOR, "R2-01"))[0] == 403  # of the quality office
        assert (await office.judge(OTHER_HEAD, "R2-01"))[0] == 404  # T1 is no teacher of that department
        assert (await office.judge(everywhere, "R2-01"))[0] == 403  # whatever the scope, the post is over another department
        assert (await office.judge(principal("judgement.write", id="T1"), "R2-01"))[0] == 403
        assert (await office.judge(HEAD, "R2-02"))[0] == 403  # this one is the teacher's own
        assert (await office.judge(TEACHER, "R2-02"))[0] == 201
        assert (await office.judge(STUDENT, "R2-02"))[0] == 404
        _, listed = await office.ask(OTHER_HEAD, "GET", "/judgements")
        assert listed["items"] == []
        assert (await office.ask(OTHER_HEAD, "GET", LADDER))[0] == 404
        assert (await office.ask(STUDENT, "GET", LADDER))[0] == 404


async def test_a_class_teacher_by_the_roster_judges_the_students_of_the_homeroom(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        elements = [element("S", "品行", met_by="judged", judged={"by": "class_teacher"})]
        await office.in_force(level="student", ladders=[], groups=[{"code": "G", "name": "组", "elements": elements}])
        class_teacher = principal("judgement.write", over=["class:CNC2301"], id="H1")
        about: dict[str, Any] = {"level": "student", "subject": "S1"}

        status, shown = await office.judge(class_teacher, "S", **about)
        assert (status, shown["valid_until"]) == (201, None)
        assert (await office.judge(TEACHER, "S", **about))[0] == 404
        assert (await office.judge(principal("judgement.write", id="T1"), "S", **about))[0] == 403
        assert (await office.judge(HEAD, "S"))[0] == 422  # of teachers it says nothing


@pytest.mark.parametrize(
    ("said", "status", "pointer"),
    [
        ({"element": "R9"}, 422, "/element"),
        ({"element": "R3-10"}, 422, "/element"),
        ({"valid_until": "2026-03-01"}, 422, "/valid_until"),
        ({"valid_until": "2027-03-03"}, 422, "/valid_until"),
        ({"valid_until": "03/2027"}, 422, "/valid_until"),
        ({"level": "department", "subject": "mech"}, 422, "/level"),
        ({"level": "planet"}, 422, "/level"),
        ({"met": "yes"}, 422, "/met"),
        ({"evidence": ""}, 422, "/evidence"),
        ({"evidence": "a\x00b"}, 422, "/evidence"),
        ({"more": 1}, 422, "/more"),
        ({"subject": "T0"}, 404, None),
        ({"standard": "HB-ST-XXX"}, 404, None),
        ({"standard": "draft"}, 409, None),
    ],
)
async def test_a_judgement_that_cannot_stand_is_refused(
    database_url: str, tmp_path: Path, said: dict[str, Any], status: int, pointer: str | None
) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        await office.ask(AUTHOR, "POST", "/standards", standard(code="draft"))
        body = {"element": "R2-01", **said}
        found, shown = await office.judge(HEAD, body.pop("element"), **body)
        assert (found, [each["pointer"] for each in shown.get("errors", ())]) == (status, [pointer] if pointer else [])
        _, listed = await office.ask(AUTHOR, "GET", "/judgements")
        assert listed["items"] == []


async def test_two_ladders_stand_side_by_side_and_a_placeholder_is_attained_by_nobody(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        ladders = [
            {"code": "title", "name": "职称", "level": "teacher", "rungs": [{"code": "junior", "name": "初级"}]},
            {"code": "school", "name": "保障", "level": "school", "rungs": [{"code": "G", "name": "保障", "elements": ["R2-01"]}]},
        ]
        await office.sut.handle(metric("more"))
        await office.in_force(ladders=ladders)

        _, title = await office.ask(TEACHER, "GET", "/ladders/HB-ST-TCH/title/T1")
        _, guarantee = await office.ask(AUTHOR, "GET", "/ladders/HB-ST-TCH/school/demo")

        assert (title["rungs"][0]["share"], title["rungs"][0]["attained"], title["highest"]) == (None, False, None)
        assert guarantee["rungs"][0]["undetermined"][0]["element"] == "R2-01"
        assert (await office.ask(AUTHOR, "GET", "/ladders/HB-ST-TCH/none/T1"))[0] == 404
        assert (await office.ask(AUTHOR, "GET", "/ladders/HB-ST-TCH/school/other"))[0] == 404
