from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from libs.common.auth import Principal
from libs.common.events.gateway import RosterImported
from services.gateway.domain.relations import Relations
from services.gateway.domain.roster.archive import MOST_RATIO
from services.gateway.queries.roster import relations_of
from services.gateway.service import service
from services.gateway.tables import EnrollmentRow, SchoolRow, Table
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running
from tests.unit.gateway.roster_files import FILES, files, replaced, with_line, without, zipped

ZIP = {"content-type": "application/zip"}
OPERATOR = Principal("operator", "operator", SCHOOL, principal("roster.write", "roster.read").grants)
TODAY = date(2026, 3, 2)


@asynccontextmanager
async def gateway(url: str, folder: Path, clock: SettableClock) -> AsyncIterator[ServiceUnderTest]:
    """The gateway with one school, in Shanghai."""
    async with running(service, url, folder, clock) as sut:
        async with sut.database.transaction() as tx:
            for code in (SCHOOL, "other"):
                tx.session.add(
                    SchoolRow(code=code, name=code, timezone="Asia/Shanghai", year_start="09-01", template=None, added_at=tx.now)
                )
        yield sut


async def put(sut: ServiceUnderTest, content: bytes, who: Principal = OPERATOR) -> httpx.Response:
    async with sut.as_(who) as client:
        return await client.put("/api/v1/roster", content=content, headers=ZIP)


async def imported(sut: ServiceUnderTest, **changes: str | None) -> dict[str, Any]:
    """Import a roster that must be taken; return the counts."""
    answer = await put(sut, zipped(files(**changes)))
    assert answer.status_code == 200, answer.text
    counts: dict[str, Any] = answer.json()
    return counts


async def told(sut: ServiceUnderTest) -> list[RosterImported]:
    """The events published since the last call."""
    events = [message.event for message in await sut.published()]
    assert all(isinstance(event, RosterImported) for event in events)
    return [event for event in events if isinstance(event, RosterImported)]


async def spans(sut: ServiceUnderTest, id_: str) -> list[tuple[date | None, date | None]]:
    async with sut.database.reading() as session:
        rows = await session.execute(
            select(EnrollmentRow.start, EnrollmentRow.end).filter_by(school=SCHOOL, id=id_).order_by(EnrollmentRow.n)
        )
        return [(row.start, row.end) for row in rows]


async def relations(sut: ServiceUnderTest, person: str, day: date = TODAY, school: str = SCHOOL) -> Relations:
    async with sut.database.reading() as session:
        return await relations_of(session, school, person, day)


def counted(rows: int, new: int = 0, changed: int = 0, inactive: int = 0) -> dict[str, int]:
    return {"rows": rows, "new": new, "changed": changed, "inactive": inactive}


