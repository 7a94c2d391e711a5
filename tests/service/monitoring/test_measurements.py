"""Metrics and measurements over HTTP: any window, exact numbers, every item once however it is paged."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from libs.common.events.gateway import SchoolAdded, Session
from libs.common.events.monitoring import MetricDefined
from services.monitoring.templates import STARTING
from tests.conftest import SettableClock
from tests.service.harness import principal
from tests.service.monitoring.world import EVERYTHING, NOW, array, every, indicator, measured, monitoring, roster, sent, take, terms

METRIC = {"code": "meals", "name": "用餐率", "grain": ["student"], "kind": "ratio", "unit": "%", "direction": "higher"}


async def test_every_school_starts_with_the_metrics_of_the_contract(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        listed = await every(client, "/metrics", limit=5)

    grains = {
        (
            "student",
            "class",
        ): "attendance assignment_completion classroom_score assessment_score interaction_response learning_effect",
        ("class", "lesson"): "lesson_attendance",
        (
            "class",
            "teacher",
        ): "teacher_attendance lesson_step_completion assignment_marking objective_attainment teaching_evaluation",
    }
    assert {m["code"]: tuple(m["grain"]) for m in listed} == {
        code: grain for grain, codes in grains.items() for code in codes.split()
    }
    assert {(m["kind"], m["direction"]) for m in listed} == {("ratio", "higher")}
    assert [m["code"] for m in listed] == sorted(m["code"] for m in listed)
    assert len(listed) == len(STARTING)


async def test_a_metric_is_added_changed_and_told(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        answers = [
            await client.post("/metrics", json=body)
            for body in (
                METRIC,
                METRIC,
                METRIC | {"name": "就餐率"},
                METRIC | {"grain": ["student", "class"]},
                METRIC | {"kind": "median"},
            )
        ]
        (shown,) = [m for m in await every(client, "/metrics") if m["code"] == "meals"]
        told = [m.event for m in await sut.published()]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 409, 422]
    further = ("alias", "name_en", "phase", "counting_rules", "owner", "source_system", "source")
    assert shown == METRIC | {"name": "就餐率", "active": True} | dict.fromkeys(further)
    assert told == [MetricDefined(**METRIC), MetricDefined(**METRIC | {"name": "就餐率"})]
    assert answers[4].json()["errors"][0]["pointer"] == "/kind"


async def test_a_metric_is_the_same_in_whatever_order_its_grain_is_named(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        first = await client.post("/metrics", json=METRIC | {"grain": ["student", "class"]})
        again = await client.post("/metrics", json=METRIC | {"grain": ["class", "student"]})

    assert (first.status_code, again.status_code) == (201, 200)


WRONG_METRICS: list[tuple[dict[str, Any], str]] = [
    ({"code": "Meals"}, "/code"),
    ({"code": "meals\n"}, "/code"),
    ({"code": "-meals"}, "/code"),
    ({"name": ""}, "/name"),
    ({"grain": ["student", "student"]}, "/grain"),
    ({"grain": ["school"]}, "/grain/0"),
    ({"grain": "student"}, "/grain"),
    ({"kind": "median"}, "/kind"),
    ({"direction": "up"}, "/direction"),
    ({"colour": "red"}, "/colour"),
    ({"unit": 7}, "/unit"),
]


async def test_a_metric_that_cannot_stand_is_refused_with_a_pointer(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        for change, pointer in WRONG_METRICS:
            answer = await client.post("/metrics", json=METRIC | change)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), change


async def test_a_new_metric_counts_at_once_and_per_school_where_it_has_no_grain(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        await take(sut, sent("warm"))
        await client.post("/metrics", json=METRIC | {"code": "energy", "grain": []})
        await take(sut, sent("a", 1, 2, metric="energy", student=None, class_=None))

        assert await measured(sut, "school", metric="energy") == [("demo", "2026-03-02", 1, 2)]


# --- measurements ----------------------------------------------------------------------------------------------------

DAYS = [str(date(2025, 8, 20) + timedelta(n * 5)) for n in range(44)]  # over two academic years and two terms


async def filled(sut: Any, subjects: int = 3) -> None:
    await take(
        sut,
        array(
            *[
                sent(f"{s}-{day}", 0.1 * (n % 7), 0.7, day=day, student=f"S{s}")
                for s in range(1, subjects + 1)
                for n, day in enumerate(DAYS)
            ]
        ),
    )


async def test_a_window_is_the_same_whether_an_indicator_watches_it_or_not(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), terms()) as sut:
        await filled(sut)
        windows = ("day", "week", "month", "term", "year")
        before = {window: await measured(sut, "student", window) for window in windows}
        for window in windows:
            await sut.handle(indicator(f"watch-{window}", level="student", window=window))
        await take(sut, sent("one-more", 1, 1, day=DAYS[0]))
        after = {window: await measured(sut, "student", window) for window in windows}

    days = [(s, date.fromisoformat(start), n, d) for s, start, n, d in before["day"]]
    terms_of = {2025: (date(2025, 9, 1), date(2026, 1, 17)), 2026: (date(2026, 2, 24), date(2026, 7, 11))}
    held = {day: [first for first, end in terms_of.values() if first <= day < end] for _, day, _, _ in days}
    starts = {
        "week": {day: day - timedelta(day.weekday()) for day in held},
        "month": {day: day.replace(day=1) for day in held},
        "term": {day: first for day, (first, *_) in ((day, firsts) for day, firsts in held.items() if firsts)},
        "year": {day: date(2025 if day >= date(2025, 9, 1) else 2024, 9, 1) for day in held},
    }
    for window, start in starts.items():
        keyed = sorted(((s, start[day]), n, d) for s, day, n, d in days if day in start)
        sums = [(key, list(rows)) for key, rows in groupby(keyed, key=lambda row: row[0])]
        assert before[window] == [(s, str(first), sum(r[1] for r in rows), sum(r[2] for r in rows)) for (s, first), rows in sums], (
            window
        )
        assert [row for row in after[window] if row[0] != "S1"] == [row for row in before[window] if row[0] != "S1"]
        assert sum(row[3] for row in after[window]) - sum(row[3] for row in before[window]) == (0 if window == "term" else 1)


async def test_every_page_size_gives_every_item_once_in_order(sqlite_url: str, tmp_path: Path) -> None:
    whole = sorted({(s, f"{day[:8]}01") for s in ("S1", "S2") for day in DAYS})
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), terms()) as sut:
        await filled(sut, subjects=2)
        for limit in (1, 2, 3, 7, len(whole), 500):
            async with sut.as_(EVERYTHING) as client:
                items = await every(client, "/measurements", limit, metric="attendance", level="student", window="month")

            assert [(m["subject"], m["start"]) for m in items] == whole, limit


async def test_subjects_stand_in_the_order_of_their_bytes_and_are_paged_so(database_url: str, tmp_path: Path) -> None:
    names = ["S10", "S2", "s1", "S 1", "Ä", "学生", "学生2", "a/b", "é", "𝄞", "~", "S_1", "S-1"] + [f"N{n:03}" for n in range(110)]
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, array(*[sent(f"e{n}", student=name, day=day) for n, name in enumerate(names) for day in ("2026-03-02",)]))
        found = {}
        for limit in (1, 49, 50, 51, 500):
            async with sut.as_(EVERYTHING) as client:
                items = await every(client, "/measurements", limit, metric="attendance", level="student", window="day")
            found[limit] = [m["subject"] for m in items]

    assert found == dict.fromkeys((1, 49, 50, 51, 500), sorted(names, key=str.encode))


async def test_from_is_inclusive_and_to_exclusive_and_compared_with_the_windows_first_day(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), terms()) as sut:
        await take(sut, *[sent(f"e{day}", day=f"2026-03-{day:02}") for day in (1, 2, 8, 9, 15, 16, 31)])

        async def starts(window: str, **bounds: str) -> list[tuple[str, int]]:
            return [(start[5:], d) for _, start, _, d in await measured(sut, "student", window, **bounds)]

        assert await starts("week") == [("02-23", 1), ("03-02", 2), ("03-09", 2), ("03-16", 1), ("03-30", 1)]
        assert await starts("week", **{"from": "2026-03-02", "to": "2026-03-09"}) == [("03-02", 2)]
        assert await starts("week", **{"from": "2026-03-03"}) == [("03-09", 2), ("03-16", 1), ("03-30", 1)]
        assert await starts("week", to="2026-03-03") == [("02-23", 1), ("03-02", 2)], "with all days of the week, also later ones"
        assert await starts("month", to="2026-03-02") == [("03-01", 7)]
        assert await starts("month", to="2026-03-01") == []
        assert await starts("term", **{"from": "2026-02-24", "to": "2026-02-25"}) == [("02-24", 7)]
        assert await starts("day", **{"from": "2026-03-08", "to": "2026-03-16"}) == [("03-08", 1), ("03-09", 1), ("03-15", 1)]
        assert await starts("day", **{"from": "2026-03-09", "to": "2026-03-02"}) == []


async def test_bounds_at_the_ends_of_the_calendar_are_bounds_like_others(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), terms()) as sut:
        await take(sut, sent("a"))
        for window in ("day", "week", "month", "term", "year"):
            whole = await measured(sut, "student", window)
            assert len(whole) == 1
            assert await measured(sut, "student", window, **{"from": "0001-01-01", "to": "9999-12-31"}) == whole, window
            assert await measured(sut, "student", window, to="0001-01-01") == [], window
            assert await measured(sut, "student", window, **{"from": "9999-12-31"}) == [], window


async def test_a_term_with_another_in_its_midst_is_whole_whatever_to_says(sqlite_url: str, tmp_path: Path) -> None:
    semester = Session(id="s", title="s", kind="semester", start=date(2026, 2, 24), end=date(2026, 7, 11))
    half = Session(id="h", title="h", kind="term", start=date(2026, 3, 9), end=date(2026, 3, 16))
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), terms("t/1", [semester, half])) as sut:
        await take(sut, *[sent(f"e{day}", day=f"2026-03-{day:02}") for day in (2, 10, 20)])

        whole = [("S1", "2026-02-24", 2, 2), ("S1", "2026-03-09", 1, 1)]
        assert await measured(sut, "student", "term") == whole
        assert await measured(sut, "student", "term", to="2026-03-10") == whole


async def test_one_subject_is_asked_for_by_its_code(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"), sent("b", student="S2"), sent("c", student="S"))

        assert await measured(sut, "student", subject="S2") == [("S2", "2026-03-02", 1, 1)]
        assert await measured(sut, "student", subject="S9") == []
        assert await measured(sut, "class", subject="S2") == []


async def test_numbers_are_plain_json_numbers_with_every_digit_and_value_is_rounded(database_url: str, tmp_path: Path) -> None:
    sets = [
        ("1", "3"),
        ("0.000001", "1"),
        ("999999999.999999", "0.000001"),
        ("0", "5"),
        ("1", "999999999.999999"),
        ("2.50", "0.10"),
    ]
    events = [
        sent(f"e{n}", 1, 1, student=f"S{n}").replace(
            b'"numerator": 1, "denominator": 1', f'"numerator": {a}, "denominator": {b}'.encode()
        )
        for n, (a, b) in enumerate(sets)
    ]
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, *events)
        async with sut.as_(EVERYTHING) as client:
            answer = await client.get("/measurements", params={"metric": "attendance", "level": "student", "window": "day"})

    items = json.loads(answer.text, parse_float=str, parse_int=str)["items"]
    assert [(m["numerator"], m["denominator"], m["value"]) for m in items] == [
        ("1", "3", "0.333333"),
        ("0.000001", "1", "0.000001"),
        ("999999999.999999", "0.000001", "999999999999999"),
        ("0", "5", "0"),
        ("1", "999999999.999999", "0"),
        ("2.5", "0.1", "25"),
    ]


async def test_a_measurement_says_how_often_it_changed_and_when_last(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOW)
    async with monitoring(sqlite_url, tmp_path, clock) as sut:
        await take(sut, sent("a"), sent("b"))
        clock.advance(hours=1)
        await take(sut, sent("c", day="2026-03-04"), sent("a"))
        async with sut.as_(EVERYTHING) as client:
            (monday, wednesday), (week,) = [
                await every(client, "/measurements", metric="attendance", level="student", window=window)
                for window in ("day", "week")
            ]

    assert [(m["revision"], m["measured_at"]) for m in (monday, wednesday, week)] == [
        (2, "2026-03-31T04:00:00Z"),
        (1, "2026-03-31T05:00:00Z"),
        (3, "2026-03-31T05:00:00Z"),
    ]


MEANINGLESS: list[tuple[dict[str, str | None], str]] = [
    ({"metric": "speed"}, "/metric"),
    ({"metric": None}, "/metric"),
    ({"level": "activity"}, "/level"),
    ({"level": None}, "/level"),
    ({"window": "lesson"}, "/window"),
    ({"window": None}, "/window"),
    ({"from": "yesterday"}, "/from"),
    ({"limit": "0"}, "/limit"),
    ({"limit": "501"}, "/limit"),
    ({"cursor": "x"}, "/cursor"),
    ({"cursor": "WyJhIl0"}, "/cursor"),
    ({"cursor": "WzEsICJhIl0"}, "/cursor"),
    ({"subjects": "S1"}, "/subjects"),
]


async def test_a_question_that_means_nothing_is_refused_with_a_pointer(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        for asked, pointer in MEANINGLESS:
            whole = {"metric": "attendance", "level": "student", "window": "day", **asked}
            answer = await client.get("/measurements", params={name: value for name, value in whole.items() if value is not None})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), asked


async def test_another_school_has_its_own_numbers(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(SchoolAdded(code="west", name="西"), school="west")
        await sut.take("observations", sent("a", 1, 4), school="west")
        await take(sut, sent("a", 3, 8))
        found = {}
        for school in ("demo", "west"):
            async with sut.as_(principal("measurement.read", school=school)) as client:
                items = await every(client, "/measurements", metric="attendance", level="school", window="day")
            found[school] = [(m["subject"], m["value"]) for m in items]

    assert found == {"demo": [("demo", Decimal("0.375"))], "west": [("west", Decimal("0.25"))]}
