"""Endpoints of the register of rules (规章制度) and of work packages (工作包)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import JSONResponse, Response

from libs.common import word
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, page
from services.planning import queries
from services.planning.api.sheets import answer
from services.planning.api.workflows import MayKeep, MayRead, Word
from services.planning.commands import rules as commands
from services.planning.domain.goals import CODE
from services.planning.domain.settings import Level
from services.planning.domain.workflows import Package, Rule
from services.planning.schemas.workflows import (
    PackageView,
    RuleDetail,
    RuleSetsView,
    RuleSetView,
    RuleView,
    package_view,
    rule_detail,
    rule_view,
)

router = APIRouter(tags=["rules"])
Code = Annotated[str, Path(pattern=CODE)]
PAPER: dict[int | str, dict[str, Any]] = {200: {"content": {word.MEDIA_TYPE: {}}}}


@router.get("/rules")
async def list_rules(
    session: Read, scope: MayRead, level: Level | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[RuleView]:
    """List the school's rules by code, each in its newest version."""
    after = from_cursor(cursor, str)
    rows = await queries.list_rules(session, scope, level=level, after=after[0] if after else None, limit=limit)
    return page(rows, limit, rule_view, lambda row: (row.code,))


@router.get("/rules/{code}")
async def read_rule(code: Code, session: Read, scope: MayRead) -> RuleDetail:
    """Read a rule with its earlier versions."""
    return rule_detail(await queries.versions_of_rule(session, scope, code))


@router.put(
    "/rules/{code}",
    response_model=RuleView,
    status_code=201,
    responses={200: {"model": RuleView, "description": "It says this already."}},
)
async def write_rule(code: Code, body: Rule, tx: Tx, caller: Caller, scope: MayKeep) -> Response:
    """Write a rule, or its next version; earlier ones stay readable. Its owner is reminded `remind_days` before its review."""
    row, new = await commands.write_rule(tx, scope, caller.id, code, body)
    return JSONResponse(rule_view(row).model_dump(mode="json"), 201 if new else 200)


@router.get("/rule-sets")
async def read_rule_sets(session: Read, scope: MayRead) -> RuleSetsView:
    """Say of each rule that the school's levels are to have which rules in force are it; none: it is missing."""
    setup = await queries.setup_of(session, scope.school)
    there: dict[tuple[str, str | None], list[str]] = {}
    for row in await queries.all_rules(session, scope):
        if row.content.get("in_force", True):
            there.setdefault((row.level, row.content.get("rule_set")), []).append(row.code)
    wanted = [(each["level"], name) for each in setup.get("rule_sets", ()) for name in each["names"]]
    return RuleSetsView(items=[RuleSetView(level=at, name=name, rules=there.get((at, name), [])) for at, name in wanted])


@router.get("/work-packages")
async def list_packages(
    session: Read, scope: MayRead, unit: Word = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[PackageView]:
    """List the school's work packages by code."""
    after = from_cursor(cursor, str)
    rows = await queries.list_packages(session, scope, filters={"unit": unit}, after=after[0] if after else None, limit=limit)
    return page(rows, limit, package_view, lambda row: (row.code,))


@router.get("/work-packages/{code}")
async def read_package(code: Code, session: Read, scope: MayRead) -> PackageView:
    """Read a work package: a duty, its works, the posts that do them, and by which standard."""
    return package_view(await queries.get_package(session, scope, code))


@router.put("/work-packages/{code}")
async def write_package(code: Code, body: Package, tx: Tx, caller: Caller, scope: MayKeep) -> PackageView:
    """Write a work package over the one before."""
    return package_view(await commands.write_package(tx, scope, caller.id, code, body))


@router.get("/work-packages/{code}/paper", response_class=Response, responses=PAPER)
async def print_package(code: Code, session: Read, scope: MayRead) -> Response:
    """Write a work package as a Word document."""
    package = package_view(await queries.get_package(session, scope, code))
    unit = await queries.find_unit(session, scope.school, package.unit)
    fields = word.Fields([("部门", unit.name if unit else package.unit), ("职责", package.duty)])
    rows = [[work.name, each.post, each.task, each.standard or ""] for work in package.works for each in work.posts]
    blocks: list[word.Block] = [fields, word.Grid(["工作", "岗位", "岗位任务", "标准"], rows)]
    return answer(await asyncio.to_thread(word.write_word, package.name, blocks), word.MEDIA_TYPE, f"{code}.docx")
