"""Families and standards: drafts, review step by step, in force on their day, versions side by side, floors."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from libs.common.events.standards import MeasureWanted, RevisionDue, StandardActivated, StandardRetired
from tests.service.harness import principal
from tests.service.standards.school import (
    AUTHOR,
    FAMILY,
    GOVERN,
    HEAD,
    LEADER,
    OFFICE,
    OTHER_HEAD,
    TEACHER,
    Office,
    element,
    school,
    standard,
)

AT = "/standards/HB-ST-TCH/versions/1"


async def history(office: Office, version: int = 1) -> list[tuple[str, str | None, str | None]]:
    _, shown = await office.ask(AUTHOR, "GET", f"/standards/HB-ST-TCH/versions/{version}")
    return [(each["step"], each["by"], each["text"]) for each in shown["steps"]]


async def test_a_standard_goes_along_its_path_and_is_in_force_on_its_day_in_the_schools_zone(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        status, draft = await office.ask(AUTHOR, "POST", "/standards", standard(effective_from="2026-03-10"))
        assert (status, draft["state"], draft["version"], draft["content"]["groups"][1]["elements"][9]["criterion"]["metric"]) == (
            *(201, "draft", 1),
            "workload",  # which was named by its alias
        )
        _, submitted = await office.ask(AUTHOR, "POST", f"{AT}/submit", {"comment": "请审"})
        assert (submitted["state"], submitted["next_posts"]) == ("in_review", ["quality_office", "school_leader"])
        _, half = await office.ask(OFFICE, "POST", f"{AT}/approve", {"comment": "同意"})
        assert (half["state"], half["next_posts"]) == ("in_review", ["school_leader"])
        _, approved = await office.ask(LEADER, "POST", f"{AT}/approve")
        assert (approved["state"], approved["next_posts"], approved["active_version"]) == ("approved", [], None)

        office.clock.now = datetime(2026, 3, 9, 15, 59, tzinfo=UTC)
        assert await office.tick() == []
        office.clock.advance(minutes=1)  # midnight in Shanghai
        activated, wanted = await office.tick()
        assert await office.tick() == []

        assert isinstance(activated, StandardActivated)
        assert (activated.code, activated.version, activated.family, activated.effective_from) == (
            *("HB-ST-TCH", 1, "teacher"),
            date(2026, 3, 10),
        )
        assert (len(activated.elements), {each.met_by for each in activated.elements}) == (19, {"judged", "measured"})
        assert wanted == MeasureWanted(metric="workload", level="teacher", window="year")
        assert await history(office) == [
            ("written", "Q1", None),
            ("submitted", "Q1", "请审"),
            ("approved", "Q2", "同意"),
            ("approved", "L1", None),
            ("activated", None, None),
        ]


async def test_nobody_reviews_what_they_wrote_and_each_step_is_for_its_post(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.ask(HEAD, "POST", "/standards", standard())
        await office.ask(OFFICE, "POST", "/standards", standard(name="师资标准"))  # of two authors
        await office.ask(AUTHOR, "POST", f"{AT}/submit", {})
        gone, operator = principal(*GOVERN, id="L9"), principal(*GOVERN, id="operator")
        for who in (OFFICE, AUTHOR, HEAD, LEADER, gone, operator):
            assert (await office.ask(who, "POST", f"{AT}/approve", {}))[0] == 403, who.id
        for who in (LEADER, gone, operator):
            assert (await office.ask(who, "POST", f"{AT}/return", {"reason": "不行"}))[0] == 403, who.id
        _, shown = await office.ask(AUTHOR, "GET", AT)
        assert (shown["state"], shown["next_posts"], shown["authors"]) == (
            *("in_review", ["quality_office", "school_leader"]),
            ["D1", "Q2"],
        )


async def test_what_is_returned_is_a_draft_again_and_its_review_begins_anew(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.ask(AUTHOR, "POST", "/standards", standard())
        await office.ask(AUTHOR, "POST", f"{AT}/submit", {})
        assert (await office.ask(AUTHOR, "POST", "/standards", standard(name="改")))[0] == 409
        assert (await office.ask(AUTHOR, "POST", "/standards", standard()))[0] == 200  # it says this already
        await office.ask(OFFICE, "POST", f"{AT}/approve", {})
        assert (await office.ask(LEADER, "POST", f"{AT}/return", {}))[0] == 422
        _, shown = await office.ask(LEADER, "POST", f"{AT}/return", {"reason": "缺少佐证"})
        assert (shown["state"], shown["next_posts"]) == ("draft", [])

        status, changed = await office.ask(AUTHOR, "POST", "/standards", standard(name="改"))
        assert (status, changed["version"], changed["name"]) == (200, 1, "改")
        assert (await office.review())["state"] == "active"
        assert ("returned", "L1", "缺少佐证") in await history(office)


async def test_what_waits_for_a_vacant_post_is_taken_back_and_goes_along_the_new_path(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.ask(AUTHOR, "PUT", "/families/teacher", {**FAMILY, "review_path": ["committee"]})
        await office.ask(HEAD, "POST", "/standards", standard())
        await office.ask(HEAD, "POST", f"{AT}/submit", {})
        await office.ask(AUTHOR, "PUT", "/families/teacher", {**FAMILY, "review_path": ["school_leader"]})
        assert (await office.ask(LEADER, "POST", f"{AT}/approve", {}))[0] == 403  # what is in review keeps its path
        _, shown = await office.ask(HEAD, "POST", f"{AT}/return", {"reason": "委员会空缺"})
        assert (shown["state"], shown["steps"][-1]["step"]) == ("draft", "taken_back")
        _, shown = await office.ask(HEAD, "POST", f"{AT}/submit", {})
        assert shown["next_posts"] == ["school_leader"]


@pytest.mark.parametrize(
    ("until", "refused"),
    [
        ("draft", {"approve", "return", "retire"}),
        ("in_review", {"submit", "retire"}),
        ("approved", {"submit", "approve", "return"}),
        ("active", {"submit", "approve", "return"}),
        ("retired", {"submit", "approve", "return", "retire"}),
    ],
)
async def test_a_step_that_the_state_does_not_have_is_a_conflict(
    database_url: str, tmp_path: Path, until: str, refused: set[str]
) -> None:
    async with school(database_url, tmp_path) as office:
        begins = "2026-04-01" if until == "approved" else "2026-03-01"
        await office.ask(AUTHOR, "POST", "/standards", standard(effective_from=begins))
        if until == "in_review":
            await office.ask(AUTHOR, "POST", f"{AT}/submit", {})
        elif until != "draft":
            await office.review()
        if until == "retired":
            await office.ask(AUTHOR, "POST", f"{AT}/retire", {"reason": "废止"})
        _, before = await office.ask(AUTHOR, "GET", AT)
        assert before["state"] == until

        for step in sorted(refused):
            status, shown = await office.ask(
                OFFICE, "POST", f"{AT}/{step}", {"reason": "x"} if step in {"return", "retire"} else {}
            )
            assert (status, shown["type"]) == (409, "urn:zhengai:problem:conflict"), step
        assert (await office.ask(AUTHOR, "GET", AT))[1] == before


async def test_the_next_version_replaces_the_one_in_force_on_its_day_and_both_stay_readable(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        first = await office.in_force()
        assert (await office.ask(AUTHOR, "POST", "/standards", standard()))[0] == 200
        status, early = await office.ask(AUTHOR, "POST", "/standards", standard(name="新"))
        assert (status, early["errors"][0]["pointer"]) == (422, "/effective_from")
        second = await office.in_force(name="新", effective_from="2026-09-01")
        assert (second["version"], second["state"], second["active_version"]) == (2, "approved", 1)
        await office.published()
        office.clock.now = datetime(2026, 9, 1, tzinfo=UTC)
        (event, *_) = await office.tick()

        assert isinstance(event, StandardActivated)
        assert (event.version, event.name) == (2, "新")
        _, old = await office.ask(TEACHER, "GET", AT)
        assert (old["state"], old["retired_because"], old["content"]) == ("retired", "superseded", first["content"])
        _, listed = await office.ask(TEACHER, "GET", "/standards/HB-ST-TCH/versions", limit=1)
        _, rest = await office.ask(TEACHER, "GET", "/standards/HB-ST-TCH/versions", limit=1, cursor=listed["next"])
        assert [each["version"] for each in (*listed["items"], *rest["items"])] == [2, 1]


async def test_a_standard_ends_by_the_clock_or_by_a_person_and_says_so(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force(effective_to="2026-03-04")
        await office.in_force(code="other")
        await office.published()
        office.clock.now = datetime(2026, 3, 3, 15, 59, tzinfo=UTC)
        assert await office.tick() == []
        office.clock.advance(minutes=1)
        assert await office.tick() == [StandardRetired(code="HB-ST-TCH", version=1, because="ended")]
        assert await office.tick() == []

        assert (await office.ask(HEAD, "POST", "/standards/other/versions/1/retire", {"reason": "废止"}))[0] == 403
        _, shown = await office.ask(LEADER, "POST", "/standards/other/versions/1/retire", {"reason": "废止"})
        assert (shown["state"], shown["retired_because"], shown["active_version"]) == ("retired", "withdrawn", None)
        assert await office.published() == [StandardRetired(code="other", version=1, because="withdrawn")]


async def test_who_neither_writes_nor_reviews_sees_no_drafts_and_a_head_changes_no_draft_of_others(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        await office.ask(HEAD, "POST", "/standards", standard())
        assert (await office.ask(TEACHER, "GET", AT))[0] == 404
        assert (await office.ask(TEACHER, "GET", "/standards/HB-ST-TCH/versions"))[0] == 404
        assert (await office.ask(TEACHER, "GET", "/standards"))[1]["items"] == []
        assert len((await office.ask(HEAD, "GET", "/standards"))[1]["items"]) == 1
        assert (await office.ask(OTHER_HEAD, "POST", "/standards", standard(name="改")))[0] == 403
        assert (await office.ask(OTHER_HEAD, "POST", f"{AT}/submit", {}))[0] == 403
        assert (await office.ask(TEACHER, "POST", "/standards", standard()))[0] == 403
        assert (await office.ask(HEAD, "PUT", "/families/x", FAMILY))[0] == 403
        assert (await office.ask(principal(*GOVERN, id="Q1", school="else"), "GET", AT))[0] == 404
        await office.review()
        assert (await office.ask(TEACHER, "GET", AT))[1]["state"] == "active"
        assert len((await office.ask(TEACHER, "GET", "/standards", family="teacher", state="active"))[1]["items"]) == 1


async def test_a_standard_that_is_out_of_force_stays_listed_while_its_next_version_is_a_draft(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        await office.ask(LEADER, "POST", f"{AT}/retire", {"reason": "废止"})
        await office.ask(AUTHOR, "POST", "/standards", standard(name="新"))
        for who, seen in ((TEACHER, (1, "retired")), (AUTHOR, (2, "draft"))):
            _, listed = await office.ask(who, "GET", "/standards")
            assert [(each["version"], each["state"]) for each in listed["items"]] == [seen]


async def test_families_are_data_and_say_what_is_due_for_revision(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        said = {**FAMILY, "revision_years": 3, "review_path": ["school_leader"]}
        status, shown = await office.ask(AUTHOR, "PUT", "/families/teacher", said)
        assert (status, shown["revision_years"], shown["review_path"]) == (200, 3, ["school_leader"])
        await office.ask(AUTHOR, "PUT", "/families/guild", {"name": "行会", "kind": "行会"})
        _, families = await office.ask(TEACHER, "GET", "/families")
        assert [(each["code"], each["kind"], each["revision_years"]) for each in families["items"]] == [
            ("guild", "行会", None),
            ("teacher", "teacher", 3),
        ]
        for code, begins in (("a", "2023-03-03"), ("b", "2023-03-02"), ("c", "2020-02-29")):
            await office.ask(AUTHOR, "POST", "/standards", standard(code=code, effective_from=begins))
            await office.review(code=code, by=(LEADER,))
        await office.ask(AUTHOR, "POST", "/standards", standard(code="c", effective_from="2026-09-01"))

        _, due = await office.ask(TEACHER, "GET", "/families/due")
        _, first = await office.ask(TEACHER, "GET", "/families/due", limit=1)
        _, rest = await office.ask(TEACHER, "GET", "/families/due", limit=1, cursor=first["next"])

        shown = [(each["standard"], each["due_on"], each["in_work"]) for each in due["items"]]
        assert shown == [("b", "2026-03-02", False), ("c", "2023-02-28", True)]
        assert [*first["items"], *rest["items"]] == due["items"]
        assert rest["next"] is None


async def test_a_revision_is_told_once_a_version_before_it_is_due(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        said = {**FAMILY, "revision_years": 3, "remind_days": 2, "review_path": ["school_leader"]}
        await office.ask(AUTHOR, "PUT", "/families/teacher", said)
        for code in ("a", "b"):
            await office.ask(AUTHOR, "POST", "/standards", standard(code=code, effective_from="2023-03-05"))
            await office.review(code=code, by=(LEADER,))
        await office.ask(AUTHOR, "POST", "/standards", standard(code="b", effective_from="2026-09-01"))
        await office.published()

        told = []
        for _ in range(3):
            told.append([event for event in await office.tick() if isinstance(event, RevisionDue)])
            office.clock.advance(days=1)

        assert [[(each.code, each.version, each.due_on) for each in some] for some in told] == [
            [],
            [("a", 1, date(2026, 3, 5))],
            [],
        ], "of b the next version is being written"


async def test_two_versions_stand_side_by_side(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await office.in_force()
        said = deepcopy(standard(effective_from="2026-09-01"))
        gone = said["groups"][1]["elements"].pop(0)
        said["ladders"][0]["rungs"][1]["elements"].remove(gone["code"])
        said["groups"][1]["elements"][8]["criterion"]["value"] = 360.5
        said["groups"][1]["elements"].append(element("R3-13", "团队合作"))
        moved = said["groups"][0]["elements"].pop(6)
        said["groups"][1]["elements"].append(moved)
        assert (await office.ask(AUTHOR, "POST", "/standards", said))[0] == 201

        status, shown = await office.ask(AUTHOR, "GET", f"{AT}/difference/2")

        assert status == 200
        assert shown["fields"] == [{"name": "effective_from", "old": "2026-03-01", "new": "2026-09-01"}]
        elements = shown["elements"]
        assert [each["code"] for each in elements["added"]] == ["R3-13"]
        assert [(each["code"], each["group"]) for each in elements["removed"]] == [("R3-01", "R3")]
        changed = {each["code"]: each["fields"] for each in elements["changed"]}
        assert changed["R2-07"] == [{"name": "group", "old": "R2", "new": "R3"}]
        assert [(each["old"]["value"], each["new"]["value"]) for each in changed["R3-10"]] == [(320, 360.5)]
        assert [each["code"] for each in shown["ladders"]["changed"]] == ["rank"]
        assert (await office.ask(AUTHOR, "GET", f"{AT}/difference/3"))[0] == 404
