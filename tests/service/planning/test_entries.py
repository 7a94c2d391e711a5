"""Registers: each kind of entry is strict, somebody else verifies, and an entry is seen by who covers its unit or its student."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import made, seen
from tests.service.planning.school import NOON, tell, warning
from tests.service.planning.test_guarantees import HEAD, LEADER, OFFICE, WRITE, guaranteed

DAY = "2026-03-01"
MARCH_20 = datetime(2026, 3, 20, 4, 0, tzinfo=UTC)
TRAINING = {"unit": "mech", "on": DAY, "form": "走出去", "topic": "数据采集", "hours": 6.5, "attendees": ["T1", "T2"]}
MEETING = {"on": DAY, "body": "质量保证委员会", "minutes": "通报进展", "decisions": ["整改三项"]}
HAZARD = {
    "unit": "mech",
    "on": DAY,
    "danger": "防火",
    "place": "3号楼",
    "what": "灭火器过期",
    "due_on": "2026-03-10",
    "owner": "T1",
}
INCIDENT = {"unit": "cnc", "on": DAY, "incident": "教学", "grade": "三级", "what": "停课", "due_on": "2026-03-16", "owner": "T2"}
DRILL = {"unit": "mech", "on": DAY, "danger": "防火", "participants": 240, "findings": "疏散用时过长"}
CONTINGENCY = {
    "on": DAY,
    "name": "消防应急预案",
    "mechanism": "safety",
    "metrics": ["assignment_completion"],
    "steps": ["疏散", "报警"],
    "contacts": [{"post": "office_head", "task": "现场指挥"}],
}
CONTROL = {"unit": "mech", "on": DAY, "matter": "实训设备采购", "amount": 120_000.5, "decision": "党委会同意"}
AID = {"on": DAY, "student": "S1", "aid": "助学金", "amount": 1500, "due_on": "2026-03-15"}
ACTIVITY = {"unit": "mech", "on": DAY, "name": "质量文化月", "participants": 300}
ENTRIES: dict[str, dict[str, Any]] = {
    "training": TRAINING,
    "meeting": MEETING,
    "hazard": HAZARD,
    "incident": INCIDENT,
    "drill": DRILL,
    "contingency": CONTINGENCY,
    "control": CONTROL,
    "aid": AID,
    "activity": ACTIVITY,
}
TOLD = {"on": "2026-03-02", "text": "已更换"}
CLASS_TEACHER = principal("guarantee.read", id="H1", over=["class:CNC2301"])
STUDENT = principal("guarantee.read", id="S1", over=["student:S1"])
OTHER = principal(*WRITE, id="C1", over=["unit:art", "student:S2"])


async def test_every_kind_of_entry_is_kept_as_it_was_written(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        for kind, said in ENTRIES.items():
            written = await made(client, f"/entries/{kind}", said, 201)
            assert said.items() <= written["entry"].items()
            assert (await client.get(f"/entries/{written['id']}")).json() == written
            assert [each["step"] for each in written["history"]] == ["written"]
            found = (await client.get("/entries", params={"kind": kind})).json()["items"]
            assert [each["id"] for each in found] == [written["id"]]
        assert len((await client.get("/entries?unit=mech")).json()["items"]) == 5
        first = (await client.get("/entries?limit=5")).json()
        rest = (await client.get("/entries", params={"limit": 5, "cursor": first["next"]})).json()
        assert len({each["id"] for each in first["items"] + rest["items"]}) == len(ENTRIES)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((kind, {"colour": "red"}, "/colour") for kind in ENTRIES),
    *((kind, {"on": "2026-03-03"}, "/on") for kind in ENTRIES if kind not in {"hazard", "incident", "aid"}),
    *((kind, {"unit": "nowhere"}, "/unit") for kind in ENTRIES),
    ("training", {"form": "网上"}, "/form"),
    ("training", {"hours": 0}, "/hours"),
    ("training", {"attendees": []}, "/attendees"),
    ("training", {"attendees": ["T1", "T1"]}, "/attendees"),
    ("training", {"attendees": ["T1", "S1", "X1"]}, "/attendees/2"),
    ("meeting", {"minutes": " "}, "/minutes"),
    ("hazard", {"danger": "防雷"}, "/danger"),
    ("hazard", {"owner": "S1"}, "/owner"),
    ("hazard", {"due_on": "2026-02-28"}, "/due_on"),
    ("incident", {"what": "\u0000"}, "/what"),
    ("drill", {"participants": -1}, "/participants"),
    ("contingency", {"mechanism": "luck"}, "/mechanism"),
    ("contingency", {"metrics": ["assignment_completion", "nothing"]}, "/metrics/1"),
    ("contingency", {"steps": []}, "/steps"),
    ("contingency", {"contacts": [{"name": "张三"}]}, "/contacts/0/post"),
    ("control", {"amount": 0.001}, "/amount"),
    ("aid", {"student": "S9"}, "/student"),
    ("aid", {"student": "T1"}, "/student"),
    ("aid", {"aid": "彩票"}, "/aid"),
    ("aid", {"amount": 0}, "/amount"),
    ("activity", {"participants": "300"}, "/participants"),
]


async def test_an_entry_that_cannot_stand_is_refused_with_a_pointer_and_nothing_is_kept(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        for kind, said, pointer in WRONG:
            problem = await made(client, f"/entries/{kind}", {**ENTRIES[kind], **said}, 422)
            assert problem["errors"][0]["pointer"] == pointer, (kind, said, problem)
        assert (await client.get("/entries")).json()["items"] == []
        await made(client, "/entries/luck", MEETING, 405)


async def test_a_hazard_is_put_right_by_one_and_verified_by_another(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(OFFICE) as office:
        path = f"/entries/{(await made(head, '/entries/hazard', HAZARD))['id']}"
        await made(office, f"{path}/verify", None, 409)
        await made(head, f"{path}/pay", {"on": DAY, "amount": 1}, 409)
        await made(head, f"{path}/done", {**TOLD, "on": "2026-03-03"}, 422)
        await made(head, f"{path}/done", TOLD)
        await made(head, f"{path}/verify", None, 403)
        await made(head, f"{path}/return", {"reason": "x"}, 403)
        assert (await made(office, f"{path}/return", {"reason": "未更换"}))["status"] == "open"
        await made(head, f"{path}/done", TOLD)
        found = await made(office, f"{path}/verify")
        assert (found["status"], [each["by"] for each in found["history"]]) == ("verified", ["D1", "D1", "Q1", "D1", "Q1"])
        await made(head, f"{path}/withdraw", {"reason": "x"}, 409)
    assert found["entry"]["danger"] == "防火"


async def test_decision_execution_and_supervision_are_of_three_persons(database_url: str, tmp_path: Path) -> None:
    async with (
        guaranteed(database_url, tmp_path) as sut,
        sut.as_(HEAD) as head,
        sut.as_(OFFICE) as office,
        sut.as_(LEADER) as leader,
    ):
        path = f"/entries/{(await made(head, '/entries/control', CONTROL))['id']}"
        await made(leader, f"{path}/supervise", TOLD, 409)
        await made(head, f"{path}/execute", TOLD, 403)
        await made(office, f"{path}/execute", {**TOLD, "document": "合同12号"})
        for client in (head, office):
            await made(client, f"{path}/supervise", TOLD, 403)
        assert (await made(leader, f"{path}/supervise", TOLD))["status"] == "supervised"


async def test_aid_is_paid_in_parts_never_more_than_granted_and_rated(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with guaranteed(database_url, tmp_path, clock=clock) as sut, sut.as_(OFFICE) as client:
        in_time, late, partly, _ = [(await made(client, "/entries/aid", AID))["id"] for _ in range(4)]
        await made(client, "/entries/aid", {**AID, "due_on": "2026-06-30"})
        wrong = await made(client, "/entries/aid", AID)
        await made(client, f"/entries/{wrong['id']}/withdraw", {"reason": "重复"})
        await made(client, f"/entries/{in_time}/pay", {"on": "2026-03-02", "amount": 1000})
        problem = await made(client, f"/entries/{in_time}/pay", {"on": "2026-03-02", "amount": 500.01}, 422)
        assert problem["errors"] == [{"pointer": "/amount", "detail": "500.00 yuan are still due"}]
        found = await made(client, f"/entries/{in_time}/pay", {"on": "2026-03-02", "amount": 500})
        assert (found["status"], found["paid"], found["paid_on"]) == ("paid", 1500.0, "2026-03-02")
        await made(client, f"/entries/{partly}/pay", {"on": "2026-03-01", "amount": 0.5})
        await made(client, f"/entries/{partly}/withdraw", {"reason": "x"}, 409)
        assert (await client.get("/entries/aid/rates?year=2026")).json()["items"] == [], "nothing is due yet"
        clock.now = MARCH_20
        await made(client, f"/entries/{late}/pay", {"on": "2026-03-16", "amount": 1500})
        (found,) = (await client.get("/entries/aid/rates?year=2026")).json()["items"]
        said = {"aid": "助学金", "grants": 4, "in_full": 2, "in_time": 1, "due": 6000.0, "paid": 3000.5}
        assert found == {**said, "in_full_rate": 0.5, "in_time_rate": 0.25}
        assert len((await client.get("/entries?overdue=true")).json()["items"]) == 2
        assert len((await client.get("/entries?overdue=false")).json()["items"]) == 4


async def test_what_is_late_is_told_once_to_who_answers_for_it(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with guaranteed(database_url, tmp_path, clock=clock) as sut, sut.as_(OFFICE) as client:
        for kind in ("hazard", "incident", "aid"):
            await made(client, f"/entries/{kind}", ENTRIES[kind])
        assert await told(sut, "T1") == ["安全隐患待整改：防火（2026-03-10）"]
        await sut.run("overdue")
        assert len(await told(sut, "T1")) == 1, "not yet late"
        clock.now = MARCH_20
        for _ in range(2):
            await sut.run("overdue")
        assert await told(sut, "T1") == ["安全隐患整改逾期：防火（2026-03-10）", "安全隐患待整改：防火（2026-03-10）"]
        assert (await told(sut, "T2"))[0] == "质量事故处理逾期：教学（2026-03-16）"
        assert await told(sut, "Q1") == ["学生资助发放逾期：助学金（2026-03-15）"], "no student is named"


async def told(sut: ServiceUnderTest, person: str) -> list[str]:
    return [each["text"] for each in (await seen(sut, "/inbox", principal("inbox.read", id=person)))["items"]]


async def test_a_units_register_is_of_who_covers_it_and_a_students_aid_of_who_covers_the_student(
    database_url: str, tmp_path: Path
) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(OFFICE) as office:
        aid = (await made(head, "/entries/aid", AID))["id"]
        await made(head, "/entries/meeting", MEETING, 403)
        schools = (await made(office, "/entries/meeting", MEETING))["id"]
        below = (await made(office, "/entries/incident", INCIDENT))["id"]
        assert {each["id"] for each in (await head.get("/entries")).json()["items"]} == {aid, below}
        assert (await head.get(f"/entries/{schools}")).status_code == 404
        await made(head, f"/entries/{schools}/withdraw", {"reason": "x"}, 404)
        for who in (CLASS_TEACHER, STUDENT):
            assert [each["id"] for each in (await seen(sut, "/entries", who))["items"]] == [aid]
        assert (await seen(sut, "/entries", OTHER))["items"] == []
        async with sut.as_(OTHER) as other:
            await made(other, "/entries/aid", AID, 403)
            await made(other, "/entries/hazard", HAZARD, 403)
            await made(other, f"/entries/{aid}/pay", {"on": DAY, "amount": 1}, 404)


@pytest.mark.parametrize(("severity", "severe", "shown"), [("red", "red", 1), ("orange", "red", 0), ("orange", "yellow", 1)])
async def test_a_contingency_plan_is_shown_with_a_warning_of_its_metric_that_is_bad_enough(
    database_url: str, tmp_path: Path, severity: str, severe: str, shown: int
) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        raised = warning(severity=severity)
        await tell(sut, raised)
        plan = await made(client, "/entries/contingency", {**CONTINGENCY, "severe": severe})
        await made(client, "/entries/contingency", {**CONTINGENCY, "metrics": ["credits"], "severe": "blue"})
        path = f"/contingency?warning={raised.warning}"
        teacher = principal("improvement.read", id="T3", over=["class:CNC101-A"])
        assert [each["id"] for each in (await seen(sut, path, teacher))["items"]] == [plan["id"]] * shown
        assert (await seen(sut, path, principal("improvement.read", over=["class:X"])))["items"] == []
        assert (await seen(sut, f"/contingency?warning={uuid4()}", teacher))["items"] == []
        await made(client, f"/entries/{plan['id']}/withdraw", {"reason": "修订"})
        assert (await seen(sut, path, teacher))["items"] == []
