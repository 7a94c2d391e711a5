"""Warnings come by the thousand: what is taken at once is the same as one by one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from libs.common.event import Message, encode
from libs.common.events.monitoring import WarningDismissed, WarningRaised, WarningRevised, WarningWithdrawn
from libs.common.events.planning import ImprovementAssigned, ImprovementClosed, ImprovementDueChanged, ImprovementOpened
from services.planning.service import service
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, principal, running
from tests.service.planning.school import (
    METRIC,
    NOON,
    one,
    planning,
    roster,
    student_warning,
    tell,
    warning,
    without,
)
from tests.service.planning.test_opening import READER, cleared, escalated


async def test_a_batch_told_whole_again_changes_nothing_wherever_it_was_split(database_url: str, tmp_path: Path) -> None:
    raised = [warning(), student_warning(severity="yellow"), warning(severity="blue")]
    story = [
        METRIC,
        raised[0],
        raised[1],
        escalated(raised[1], "orange"),
        cleared(raised[0]),
        raised[2],
        escalated(raised[1], "red"),
        WarningDismissed(warning=raised[2].warning, by="Q1", reason="误报"),
    ]
    values = [encode(Message(uuid4(), NOON, SCHOOL, event)) for event in story]
    async with planning(database_url, tmp_path) as sut:

        async def state() -> list[dict[str, Any]]:
            async with sut.as_(READER) as client:
                items = (await client.get("/improvements")).json()["items"]
            return [await one(sut, item["id"], READER) for item in items]

        await sut.take("monitoring", *values)
        first = await state()
        told = [type(message.event) for message in await sut.published()]
        for split in range(len(values)):
            await sut.take("monitoring", *values[:split])
            await sut.take("monitoring", *values[split:])

        assert told == [ImprovementOpened] * 3 + [ImprovementDueChanged] * 2 + [ImprovementClosed]
        assert await state() == first
        assert await sut.published() == []


def revised(of: WarningRaised, severity: str, numerator: int) -> WarningRevised:
    value = Decimal(numerator) / 8
    said = {"window": of.window, "start": of.start, "value": value, "numerator": Decimal(numerator), "denominator": Decimal(8)}
    cause = {"because": "corrected", "reason": "录入有误"}
    return WarningRevised(warning=of.warning, status="open", severity=severity, line=Decimal("0.8"), **said, **cause)


async def test_what_went_forth_and_back_is_not_gone_through_again_when_it_is_told_again(database_url: str, tmp_path: Path) -> None:
    raised = warning(severity="orange")
    withdrawn = WarningWithdrawn(warning=raised.warning, because="retracted", reason="误报")
    story = [METRIC, raised, revised(raised, "yellow", 6), withdrawn, revised(raised, "orange", 5), cleared(raised)]
    values = [encode(Message(uuid4(), NOON, SCHOOL, event)) for event in story]
    async with planning(database_url, tmp_path) as sut:
        await sut.take("monitoring", *values)
        told = await sut.published()
        (id_,) = {str(message.event.improvement) for message in told}  # type: ignore[attr-defined]  # planning's facts
        first = await one(sut, id_, READER)
        for split in range(len(values)):
            await sut.take("monitoring", *values[:split])
            await sut.take("monitoring", *values[split:])

        assert await sut.published() == []
        assert await one(sut, id_, READER) == first


async def test_a_story_taken_one_by_one_ends_as_taken_at_once(tmp_path: Path) -> None:
    raised = warning(severity="yellow")
    story = [raised, escalated(raised, "red"), cleared(raised)]
    values = [encode(Message(uuid4(), NOON, SCHOOL, event)) for event in story]
    ends = []
    for name, batches in (("at_once", [values]), ("one_by_one", [[value] for value in values])):
        (tmp_path / name).mkdir()
        async with planning(f"sqlite+aiosqlite:///{tmp_path}/{name}.db", tmp_path / name) as sut:
            for batch in batches:
                await sut.take("monitoring", *batch)
            told = await sut.published()
            (id_,) = {str(message.event.improvement) for message in told}  # type: ignore[attr-defined]  # planning's facts
            ends.append((await one(sut, id_, READER), [message.id for message in told]))

    assert ends[0] == ends[1]


async def test_each_improvement_carries_the_cause_and_trace_of_its_own_warning(database_url: str, tmp_path: Path) -> None:
    traces = [f"00-{n:032x}-{n:016x}-01" for n in (1, 2)]
    messages = [Message(uuid4(), NOON, SCHOOL, warning(), traceparent=trace) for trace in traces]
    async with planning(database_url, tmp_path) as sut:
        await sut.take("monitoring", *map(encode, messages))

        told = [(message.causationid, message.traceparent) for message in await sut.published()]
        assert told == [(str(message.id), message.traceparent) for message in messages]


async def test_two_schools_with_the_same_warning_have_an_improvement_each(database_url: str, tmp_path: Path) -> None:
    raised = warning()
    async with planning(database_url, tmp_path) as sut:
        await tell(sut, raised)
        await tell(sut, raised, school="other")

        ours, theirs = await sut.published()
        assert (ours.school, theirs.school) == (SCHOOL, "other")
        assert isinstance(theirs.event, ImprovementOpened)
        assert theirs.event.owner is None  # nothing of our roster reaches another school
        async with sut.as_(principal("improvement.read", school="other")) as client:
            assert len((await client.get("/improvements")).json()["items"]) == 1


async def test_posts_that_come_after_the_warning_give_its_task_to_their_holders_unless_it_was_started(
    database_url: str, tmp_path: Path
) -> None:
    async with running(service, database_url, tmp_path, SettableClock(NOON)) as sut:
        waiting, started, elsewhere = (
            warning(),
            warning(),
            warning(places=["school:demo", "unit:art", "class:ART1"], subject="ART1"),
        )
        await tell(sut, waiting, started, elsewhere)
        ids = [str(m.event.improvement) for m in await sut.published() if isinstance(m.event, ImprovementOpened)]
        async with sut.as_(principal("improvement.work", id="Q9")) as office:
            assert (await office.post(f"/improvements/{ids[1]}/start")).status_code == 200
        await sut.published()

        await tell(sut, roster(last=False))
        assert await sut.published() == []
        await tell(
            sut, roster(part="i1/2"), without("department_head", "quality_office"), without("department_head", "quality_office")
        )

        told = [message.event for message in await sut.published()]
        assert all(isinstance(event, ImprovementAssigned) for event in told)
        shown = [await one(sut, id_, READER) for id_ in ids]
        assert [(item["owner"], item["verifier"]) for item in shown] == [("T3", "L1"), (None, None), (None, "B1")]
        assert shown[0]["vacant"] == []
        assert [entry["step"] for entry in shown[0]["history"]] == ["opened", "assigned", "assigned"]
        await tell(sut, without())
        last = [await one(sut, id_, READER) for id_ in ids]
        assert [(item["owner"], item["verifier"]) for item in last] == [("T3", "L1"), (None, None), ("Q1", "Q2")]
        assert last[2]["vacant"] == ["teacher", "course_leader", "department_head"]
