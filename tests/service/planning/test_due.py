"""What comes due by a school's routines: made once, moved with the calendar, given to who holds the post, told, ended by its owner."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from libs.common.events.gateway import Org, Person, Post, PostsImported, Session, SetupChanged
from libs.common.events.planning import DueItemOverdue
from services.planning.commands import due as commands
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.school import ORGS, PEOPLE, POSTS, planning, roster, tell, without

ALL = principal("due.read", "due.work", "settings.write", "inbox.read", id="Q1")
MONTHLY = {
    "code": "self-check",
    "name": "部门自我诊断",
    "level": "school",
    "per": "department",
    "by": ["department_quality_officer", "department_head"],
    "every": {"unit": "month"},
    "due": {"days": 3},
}
TWO = Org(id="info", name="信息学院", kind="department", parent="demo")


def noon(year: int, month: int, day: int) -> datetime:
    """Noon in Shanghai."""
    return datetime(year, month, day, 4, 0, tzinfo=UTC)


async def tick(sut: ServiceUnderTest) -> list[DueItemOverdue]:
    """Run the clock's job once and return what is newly late."""
    await sut.run("due_items")
    return [m.event for m in await sut.published() if isinstance(m.event, DueItemOverdue)]


async def set_up(sut: ServiceUnderTest, *routines: dict[str, Any], **more: Any) -> None:
    await tell(sut, SetupChanged(code=SCHOOL, content={"routines": list(routines), **more}))


