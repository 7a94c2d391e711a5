"""What an improvement has changed is measured once its windows are over, told exactly once, and again when late data changes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from libs.common.events.monitoring import EffectMeasured
from libs.common.events.planning import ImprovementClosed, ImprovementReopened, ImprovementStarted, ImprovementVerified
from services.monitoring.commands import effects as measuring
from services.monitoring.domain.effect import EFFECT, NONE, TOO_FEW, WORSE
from services.monitoring.queries.effects import list_measuring
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.monitoring.world import correction, indicator, monitoring, retraction, roster, sent, take, warned

READER = principal("warning.read")
ALIKE = [f"P{n:02}" for n in range(12)]  # as low before as C1
FINE = [f"Q{n:02}" for n in range(10)]
BEFORE, BETWEEN, THEN, THEN2 = "2026-03-03", "2026-03-11", "2026-03-17", "2026-03-24"
WEEKLY = indicator(min_denominator=Decimal(50), effect_windows=2, clear_after_windows=9)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+08:00").astimezone(UTC)


@asynccontextmanager
async def school(url: str, folder: Path, *indicators: Any) -> AsyncIterator[tuple[ServiceUnderTest, SettableClock]]:
    """22 classes and C1; in the week of 2 March half of them and C1 are low. The clock stands at the Monday after."""
    clock = SettableClock(noon("2026-03-09"))
    async with monitoring(url, folder, clock, roster(), *(indicators or (WEEKLY,))) as sut:
        low = [reading(f"b-{code}", code, 70 + n % 3, BEFORE) for n, code in enumerate(ALIKE)]
        await take(sut, *low, *(reading(f"b-{code}", code, 100, BEFORE) for code in FINE), reading("b-C1", "C1", 70, BEFORE))
        await sut.published()
        yield sut, clock


def reading(id: str, code: str, numerator: int, day: str, **said: Any) -> bytes:  # noqa: A002 - as the attribute is called
    return sent(id, numerator, 100, class_=code, day=day, **said)


async def afterwards(sut: ServiceUnderTest, clock: SettableClock, own: int, others: int = 75) -> None:
    """Two weeks later: what C1 has, and about what everybody else has."""
    clock.now = noon("2026-03-25")
    for day in (THEN, THEN2):
        events = [reading(f"{day}-{code}", code, others + n % 4, day) for n, code in enumerate([*ALIKE, *FINE])]
        await take(sut, *events, reading(f"{day}-C1", "C1", own, day))


async def start(sut: ServiceUnderTest, subject: str = "C1", day: str = "2026-03-09") -> UUID:
    """Start the improvement of a subject's warning."""
    improvement = uuid4()
    (warning,) = await warned(sut, subject=subject)
    plan = {"by": "T1", "measures": ["谈话"], "goal": "≥80%", "deadline": date(2026, 3, 20)}
    await sut.handle(ImprovementStarted(improvement=improvement, warning=UUID(warning["id"]), **plan), at=noon(day))
    return improvement


async def verify(sut: ServiceUnderTest, improvement: UUID, day: str = "2026-03-13") -> None:
    await sut.handle(ImprovementVerified(improvement=improvement, warning=uuid4(), by="L1"), at=noon(day))


async def improved(sut: ServiceUnderTest) -> UUID:
    improvement = await start(sut)
    await verify(sut, improvement)
    return improvement


async def run(sut: ServiceUnderTest) -> list[EffectMeasured]:
    """What one run of the job tells."""
    await sut.run("measure-effects")
    return [message.event for message in await sut.published() if isinstance(message.event, EffectMeasured)]


async def fails(sut: ServiceUnderTest) -> None:
    """A run of the job that comes to its end, and is not committed."""
    async with sut.database.transaction() as tx:
        tx.school = SCHOOL
        await measuring.measure(tx)
        raise ZeroDivisionError


async def effects(sut: ServiceUnderTest, who: Any = READER, code: str = "rate") -> Any:
    async with sut.as_(who) as client:
        answer = await client.get("/effects", params={"indicator": code})
    return json.loads(answer.text, parse_float=Decimal) if answer.status_code == 200 else answer


