"""A new version says where it comes from; an exception takes a second person, and nobody changes the line that judges them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from libs.common.events.gateway import Enrollment
from libs.common.events.planning import CycleClosed
from tests.service.standards.school import AUTHOR, HEAD, LEADER, OFFICE, POSTS, ROSTER, school, standard
from tests.service.standards.test_indicators import with_

CODE = "class-completion-week"
WHY = {"kind": "exception", "reason": "教学改革试点"}
CYCLE = CycleClosed(
    cycle=uuid4(),
    level="course",
    subject="CNC101",
    place="course:CNC101",
    length="1 month",
    starts_on=date(2026, 2, 1),
    ends_on=date(2026, 2, 28),
    approved_by="D1",
)


def line(enter: float, **said: Any) -> dict[str, Any]:
    return with_(metric="workload", warning_lines=[{"severity": "yellow", "enter": enter, "clear": 0.9}], **said)


async def test_without_a_word_a_further_version_works_and_is_listed_as_unstated(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        for enter in (0.7, 0.6):
            status, shown = await at.ask(OFFICE, "POST", "/indicators", line(enter))
            assert status == 201, shown
            assert (await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/{shown['version']}/activate"))[0] == 200
        _, versions = await at.ask(OFFICE, "GET", f"/indicators/{CODE}/versions")
        assert [each["origin"]["kind"] for each in versions["items"]] == ["exception", "first"]
        at.clock.advance(hours=1)
        await at.ask(OFFICE, "POST", "/indicators", line(0.5))
        _, found = await at.ask(OFFICE, "GET", "/exceptions")
        said = [(each["kind"], each["code"], each["version"], each["reason"], each["by"]) for each in found["items"]]
        assert said == [("indicator", CODE, 3, "unstated", "Q2"), ("indicator", CODE, 2, "unstated", "Q2")]
        _, first = await at.ask(OFFICE, "GET", "/exceptions", limit=1)
        _, rest = await at.ask(OFFICE, "GET", "/exceptions", limit=1, cursor=first["next"])
        assert ([*first["items"], *rest["items"]], rest["next"]) == (found["items"], None)
        assert (await at.ask(HEAD, "GET", "/exceptions"))[0] == 403


async def test_an_exception_with_its_reason_is_activated_by_a_second_person(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        await at.ask(OFFICE, "POST", "/indicators", line(0.7))
        await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/1/activate")
        status, shown = await at.ask(OFFICE, "POST", "/indicators", line(0.6, origin=WHY))
        assert (status, shown["origin"]) == (201, WHY)
        assert (await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/2/activate"))[0] == 403
        assert (await at.ask(LEADER, "POST", f"/indicators/{CODE}/versions/2/activate"))[0] == 200
        _, found = await at.ask(OFFICE, "GET", "/exceptions")
        assert [(each["by"], each["confirmed_by"], each["reason"]) for each in found["items"]] == [("Q2", "L1", "教学改革试点")]


async def test_an_origin_is_a_cycle_that_is_closed_or_a_document_and_never_the_first_again(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as at:
        await at.ask(OFFICE, "POST", "/indicators", line(0.7))
        by_cycle = {"kind": "cycle", "cycle": str(CYCLE.cycle)}
        for origin, pointer in (
            (by_cycle, "/origin/cycle"),
            ({"kind": "first"}, "/origin/kind"),
            ({"kind": "document", "number": "1号"}, "/origin/date"),
            ({"kind": "wish"}, "/origin/kind"),
        ):
            status, refused = await at.ask(OFFICE, "POST", "/indicators", line(0.6, origin=origin))
            assert (status, refused["errors"][0]["pointer"]) == (422, pointer)
        _, versions = await at.ask(OFFICE, "GET", f"/indicators/{CODE}/versions")
        assert len(versions["items"]) == 1
        await at.sut.handle(CYCLE)
        assert (await at.ask(OFFICE, "POST", "/indicators", line(0.6, origin=by_cycle)))[1]["origin"] == by_cycle
        assert (await at.ask(OFFICE, "GET", "/exceptions"))[1]["items"] == []


async def test_who_is_judged_by_a_line_does_not_change_it(database_url: str, tmp_path: Path) -> None:
    teaches = Enrollment(id="e9", class_id="CNC101-A", person="Q2", role="teacher")
    async with school(database_url, tmp_path) as at:
        await at.sut.handle(ROSTER.model_copy(update={"enrollments": [*ROSTER.enrollments, teaches]}), POSTS)
        await at.ask(OFFICE, "POST", "/indicators", line(0.7))
        assert (await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/1/activate"))[0] == 200, "the first changes nothing"
        await at.ask(OFFICE, "POST", "/indicators", line(0.6))
        status, refused = await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/2/activate")
        assert (status, "judged" in refused["detail"]) == (403, True)
        assert (await at.ask(OFFICE, "GET", "/indicators"))[1]["items"][0]["version"] == 1
        assert (await at.ask(AUTHOR, "POST", f"/indicators/{CODE}/versions/2/activate"))[0] == 200


async def test_a_standards_next_version_says_its_origin_and_its_reviewers_confirm_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        assert (await at.in_force())["origin"] == {"kind": "first"}
        document = {"kind": "document", "number": "教发〔2026〕1号", "date": "2026-02-01"}
        _, draft = await at.ask(
            AUTHOR, "POST", "/standards", standard(name="师资标准", origin=document, effective_from="2026-03-02")
        )
        assert (draft["version"], draft["origin"]) == (2, document)
        await at.review(2)
        shown = await at.in_force(name="教师标准", effective_from="2026-03-03")
        assert (shown["version"], shown["origin"]["kind"]) == (3, "exception")
        _, found = await at.ask(OFFICE, "GET", "/exceptions")
        said = [(each["kind"], each["version"], each["reason"], each["by"], each["confirmed_by"]) for each in found["items"]]
        assert said == [("standard", 3, "unstated", "Q1", "L1")]
        _, first = await at.ask(OFFICE, "GET", "/exceptions", limit=1)
        assert first["next"] is None
