"""What the clock does, and what a school sets."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from libs.common.events.planning import ImprovementOpened, ImprovementOverdue
from services.planning.service import service
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import NOON, one, planning, tell, warning

ALL = principal("improvement.read", "improvement.work", "settings.write", id="Q1")


async def tick(sut: ServiceUnderTest) -> list[ImprovementOverdue]:
    """Run the job once and return what is newly overdue."""
    await sut.run("overdue")
    return [m.event for m in await sut.published() if isinstance(m.event, ImprovementOverdue)]


async def test_a_task_is_called_overdue_once_when_its_due_date_has_passed_in_the_schools_zone(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        raised = warning(severity="red")  # due on the 9th
        await tell(sut, raised)
        (message,) = await sut.published()
        assert isinstance(message.event, ImprovementOpened)
        id_ = message.event.improvement

        clock.now = NOON.replace(day=9, hour=15, minute=59)  # 23:59 on the 9th in Shanghai
        assert await tick(sut) == []
        assert not (await one(sut, id_, ALL))["overdue"]

        clock.now = NOON.replace(day=9, hour=16)
        assert (await one(sut, id_, ALL))["overdue"]
        assert await tick(sut) == [ImprovementOverdue(improvement=id_, warning=raised.warning, due_on=date(2026, 3, 9))]
        assert await tick(sut) == []
        assert [entry["step"] for entry in (await one(sut, id_, ALL))["history"]] == ["opened", "plan_overdue", "overdue"]


async def test_submitted_work_is_never_overdue(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(ALL) as client:
        await tell(sut, warning(severity="blue"))
        (message,) = await sut.published()
        assert isinstance(message.event, ImprovementOpened)
        id_ = message.event.improvement
        await client.post(f"/improvements/{id_}/start")
        await client.post(f"/improvements/{id_}/submit", json={"done": "已谈话"})
        clock.advance(days=60)

        assert await tick(sut) == []
        assert not (await one(sut, id_, ALL))["overdue"]


async def test_a_school_reads_the_defaults_and_its_own_settings_rule_what_is_opened_next(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        await tell(sut, warning())
        defaults = (await client.get("/settings")).json()
        assert defaults["due_days"] == {"blue": 30, "yellow": 21, "orange": 14, "red": 7}
        own = {"due_days": {"orange": 10}, "measures": {"class": ["补课"]}, "owners": {"class": ["course_leader"]}}

        changed = await client.put("/settings", json=own)

        assert changed.status_code == 200
        assert changed.json() == (await client.get("/settings")).json()
        assert changed.json()["due_days"] == {**defaults["due_days"], "orange": 10}
        await tell(sut, warning())
        first, second = [m.event for m in await sut.published() if isinstance(m.event, ImprovementOpened)]
        assert (first.owner, first.due_on) == ("T3", date(2026, 3, 16))
        assert (second.owner, second.due_on, second.verifier) == ("L1", date(2026, 3, 12), "D1")
        assert (await one(sut, second.improvement, ALL))["proposed_plan"]["measures"] == ["补课"]
        async with sut.as_(principal("improvement.read", school="other")) as stranger:
            assert (await stranger.get("/settings")).json() == defaults


async def test_settings_are_changed_only_over_the_whole_school_and_only_to_what_makes_sense(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(ALL) as client:
        async with sut.as_(principal("settings.write", over=["unit:mech"])) as head:
            assert (await head.put("/settings", json={})).status_code == 403
        async with sut.as_(principal("improvement.read")) as reader:
            assert (await reader.put("/settings", json={})).status_code == 403
        refused = await client.put("/settings", json={"due_days": {"red": "7"}})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/due_days/red")
        assert (await client.put("/settings", json={"colour": "red"})).status_code == 422
        assert (await client.put("/settings", json={"countdown_days": [-1]})).status_code == 422
        assert (await client.put("/settings", json={"due_days": {"red": 60}})).status_code == 422
        assert (await client.get("/settings")).json()["due_days"]["red"] == 7


def test_all_that_the_clock_does_goes_school_by_school() -> None:
    assert [job.name for job in service.jobs if job.schools is None] == []