async def test_an_effect_is_measured_once_as_many_windows_as_the_indicator_asks_for_are_over(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as (sut, clock):
        improvement = await improved(sut)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-29")
        assert await run(sut) == []  # Sunday: the second week is not over
        clock.now = datetime(2026, 3, 29, 16, 0, tzinfo=UTC)  # midnight in Shanghai
        (told,) = await run(sut)
        assert (told.improvement, told.verdict, told.revision, told.peers) == (improvement, EFFECT, 1, 12)
        spans = [str(day) for day in (told.before_from, told.before_to, told.after_from, told.after_to)]
        assert spans == ["2026-03-02", "2026-03-08", "2026-03-16", "2026-03-29"]
        assert (told.before, told.after, told.windows, told.better) == (Decimal("0.7"), Decimal("0.95"), 2, 1)
        assert (told.peers_before, told.peers_after) == (Decimal("0.71"), Decimal("0.765"))
        assert told.difference == Decimal("0.195")
        assert told.low is not None
        assert told.high is not None
        assert 0 < told.low < Decimal("0.195") < told.high
        assert told.low + told.high == Decimal("0.39")
        for later in ("2026-03-30", "2026-04-01"):
            clock.now = noon(later)
            assert await run(sut) == []


async def test_a_school_is_held_once_a_day_while_windows_are_waited_for_and_else_only_for_what_is_due(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as (sut, clock):
        assert await waiting(sut) == []
        await improved(sut)
        for instant in (noon("2026-03-14"), datetime(2026, 3, 14, 16, 0, tzinfo=UTC)):  # the second is midnight in Shanghai
            clock.now = instant
            assert await waiting(sut) == [SCHOOL]
            await run(sut)
            assert await waiting(sut) == []
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        await run(sut)
        clock.now = noon("2026-03-31")
        assert await waiting(sut) == [], "it is measured"
        await take(sut, reading("late", "P00", 99, THEN))
        assert await waiting(sut) == [SCHOOL]
        clock.now = noon("2029-01-01")
        await run(sut)
        assert await waiting(sut) == []


async def waiting(sut: ServiceUnderTest) -> list[str]:
    async with sut.database.reading() as session:
        return await list_measuring(session, sut.database.now())


async def test_where_many_subjects_are_read_a_run_measures_only_what_compares_the_same_days(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "MOST_READ", 1)
    async with school(sqlite_url, tmp_path) as (sut, clock):
        began = [("C1", "2026-03-04"), ("P00", "2026-03-06"), ("P01", "2026-03-06")]
        for subject, day in began:
            await verify(sut, await start(sut, subject, day))
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        told = [sorted(each.subject for each in await run(sut)) for _ in range(3)]
        assert told == [["C1"], ["P00", "P01"], []]


async def test_what_everybody_gained_is_no_effect_and_what_fell_beside_them_is_worse(database_url: str, tmp_path: Path) -> None:
    for own, verdict in ((76, NONE), (50, WORSE)):
        folder = tmp_path / str(own)
        folder.mkdir()
        url = database_url if own == 76 else f"sqlite+aiosqlite:///{folder}/service.db"
        async with school(url, folder) as (sut, clock):
            await improved(sut)
            await afterwards(sut, clock, own)
            clock.now = noon("2026-03-30")
            assert [told.verdict for told in await run(sut)] == [verdict]


async def test_late_data_of_the_subject_or_a_peer_makes_a_revision_and_other_data_none(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as (sut, clock):
        await improved(sut)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-31")
        (first,) = await run(sut)
        await take(sut, reading("today", "C1", 10, "2026-03-31"), reading("between", "C1", 10, BETWEEN))
        await take(sut, reading("other-metric", "C1", 1, THEN, metric="assignment_completion"))
        assert await run(sut) == []
        await take(sut, reading("late", "C1", 75, THEN))
        (second,) = await run(sut)
        assert (second.revision, second.after) == (2, Decimal("0.883333"))
        await take(sut, correction("fixed", f"b-{ALIKE[0]}", 71, 100, class_=ALIKE[0], day=BEFORE))
        (third,) = await run(sut)
        assert (third.revision, third.after) == (3, second.after)
        assert third.peers_before != second.peers_before
        await take(sut, retraction("away", "late", class_="C1", day=THEN))
        (fourth,) = await run(sut)
        assert (fourth.revision, fourth.after) == (4, first.after)
        await take(sut, reading("unlike", "Z9", 100, THEN))  # measured then, but not before: nobody's peer
        assert await run(sut) == []


async def test_a_run_that_fails_leaves_everything_to_the_next_one(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as (sut, clock):
        await improved(sut)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        with pytest.raises(ZeroDivisionError):
            await fails(sut)
        await take(sut, reading("late", "C1", 75, THEN))  # counted between: the next run sees it
        (told,) = await run(sut)
        assert (told.revision, told.after) == (1, Decimal("0.883333"))
        assert await run(sut) == []


async def test_on_whom_an_improvement_was_under_way_is_nobodys_peer(sqlite_url: str, tmp_path: Path) -> None:
    """Started within the days that are compared, or before them and not over; one that was over before them is a peer again."""
    async with school(sqlite_url, tmp_path) as (sut, clock):
        await start(sut, ALIKE[0], "2026-03-20")
        await verify(sut, await start(sut, ALIKE[1]), "2026-03-10")
        await start(sut, ALIKE[2], "2026-03-30")  # after the last of the days
        dismissed = await start(sut, ALIKE[3])
        await sut.handle(ImprovementClosed(improvement=dismissed, warning=uuid4(), reason="dismissed"), at=noon("2026-02-20"))
        again = await start(sut, ALIKE[4])
        for fact in (
            ImprovementClosed(improvement=again, warning=uuid4(), reason="withdrawn"),
            ImprovementReopened(improvement=again, warning=uuid4(), status="running", reason="误撤"),
        ):
            await sut.handle(fact, at=noon("2026-02-20"))
        mine = await improved(sut)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        peers = {told.improvement: told.peers for told in await run(sut)}
        assert peers[mine] == 12 - 3


async def test_fewer_than_eight_peers_are_not_judged(sqlite_url: str, tmp_path: Path) -> None:
    async with school(sqlite_url, tmp_path) as (sut, clock):
        for code in ALIKE[:5]:
            await start(sut, code)
        await improved(sut)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        (told,) = await run(sut)
        assert (told.verdict, told.peers, told.difference, told.low, told.high) == (TOO_FEW, 7, None, None, None)
        assert (told.before, told.after) == (Decimal("0.7"), Decimal("0.95"))


async def test_what_people_found_is_measured_by_its_indicator_from_the_newest_window_with_enough_data(
    database_url: str, tmp_path: Path
) -> None:
    plan = {"by": "T1", "measures": ["谈话"], "goal": "≥80%", "deadline": date(2026, 3, 20), "warning": None}
    async with school(database_url, tmp_path) as (sut, clock):
        improvement = uuid4()
        about = {"indicator": "rate", "level": "class", "subject": "C1"}
        await sut.handle(ImprovementStarted(improvement=improvement, **plan, **about), at=noon("2026-03-10"))
        for other in ({}, {**about, "indicator": "nothing"}, {**about, "subject": "nobody"}, {**about, "level": "course"}):
            await sut.handle(ImprovementStarted(improvement=(lost := uuid4()), **plan, **other), at=noon("2026-03-10"))
            await verify(sut, lost)
        await verify(sut, improvement)
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        (told,) = await run(sut)
        assert (told.improvement, told.warning, told.subject, told.verdict, told.better) == (improvement, None, "C1", EFFECT, 1)
        assert (str(told.before_from), str(told.before_to)) == ("2026-03-02", "2026-03-08"), "in the week of the 9th is nothing yet"
        seen = [principal("warning.read", over=[over]) for over in ("class:C1", "unit:mech", "unit:arts")]
        assert [(await effects(sut, who))["improvements"] for who in seen] == [1, 1, 0]


async def test_windows_without_data_are_waited_for_and_without_the_school_saying_so_there_are_four_weeks(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with school(sqlite_url, tmp_path, indicator(min_denominator=Decimal(50))) as (sut, clock):
        await improved(sut)
        for week, day in enumerate(("2026-03-17", "2026-03-31", "2026-04-07", "2026-04-14")):
            clock.now = noon(day)
            assert await run(sut) == []
            await take(sut, *(reading(f"{week}-{code}", code, 75 + n % 4, day) for n, code in enumerate([*ALIKE, "C1"])))
        clock.now = noon("2026-04-20")
        (told,) = await run(sut)
        assert (told.windows, str(told.after_from), str(told.after_to)) == (5, "2026-03-16", "2026-04-19")


async def test_an_improvement_that_is_not_verified_or_not_known_is_never_measured(sqlite_url: str, tmp_path: Path) -> None:
    async with school(sqlite_url, tmp_path) as (sut, clock):
        dismissed = await start(sut)
        await sut.handle(ImprovementClosed(improvement=dismissed, warning=uuid4(), reason="dismissed"), at=noon("2026-03-12"))
        plan = {"by": "T1", "measures": ["谈话"], "goal": "≥80%", "deadline": date(2026, 3, 20)}
        await sut.handle(ImprovementStarted(improvement=uuid4(), warning=uuid4(), **plan))
        await verify(sut, uuid4())
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-05-30")
        assert await run(sut) == []
        assert (await effects(sut))["improvements"] == 0


async def test_all_improvements_of_an_indicator_have_a_mean_gain_within_what_the_caller_sees(
    sqlite_url: str, tmp_path: Path
) -> None:
    async with school(sqlite_url, tmp_path, WEEKLY) as (sut, clock):
        more = [f"R{n:02}" for n in range(8)]
        await take(sut, *(reading(f"b-{code}", code, 70 + n % 3, BEFORE) for n, code in enumerate(more)))
        for code in (*more, "C1"):
            await verify(sut, await start(sut, code))
        clock.now = noon("2026-03-25")
        for day in (THEN, THEN2):
            await take(sut, *(reading(f"{day}-{code}", code, 94 + n % 3, day) for n, code in enumerate(more)))
        await afterwards(sut, clock, own=95)
        clock.now = noon("2026-03-30")
        assert {told.verdict for told in [*await run(sut), *await run(sut)]} == {EFFECT}
        whole = await effects(sut)
        assert (whole["improvements"], whole["verdicts"], whole["verdict"]) == (9, {"effect": 9}, EFFECT)
        assert 0 < whole["low"] < Decimal("0.18") < whole["gain"] < Decimal("0.19") < whole["high"]
        mine = await effects(sut, principal("warning.read", over=["class:C1"]))
        assert (mine["improvements"], mine["verdict"], mine["gain"]) == (1, TOO_FEW, None)
        assert (await effects(sut, principal("warning.read", over=["class:C2"])))["improvements"] == 0
        assert (await effects(sut, code="nothing")).status_code == 422


@pytest.mark.parametrize(("kind", "numbers"), [("latest", (95, 100)), ("sum", (95, 1))])
async def test_every_kind_of_metric_is_compared_in_its_own_way(sqlite_url: str, tmp_path: Path, kind: str, numbers: Any) -> None:
    """Of `latest` the newest observation counts; sums are said per window, so that four weeks are no four times one week."""
    clock = SettableClock(noon("2026-03-09"))
    lines = {"orange": ("0.8", "0.8")} if kind == "latest" else {"orange": ("80", "80")}
    of_one = numbers[1]
    async with monitoring(sqlite_url, tmp_path, clock, roster()) as sut:
        async with sut.as_(principal("metric.write", "metric.read")) as client:
            body = {"code": "m", "name": "某数", "grain": ["class"], "kind": kind, "direction": "higher"}
            assert (await client.post("/metrics", json=body)).status_code == 201
        await sut.handle(indicator(lines=lines, metric="m", effect_windows=2))

        def readings(day: str, own: int, others: int, spread: int = 4) -> list[bytes]:
            said: dict[str, Any] = {"metric": "m", "student": None, "day": day}
            values = [("C1", own), *((code, others + n % spread) for n, code in enumerate(ALIKE)), *((code, 100) for code in FINE)]
            return [sent(f"{day}-{code}", each, of_one, class_=code, **said) for code, each in values]

        await take(sut, *readings(BEFORE, 70, 70, spread=3))
        await improved(sut)
        clock.now = noon("2026-03-25")
        await take(sut, *readings(THEN, 60, 10), *readings(THEN2, 95, 70))
        clock.now = noon("2026-03-30")
        (told,) = await run(sut)
        unit = 1 if kind == "sum" else 100
        mean = Decimal("77.5") if kind == "sum" else Decimal(95)
        assert (told.after, told.peers) == (mean / unit, 12)
        assert (told.peers_after, told.verdict) == ((Decimal("41.5") if kind == "sum" else Decimal("71.5")) / unit, EFFECT)
