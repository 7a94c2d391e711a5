"""Who may see what: a place covers the same subjects in measurements, warnings and evidence, and nothing else is there."""

from __future__ import annotations

from pathlib import Path

from libs.common.auth import Grant, Principal
from libs.common.events.gateway import Enrollment
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.monitoring.world import NOW, every, indicator, monitoring, roster, sent, take, terms, warned

METRICS = {"lesson": "lesson_attendance", "teacher": "teacher_attendance"}
LEVELS = ("student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school")
EVERYBODY = {
    "student": {"S1", "S2", "S3", "S9"},
    "teacher": {"T1", "T2"},
    "class": {"C1", "C2", "C9"},
    "homeroom": {"H1", "H2"},
    "course": {"K1", "K2"},
    "programme": {"cnc"},
    "department": {"mech", "arts"},
    "lesson": {"L1", "L2"},
    "school": {"demo"},
}
# S3 changed from H1 to H2 on 9 March; today is the 31st. S9 and C9 are not in the roster.
COVERED: dict[str, dict[str, set[str]]] = {
    "student:S1": {"student": {"S1"}},
    "student:S9": {"student": {"S9"}},
    "teacher:T1": {"teacher": {"T1"}},
    "class:C1": {"class": {"C1"}, "student": {"S1"}, "lesson": {"L1"}},
    "class:C9": {"class": {"C9"}},
    "class:H1": {"homeroom": {"H1"}, "student": {"S1"}},
    "class:H2": {"homeroom": {"H2"}, "student": {"S2", "S3"}},
    "course:K1": {"class": {"C1"}, "course": {"K1"}, "lesson": {"L1"}},
    "unit:cnc": {"class": {"C1"}, "homeroom": {"H1"}, "student": {"S1"}, "course": {"K1"}, "programme": {"cnc"}, "lesson": {"L1"}},
    "unit:mech": {
        "class": {"C1"},
        "homeroom": {"H1"},
        "student": {"S1"},
        "course": {"K1"},
        "programme": {"cnc"},
        "department": {"mech"},
        "lesson": {"L1"},
        "teacher": {"T1"},
    },
    "unit:arts": {
        "class": {"C2"},
        "homeroom": {"H2"},
        "student": {"S2", "S3"},
        "course": {"K2"},
        "department": {"arts"},
        "lesson": {"L2"},
        "teacher": {"T2"},
    },
    "unit:none": {},
    **{f"level:{level}": {level: subjects} for level, subjects in EVERYBODY.items()},
    "*": EVERYBODY,
}


async def filled(sut: ServiceUnderTest) -> None:
    """Something bad of every subject."""
    for student, class_ in (("S1", "C1"), ("S2", "C2"), ("S3", "C2"), ("S9", "C9")):
        await take(sut, sent(f"of {student}", 0, student=student, class_=class_, day="2026-03-10"))
    for n in ("1", "2"):
        await take(
            sut, sent(f"lesson {n}", 0, metric="lesson_attendance", student=None, class_=f"C{n}", lesson=f"L{n}", day="2026-03-10")
        )
        await take(
            sut,
            sent(f"teacher {n}", 0, metric="teacher_attendance", student=None, class_=f"C{n}", teacher=f"T{n}", day="2026-03-10"),
        )


WATCHING = [indicator(f"i-{level}", level=level, metric=METRICS.get(level, "attendance"), window="day") for level in LEVELS]


