"""Who leads a plan that the documents name: a department's name becomes a unit once the roster has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libs.common.database import Transaction
from services.planning import queries
from services.planning.commands.plans import note_plan, place_again, put_places

LEADING = ("department_head", "office_head")
"""Posts that lead a unit; the first is meant where nobody holds either."""


def leads_in(setup: Mapping[str, Any]) -> dict[str, set[str]]:
    """The names under which the unit that leads a plan may stand in the roster, by the code of each plan that a school has once."""
    bodies = {each["name"]: each["code"] for each in setup.get("bodies", ())}
    found: dict[str, set[str]] = {}
    for kind in setup.get("plan_kinds", ()):
        if kind.get("per") is not None or (lead := kind.get("lead")) is None:
            continue
        found[kind["code"]] = {lead}
        for department in setup.get("departments", ()):
            names = {department["name"], *department.get("aliases", ())}
            if lead in names or (lead in bodies and department.get("body") == bodies[lead]):
                found[kind["code"]] |= names
    return found


async def give_to_leads(tx: Transaction) -> None:
    """Drafts of plans without a unit get the one that leads them, and without an owner the post that leads it."""
    leads = leads_in(await queries.setup_of(tx.session, tx.school))
    if not leads:
        return
    await queries.lock_school(tx.session, tx.school)
    plans = await queries.list_unled(tx.session, tx.school, list(leads))
    units = await queries.names_of_units(tx.session, tx.school) if plans else {}
    today = await queries.today_in(tx.session, tx.school, tx.now)
    for plan in plans:
        found = [id_ for id_, name in units.items() if name in leads[plan.code]]
        if len(found) != 1:
            continue
        plan.unit = found[0]
        if plan.owner is None and plan.owner_post is None:
            held = [post for post in LEADING if await queries.holders_of(tx.session, tx.school, post, [f"unit:{plan.unit}"], today)]
            plan.owner_post = (held or LEADING)[0]
        await put_places(tx, plan)
        note_plan(tx, plan, "led", None, unit=plan.unit, owner_post=plan.owner_post)


async def place_daily(tx: Transaction) -> None:
    """By the clock, once a day: plans without a lead look for one, and a class that somebody joins has their plan from that day on."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    row = await queries.find_school(tx.session, tx.school)
    if row is not None and row.placed_on != today:
        row.placed_on = today
        await give_to_leads(tx)
        await place_again(tx)
