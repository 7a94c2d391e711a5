"""Files as evidence: known by their content, taken by an allowed list, seen by who may see what names them, never run."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from libs.common.settings import Settings
from libs.common.word import MEDIA_TYPE as DOCX
from libs.common.word import write_word
from tests.service.harness import principal
from tests.service.planning.chain import made
from tests.service.planning.school import planning
from tests.service.planning.tasks import HUBEI, task
from tests.service.planning.test_budgets import line, spending
from tests.service.planning.test_entries import CONTROL
from tests.service.planning.test_guarantees import guaranteed

FILES = ("file.read", "file.write", "task.read", "task.work")
OWNER = principal(*FILES, "task.assign", id="D1", over=["unit:mech"])
TEACHER = principal(*FILES, id="T1", over=["teacher:T1"])
STRANGER = principal(*FILES, id="T2", over=["teacher:T2"])
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def zipped(*names: str) -> bytes:
    out = BytesIO()
    with ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


async def test_a_file_is_kept_once_and_served_to_be_saved(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as client, sut.as_(STRANGER) as other:
        headers = {"Content-Type": "image/png"}
        answer = await client.post("/files", params={"name": "照片.png"}, content=PNG, headers=headers)
        assert answer.status_code == 201, answer.text
        sha = hashlib.sha256(PNG).hexdigest()
        assert (answer.json()["sha256"], answer.json()["path"]) == (sha, f"/api/v1/planning/files/{sha}")
        assert (await client.post("/files", content=PNG, headers=headers)).status_code == 200
        assert (await other.get(f"/files/{sha}")).status_code == 404
        served = await client.get(f"/files/{sha}")
        assert served.content == PNG
        assert served.headers["content-type"] == "image/png"
        assert served.headers["content-disposition"] == "attachment; filename*=UTF-8''%E7%85%A7%E7%89%87.png"
        assert "sandbox" in served.headers["content-security-policy"]
        assert (await other.post("/files", content=PNG, headers=headers)).status_code == 201
        assert (await other.get(f"/files/{sha}")).status_code == 200


async def test_who_may_see_a_task_sees_the_evidence_that_its_uploader_named(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher, sut.as_(OWNER) as head:
        await sut.handle(HUBEI)
        secret = (await teacher.post("/files", content=b"secret", headers={"Content-Type": "text/plain"})).json()
        duty = (await made(head, "/duties", {"unit": "mech", "text": "管理"}))["id"]
        rows = {}
        for who, owner in ((teacher, "T1"), (head, "D1")):
            row = await made(head, "/tasks", {"task": task(duty=duty), "unit": "mech", "owner": owner})
            rows[owner] = f"/tasks/{row['id']}"
            await made(head, f"{rows[owner]}/assign")
            await made(who, f"{rows[owner]}/accept")
        said = {"text": "见附件", "percent": 10, "evidence": [secret["path"]]}
        await made(head, f"{rows['D1']}/progress", said)
        assert (await head.get(f"/files/{secret['sha256']}")).status_code == 404, "who knows a hash shows the file to nobody"
        await made(teacher, f"{rows['T1']}/progress", said)
        assert (await head.get(f"/files/{secret['sha256']}")).content == b"secret"
        async with sut.as_(STRANGER) as stranger:
            assert (await stranger.get(f"/files/{secret['sha256']}")).status_code == 404


async def test_evidence_that_names_a_file_nobody_handed_in_is_refused_and_changes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    nothing = hashlib.sha256(b"nothing").hexdigest()
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher, sut.as_(OWNER) as head:
        await sut.handle(HUBEI)
        secret = (await teacher.post("/files", content=b"secret", headers={"Content-Type": "text/plain"})).json()
        duty = (await made(head, "/duties", {"unit": "mech", "text": "管理"}))["id"]
        row = await made(head, "/tasks", {"task": task(duty=duty), "unit": "mech", "owner": "T1"})
        await made(head, f"/tasks/{row['id']}/assign")
        before = await made(teacher, f"/tasks/{row['id']}/accept")
        for wrong in (nothing, f" {nothing.upper()}\n", f"/api/v1/planning/files/{nothing}", "见 /api/v1/planning/files/photo"):
            said = {"done": "完成", "evidence": ["口头", secret["sha256"], wrong]}
            refused = await teacher.post(f"/tasks/{row['id']}/submit", json=said)
            assert (refused.status_code, [each["pointer"] for each in refused.json()["errors"]]) == (422, ["/evidence/2"])
        assert (await teacher.get(f"/tasks/{row['id']}")).json() == before
        assert (await head.get(f"/files/{secret['sha256']}")).status_code == 404
        await made(teacher, f"/tasks/{row['id']}/submit", {"done": "完成", "evidence": [f" {secret['sha256'].upper()} "]})
        assert (await head.get(f"/files/{secret['sha256']}")).content == b"secret"


async def test_documents_of_registers_and_budgets_are_read_by_who_reads_those(database_url: str, tmp_path: Path) -> None:
    may = (*FILES, "guarantee.read", "guarantee.write")
    head, office, other = (
        principal(*may, id=id_, over=over) for id_, over in (("D1", ["unit:mech"]), ("Q1", ["*"]), ("D2", ["unit:art"]))
    )
    text = {"Content-Type": "text/plain"}
    async with (
        guaranteed(database_url, tmp_path) as sut,
        sut.as_(head) as mine,
        sut.as_(office) as reader,
        sut.as_(other) as stranger,
    ):
        files = [(await mine.post("/files", content=content, headers=text)).json() for content in (b"bill", b"minutes", b"loose")]
        budget = (await made(mine, "/budgets", line()))["id"]
        refused = await made(mine, f"/budgets/{budget}/spending", spending(1, document="0" * 64), 422)
        assert [each["pointer"] for each in refused["errors"]] == ["/document"]
        assert (await mine.get(f"/budgets/{budget}")).json()["spent"] == 0
        await made(mine, f"/budgets/{budget}/spending", spending(1, document=files[0]["path"]))
        await made(mine, "/entries/control", {**CONTROL, "document": files[1]["path"]})
        seen = [[(await client.get(f"/files/{each['sha256']}")).status_code for each in files] for client in (reader, stranger)]
        assert seen == [[200, 200, 404], [404] * 3]


@pytest.mark.parametrize(
    ("media", "content", "status"),
    [
        ("text/html", b"<script>", 415),
        ("application/zip", zipped("a"), 415),
        ("image/svg+xml", b"<svg/>", 415),
        ("image/png", b"<script>", 422),
        ("image/jpeg", PNG, 422),
        ("application/pdf", b"", 422),
        (DOCX, zipped("a"), 422),
        (DOCX, b"PK\x03\x04 broken", 422),
        (DOCX, zipped("a").replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"), 422),
        (SHEET, write_word("x", []), 422),
        (DOCX, zipped("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), 422),
        ("text/plain", b"\xff\xfe", 422),
        ("text/csv", b"a\0b", 422),
        ("text/plain", b"x" * 1001, 413),
        ("application/pdf", b"%PDF-1.7", 201),
        (DOCX, zipped("[Content_Types].xml", "word/document.xml"), 201),
        ("text/csv", "姓名,分数".encode(), 201),
    ],
)
async def test_a_file_is_what_its_content_is(media: str, content: bytes, status: int, database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as client:
        sut.database.settings = Settings(home=tmp_path, file_max_bytes=1000 if status == 413 else 100_000)
        answer = await client.post("/files", content=content, headers={"Content-Type": media})
        assert answer.status_code == status, answer.text
        if status != 201:
            sha = hashlib.sha256(content).hexdigest()
            assert (await client.get(f"/files/{sha}")).status_code == 404
