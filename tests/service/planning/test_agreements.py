"""Letters of responsibility: they freeze versions of tasks, are signed by whom they are with, and a changed task needs a new one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from docx import Document

from libs.common.events.planning import AgreementSigned
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import made
from tests.service.planning.school import planning
from tests.service.planning.tasks import HEAD, HUBEI, OFFICE, TEACHER, set_up_as, task

GOVERNOR = principal("agreement.issue", *OFFICE.grants[0].may, id="Q1")
LETTER = {"kind": "hb-letter", "year": 2026, "unit": "mech"}


@asynccontextmanager
async def school(url: str, folder: Path) -> AsyncIterator[ServiceUnderTest]:
    async with planning(url, folder) as sut:
        await sut.handle(HUBEI)
        yield sut


async def assigned(office: httpx.AsyncClient, number: int, **said: Any) -> list[dict[str, Any]]:
    duty = (await made(office, "/duties", {"unit": "mech", "text": "日常管理"}))["id"]
    bodies = [{"task": task(f"任务 {n}", duty=duty, **said), "unit": "mech"} for n in range(number)]
    rows = [await made(office, "/tasks", body) for body in bodies]
    await made(office, "/tasks/assign", {"ids": [row["id"] for row in rows]})
    return rows


async def test_a_letter_freezes_versions_and_a_changed_task_needs_a_new_one(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office, sut.as_(HEAD) as head:
        rows = await assigned(office, 3)
        (letter,) = (await made(office, "/agreements", LETTER))["items"]
        assert (letter["tasks"], letter["signer"], letter["status"], letter["version"]) == (3, "D1", "issued", 1)
        again = await made(office, "/agreements", LETTER)
        assert (again["made"], again["there"]) == (0, 1)
        path = f"/agreements/{letter['id']}"
        shown = (await head.get(path)).json()
        canonical = json.dumps(shown["content"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert shown["hash"] == hashlib.sha256(canonical.encode()).hexdigest()
        await made(office, f"{path}/sign", {}, 403)
        await made(head, f"{path}/sign", {"hash": "0" * 64}, 409)
        await sut.published()
        signed = await made(head, f"{path}/sign", {"hash": shown["hash"]})
        assert (signed["status"], signed["signed_by"]) == ("signed", "D1")
        assert await made(head, f"{path}/sign") == signed, "signed once"
        (fact,) = [message.event for message in await sut.published()]
        assert isinstance(fact, AgreementSigned)
        assert fact.hash == shown["hash"]

        changed = {**rows[0]["task"], "acceptance": "全部完成"}
        assert (await office.put(f"/tasks/{rows[0]['id']}", json={"task": changed, "why": "上级调整"})).status_code == 200
        old = (await head.get(path)).json()
        assert (old["status"], old["content"]) == ("outdated", shown["content"])
        (new,) = (await made(office, "/agreements", LETTER))["items"]
        assert (new["version"], new["status"], new["tasks"]) == (2, "issued", 3)
        assert (await head.get(path)).json()["status"] == "replaced"
        await made(head, f"{path}/sign", {}, 409)
        kinds = [each["kind"] for each in (await head.get("/inbox")).json()["items"]]
        assert kinds.count("agreement_to_sign") == 2
        assert kinds.count("agreement_outdated") == 1
        assert [each["id"] for each in (await head.get("/agreements?newest=true")).json()["items"]] == [new["id"]]


async def test_a_task_that_was_taken_away_and_given_again_is_signed_for_again(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office, sut.as_(HEAD) as head:
        (row,) = await assigned(office, 1)
        (letter,) = (await made(office, "/agreements", LETTER))["items"]
        await made(head, f"/agreements/{letter['id']}/sign")
        await made(office, f"/tasks/{row['id']}/withdraw", {"reason": "暂缓", "confirm": True})
        await made(office, f"/tasks/{row['id']}/assign")
        assert (await head.get(f"/agreements/{letter['id']}")).json()["status"] == "outdated"
        (new,) = (await made(office, "/agreements", LETTER))["items"]
        assert (new["version"], new["tasks"]) == (2, 1)
        assert (await made(head, f"/agreements/{new['id']}/sign"))["status"] == "signed"
        assert (await made(office, "/agreements", LETTER))["made"] == 0


async def test_each_unit_has_its_yearly_diagnosis_in_its_letter(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office:
        await made(office, "/tasks/generate", {"year": 2026})
        (letter,) = (await made(office, "/agreements", {"kind": "hb-letter", "year": 2026}))["items"]
        content = (await office.get(f"/agreements/{letter['id']}")).json()["content"]
        assert [(each["class"], each["title"]) for each in content["tasks"]] == [("C类任务", "年度诊断与改进")]


async def test_a_letter_is_printed_with_what_it_freezes_and_who_signed(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office, sut.as_(HEAD) as head:
        await assigned(office, 2, aim={"target": 0.75, "unit": "%"})
        (letter,) = (await made(office, "/agreements", LETTER))["items"]
        await made(head, f"/agreements/{letter['id']}/sign")
        answer = await head.get(f"/agreements/{letter['id']}/document")
        assert answer.headers["content-disposition"].startswith("attachment")
        paper = Document(BytesIO(answer.content))
        cells = {cell.text for table in paper.tables for row in table.rows for cell in row.cells}
        assert {"示范学院", "机电学院", "任务 0", "不低于 75%；按期完成", "D1老师", "2026-03-02 12:00"} <= cells


async def test_letters_of_a_post_go_to_each_who_holds_it_and_each_signs_their_own(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office:
        await sut.handle(set_up_as("hunan-county-vocational"))
        for kind, people in (("hn-safety-class-teacher", {"H1"}), ("hn-safety-teacher", {"T2", "T3"})):
            issued = await made(office, "/agreements", {"kind": kind, "year": 2026})
            assert {each["holder"] for each in issued["items"]} == people
            assert (await made(office, "/agreements", {"kind": kind, "year": 2026}))["made"] == 0
        letters = {each["holder"]: each["id"] for each in (await office.get("/agreements")).json()["items"]}
        for person, id_ in letters.items():
            who = principal("task.read", "task.work", id=person, over=[f"teacher:{person}"])
            async with sut.as_(who) as mine:
                assert [each["id"] for each in (await mine.get("/agreements")).json()["items"]] == [id_]
                both = await mine.post("/agreements/sign", json={"ids": list(letters.values())})
                assert both.status_code == 404, "all or none, and another's is not there"
                (done,) = (await made(mine, "/agreements/sign", {"ids": [id_]}))["items"]
                assert done["signed_by"] == person
        assert {each["status"] for each in (await office.get("/agreements")).json()["items"]} == {"signed"}
        await made(office, "/agreements/sign", {"ids": [letters["H1"]]}, 403)


async def test_an_agreement_of_nothing_or_of_nobody_is_refused(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GOVERNOR) as office, sut.as_(TEACHER) as teacher:
        for body, pointer in (
            ({"kind": "x", "year": 2026}, "/kind"),
            ({**LETTER, "unit": "x"}, "/unit"),
            ({"kind": "hb-letter"}, "/year"),
        ):
            answer = await office.post("/agreements", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        await made(office, "/agreements", LETTER, 409)
        await made(teacher, "/agreements", LETTER, 403)
        assert (await office.get("/agreements")).json()["items"] == []