async def test_a_first_import_counts_every_row_as_new_and_tells_all_in_order(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        assert await imported(sut) == {
            "orgs": counted(4, 4),
            "academicSessions": counted(2, 2),
            "courses": counted(1, 1),
            "classes": counted(2, 2),
            "users": counted(5, 5),
            "roles": counted(5, 5),
            "enrollments": counted(5, 5),
        }
        (event,) = await told(sut)
        assert (event.part.endswith("/1"), event.last, event.today) == (True, True, TODAY)
        assert {org.id: org.kind for org in event.orgs} == {
            "hbpt": "school",
            "mech": "department",
            "cnc": "programme",
            "cncroom": "office",
        }
        assert {person.id: person.name for person in event.people} == {
            "S1": "王小明",
            "S2": "Ada Lovelace",
            "T1": "李芳",
            "T2": "赵强",
            "P1": "王大山",
        }
        assert [(e.id, e.class_id, e.person, e.role, e.primary, e.start, e.end) for e in event.enrollments][1:3] == [
            ("E2", "CNC101-2026S", "S2", "student", False, date(2026, 2, 24), None),
            ("E3", "CNC101-2026S", "T1", "teacher", True, None, None),
        ]
        assert [(r.person, r.student, r.active) for r in event.relations] == [("P1", "S1", True)]
        assert [(s.id, s.kind, s.start, s.end) for s in event.sessions][1] == (
            "2026S",
            "term",
            date(2026, 2, 24),
            date(2026, 7, 11),
        )


async def test_the_same_roster_again_changes_nothing_and_tells_nothing(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        clock.advance(days=3)
        counts = await imported(sut)
        assert {name: (c["new"], c["changed"], c["inactive"]) for name, c in counts.items()} == dict.fromkeys(counts, (0, 0, 0))
        assert await told(sut) == []


async def test_what_an_import_lacks_is_inactive_from_today_and_nothing_is_deleted(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        # 17:00 UTC is already the next day in the school's zone
        clock.now = datetime(2026, 3, 9, 17, 0, tzinfo=UTC)
        counts = await imported(
            sut, users=without("users", "S2"), roles=without("roles", "R2"), enrollments=without("enrollments", "E2")
        )
        assert counts["users"] == counted(4, inactive=1)
        assert counts["roles"] == counted(4, inactive=1)
        assert counts["enrollments"] == counted(4, inactive=1)
        (event,) = await told(sut)
        assert event.today == date(2026, 3, 10)
        assert [(person.id, person.active) for person in event.people] == [("S2", False)]
        assert [(e.id, e.start, e.end) for e in event.enrollments] == [("E2", date(2026, 2, 24), date(2026, 3, 10))]
        assert [event.orgs, event.sessions, event.courses, event.classes, event.relations] == [[], [], [], [], []]
        async with sut.database.reading() as session:
            for table, rows in (("person", 5), ("role", 5), ("enrollment", 5)):
                assert await session.scalar(select(func.count()).select_from(Table.metadata.tables[table])) == rows


async def test_a_row_that_comes_back_is_active_again_in_a_new_span_and_the_first_span_stays(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        clock.now = datetime(2026, 3, 10, tzinfo=UTC)
        gone = {"users": without("users", "S2"), "roles": without("roles", "R2"), "enrollments": without("enrollments", "E2")}
        await imported(sut, **gone)
        await told(sut)
        clock.now = datetime(2026, 4, 1, tzinfo=UTC)
        counts = await imported(sut)
        assert (counts["users"], counts["enrollments"]) == (counted(5, changed=1), counted(5, changed=1))
        (event,) = await told(sut)
        assert [(p.id, p.active, p.roles) for p in event.people] == [("S2", True, ["student"])]
        (back,) = event.enrollments
        assert back.id != "E2"
        assert (back.start, back.end, back.person) == (date(2026, 4, 1), None, "S2")
        assert await spans(sut, "E2") == [(date(2026, 2, 24), date(2026, 3, 10)), (date(2026, 4, 1), None)]
        async with sut.database.reading() as session:
            latest = await session.scalars(select(EnrollmentRow.n).filter_by(school=SCHOOL, id="E2", latest=True))
            assert latest.all() == [2]
        clock.advance(days=5)
        assert (await imported(sut))["enrollments"] == counted(5)
        assert await told(sut) == []


async def test_a_student_who_moves_to_another_class_is_in_each_for_their_time(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        clock.advance(days=1)
        moved = replaced("enrollments", "E1,,,CNC101-2026S", "E1,,,H2301")
        assert (await imported(sut, enrollments=moved))["enrollments"] == counted(5, changed=1)
        (event,) = await told(sut)
        assert [(e.class_id, e.start, e.end) for e in event.enrollments] == [
            ("CNC101-2026S", None, date(2026, 3, 3)),
            ("H2301", date(2026, 3, 3), None),
        ]
        assert (await imported(sut, enrollments=moved))["enrollments"] == counted(5)
        assert await told(sut) == []


async def test_a_broken_row_refuses_the_whole_set_by_file_row_and_column_and_nothing_is_taken(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        broken = with_line("enrollments", "E6,,,NOWHERE,mech,S2,student,,,")
        answer = await put(sut, zipped(files(enrollments=broken, orgs=replaced("orgs", "机电学院", "机电系"))))
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"] == [
            {"pointer": "/enrollments.csv/7/classSourcedId", "detail": "there is no class 'NOWHERE'"}
        ]
        assert await told(sut) == []
        assert (await imported(sut))["orgs"] == counted(4)


async def test_a_body_that_is_no_zip_is_400_and_another_media_type_415(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut, sut.as_(OPERATOR) as client:
        assert (await client.put("/api/v1/roster", content=b"PK nonsense", headers=ZIP)).status_code == 400
        assert (await client.put("/api/v1/roster", content=zipped()[:-40], headers=ZIP)).status_code == 400
        answer = await client.put("/api/v1/roster", content=zipped(), headers={"content-type": "text/csv"})
        assert answer.status_code == 415
        answer = await client.put("/api/v1/roster", content=zipped(), headers={**ZIP, "content-encoding": "gzip"})
        assert answer.status_code == 415


async def test_more_than_64_mib_is_413_after_the_sender_could_send_it(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield bytes(2**20)

    async with gateway(database_url, tmp_path, clock) as sut, sut.as_(OPERATOR) as client:
        answer = await client.put("/api/v1/roster", content=chunks(), headers=ZIP)
        assert answer.status_code == 413


async def test_only_who_may_write_the_roster_imports_and_the_body_is_not_even_read(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        assert (await put(sut, b"no zip", principal("roster.read"))).status_code == 403


async def test_a_school_must_be_named_and_known(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        nowhere = Principal("operator", "operator", "", OPERATOR.grants)
        assert (await put(sut, zipped(), nowhere)).status_code == 422
        unknown = Principal("operator", "operator", "nosuch", OPERATOR.grants)
        assert (await put(sut, zipped(), unknown)).status_code == 404


async def test_schools_keep_rosters_of_their_own(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        other = Principal("operator", "operator", "other", OPERATOR.grants)
        assert (await put(sut, zipped(), other)).json()["users"] == counted(5, 5)
        assert {message.school for message in await sut.published()} == {"other"}
        assert await relations(sut, "T1", school="nosuch") == Relations()


async def test_the_summary_counts_what_is_active_and_says_when_the_last_import_was(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut, sut.as_(OPERATOR) as client:
        empty = (await client.get("/api/v1/roster")).json()
        assert (empty["imported_at"], set(empty["counts"].values())) == (None, {0})
        await imported(sut)
        clock.advance(days=1)
        await imported(sut, enrollments=without("enrollments", "E2"))
        assert (await client.get("/api/v1/roster")).json() == {
            "counts": {
                "orgs": 4,
                "academicSessions": 2,
                "courses": 1,
                "classes": 2,
                "users": 5,
                "roles": 5,
                "enrollments": 4,
            },
            "imported_at": "2026-03-03T12:00:00Z",
            "imported_by": "operator",
        }


async def test_relations_are_those_of_today(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        ended = replaced(
            "enrollments", "E3,,,CNC101-2026S,mech,T1,teacher,true,,", "E3,,,CNC101-2026S,mech,T1,teacher,true,,2026-07-11"
        )
        await imported(sut, enrollments=ended)
        assert await relations(sut, "T1") == Relations(teaches=("CNC101-2026S",), roles=("teacher",))
        assert await relations(sut, "T1", date(2026, 7, 11)) == Relations(roles=("teacher",))
        assert await relations(sut, "T2") == Relations(homerooms_led=("H2301",), roles=("teacher",))
        assert await relations(sut, "P1") == Relations(children=("S1",), roles=("parent",))
        assert await relations(sut, "S1") == Relations(roles=("student",))
        assert await relations(sut, "nobody") == Relations()


async def test_a_person_who_left_or_is_locked_out_has_no_relations(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut, users=replaced("users", "T1,,,true", "T1,,,false"))
        assert await relations(sut, "T1") == Relations()
        await imported(
            sut,
            users=without("users", "T2"),
            roles=without("roles", "R4"),
            enrollments=without("enrollments", "E5"),
        )
        assert await relations(sut, "T1") == Relations(teaches=("CNC101-2026S",), roles=("teacher",))
        assert await relations(sut, "T2") == Relations()


async def test_a_child_who_is_no_longer_named_is_no_longer_the_parents(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await told(sut)
        await imported(sut, users=replaced("users", "小明,王,P1", "小明,王,"))
        (event,) = await told(sut)
        assert [(r.person, r.student, r.active) for r in event.relations] == [("P1", "S1", False)]
        assert await relations(sut, "P1") == Relations(roles=("parent",))
        await imported(sut)
        assert (await relations(sut, "P1")).children == ("S1",)


def real_roster(shared: Path, out: Path) -> dict[str, bytes]:
    """The files of the tool's roster, without its observations."""
    code = "import sys, pathlib, oulad; oulad.roster(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONPATH": str(shared / "tools"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code, out], check=True, env=environment)
    return {path.name: path.read_bytes() for path in out.glob("*.csv")}


async def test_the_real_roster_is_taken_in_seconds_in_parts_of_a_thousand(
    database_url: str, tmp_path: Path, clock: SettableClock, shared: Path
) -> None:
    content = await asyncio.to_thread(real_roster, shared, tmp_path / "oulad")
    async with gateway(database_url, tmp_path, clock) as sut:
        body = zipped(content)
        assert sum(map(len, content.values())) < MOST_RATIO / 5 * len(body)  # a real roster is far from a bomb
        began = time.perf_counter()
        answer = await put(sut, body)
        took = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        expected = {"orgs": 3, "academicSessions": 2, "courses": 6, "classes": 12, "users": 12_400, "roles": 12_400}
        assert answer.json() == {name: counted(n, n) for name, n in {**expected, "enrollments": 12_489}.items()}
        events = await told(sut)
        kinds = ("orgs", "sessions", "courses", "classes", "people", "enrollments")
        sizes = [sum(len(getattr(event, kind)) for kind in kinds) for event in events]
        assert sizes == [1000] * 24 + [912]
        order = [kind for event in events for kind in kinds for _ in getattr(event, kind)]
        assert order == sorted(order, key=kinds.index)
        assert [event.last for event in events] == [False] * 24 + [True]
        assert len({event.part for event in events}) == 25
        print(f"the real roster took {took:.1f} s")
        assert took < 30
        assert set(map(str, (await put(sut, zipped(content))).json().values())) == {
            str(counted(n)) for n in {*expected.values(), 12_489}
        }
        assert await told(sut) == []


async def test_a_zip_made_on_a_mac_with_one_folder_is_taken(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("roster")
        for name, text in FILES.items():
            archive.writestr(f"roster/{name}", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
            archive.writestr(f"__MACOSX/roster/._{name}", b"\0")
        archive.writestr("roster/.DS_Store", b"\0")
    async with gateway(database_url, tmp_path, clock) as sut:
        answer = await put(sut, buffer.getvalue())
        assert answer.status_code == 200, answer.text
