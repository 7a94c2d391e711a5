"""The overview counts what the caller may see; the timeline tells what happened."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from libs.common.event import Event
from libs.common.events.deadletters import DeadLettered
from libs.common.events.gateway import Org, SchoolAdded
from libs.common.events.monitoring import MetricDefined, WarningAcknowledged, WarningDismissed, WarningImproving
from libs.common.events.planning import (
    ImprovementClosed,
    ImprovementDueChanged,
    ImprovementOverdue,
    ImprovementPlanOverdue,
    ImprovementProgressed,
    ImprovementReturned,
    ImprovementStarted,
    ImprovementSubmitted,
    ImprovementVerified,
)
from libs.common.telemetry import WARNINGS_OPEN
from services.reporting.service import service
from tests.conftest import SettableClock
from tests.service.harness import principal, running
from tests.service.reporting.facts import cleared, escalated, id_of, opened, orgs, raised
from tests.service.reporting.streams import streaming

READER = principal("report.read")
MECH = Org(id="mech", name="机械系", kind="department")
CNC = Org(id="cnc", name="数控专业", kind="programme", parent="mech")
INFO = Org(id="info", name="信息系", kind="department")


async def test_the_overview_counts_uncleared_warnings_by_level_severity_state_unit_and_indicator(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(SchoolAdded(code="demo", name="演示学校"), orgs(MECH, CNC, INFO))
        await reporting.handle(
            raised("a", "unit:mech", "unit:cnc"),
            raised("b", "unit:mech", severity="red", level="student", indicator="s", indicator_name="学生出勤率"),
            raised("c", "unit:info"),
            raised("gone", "unit:info"),
            raised("denied", "unit:info"),
        )
        await reporting.handle(
            cleared("gone"),
            WarningDismissed(warning=id_of("denied"), by="H1", reason="停课"),
            WarningAcknowledged(warning=id_of("c"), by="T1"),
            WarningImproving(warning=id_of("b")),
        )
        async with reporting.as_(READER) as client:
            seen = (await client.get("/overview")).json()

    assert (seen["school"], seen["name"], seen["position"]) == ("demo", "演示学校", "9")
    assert seen["warnings"] == {
        "uncleared": 3,
        "by_level": {"class": 2, "student": 1},
        "by_severity": {"blue": 0, "yellow": 0, "orange": 2, "red": 1},
        "by_status": {"open": 1, "acknowledged": 1, "improving": 1, "stale": 0},
        "by_unit": [{"unit": "mech", "name": "机械系", "uncleared": 2}, {"unit": "info", "name": "信息系", "uncleared": 1}],
        "by_indicator": [
            {"indicator": "class-completion-week", "name": "班级周作业完成率", "uncleared": 2},
            {"indicator": "s", "name": "学生出勤率", "uncleared": 1},
        ],
    }


async def test_the_overview_counts_improvements_by_status_and_those_overdue(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(*(opened(name) for name in "abcd"))
        await reporting.handle(
            *(ImprovementOverdue(**about(name), due_on=date(2026, 3, 9)) for name in "ab"),
            ImprovementSubmitted(**about("b"), by="T1", done="谈话", evidence=[]),
            ImprovementClosed(**about("c"), reason="dismissed"),
        )
        async with reporting.as_(READER) as client:
            seen = (await client.get("/overview")).json()["improvements"]

    assert seen == {
        "open": 3,
        "overdue": 1,
        "by_status": {"proposed": 2, "running": 0, "submitted": 1, "returned": 0, "verified": 0, "closed": 1},
    }


async def test_what_people_found_is_counted_told_and_streamed_without_a_warning(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    none: dict[str, Any] = {"warning": None, "indicator": None, "severity": None}
    task = opened("f", "unit:info").model_copy(update={**none, "source": "mid_term_check", "unit": "info"})
    about_it: dict[str, Any] = {"improvement": task.improvement, "warning": None}
    async with running(service, database_url, tmp_path, clock) as reporting, streaming(reporting, READER) as stream:
        await stream.next()
        await reporting.handle(
            task,
            ImprovementPlanOverdue(**about_it, plan_due_on=date(2026, 3, 4)),
            ImprovementProgressed(**about_it, by="T1", text="已补一半", evidence=[]),
        )
        async with reporting.as_(READER) as client:
            overview = (await client.get("/overview")).json()
            lines = (await client.get("/timeline")).json()["items"]
        blocks = [await stream.next() for _ in range(3)]

    assert (overview["improvements"]["open"], overview["warnings"]["uncleared"]) == (1, 0)
    assert [line["text"] for line in reversed(lines)] == [
        "整改任务“数控1班：作业完成率”（中期检查发现）已下达：责任人T1，2026-03-09前完成",
        "“数控1班：作业完成率”的整改方案已逾期：应于2026-03-04前提出",
        "T1更新“数控1班：作业完成率”的进展：已补一半",
    ]
    assert {line["indicator"] for line in lines} == {None}
    assert [(block.data["warning"], block.data["severity"], block.data["source"]) for block in blocks] == [
        (None, None, "mid_term_check")
    ] * 3


async def test_overview_and_timeline_show_a_narrow_scope_only_its_own_part(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(orgs(MECH, INFO))
        await reporting.handle(
            raised("a", "unit:mech"), opened("a", "unit:mech"), raised("b", "unit:info"), opened("b", "unit:info")
        )
        await reporting.handle(raised("c", "unit:mech"), school="other")
        async with reporting.as_(principal("report.read", over=["unit:mech"])) as client:
            overview = (await client.get("/overview")).json()
            timeline = (await client.get("/timeline")).json()["items"]

    assert [unit["unit"] for unit in overview["warnings"]["by_unit"]] == ["mech"]
    assert (overview["warnings"]["uncleared"], overview["improvements"]["open"]) == (1, 1)
    assert [line["object"] for line in timeline] == [str(id_of("task of a")), str(id_of("a"))]


async def test_the_timeline_lists_newest_first_and_pages_reach_every_line_once(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    positions: list[int] = []
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(*(raised(f"w{n}") for n in range(7)))
        async with reporting.as_(READER) as client:
            cursor = None
            while True:
                answer = (await client.get("/timeline", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
                positions += [line["position"] for line in answer["items"]]
                if (cursor := answer["next"]) is None:
                    break

    assert positions == [7, 6, 5, 4, 3, 2, 1]


async def test_every_step_of_a_warning_and_its_task_is_told_in_words_and_fields(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    due = date(2026, 3, 9)
    story: list[Event] = [
        MetricDefined(
            code="assignment_completion", name="作业完成率", grain=["student", "class"], kind="ratio", direction="higher"
        ),
        raised("w"),
        opened("w"),
        WarningAcknowledged(warning=id_of("w"), by="T1"),
        ImprovementStarted(**about("w"), by="T1", measures=["谈话", "补交"], goal="0.85", deadline=due),
        WarningImproving(warning=id_of("w")),
        escalated("w"),
        ImprovementDueChanged(**about("w"), severity="red", due_on=date(2026, 3, 5)),
        ImprovementDueChanged(**about("w"), severity="red", due_on=date(2026, 3, 5), title="数控1班：作业完成率 50%"),
        ImprovementOverdue(**about("w"), due_on=date(2026, 3, 5)),
        ImprovementSubmitted(**about("w"), by="T1", done="已逐人谈话", evidence=["记录.pdf"]),
        ImprovementReturned(**about("w"), by="H1", reason="缺少记录"),
        ImprovementVerified(**about("w"), by="H1", reason="措施到位"),
        cleared("w"),
        ImprovementClosed(**about("w"), reason="verified"),
    ]
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(*story)
        async with reporting.as_(READER) as client:
            lines = (await client.get("/timeline")).json()["items"][::-1]

    assert [(line["what"], line["text"]) for line in lines] == [
        ("raised", "数控1班“班级周作业完成率”为75%（45/60），低于预警线80%：橙色预警"),
        ("opened", "整改任务“数控1班：作业完成率”已下达：责任人T1，2026-03-09前完成"),
        ("acknowledged", "T1已知悉数控1班“班级周作业完成率”的预警"),
        ("started", "T1开始“数控1班：作业完成率”：谈话、补交，2026-03-09前达成"),
        ("improving", "数控1班“班级周作业完成率”的整改已开始"),
        ("escalated", "数控1班“班级周作业完成率”为50%（30/60），越过60%：升为红色预警"),
        ("due_changed", "预警现为红色，“数控1班：作业完成率”的期限提前到2026-03-05"),
        ("due_changed", "预警现为红色，“数控1班：作业完成率 50%”的期限仍为2026-03-05"),
        ("overdue", "“数控1班：作业完成率 50%”已逾期：应于2026-03-05前提交"),
        ("submitted", "T1提交“数控1班：作业完成率 50%”：已逐人谈话"),
        ("returned", "H1退回“数控1班：作业完成率 50%”：缺少记录"),
        ("verified", "H1验收“数控1班：作业完成率 50%”：措施到位"),
        ("cleared", "数控1班“班级周作业完成率”回到90%（54/60）：预警解除"),
        ("closed", "“数控1班：作业完成率 50%”已关闭：验收通过"),
    ]
    assert lines[3] == {
        "position": 4,
        "at": "2026-03-02T12:00:00Z",
        "kind": "improvement",
        "object": str(id_of("task of w")),
        "what": "started",
        "by": "T1",
        "level": "class",
        "subject": "C1",
        "indicator": "class-completion-week",
        "text": lines[3]["text"],
        "detail": {
            "measures": ["谈话", "补交"],
            "goal": "0.85",
            "deadline": "2026-03-09",
            **dict.fromkeys(("indicator", "level", "subject")),
        },
    }


async def test_a_task_that_arrives_before_its_warning_is_kept(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(opened("w"))
        await reporting.handle(raised("w"))
        async with reporting.as_(READER) as client:
            seen = (await client.get("/overview")).json()

    assert (seen["warnings"]["uncleared"], seen["improvements"]["open"]) == (1, 1)


async def test_a_fact_about_a_warning_that_was_never_raised_goes_to_the_dead_letters(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("w"), WarningImproving(warning=uuid4()), cleared("w"))
        letters = [message.event for message in await reporting.published()]
        async with reporting.as_(READER) as client:
            seen = (await client.get("/overview")).json()

    assert [type(letter) for letter in letters] == [DeadLettered]
    assert seen["warnings"]["uncleared"] == 0


async def test_the_gauge_counts_uncleared_warnings_by_severity(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("a"), raised("b"), raised("c"), escalated("b"), cleared("c"))
        (count,) = (job for job in service.jobs if job.name == "count-warnings")
        async with reporting.database.transaction() as tx:
            await count.run(tx)

    gauge = {sample.labels["severity"]: sample.value for metric in WARNINGS_OPEN.collect() for sample in metric.samples}
    assert gauge == {"blue": 0, "yellow": 0, "orange": 1, "red": 1}


def about(name: str) -> dict[str, object]:
    return {"improvement": id_of(f"task of {name}"), "warning": id_of(name)}
