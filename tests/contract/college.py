"""One process with a small school and somebody in every role, asked through the front alone."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from libs.common.settings import Settings
from services.app import Process
from services.gateway.domain.credentials import digest, new_token
from services.gateway.tables import AccessTokenRow, AccountRow

SCHOOLS = ("demo", "other")
# Role → the person who has it. `nobody` has an account, and no row in the roster.
PEOPLE = {
    "school_leader": "L",
    "quality_office": "Q",
    "level_group": "G",
    "department_head": "HD",
    "department_quality_officer": "QD",
    "office_head": "HO",
    "programme_leader": "HP",
    "course_leader": "HC",
    "class_teacher": "T2",
    "teacher": "T1",
    "staff": "A",
    "student": "S1",
    "parent": "P1",
    "outside_expert": "E",
    "nobody": "X",
}
# Seen from student S1: the student of each distance, in this school.
STUDENTS = {"own": "S1", "same_class": "S2", "same_department": "S3", "other_department": "S4"}
_POSTS = """person,post,object,from,to
L,school_leader,,2020-01-01,
Q,quality_office,,2020-01-01,
G,level_group,student,2020-01-01,
HD,department_head,D1,2020-01-01,
QD,department_quality_officer,D1,2020-01-01,
HO,office_head,O1,2020-01-01,
HP,programme_leader,G1,2020-01-01,
HC,course_leader,C1,2020-01-01,
E,outside_expert,unit:D1,2020-01-01,2039-01-01
"""
_FILES = {
    "orgs": [
        "sourcedId,name,type,parentSourcedId,metadata.kind",
        *("R,学校,school,,", "D1,一系,department,R,", "D2,二系,department,R,"),
        *("G1,一专业,department,D1,programme", "G2,二专业,department,D2,programme", "O1,教研室,department,D1,office"),
    ],
    "academicSessions": ["sourcedId,title,type,startDate,endDate", "Y,全部,term,2020-01-01,2040-01-01"],
    "courses": ["sourcedId,title,orgSourcedId", "C1,一课,G1", "C2,二课,G2", "C3,三课,D1"],
    "classes": [
        "sourcedId,title,courseSourcedId,classType,schoolSourcedId",
        *("K1,一课1班,C1,scheduled,G1", "K2,二课1班,C2,scheduled,G2", "K3,三课1班,C3,scheduled,D1"),
        *("H1,一班,,homeroom,G1", "H2,二班,,homeroom,G2", "H3,三班,,homeroom,D1"),
    ],
    "users": [
        "sourcedId,enabledUser,givenName,familyName,agentSourcedIds",
        *("S1,true,一,学,P1", "S2,true,二,学,", "S3,true,三,学,", "S4,true,四,学,", "P1,true,一,家,"),
        *(f"{id_},true,{id_},教," for id_ in ("T1", "T2", "L", "Q", "G", "HD", "QD", "HO", "HP", "HC", "A", "E")),
    ],
    "roles": [
        "sourcedId,userSourcedId,roleType,role,orgSourcedId",
        *(f"R-{id_},{id_},primary,student,{org}" for id_, org in (("S1", "G1"), ("S2", "G1"), ("S3", "D1"), ("S4", "G2"))),
        *("R-P1,P1,primary,parent,R", "R-T1,T1,primary,teacher,D1", "R-T2,T2,primary,teacher,D1"),
        *(f"R-{id_},{id_},primary,aide,R" for id_ in ("L", "Q", "G", "HD", "QD", "HO", "HP", "HC", "A", "E")),
    ],
    "enrollments": [
        "sourcedId,classSourcedId,userSourcedId,role,primary",
        *(f"{c}~{s},{c},{s},student," for c, s in (("H1", "S1"), ("K1", "S1"), ("H1", "S2"), ("K1", "S2"))),
        *(f"{c}~{s},{c},{s},student," for c, s in (("H3", "S3"), ("K3", "S3"), ("H2", "S4"), ("K2", "S4"))),
        *("K1~T1,K1,T1,teacher,true", "H1~T2,H1,T2,teacher,true"),
    ],
}
INDICATOR = {
    "code": "student-attendance",
    "name": "学生到课率",
    "metric": "attendance",
    "level": "student",
    "window": "year",
    "comparison": "below",
    "min_denominator": 1,
    "evaluate": "on_update",
    "warning_lines": [{"severity": "orange", "enter": 0.8, "clear": 0.85}],
    "effective_from": "2020-01-01",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's status and body; of a stream only its beginning."""

    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class College:
    """`tokens` maps each role, `operator` and `source` to a bearer token."""

    def __init__(self, process: Process, tokens: dict[str, str]) -> None:
        self.process, self.tokens = process, tokens

    async def ask(
        self,
        role: str | None,
        method: str,
        path: str,
        *,
        school: str | None = None,
        body: bytes = b"",
        media: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request as a server would hand it over; leave when a stream begins."""
        named = {**({"school": school} if school else {}), **(query or {})}
        pairs = "&".join(f"{name}={quote(value)}" for name, value in named.items())
        headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode()), (b"host", b"test")]
        if role is not None:
            headers.append((b"authorization", f"Bearer {self.tokens[role]}".encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": pairs.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        return await _call(self.process, scope, body)

    async def operate(self, method: str, path: str, school: str | None = None, **options: Any) -> Any:
        """Let the operator do something that must succeed; return the JSON."""
        answer = await self.ask("operator", method, path, school=school, **options)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer.json() if answer.body else None

    async def settled(self, school: str) -> None:
        """Return when all that was accepted has taken hold."""
        after = (await self.operate("GET", "/api/v1/progress", school))["position"]
        for _ in range(3000):
            if (await self.ask("operator", "GET", "/api/v1/progress", school=school, query={"after": after})).status == 200:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{school} did not settle")

    async def warn_everybody(self) -> None:
        """Let every student of both schools be absent once, so that each has one warning and one improvement."""
        for school in SCHOOLS:
            await self.settled(school)
            path = "/api/v1/standards/indicators"
            await self.operate("POST", path, school, body=json.dumps(INDICATOR).encode())
            await self.operate("POST", f"{path}/{INDICATOR['code']}/versions/1/activate", school)
            await self.settled(school)
            await self.absent(school)
            await self.settled(school)

    async def absent(self, school: str) -> None:
        """Post one lesson that no student came to."""
        classes = {"S1": "K1", "S2": "K1", "S3": "K3", "S4": "K2"}
        at = datetime.now(UTC) - timedelta(minutes=1)
        events = [
            {
                "specversion": "1.0",
                "id": f"{school}-{student}",
                "source": f"urn:campus:{school}:attendance",
                "type": "cn.zhengai.observation.v1",
                "time": at.isoformat(),
                "data": {"metric": "attendance", "numerator": 0, "denominator": 1, "student": student, "class": class_},
            }
            for student, class_ in classes.items()
        ]
        answer = await self.ask(
            "source" if school == "demo" else "source of the other school",
            "POST",
            "/api/v1/events",
            body=json.dumps(events).encode(),
            media="application/cloudevents-batch+json",
        )
        assert answer.status == 202, answer


async def _call(app: Any, scope: Mapping[str, Any], body: bytes) -> Answer:
    status, sent, over = 0, bytearray(), asyncio.Event()
    unread = [body]

    async def receive() -> dict[str, Any]:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            if (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]:
                over.set()
        else:
            sent.extend(message.get("body", b""))

    async with asyncio.timeout(30):
        await app(dict(scope), receive, send)
    return Answer(status, bytes(sent))


@asynccontextmanager
async def college(home: Path) -> AsyncIterator[College]:
    """All five services, two schools of the same shape, and a token for every role of the first."""
    process = Process(Settings(home=home, demo=False, port=0), b"s" * 32)
    async with process.lifespan(process.root):
        here = College(process, {"operator": (home / "operator.token").read_text().strip()})
        for school in SCHOOLS:
            await here.operate("POST", "/api/v1/schools", body=json.dumps({"code": school, "name": school}).encode())
            await here.operate("PUT", "/api/v1/roster", school, body=_zip(), media="application/zip")
            await here.operate("PUT", "/api/v1/posts", school, body=_POSTS.encode(), media="text/csv")
            made = await here.operate("POST", "/api/v1/sources", school, body=b'{"name": "attendance"}')
            here.tokens["source" if school == "demo" else "source of the other school"] = made["key"]
        here.tokens |= await _sign_in(process)
        yield here


async def _sign_in(process: Process) -> dict[str, str]:
    """A token for everybody; their passwords are no matter here."""
    tokens = {role: new_token("person") for role in PEOPLE}
    async with process.databases["gateway"].transaction() as tx:
        for role, person in PEOPLE.items():
            tx.session.add(AccountRow(username=role, school="demo", person=person, password="", disabled=False, added_at=tx.now))
            row = AccessTokenRow(digest=digest(tokens[role]), username=role, expires_at=tx.now + timedelta(hours=1))
            tx.session.add(row)
    return tokens


def _zip() -> bytes:
    said = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2", *(f"file.{name},bulk" for name in _FILES)]
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, lines in {"manifest": said, **_FILES}.items():
            archive.writestr(f"{name}.csv", "\r\n".join([*lines, ""]))
    return body.getvalue()
