"""Warnings over HTTP: what is listed, what they rest on, and what people may do with them."""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.events.monitoring import (
    WarningRaised,
)
from libs.common.http import to_cursor
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    array,
    detail,
    every,
    indicator,
    monitoring,
    opened,
    post,
    roster,
    sent,
    started,
    take,
    told,
    warned,
)

LINES = {"yellow": ("0.8", "0.9"), "red": ("0.5", "0.6")}


async def test_a_warning_says_everything_the_contract_lists(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator(lines=LINES)) as sut:
        await take(sut, sent("a", 2, 3))
        (message,) = await sut.published()
        (warning,) = await warned(sut)
        improvement = uuid4()
        await sut.handle(opened(warning["id"], improvement))
        shown = await detail(sut, warning["id"])

    assert isinstance(message.event, WarningRaised)
    assert {name: shown[name] for name in shown if name != "history"} == {
        "id": str(message.event.warning),
        "indicator": "rate",
        "version": 1,
        "metric": "attendance",
        "level": "class",
        "subject": "C1",
        "subject_name": "数控编程1班",
        "window": "week",
        "start": "2026-03-02",
        "severity": "yellow",
        "status": "open",
        "value": Decimal("0.666667"),
        "numerator": 2,
        "denominator": 3,
        "line": Decimal("0.8"),
        "override": None,
        "raised_at": "2026-03-31T04:00:00Z",
        "improvement": str(improvement),
        "revision": 1,
    }
    assert (message.event.clear, message.event.comparison, message.event.value) == (Decimal("0.9"), "below", Decimal("0.666667"))
    assert message.event.places == ["class:C1", "course:K1", "level:class", "school:demo", "unit:cnc", "unit:mech"]
    assert (message.causationid, message.school) == ("urn:campus:demo:lms|a", "demo")


@pytest.mark.parametrize(
    ("metric", "level", "subject", "name"),
    [
        ("attendance", "student", "S1", "学生1"),
        ("teacher_attendance", "teacher", "T1", "王老师"),
        ("attendance", "class", "C1", "数控编程1班"),
        ("attendance", "homeroom", "H1", "数控2301"),
        ("attendance", "course", "K1", "数控编程"),
        ("attendance", "programme", "cnc", "数控技术"),
        ("attendance", "department", "mech", "机电学院"),
    ],
)
async def test_a_warned_subject_has_its_name_from_the_roster(
    sqlite_url: str, tmp_path: Path, metric: str, level: str, subject: str, name: str
) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator(metric=metric, level=level)) as sut:
        who: dict[str, Any] = {"student": None, "teacher": "T1"} if level == "teacher" else {}
        await take(sut, sent("a", 1, 2, metric=metric, **who))
        (warning,) = await warned(sut)
        assert (warning["subject"], warning["subject_name"]) == (subject, name)


async def test_history_tells_each_step_with_its_numbers(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOW)
    async with monitoring(database_url, tmp_path, clock, roster(), indicator(lines=LINES)) as sut:
        await take(sut, sent("a", 2, 3))
        (warning,) = await warned(sut)
        path = f"/warnings/{warning['id']}"
        clock.advance(minutes=1)
        assert (await post(sut, f"{path}/acknowledge", by="T1"))[1]["status"] == "acknowledged"
        clock.advance(minutes=1)
        await take(sut, sent("b", 0, 2))
        clock.advance(minutes=1)
        await sut.handle(started(warning["id"]))
        clock.advance(minutes=1)
        await take(sut, sent("c", 95, 95))
        shown = await detail(sut, warning["id"])

    assert [
        (s["at"][14:16], s["step"], s["by"], s["detail"].get("severity"), s["detail"].get("numerator")) for s in shown["history"]
    ] == [
        ("00", "raised", None, "yellow", "2"),
        ("01", "acknowledged", "T1", None, None),
        ("02", "escalated", None, "red", "2"),
        ("03", "improving", "T1", None, None),
        ("04", "cleared", None, None, "97"),
    ]
    assert (shown["status"], shown["severity"], shown["line"], shown["numerator"]) == ("cleared", "red", Decimal("0.5"), 97)