async def seen(sut: ServiceUnderTest, who: Principal, window: str = "day") -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The subjects by level that somebody sees in measurements, and in warnings."""
    measured: dict[str, set[str]] = {}
    warned_of: dict[str, set[str]] = {}
    async with sut.as_(who) as client:
        for level in LEVELS:
            items = await every(client, "/measurements", metric=METRICS.get(level, "attendance"), level=level, window=window)
            if items:
                measured[level] = {each["subject"] for each in items}
        for each in await every(client, "/warnings"):
            warned_of.setdefault(each["level"], set()).add(each["subject"])
    return measured, warned_of


async def test_a_place_covers_the_same_subjects_in_measurements_and_warnings(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), terms(), *WATCHING) as sut:
        await filled(sut)
        for place, covered in COVERED.items():
            who = principal("measurement.read", "warning.read", over=[place])

            assert await seen(sut, who) == (covered, covered), place
        assert (await seen(sut, principal("measurement.read", "warning.read", over=["class:C1"]), "term"))[0] == COVERED["class:C1"]


async def test_several_places_cover_together_what_each_covers(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *WATCHING) as sut:
        await filled(sut)
        together = {level: COVERED["class:H2"].get(level, set()) | COVERED["course:K1"].get(level, set()) for level in LEVELS}
        expected = {level: subjects for level, subjects in together.items() if subjects}

        assert await seen(sut, principal("measurement.read", "warning.read", over=["class:H2", "course:K1"])) == (
            expected,
            expected,
        )


async def test_what_a_place_does_not_cover_is_not_there(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), *WATCHING) as sut:
        await filled(sut)
        ids = {(w["level"], w["subject"]): w["id"] for w in await warned(sut)}
        for place in ("class:C1", "unit:arts"):
            who = principal("measurement.read", "warning.read", "warning.handle", over=[place])
            async with sut.as_(who) as client:
                for (level, subject), id_ in ids.items():
                    status = 200 if subject in COVERED[place].get(level, set()) else 404
                    asked = {"metric": METRICS.get(level, "attendance"), "level": level, "window": "day", "subject": subject}
                    answers = {
                        "measurements": await client.get("/measurements", params=asked),
                        "warning": await client.get(f"/warnings/{id_}"),
                        "evidence": await client.get(f"/warnings/{id_}/evidence"),
                        "acknowledge": await client.post(f"/warnings/{id_}/acknowledge"),
                    }
                    if status == 404:
                        answers["dismiss"] = await client.post(f"/warnings/{id_}/dismiss", json={"reason": "x"})
                    assert {what: answer.status_code for what, answer in answers.items()} == dict.fromkeys(answers, status), (
                        place,
                        level,
                        subject,
                    )


async def test_handling_needs_a_place_of_its_own_right(sqlite_url: str, tmp_path: Path) -> None:
    """Who may look everywhere and act in one class acts in that class only."""
    grants = (Grant(frozenset({"warning.read"}), frozenset({"*"})), Grant(frozenset({"warning.handle"}), frozenset({"class:C1"})))
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), WATCHING[2]) as sut:
        await filled(sut)
        ids = {w["subject"]: w["id"] for w in await warned(sut)}
        async with sut.as_(Principal("person", "T1", SCHOOL, grants)) as client:
            codes = {
                subject: (
                    (await client.get(f"/warnings/{id_}")).status_code,
                    (await client.post(f"/warnings/{id_}/acknowledge")).status_code,
                )
                for subject, id_ in ids.items()
            }

    assert codes == {"C1": (200, 200), "C2": (200, 404), "C9": (200, 404)}


async def test_without_the_permission_nothing_is_answered(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(principal("roster.read")) as client:
        ask = {"metric": "attendance", "level": "class", "window": "day"}
        codes = [
            (await client.get(path, params=ask if path == "/measurements" else None)).status_code
            for path in ("/metrics", "/measurements", "/warnings", "/conflicts")
        ]

        assert codes == [403] * 4
        client.headers.pop("zhengai-principal")
        assert (await client.get("/metrics")).status_code == 401


async def test_measurements_follow_the_roster_of_today(sqlite_url: str, tmp_path: Path) -> None:
    moved = [
        Enrollment(id="e1", class_id="H1", person="S1", role="student", end=NOW.date()),
        Enrollment(id="e1/2", class_id="H2", person="S1", role="student", start=NOW.date()),
    ]
    async with monitoring(sqlite_url, tmp_path) as sut:
        await filled(sut)
        await sut.handle(roster(part="i2/1", orgs=[], courses=[], classes=[], people=[], enrollments=moved))
        found = {
            place: (await seen(sut, principal("measurement.read", "warning.read", over=[place])))[0]
            for place in ("class:H1", "class:H2")
        }

    assert found == {
        "class:H1": {"homeroom": {"H1"}},  # what happened while S1 was there stays counted there
        "class:H2": {"homeroom": {"H2"}, "student": {"S1", "S2", "S3"}},
    }


async def test_paging_within_a_place_gives_every_item_once(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *WATCHING) as sut:
        await filled(sut)
        async with sut.as_(principal("measurement.read", "warning.read", over=["unit:arts"])) as client:
            for limit in (1, 2, 3):
                items = await every(client, "/measurements", limit, metric="attendance", level="student", window="day")
                assert [each["subject"] for each in items] == ["S2", "S3"]
                assert len(await every(client, "/warnings", limit)) == sum(map(len, COVERED["unit:arts"].values()))
