"""Each observation counts once, bad ones go aside alone, and the first of two contents stands (promises P2, P3, P10)."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.common.events.deadletters import DeadLettered
from tests.conftest import SettableClock
from tests.service.harness import principal
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    array,
    digest,
    every,
    indicator,
    letters,
    measured,
    monitoring,
    sent,
    take,
    warned,
)

LEVELS = ("student", "class", "homeroom", "course", "programme", "department", "school")


async def test_an_observation_counts_once_at_each_level(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a", 1, 2, teacher="T1", lesson="L1"))

        found = {level: await measured(sut, level) for level in (*LEVELS, "teacher", "lesson")}

    subjects = {
        "student": "S1",
        "class": "C1",
        "homeroom": "H1",
        "course": "K1",
        "programme": "cnc",
        "department": "mech",
        "school": "demo",
        "teacher": "T1",
        "lesson": "L1",
    }
    assert found == {level: [(subject, "2026-03-02", 1, 2)] for level, subject in subjects.items()}


async def test_an_observation_counts_once_however_often_and_in_whatever_batches_it_comes(database_url: str, tmp_path: Path) -> None:
    events = [sent(f"e{n}", n % 2, 1, day=f"2026-03-{2 + n % 5:02}", student=f"S{1 + n % 3}") for n in range(20)]
    later = [event.replace(b'"time": "2026', b'"time": "2025') for event in events]
    async with monitoring(database_url, tmp_path, lambda: NOW, indicator()) as sut:
        await take(sut, *events)
        once = await digest(sut)
        for seed in range(3):
            again = events + later
            random.Random(seed).shuffle(again)
            await take(sut, *again[:7], array(*again[7:30]), again[7], *again[30:])

        assert await digest(sut) == once
        assert sum(n for *_, n, _ in await measured(sut, "school")) == 10
        async with sut.as_(EVERYTHING) as client:
            assert await every(client, "/conflicts") == []


async def test_an_id_that_stands_twice_in_one_batch_counts_once(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, array(sent("a"), sent("a")), sent("a", time="2026-03-04T10:00:00Z"))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 1)]


async def test_the_same_id_of_two_sources_is_two_observations(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a", source="urn:one"), sent("a", 0, source="urn:two"))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 2)]


async def test_other_content_under_a_counted_id_is_listed_once_and_the_first_stands(database_url: str, tmp_path: Path) -> None:
    first, other, third = sent("a", 1), sent("a", 0), sent("a", 0.5)
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, first, other)
        await take(sut, array(other, third), first)
        await take(sut, third, other)

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 1)]
        async with sut.as_(EVERYTHING) as client:
            listed = await every(client, "/conflicts", limit=1)
    assert [each["refused"] for each in listed] == [json.loads(third, parse_float=Decimal), json.loads(other)], "newest first"
    for each in listed:
        assert (each["source"], each["id"]) == ("urn:campus:demo:lms", "a")
        assert (each["counted"]["numerator"], each["counted"]["denominator"]) == (1, 1)
        assert each["counted"]["references"] == {"student": "S1", "class": "C1"}


async def test_numbers_written_otherwise_are_no_other_content(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, *[sent("a", 1).replace(b'"numerator": 1', b'"numerator": ' + way) for way in (b"1", b"1.0", b"10e-1")])

        async with sut.as_(EVERYTHING) as client:
            assert await every(client, "/conflicts") == []


async def test_a_conflict_whose_event_carries_a_number_that_no_float_holds_is_listed(sqlite_url: str, tmp_path: Path) -> None:
    strange = sent("a", 0, attributes={"huge": "X"}).replace(b'"X"', b"1e400")
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"))
        await take(sut, strange, sent("b"))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 2, 2)]
        async with sut.as_(EVERYTHING) as client:
            assert len(await every(client, "/conflicts")) == 1


async def test_another_schools_conflicts_are_not_listed(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"), sent("a", 0))

        async with sut.as_(principal("conflict.read", school="other")) as client:
            assert await every(client, "/conflicts") == []
        async with sut.as_(principal("warning.read")) as client:
            assert (await client.get("/conflicts")).status_code == 403


# --- what cannot be counted ------------------------------------------------------------------------------------------

BAD: dict[str, tuple[bytes, str]] = {
    "unknown metric": (sent("x", metric="speed"), "no metric of this school is called 'speed'"),
    "less than the grain": (sent("x", student=None), "/data/student"),
    "a student too many": (sent("x", metric="lesson_attendance", lesson="L1"), "not observed per student"),
    "zero denominator": (sent("x", 0, 0), "/data/denominator"),
    "negative": (sent("x", -1), "/data/numerator"),
    "seven decimals": (sent("x", 0.1234567), "0.000001"),
    "too large": (sent("x", 10**9), "1,000,000,000"),
    "unknown field": (sent("x", colour="red"), "/data/colour"),
    "empty id": (sent(""), "/id"),
    "no zone": (sent("x", time="2026-03-02T10:00:00"), "/time"),
    "too early": (sent("x", time="1999-12-31T10:00:00Z"), "/time"),
    "too far ahead": (sent("x", time="2026-04-02T06:00:00Z"), "24 hours ahead"),
    "another school": (sent("x", attributes={"school": "other"}), "/school"),
    "a correction of nothing": (sent("x").replace(b"observation.v1", b"observation.corrected.v1"), "/data/corrects"),
    "an unknown type": (sent("x").replace(b"observation.v1", b"observation.v7"), "/type"),
    "no source": (sent("x").replace(b'"source"', b'"origin"'), "'source' is missing"),
    "a key twice": (sent("x").replace(b'"id"', b'"id": "y", "id"'), "twice"),
    "not UTF-8": (sent("X").replace(b'"X"', b'"\xff"'), "UTF-8"),
    "too deep": (sent("x", attributes={"deep": "X"}).replace(b'"X"', b"[" * 40 + b"]" * 40), "32 levels"),
    "not an object": (b"17", "object"),
}


async def test_one_bad_event_goes_aside_alone_with_its_cause(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        for n, (what, (bad, cause)) in enumerate(BAD.items()):
            await take(sut, sent(f"a{n}"), array(sent(f"b{n}"), bad, sent(f"c{n}")), bad, sent(f"d{n}"))

            found = await letters(sut)
            assert len({letter.letter for letter in found}) == 1, f"{what}: put aside again it is the same letter"
            assert found[0].payload == bad.decode("utf-8", "backslashreplace"), what
            assert cause in found[0].detail, what
            assert (found[0].service, found[0].topic, found[0].key) == ("monitoring", "observations", "demo")

        assert await measured(sut, "student") == [("S1", "2026-03-02", 4 * len(BAD), 4 * len(BAD))]


async def test_a_record_that_is_not_json_goes_aside_whole_and_the_rest_counts(sqlite_url: str, tmp_path: Path) -> None:
    texts = [b"", b"nonsense", b"[", b'[{"a":NaN}]', b"[1,]", sent("x")[:-1], b"[" * 100_000]
    async with monitoring(sqlite_url, tmp_path) as sut:
        for n, text in enumerate(texts):
            await take(sut, sent(f"a{n}"), text, array(sent(f"b{n}"), sent(f"c{n}")))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 3 * len(texts), 3 * len(texts))]
        assert [letter.payload.encode() for letter in await letters(sut)] == texts


async def test_observations_of_an_unknown_school_go_aside_and_other_schools_count(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.take("observations", sent("a"), sent("b"), school="nowhere")
        (one, two) = await letters(sut)
        await take(sut, sent("a"))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 1)]
    assert (one.key, two.key) == ("nowhere", "nowhere")
    assert "no school is called 'nowhere'" in one.detail


async def test_a_letter_that_is_sent_again_after_the_cause_is_mended_counts(sqlite_url: str, tmp_path: Path) -> None:
    speed = sent("a", metric="speed")
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, speed)
        (letter,) = await letters(sut)
        await metric(sut, code="speed", name="速度", grain=["student"], kind="ratio", direction="higher")
        await take(sut, letter.payload.encode())
        await take(sut, letter.payload.encode())

        assert await measured(sut, "student", metric="speed") == [("S1", "2026-03-02", 1, 1)]
        assert not [each for each in await sut.published() if isinstance(each.event, DeadLettered)]


async def metric(sut: Any, **body: Any) -> None:
    async with sut.as_(EVERYTHING) as client:
        assert (await client.post("/metrics", json=body)).status_code == 201


async def test_late_is_never_refused_and_a_time_within_a_day_ahead_counts(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        ahead = (NOW + timedelta(hours=24)).isoformat()
        await take(sut, sent("old", time="2000-01-01T00:00:00Z"), sent("new", time=ahead))

        assert [start for _, start, *_ in await measured(sut, "student")] == ["2000-01-01", "2026-04-01"]
        assert await letters(sut) == []


async def test_an_observation_falls_on_the_day_of_its_school(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, timezone="America/New_York") as sut:
        await take(
            sut,
            sent("a", time="2026-03-08T04:59:59Z"),  # 23:59:59 of the 7th: the night before the clocks go forward
            sent("b", time="2026-03-09T03:59:59Z"),  # 23:59:59 of the 8th, a day of 23 hours
            sent("c", time="2026-03-09T12:00:00+08:00"),  # midnight of the 9th
        )

        assert [start for _, start, *_ in await measured(sut, "student")] == ["2026-03-07", "2026-03-08", "2026-03-09"]


async def test_sums_are_exact_where_floats_are_not(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, array(*[sent(f"e{n}", 0.1, 0.3) for n in range(1000)]), sent("tiny", 0.000001, 999_999_999.999999))

        ((_, _, numerator, denominator),) = await measured(sut, "school")
    assert (numerator, denominator) == (Decimal("100.000001"), Decimal("1000000299.999999"))


async def test_a_sum_past_what_the_database_holds_never_becomes_a_float(database_url: str, tmp_path: Path) -> None:
    """Millionths past 2^63: the observation is a dead letter (architecture, "Traps"), and the sum stays exact."""
    most = Decimal("999999999.999999")
    async with monitoring(database_url, tmp_path) as sut:
        for part in range(5):
            await take(
                sut, array(*[sent(f"e{part}-{n}", float(most), float(most), day=f"2026-03-0{1 + part}") for n in range(1000)])
            )
        whole = await digest(sut)
        put_aside = await letters(sut)
        await take(sut, sent("e0-0", float(most), float(most)), sent("small", 9000, 9000), sent("new", float(most), float(most)))
        ((_, _, numerator, denominator),) = await measured(sut, "school", window="year")

    assert len(put_aside) == 389
    assert {"past what is added up exactly" in letter.detail for letter in put_aside} == {True}
    assert all(type(number) is int for row in whole[0] for number in row[5:7])
    assert numerator == denominator == 4611 * most + 9000, "what is small, or was counted before, is not refused"


async def test_evidence_gives_the_time_to_the_microsecond(sqlite_url: str, tmp_path: Path) -> None:
    times = [f"2026-03-02T00:00:00.{micro:06}Z" for micro in range(1, 1_000_000, 9_973)]
    clock = SettableClock(NOW)
    async with monitoring(sqlite_url, tmp_path, clock, indicator()) as sut:
        await take(sut, array(*[sent(f"e{n}", 0, time=time) for n, time in enumerate(times)]))
        (warning,) = await warned(sut)
        async with sut.as_(EVERYTHING) as client:
            shown = [each["time"] for each in await every(client, f"/warnings/{warning['id']}/evidence")]

    assert shown == times
