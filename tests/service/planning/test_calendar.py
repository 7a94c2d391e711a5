"""The calendar of a school: written by who governs it, the same again changes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from libs.common.events.gateway import SchoolAdded, Session
from services.planning import queries
from services.planning.tables import CalendarRow
from tests.service.harness import SCHOOL, principal
from tests.service.planning.school import planning, roster, tell

GOVERNS = principal("plan.read", "settings.write", id="Q1")
OWN = {
    "year": "academic",
    "years": {"school": "civil"},
    "teaching": [],
    "vacations": [{"name": "寒假", "first": "2027-01-18", "last": "2027-02-21"}],
    "holidays": [{"name": "国庆节", "first": "2026-10-01", "last": "2026-10-07"}],
    "make_up_days": ["2026-10-10"],
}


async def test_a_school_writes_its_calendar_and_the_same_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(GOVERNS) as client:
        assert (await client.get("/calendar")).json()["vacations"] == []
        assert (await client.put("/calendar", json=OWN)).json() == OWN
        async with sut.as_(principal("settings.write", id="B1")) as other:
            assert (await other.put("/calendar", json=OWN)).status_code == 200
        assert (await client.get("/calendar")).json() == OWN
        async with sut.database.reading() as session:
            row = await session.get_one(CalendarRow, SCHOOL)
            assert row.changed_by == "Q1"


async def test_a_calendar_is_the_whole_schools_and_what_cannot_be_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(GOVERNS) as client:
        await client.put("/calendar", json=OWN)
        async with sut.as_(principal("settings.write", over=["unit:mech"])) as head:
            assert (await head.put("/calendar", json={})).status_code == 403
        wrong: list[tuple[dict[str, object], str]] = [
            ({"make_up_days": ["2026-10-03"]}, "/make_up_days/0"),
            ({"holidays": [{"name": "国庆节", "first": "2026-10-07", "last": "2026-10-01"}]}, "/holidays/0/last"),
            ({"year": "lunar"}, "/year"),
            ({"weeks": 20}, "/weeks"),
            ({"holidays": [{"name": "国庆节", "first": "10-01", "last": "2026-10-07"}]}, "/holidays/0/first"),
        ]
        for bad, pointer in wrong:
            refused = await client.put("/calendar", json={**OWN, **bad})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await client.get("/calendar")).json() == OWN


async def test_terms_come_from_the_roster_and_the_academic_year_from_the_school(database_url: str, tmp_path: Path) -> None:
    term = Session(id="t1", title="第一学期", kind="semester", start=date(2026, 8, 31), end=date(2027, 1, 18))
    gone = Session(id="t0", title="旧学期", kind="term", start=date(2026, 8, 31), end=date(2027, 1, 18), active=False)
    year = Session(id="y", title="学年", kind="schoolYear", start=date(2026, 8, 31), end=date(2027, 7, 5))
    async with planning(database_url, tmp_path) as sut:
        await tell(
            sut, SchoolAdded(code=SCHOOL, name="示范学院", year_start="08-15"), roster(part="i2/1", sessions=[term, gone, year])
        )
        async with sut.database.reading() as session:
            calendar = await queries.calendar_of(session, SCHOOL)
        assert [each.id for each in calendar.terms] == ["t1"]
        found = calendar.period("academic_year", date(2026, 8, 20))
        assert found
        assert found.start == date(2026, 8, 15)
