"""Every route of every service, with every role, over every distance, against `access.yaml`, which is kept apart from the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.app import ALL, load
from services.openapi import public_routes
from tests.contract.college import PEOPLE, STUDENTS, College, college

TABLE = Path(__file__).parent / "access.yaml"
ROLES = ("operator", "source", *PEOPLE)
NOTHING = "0" * 8 + "-0000-4000-8000-" + "0" * 12
PLACEHOLDERS = {"warning": NOTHING, "improvement": NOTHING, "goal": NOTHING, "task": NOTHING, "agreement": NOTHING, "run": NOTHING}
SIGN_OUT = "DELETE /api/v1/auth/token"


@cache
def table() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return document


def named(names: list[str]) -> Iterator[str]:
    """The roles behind names of roles and groups."""
    for name in names:
        if name in table()["groups"]:
            yield from named(table()["groups"][name])
        else:
            assert name in ROLES, f"access.yaml names {name!r}, which is neither a role nor a group"
            yield name


def routes() -> set[str]:
    services = {name: load(name) for name in ALL}
    return {f"{method} {route.path_format}" for _, route in public_routes(services) for method in route.methods or ()}


def expected(rule: Any, role: str | None) -> str:
    """What a route answers to a role: `in`, `401` or `403`."""
    if rule == "open":
        return "in"
    if role is None:
        return "401"
    return "in" if role in set(named(rule["may"])) else str(rule.get("others", 403))


def outcome(status: int) -> str:
    """`in` for whatever an admitted caller may be answered about the request itself."""
    return str(status) if status in {401, 403} or status >= 500 else "in"


def test_every_route_has_a_line_in_the_table_and_every_line_a_route() -> None:
    assert set(table()["routes"]) == routes()


async def test_every_route_lets_in_exactly_the_roles_of_the_table(tmp_path: Path) -> None:
    wrong = []
    async with college(tmp_path) as here:
        for route in sorted(table()["routes"], key=lambda name: (name == SIGN_OUT, name)):
            method, _, path = route.partition(" ")
            path = re.sub(r"\{(\w+)\}", lambda match: PLACEHOLDERS.get(match[1], "1"), path)
            for role in (None, *ROLES):
                answer = await here.ask(role, method, path, school="demo" if role == "operator" else None, body=b"{}")
                if (rule := expected(table()["routes"][route], role)) != (found := outcome(answer.status)):
                    wrong.append(f"{route} as {role or 'a stranger'}: {answer.status} {found}, the table says {rule}")
        assert len(table()["routes"]) > 40
    assert not wrong, "\n".join(wrong)


class Sight:
    """What one role sees of every list and behind every id."""

    def __init__(self, here: College, role: str, ids: Mapping[str, Mapping[str, str]]) -> None:
        self.here, self.role, self.ids = here, role, ids
        self.school = "demo" if role == "operator" else None

    async def lists(self) -> dict[str, set[str]]:
        """Students in each list, and how many warnings are counted."""
        measured = {"metric": "attendance", "level": "student", "window": "year"}
        found = {
            "measurements": await self._subjects("monitoring/measurements", **measured),
            "warnings": await self._subjects("monitoring/warnings"),
            "improvements": await self._subjects("planning/improvements"),
            "timeline": await self._subjects("reporting/timeline"),
        }
        overview = await self._get("reporting/overview")
        assert overview["warnings"]["uncleared"] == len(found["warnings"]), f"{self.role}: the overview counts what is not seen"
        assert overview["improvements"]["open"] == len(found["improvements"]), f"{self.role}: as above"
        return found

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self.here.ask(self.role, "GET", f"/api/v1/{path}", school=self.school, query=query)
        assert answer.status == 200, (self.role, path, answer)
        return answer.json()

    async def _subjects(self, path: str, **query: str) -> set[str]:
        return {item["subject"] for item in (await self._get(path, **query))["items"]}

    async def behind_ids(self) -> dict[str, set[str]]:
        """Students whose object answers 200 to its id; every other answer must be 404."""
        paths = {
            "warning": "monitoring/warnings/{warning}",
            "evidence": "monitoring/warnings/{warning}/evidence",
            "improvement": "planning/improvements/{improvement}",
        }
        found: dict[str, set[str]] = {name: set() for name in paths}
        for name, path in paths.items():
            for student, ids in self.ids.items():
                answer = await self.here.ask(self.role, "GET", f"/api/v1/{path.format(**ids)}", school=self.school)
                assert answer.status in {200, 404}, (self.role, path, answer)
                if answer.status == 200:
                    found[name].add(student)
        return found


async def _ids(here: College, school: str) -> dict[str, dict[str, str]]:
    warnings = await here.operate("GET", "/api/v1/monitoring/warnings", school)
    improvements = await here.operate("GET", "/api/v1/planning/improvements", school)
    by_student = {item["subject"]: {"warning": item["id"]} for item in warnings["items"]}
    for item in improvements["items"]:
        by_student[item["subject"]]["improvement"] = item["id"]
    return by_student


async def test_a_role_sees_the_distances_of_the_table_and_no_further(tmp_path: Path) -> None:
    wrong = []
    async with college(tmp_path) as here:
        await here.warn_everybody()
        own, foreign = await _ids(here, "demo"), await _ids(here, "other")
        assert set(own) == set(foreign) == set(STUDENTS.values())
        ids = {**own, **{f"{student} of the other school": value for student, value in foreign.items()}}
        assert set(table()["sees"]) == set(PEOPLE) - {"nobody"} | {"operator"}
        for role, distances in table()["sees"].items():
            sight, covered = Sight(here, role, ids), {STUDENTS[distance] for distance in distances}
            for what, seen in {**await sight.lists(), **await sight.behind_ids()}.items():
                if seen != covered:
                    wrong.append(f"{role}, {what}: sees {sorted(seen)}, the table says {sorted(covered)}")
    assert not wrong, "\n".join(wrong)


async def test_nobody_changes_what_lies_outside_their_scope(tmp_path: Path) -> None:
    wrong = []
    async with college(tmp_path) as here:
        await here.warn_everybody()
        own, foreign = await _ids(here, "demo"), await _ids(here, "other")
        changes = {
            "POST /api/v1/monitoring/warnings/{warning}/acknowledge": b"",
            "POST /api/v1/monitoring/warnings/{warning}/dismiss": b'{"reason": "no"}',
            "POST /api/v1/planning/improvements/{improvement}/start": b"{}",
            "POST /api/v1/planning/improvements/{improvement}/submit": b'{"done": "yes"}',
            "POST /api/v1/planning/improvements/{improvement}/verify": b'{"reason": "yes"}',
            "POST /api/v1/planning/improvements/{improvement}/return": b'{"reason": "no"}',
        }
        for role, distances in table()["sees"].items():
            covered = {STUDENTS[distance] for distance in distances}
            outside = [ids for student, ids in own.items() if student not in covered] + list(foreign.values())
            for route, body in changes.items():
                if role not in set(named(table()["routes"][route]["may"])):
                    continue
                method, _, path = route.partition(" ")
                for ids in outside:
                    school = "demo" if role == "operator" else None
                    answer = await here.ask(role, method, path.format(**ids), school=school, body=body)
                    if answer.status != 404:
                        wrong.append(f"{role}, {route}: {answer.status}")
        states = await here.operate("GET", "/api/v1/monitoring/warnings", "other")
        assert {item["status"] for item in states["items"]} == {"open"}
    assert not wrong, "\n".join(wrong)


async def test_another_school_is_not_there_for_whoever_has_one(tmp_path: Path) -> None:
    async with college(tmp_path) as here:
        found = {role: (await here.ask(role, "GET", "/api/v1/me", school="other")).status for role in ("source", *PEOPLE)}

    assert set(found.values()) == {404}, found