async def items(client: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get("/due-items", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def due(client: httpx.AsyncClient, **params: Any) -> list[tuple[str, str, str, str | None]]:
    return [(i["period"], i["subject"], i["due_on"], i["owner"]) for i in await items(client, **params)]


async def test_scenario_12_every_department_has_its_self_diagnosis_of_the_month_to_submit_once(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(noon(2026, 9, 30))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await tell(sut, roster(part="i2/1", orgs=[*ORGS, TWO]))
        await set_up(sut, MONTHLY)
        await tick(sut)
        assert [period for period, *_ in await due(client)] == ["2026-09", "2026-09"]
        clock.now = noon(2026, 10, 1)
        for _ in range(3):
            await tick(sut)
        october = await due(client, **{"from": "2026-10-31"})
        assert sorted(october) == [("2026-10", "info", "2026-11-03", None), ("2026-10", "mech", "2026-11-03", "D1")]
        assert [each[1] for each in await due(client, unit="mech")] == ["mech", "mech"]


async def test_the_document_of_an_item_is_read_by_who_may_see_the_item(database_url: str, tmp_path: Path) -> None:
    may = ("due.read", "due.work", "file.read", "file.write")
    head, office, stranger = (
        principal(*may, id="D1", over=["unit:mech"]),
        principal(*may, id="Q1"),
        principal(*may, id="T1", over=["teacher:T1"]),
    )
    async with planning(database_url, tmp_path) as sut, sut.as_(head) as client:
        await set_up(sut, {**MONTHLY, "by": ["department_head"], "needs": "document"})
        await tick(sut)
        (item,) = await items(client)
        file = (await client.post("/files", content=b"report", headers={"Content-Type": "text/plain"})).json()
        said = {"evidence": [file["path"]]}
        assert (await client.post(f"/due-items/{item['id']}/done", json=said)).status_code == 200
        for who, status in ((office, 200), (stranger, 404)):
            async with sut.as_(who) as reader:
                assert (await reader.get(f"/files/{file['sha256']}")).status_code == status


async def test_an_item_is_done_by_its_owner_once_and_with_what_it_needs(database_url: str, tmp_path: Path) -> None:
    routine = {**MONTHLY, "by": ["department_head"], "needs": "minutes"}
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await set_up(sut, routine)
        await tick(sut)
        (item,) = await items(client, status="open")
        done = f"/due-items/{item['id']}/done"
        assert (await client.post(done)).status_code == 403, "the quality office does not own it"
        async with sut.as_(principal("due.work", over=["unit:mech"], id="D1")) as head:
            refused = await head.post(done, json={"note": "已开会"})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/minutes")
            answer = await head.post(done, json={"minutes": "讨论了三项问题", "evidence": ["https://x/1"]})
            assert (answer.status_code, answer.json()["status"], answer.json()["done_by"]) == (200, "done", "D1")
            assert (await head.post(done, json={"minutes": "又一次"})).status_code == 409
        async with sut.as_(principal("due.work", "due.read", over=["unit:info"], id="D9")) as other:
            assert (await other.post(done, json={"minutes": "x"})).status_code == 404
            assert await items(other) == []
        (kept,) = await items(client, status="done")
        assert (kept["minutes"], kept["evidence"]) == ("讨论了三项问题", ["https://x/1"])


async def test_a_vacant_post_leaves_an_item_without_an_owner_until_somebody_holds_it(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(noon(2026, 3, 31))
    async with planning(database_url, tmp_path, without("department_head"), clock=clock) as sut, sut.as_(ALL) as client:
        await set_up(sut, {**MONTHLY, "remind": 5})
        await tick(sut)
        assert await due(client) == [("2026-03", "mech", "2026-04-03", None)]
        await tell(sut, PostsImported(part="p2/1", posts=[Post(person="T1", post="department_head", object="mech")]))
        await tick(sut)
        assert await due(client) == [("2026-03", "mech", "2026-04-03", "T1")]
        async with sut.as_(principal("inbox.read", id="T1")) as head:
            assert [each["kind"] for each in (await head.get("/inbox")).json()["items"]] == ["due_item_soon"]


async def test_owners_are_reminded_before_and_told_on_the_morning_after_once_each(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(noon(2026, 3, 30))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(principal("inbox.read", id="D1")) as head:
        await set_up(sut, MONTHLY)
        seen = []
        for day in (30, 31):
            clock.now = noon(2026, 3, day)
            seen.append((len(await tick(sut)), len((await head.get("/inbox")).json()["items"])))
        clock.now = datetime(2026, 4, 3, 15, 59, tzinfo=UTC)  # 23:59 of the day on which it is due
        seen.append((len(await tick(sut)), len((await head.get("/inbox")).json()["items"])))
        clock.now = datetime(2026, 4, 3, 16, 0, tzinfo=UTC)
        (late,) = await tick(sut)
        assert (late.routine, late.subject, late.owner, late.due_on) == ("self-check", "mech", "D1", date(2026, 4, 3))
        assert await tick(sut) == []
        assert seen == [(0, 0), (0, 1), (0, 1)]
        kinds = [each["kind"] for each in (await head.get("/inbox")).json()["items"]]
        assert sorted(kinds) == ["due_item_overdue", "due_item_soon"]
        async with sut.as_(ALL) as client:
            assert [each["period"] for each in await items(client, overdue=True)] == ["2026-03"]


async def test_a_change_of_the_calendar_moves_what_is_open_and_not_late_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(noon(2026, 1, 15))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await set_up(sut, {**MONTHLY, "by": ["quality_office"]})
        for month in (1, 2, 3):
            clock.now = noon(2026, month, 15)
            await tick(sut)
        january, february, _ = await items(client)
        assert january["overdue"]
        await client.post(f"/due-items/{february['id']}/done")
        closed = {"holidays": [{"name": "停课", "first": "2026-02-01", "last": "2026-04-06"}]}
        assert (await client.put("/calendar", json=closed)).status_code == 200
        assert [each[2] for each in await due(client)] == ["2026-02-03", "2026-03-03", "2026-04-07"]
        await client.put("/calendar", json={})
        assert [each[2] for each in await due(client)] == ["2026-02-03", "2026-03-03", "2026-04-03"]


async def test_a_term_whose_dates_move_takes_its_items_along(database_url: str, tmp_path: Path) -> None:
    term = Session(id="t1", title="第二学期", kind="semester", start=date(2026, 2, 23), end=date(2026, 7, 1))
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await tell(sut, roster(part="i2/1", sessions=[term]))
        await set_up(sut, {**MONTHLY, "every": {"unit": "term"}}, {**MONTHLY, "code": "mid", "every": {"unit": "mid_term"}})
        await tick(sut)
        assert await due(client) == [("t1", "mech", "2026-05-01", "D1"), ("t1", "mech", "2026-07-03", "D1")]
        await tell(sut, roster(part="i3/1", sessions=[term.model_copy(update={"end": date(2026, 7, 15)})]))
        await tick(sut)
        assert [each[2] for each in await due(client)] == ["2026-05-08", "2026-07-17"]


async def test_the_schools_own_routines_hold_in_place_of_the_set_ups(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await set_up(sut, MONTHLY)
        await tick(sut)
        own = {**MONTHLY, "name": "部门月度自查", "due": {"day": 20}}
        changed = await client.put("/routines", json={"routines": [own]})
        assert changed.status_code == 200
        await tick(sut)
        assert [(each["name"], each["due_on"]) for each in await items(client)] == [("部门月度自查", "2026-03-20")]
        await set_up(sut, MONTHLY, {**MONTHLY, "code": "another"})
        await tick(sut)
        assert len(await items(client)) == 1
        assert [each["code"] for each in (await client.get("/routines")).json()["routines"]] == ["self-check"]
        await client.put("/routines", json={"routines": []})
        await tick(sut)
        assert await items(client) == []


async def test_routines_that_cannot_be_change_nothing(database_url: str, tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"every": None}, "/routines/0"),
        ({"once": {"first": {"year": 1, "month": 9}}}, "/routines/0"),
        ({"every": None, "once": {"first": {"year": 1, "month": 9}}}, "/routines/0/once"),
        ({"by": []}, "/routines/0/by"),
        ({"by": ["dean"]}, "/routines/0/by/0"),
        ({"of_kinds": ["new"]}, "/routines/0/per"),
        ({"every": {"unit": "month", "weeks": 2}}, "/routines/0/every/weeks"),
        ({"every": {"unit": "term", "months": [7]}}, "/routines/0/every/months"),
        ({"due": {"days": 3, "day": 5}}, "/routines/0/due"),
        ({"due": {"days": -1}}, "/routines/0/due/days"),
        ({"colour": "red"}, "/routines/0/colour"),
    ]
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await set_up(sut, MONTHLY)
        for bad, pointer in wrong:
            refused = await client.put("/routines", json={"routines": [{**MONTHLY, **bad}]})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text
        twice = await client.put("/routines", json={"routines": [MONTHLY, MONTHLY]})
        assert (twice.status_code, twice.json()["errors"][0]["pointer"]) == (422, "/routines/1/code")
        async with sut.as_(principal("settings.write", over=["unit:mech"])) as head:
            assert (await head.put("/routines", json={"routines": []})).status_code == 403
        assert [each["code"] for each in (await client.get("/routines")).json()["routines"]] == ["self-check"]


APPRAISALS = [
    {"code": "self", "name": "教师自我诊断", "level": "teacher", "per": "teacher", "every": {"unit": "term"}, "opens": "end"},
    {
        "code": "new-and-part-time",
        "name": "新任、兼职教师考核",
        "level": "teacher",
        "per": "teacher",
        "by": ["department_head"],
        "every": {"unit": "term"},
        "opens": "end",
        "of_kinds": ["new", "part_time"],
    },
    {
        "code": "others",
        "name": "专任教师考核",
        "level": "teacher",
        "per": "teacher",
        "by": ["department_head"],
        "every": {"unit": "academic_year"},
        "opens": "end",
        "not_of_kinds": ["new", "part_time"],
    },
]


async def test_scenario_16_new_and_part_time_teachers_are_appraised_each_term_and_the_others_each_academic_year(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(noon(2026, 9, 1))
    terms = [
        Session(id="t1", title="第一学期", kind="semester", start=date(2026, 9, 1), end=date(2027, 1, 18)),
        Session(id="t2", title="第二学期", kind="semester", start=date(2027, 2, 22), end=date(2027, 7, 5)),
    ]
    staff = [Person(id=id_, name=id_, roles=["teacher"], orgs=["mech"]) for id_ in ("T1", "T2", "T3")]
    gone = [each.model_copy(update={"active": False}) for each in PEOPLE if each.id not in {"T1", "T2", "T3", "D1", "Q1"}]
    others = [Person(id=id_, name=id_, roles=["administrator"]) for id_ in ("D1", "Q1")]
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await tell(sut, roster(part="i2/1", sessions=terms, people=[*staff, *gone, *others]))
        await set_up(sut, *APPRAISALS)
        kinds = {"teachers": [{"person": "T1", "kind": "new", "last": "2027-08-31"}, {"person": "T2", "kind": "part_time"}]}
        assert (await client.put("/teacher-kinds", json=kinds)).status_code == 200
        await tick(sut)
        assert await due(client) == []

        clock.now = noon(2027, 1, 18)  # the first term is over
        await tick(sut)
        made = sorted((each["routine"], each["subject"], each["owner"]) for each in await items(client))
        assert made == [
            ("new-and-part-time", "T1", "D1"),
            ("new-and-part-time", "T2", "D1"),
            ("self", "T1", "T1"),
            ("self", "T2", "T2"),
            ("self", "T3", "T3"),
        ]

        clock.now = noon(2027, 9, 1)  # and the academic year
        await tick(sut)
        assert [(each["subject"], each["owner"]) for each in await items(client, routine="others")] == [("T3", "D1")]


async def test_who_is_of_which_kind_is_said_of_staff_alone(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        for bad, pointer in [
            ({"person": "S1", "kind": "new"}, "/teachers/0/person"),
            ({"person": "T1", "kind": "New"}, "/teachers/0/kind"),
            ({"person": "T1", "kind": "new", "first": "2026-09-01", "last": "2026-01-01"}, "/teachers/0/last"),
        ]:
            refused = await client.put("/teacher-kinds", json={"teachers": [bad]})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await client.get("/teacher-kinds")).json() == {"teachers": []}


async def test_each_kind_of_whom_a_routine_concerns_is_found_in_the_roster_with_its_owner(
    database_url: str, tmp_path: Path
) -> None:
    pers = {
        "school": ["quality_office"],
        "level": ["level_group", "quality_office"],
        "programme": ["programme_leader"],
        "course": ["course_leader"],
        "homeroom": ["class_teacher"],
        "student": [],
    }
    routines = [{**MONTHLY, "code": per, "per": per, "by": by} for per, by in pers.items()]
    groups = PostsImported(part="p2/1", posts=[*POSTS, Post(person="T2", post="level_group", object="course")])
    async with planning(database_url, tmp_path, groups) as sut, sut.as_(ALL) as client:
        levels = [{"level": level, "periods": [{"value": 1, "unit": "month"}]} for level in ("school", "course")]
        await set_up(sut, *routines, cycles=levels)
        await tick(sut)
        found = sorted((each["per"], each["subject"], each["owner"]) for each in await items(client))
        assert found == [
            ("course", "CNC101", "L1"),
            ("homeroom", "CNC2301", "H1"),
            ("level", "course", "T2"),
            ("level", "school", "Q1"),
            ("programme", "cnc", "P1"),
            ("school", "demo", "Q1"),
            ("student", "S1", "S1"),
        ]
        async with sut.as_(principal("due.read", "due.work", over=["student:S1"], id="S1")) as student:
            (mine,) = await items(student)
            assert (await student.post(f"/due-items/{mine['id']}/done", json={"note": "已自查"})).status_code == 200


async def test_once_comes_in_the_year_of_the_schools_period_and_what_was_over_before_never(
    database_url: str, tmp_path: Path
) -> None:
    def once(code: str, first: tuple[int, int], last: tuple[int, int] | None) -> dict[str, Any]:
        moments = [None if each is None else {"year": each[0], "month": each[1]} for each in (first, last)]
        said = {"first": moments[0], **({"last": moments[1]} if moments[1] else {})}
        return {"code": code, "name": code, "level": "school", "per": "school", "by": ["school_leader"], "once": said}

    clock = SettableClock(noon(2026, 3, 2))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        routines = [once("over", (1, 1), (1, 2)), once("runs", (1, 2), (1, 4)), once("goes-on", (1, 9), None)]
        await set_up(sut, *routines, period={"first": 2026, "last": 2030})
        await tick(sut)
        assert [(each["routine"], each["due_on"]) for each in await items(client)] == [("runs", "2026-04-30")]
        clock.now = noon(2027, 9, 2)  # stopped for more than a year
        await tick(sut)
        found = [(each["routine"], each["due_on"], each["overdue"]) for each in await items(client)]
        assert found == [("runs", "2026-04-30", True), ("goes-on", "2026-09-30", True)]


async def test_the_budget_of_july_is_due_on_its_last_day_or_before_a_vacation_that_holds_it(
    database_url: str, tmp_path: Path
) -> None:
    july = {**MONTHLY, "code": "budget", "every": {"unit": "month", "months": [7]}, "due": {"early": True}}
    clock = SettableClock(noon(2026, 6, 1))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await set_up(sut, july)
        await tick(sut)
        assert await due(client) == []
        clock.now = noon(2026, 7, 1)
        await tick(sut)
        assert [each[2] for each in await due(client)] == ["2026-07-31"]
        await client.put("/calendar", json={"vacations": [{"name": "暑假", "first": "2026-07-11", "last": "2026-08-31"}]})
        assert [each[2] for each in await due(client)] == ["2026-07-10"]


async def test_pages_of_due_items_hold_each_once_in_order(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await set_up(sut, *[{**MONTHLY, "code": f"r{n}", "due": {"days": n % 2}} for n in range(5)])
        await tick(sut)
        found, cursor = [], None
        while True:
            answer = (await client.get("/due-items", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
            found += [(each["due_on"], each["id"]) for each in answer["items"]]
            if (cursor := answer["next"]) is None:
                break
        assert found == sorted(set(found))
        assert len(found) == 5
        assert (await client.get("/due-items", params={"cursor": "WzEsMl0"})).status_code == 422


async def test_what_is_more_than_one_run_makes_is_made_reminded_of_and_called_late_by_the_next(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "AT_ONCE", 2)
    clock = SettableClock(noon(2026, 3, 31))
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await set_up(sut, *[{**MONTHLY, "code": f"r{n}", "by": ["quality_office"]} for n in range(5)])
        for _ in range(6):
            await tick(sut)
        assert len(await items(client)) == 5
        assert len((await client.get("/inbox")).json()["items"]) == 5
        clock.now = noon(2026, 4, 4)
        late = [len(await tick(sut)) for _ in range(8)]
        assert sum(late) == 5
        assert max(late) == 2
        assert len(await items(client, overdue=True)) == 5
        assert len(await items(client)) == 10, "and those of April"