async def test_one_observation_may_raise_escalate_and_clear_within_a_batch(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator(lines=LINES)) as sut:
        await take(sut, array(sent("a", 7, 10), sent("b", 0, 10), sent("c", 180, 180), sent("d", 0, 100), sent("e", 900, 900)))

        assert await told(sut) == [
            "rate C1 raised yellow 7/10 of 2026-03-02",
            "escalated red 7/20 of 2026-03-02",
            "cleared 187/200 of 2026-03-02",
            "rate C1 raised yellow 187/300 of 2026-03-02",
            "cleared 1087/1200 of 2026-03-02",
        ]
        shown = await warned(sut)
    assert len({w["id"] for w in shown}) == 2, "a new warning has a new id, also in a window that had one before"
    assert {w["status"] for w in shown} == {"cleared"}


# --- lists -----------------------------------------------------------------------------------------------------------


async def filled(sut: ServiceUnderTest, clock: SettableClock) -> None:
    """Warnings of two indicators and levels, several at one moment, one dismissed, one cleared."""
    for n in range(4):
        clock.advance(minutes=1)
        await take(sut, *[sent(f"{n}-{s}", 0 if n < 3 else 5, 10, student=f"S{n}{s}", class_=f"C{n}") for s in range(3)])
    await take(sut, sent("back", 900, 900, student="S00", class_="C9"))
    one = (await warned(sut, subject="S01"))[0]["id"]
    await post(sut, f"/warnings/{one}/dismiss", reason="病假")


async def test_filters_take_one_value_each_and_combine(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOW)
    watching = [indicator("by-class", {"red": ("0.6", "0.6")}), indicator("by-student", LINES, level="student")]
    async with monitoring(database_url, tmp_path, clock, roster(), *watching) as sut:
        await filled(sut, clock)
        whole = await warned(sut)
        for name, values in {
            "status": ["open", "dismissed", "cleared", "improving"],
            "severity": ["red", "yellow", "blue"],
            "indicator": ["by-class", "by-student", "none"],
            "level": ["class", "student", "school"],
            "subject": ["S01", "C1", "nobody"],
        }.items():
            for value in values:
                assert await warned(sut, **{name: value}) == [w for w in whole if w[name] == value], (name, value)
        both = await warned(sut, status="open", level="student")

        assert both == [w for w in whole if (w["status"], w["level"]) == ("open", "student")] != []
        assert {w["status"] for w in whole} == {"open", "dismissed", "cleared"}
        assert {w["severity"] for w in whole} == {"red", "yellow"}


async def test_warnings_are_listed_newest_first_and_each_once_however_they_are_paged(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOW)
    async with monitoring(database_url, tmp_path, clock, roster(), indicator(level="student", lines=LINES), indicator("c")) as sut:
        await filled(sut, clock)
        async with sut.as_(EVERYTHING) as client:
            pages = {limit: [w["id"] for w in await every(client, "/warnings", limit)] for limit in (1, 2, 3, 5, 16, 500)}
            times = [w["raised_at"] for w in await every(client, "/warnings")]

    assert len(pages[500]) == len(set(pages[500])) == 16
    assert {tuple(ids) for ids in pages.values()} == {tuple(pages[500])}
    assert times == sorted(times, reverse=True)


async def test_a_cursor_that_this_list_never_gave_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    some = str(uuid4())
    early = "0001-01-01T00:00:00+14:00"
    surrogate = base64.urlsafe_b64encode(rb'["\ud800"]').decode()
    wrong = {
        "/warnings": ["x", to_cursor("a", "b"), to_cursor(1, 2), to_cursor("2026-03-31T04:00:00Z", "b"), to_cursor(early, some)],
        "/conflicts": ["x", to_cursor("a"), to_cursor(10**30), to_cursor(1, 2)],
        "/metrics": ["x", to_cursor(1), to_cursor("a\0b"), surrogate],
    }
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        for path, cursors in wrong.items():
            for cursor in cursors:
                answer = await client.get(path, params={"cursor": cursor})
                assert answer.status_code == 422, (path, cursor, answer.text)
                assert answer.json()["errors"][0]["pointer"] == "/cursor"


