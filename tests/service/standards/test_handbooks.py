"""Descriptions of posts, and a unit's quality handbook: reviewed as standards are, printed from the data."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from docx import Document

from tests.service.harness import principal
from tests.service.standards.school import AUTHOR, HEAD, LEADER, OFFICE, Office, school

READER = principal("standard.read", over=["teacher:T1"], id="T1")
FIELDS = {"f1": "岗位名称", "f2": "岗位级别", "f3": "岗位职责", "f4": "工作流程", "f5": "工作标准"}
FORM = {"code": "form", "family": "management", "name": "管理服务工作标准", "effective_from": "2026-03-01"}
FILLED = {"f1": "教务干事", "f2": "九级", "f3": "排课\n考务", "f4": "接收、核对、公布", "f5": "当日办结"}


def form(texts: dict[str, str] | None = None, left_out: str = "") -> list[dict[str, Any]]:
    fields = [{"code": code, "name": name} for code, name in FIELDS.items() if code != left_out]
    if texts is not None:
        fields = [{**field, **({"text": texts[field["code"]]} if field["code"] in texts else {})} for field in fields]
    return [{"code": "form", "name": "岗位说明书", "form_fields": fields}]


def position(code: str = "clerk", unit: str | None = "mech", texts: dict[str, str] = FILLED, **said: Any) -> dict[str, Any]:
    about = {"post": "clerk"} if unit is None else {"post": "clerk", "unit": unit}
    return {**FORM, "code": code, "name": f"{texts.get('f1', '')}岗位说明书", "position": about, "groups": form(texts), **said}


async def put_in_force(at: Office, body: dict[str, Any]) -> None:
    assert (await at.ask(AUTHOR, "POST", "/standards", body))[0] in {200, 201}
    await at.review(1, body["code"], (OFFICE, LEADER))


async def begun(at: Office) -> None:
    """The family with its empty form in force."""
    said = {"name": "管理服务标准", "kind": "management", "owner": "机电学院"}
    assert (await at.ask(AUTHOR, "PUT", "/families/management", said))[0] == 201
    await put_in_force(at, {**FORM, "groups": form()})


def lines_of(content: bytes) -> list[str]:
    paper = Document(BytesIO(content))
    cells = [cell.text for table in paper.tables for row in table.rows for cell in row.cells]
    return [*(paragraph.text for paragraph in paper.paragraphs), *cells]


async def test_a_post_is_described_by_the_whole_form_and_in_force_after_its_review(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        await begun(at)
        bare, refused = await at.ask(AUTHOR, "POST", "/standards", {**position(), "groups": []})
        assert (bare, refused["errors"][0]["pointer"]) == (422, "/position")
        for groups, pointer in ((form({"f1": "x"}), "/groups/0/form_fields/1/text"), (form(FILLED, "f5"), "/groups")):
            await at.ask(AUTHOR, "POST", "/standards", {**position(), "groups": groups})
            status, refused = await at.ask(AUTHOR, "POST", "/standards/clerk/versions/1/submit", {})
            assert (status, refused["errors"][0]["pointer"]) == (422, pointer)
        assert (await at.ask(READER, "GET", "/positions"))[1]["items"] == []

        await put_in_force(at, position())
        await put_in_force(at, position("clerk-all", None))
        _, listed = await at.ask(READER, "GET", "/positions", limit=1)
        _, rest = await at.ask(READER, "GET", "/positions", cursor=listed["next"])
        _, own = await at.ask(READER, "GET", "/positions", unit="mech", post="clerk")
        none = await at.ask(READER, "GET", "/positions", post="other")

    (clerk,) = listed["items"]
    assert (clerk["post"], clerk["unit"], clerk["version"]) == ("clerk", "mech", 1)
    assert [(field["name"], field["text"]) for field in clerk["fields"]] == [(FIELDS[code], FILLED[code]) for code in FIELDS]
    assert ([each["code"] for each in rest["items"]], own["items"], none[1]["items"]) == (["clerk-all"], [clerk], [])


async def test_it_prints_as_a_word_document_that_says_what_the_data_say(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        await begun(at)
        await put_in_force(at, position())
        async with at.sut.as_(READER) as client:
            answer = await client.get("/standards/clerk/versions/1/document")
            missing = await client.get("/standards/clerk/versions/2/document")
            again = await client.get("/standards/clerk/versions/1/document")
        _, draft = await at.ask(HEAD, "POST", "/standards", position("draft"))
        assert draft["state"] == "draft"
        async with at.sut.as_(READER) as client:
            hidden = await client.get("/standards/draft/versions/1/document")

    assert (answer.status_code, missing.status_code, hidden.status_code) == (200, 404, 404)
    assert "wordprocessingml" in answer.headers["content-type"]
    said = lines_of(answer.content)
    assert {"教务干事岗位说明书", "机电学院", *FIELDS.values(), *FILLED.values()} <= set(said)
    assert again.content == answer.content


async def test_a_handbook_has_the_units_posts_and_the_standards_that_it_answers_for(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        await begun(at)
        await put_in_force(at, position())
        await put_in_force(at, position("head", None, {**FILLED, "f1": "主任"}, position={"post": "department_head"}))
        await put_in_force(at, position("other", None, {**FILLED, "f1": "干事"}))  # the unit describes its own clerk
        await at.in_force()  # a teacher standard, which nobody answers for
        elements = [
            {"code": "e1", "name": "实训条件", "owner": "mech"},
            {"code": "e2", "name": "经费", "owner": "财务处"},
        ]
        mixed = {
            **FORM,
            "code": "mixed",
            "family": "teacher",
            "name": "条件标准",
            "groups": [{"code": "g", "name": "g", "elements": elements}],
        }
        await put_in_force(at, mixed)
        status, book = await at.ask(READER, "GET", "/handbooks/mech")
        missing, _ = await at.ask(READER, "GET", "/handbooks/none")
        _, empty = await at.ask(READER, "GET", "/handbooks/demo")
        async with at.sut.as_(READER) as client:
            printed = await client.get("/handbooks/mech/document")

    assert (status, missing, book["name"]) == (200, 404, "机电学院")
    assert [each["code"] for each in book["positions"]] == ["clerk", "head"]
    assert [(each["code"], [e["code"] for e in each["elements"]]) for each in book["standards"]] == [
        ("form", []),
        ("mixed", ["e1"]),
    ]
    assert (empty["positions"], empty["standards"]) == ([], [])
    assert {"机电学院质量手册", "教务干事岗位说明书", "主任岗位说明书", "条件标准", "实训条件"} <= set(lines_of(printed.content))