async def test_filters_that_mean_nothing_are_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        for asked in ({"status": "closed"}, {"severity": "green"}, {"level": "activity"}, {"state": "open"}, {"limit": "501"}):
            answer = await client.get("/warnings", params=asked)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(asked))}")
        assert (await client.get("/warnings/not-an-id")).status_code == 404
        assert (await client.get(f"/warnings/{uuid4()}")).status_code == 404


# --- evidence --------------------------------------------------------------------------------------------------------


SHOWN_OF_A = {
    "id": "a",
    "source": "urn:campus:demo:lms",
    "label": "measured",
    "time": "2026-03-02T02:00:00Z",
    "metric": "attendance",
    "numerator": Decimal("0.5"),
    "denominator": 2,
    "phase": "during",
    "references": {"student": "S1", "class": "C1", "activity": "A1"},
    "counted_at": "2026-03-31T04:00:00Z",
}


async def test_evidence_is_what_the_window_holds_of_the_subject_in_order_of_counting(database_url: str, tmp_path: Path) -> None:
    levels = ("student", "class", "homeroom", "course", "programme", "department", "school", "teacher")
    watching = [indicator(level, level=level) for level in levels]
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), *watching) as sut:
        await take(
            sut,
            sent("z", 0, day="2026-03-08", teacher="T1"),
            sent("other class", 0, 2, class_="C2"),
            sent("week before", 0, day="2026-03-01", teacher="T1"),
            sent("a", 0.5, 2, phase="during", activity="A1"),
            sent("other student", 0, student="S2"),
            sent("other metric", 0, metric="assignment_completion"),
        )
        found = {}
        for warning in await warned(sut):
            if warning["subject"] in {"S1", "C1", "H1", "K1", "cnc", "mech", "demo", "T1"}:
                async with sut.as_(EVERYTHING) as client:
                    found[warning["level"]] = await every(client, f"/warnings/{warning['id']}/evidence", limit=1)

    ids = {level: [each["id"] for each in items] for level, items in found.items()}
    of_class = ["z", "a", "other student"]
    assert ids == {
        "student": ["z", "other class", "a"],
        "class": of_class,
        "homeroom": ["z", "other class", "a"],
        "course": of_class,
        "programme": of_class,
        "department": of_class,
        "school": ["z", "other class", "a", "other student"],
        "teacher": ["z"],
    }
    shown = found["class"][1]
    assert {name: shown[name] for name in shown if name != "position"} == SHOWN_OF_A


async def test_evidence_of_a_derived_level_is_found_over_several_reads(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.monitoring.queries.evidence._PART", 3)
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator(level="course")) as sut:
        await take(sut, array(*[sent(f"e{n}", 0, class_=("C2", "C2", "C2", "C2", "C1")[n % 5]) for n in range(25)]))
        (warning,) = await warned(sut, subject="K1")
        async with sut.as_(EVERYTHING) as client:
            for limit in (1, 2, 500):
                items = await every(client, f"/warnings/{warning['id']}/evidence", limit)
                assert [each["id"] for each in items] == ["e4", "e9", "e14", "e19", "e24"]


async def test_evidence_sums_to_the_numbers_of_the_warning(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator(level="department", window="month")) as sut:
        await take(
            sut, *[sent(f"e{n}", 0.3, 0.7, day=f"2026-03-{1 + n}", student=f"S{n % 3}", class_=f"C{n % 3}") for n in range(20)]
        )
        for warning in await warned(sut):
            async with sut.as_(EVERYTHING) as client:
                items = await every(client, f"/warnings/{warning['id']}/evidence")
            assert sum(each["numerator"] for each in items) == warning["numerator"]
            assert sum(each["denominator"] for each in items) == warning["denominator"]
