"""Write rules (规章制度) and work packages (工作包), and remind who answers for a rule that its review comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from libs.common.events.standards import RevisionDue
from services.planning import queries
from services.planning.commands.inbox import Notice, tell
from services.planning.commands.workflows import AT_ONCE, workflows_in
from services.planning.domain.workflows import Package, Rule
from services.planning.queries import projects as find
from services.planning.tables import PackageRow, RuleRow


async def write_rule(tx: Transaction, scope: Scope, by: str, code: str, rule: Rule) -> tuple[RuleRow, bool]:
    """Write a rule, or its next version; what the newest says already stays. Returns it and whether it is new.

    Raises Forbidden beyond the caller's posts, Invalid for a unit, person, tag or place in a rule set that is not there.
    """
    setup = await queries.setup_of(tx.session, scope.school)
    faults = _tag_faults(setup, rule.tags)
    sets = {each["level"]: each["names"] for each in setup.get("rule_sets", ())}
    if rule.rule_set is not None and rule.level in sets and rule.rule_set not in sets[rule.level]:
        faults.append(Fault(pointer="/rule_set", detail=f"one of {'、'.join(sets[rule.level])} is needed"))
    if rule.owner is not None and not await queries.is_staff(tx.session, scope.school, rule.owner):
        faults.append(Fault(pointer="/owner", detail=f"nobody {rule.owner!r} is of the staff"))
    if faults:
        raise Invalid("the rule cannot stand like this", faults)
    await _reach(tx, scope, rule.unit)
    await queries.lock_school(tx.session, scope.school)
    content = rule.model_dump(mode="json", exclude_defaults=True)
    there = await queries.find_rule(tx.session, scope.school, code)
    if there is not None:
        if there.content == content:
            return there, False
        await _reach(tx, scope, there.content.get("unit"))
        there.current = False
    row = RuleRow(
        school=scope.school,
        code=code,
        version=1 if there is None else there.version + 1,
        level=rule.level,
        content=content,
        current=True,
        remind_on=rule.remind_on,
        reminded_at=None,
        written_at=tx.now,
        written_by=by,
    )
    tx.session.add(row)
    await tx.session.flush()
    return row, True


async def write_package(tx: Transaction, scope: Scope, by: str, code: str, package: Package) -> PackageRow:
    """Write a work package over the one before. Raises as `write_rule`, Invalid for a workflow or duty that is not there."""
    setup = await queries.setup_of(tx.session, scope.school)
    faults, workflows = _tag_faults(setup, package.tags), workflows_in(setup)
    for n, work in enumerate(package.works):
        if work.workflow is not None and work.workflow not in workflows:
            faults.append(Fault(pointer=f"/works/{n}/workflow", detail=f"the school has no workflow {work.workflow}"))
    if package.duty_id is not None:
        duty = await find.find_duty(tx.session, scope.school, package.duty_id)
        if duty is None or duty.unit not in {None, package.unit}:
            faults.append(Fault(pointer="/duty_id", detail="the unit has no such duty"))
    if faults:
        raise Invalid("the work package cannot stand like this", faults)
    await _reach(tx, scope, package.unit)
    await queries.lock_school(tx.session, scope.school)
    content = package.model_dump(mode="json", exclude_defaults=True)
    row = await tx.session.get(PackageRow, (scope.school, code), populate_existing=True)
    if row is None:
        row = PackageRow(school=scope.school, code=code)
        tx.session.add(row)
    elif row.content == content:
        return row
    else:
        await _reach(tx, scope, row.unit)
    row.unit, row.name, row.content, row.changed_at, row.changed_by = package.unit, package.name, content, tx.now, by
    await tx.session.flush()
    return row


async def _reach(tx: Transaction, scope: Scope, unit: str | None) -> None:
    """Raises Invalid for a unit that is not there, Forbidden where the caller's posts do not reach it; None is the whole school."""
    if unit is not None and await queries.find_unit(tx.session, scope.school, unit) is None:
        raise Invalid("there is no such unit", [Fault(pointer="/unit", detail="there is no such unit")])
    if not scope.covers(await queries.places_of_unit(tx.session, scope.school, unit)):
        raise Forbidden(
            "your posts do not reach this unit" if unit else "what holds for the whole school is written by who answers for it"
        )


def _tag_faults(setup: Mapping[str, Any], tags: Sequence[str]) -> list[Fault]:
    known = {tag["code"] for axis in setup.get("framework", ()) for tag in axis["tags"]}
    return [
        Fault(pointer=f"/tags/{n}", detail=f"the school's frame has no {tag!r}") for n, tag in enumerate(tags) if tag not in known
    ]


async def remind_of_rules(tx: Transaction) -> None:
    """By the clock: tell once who answers for a rule that its review comes."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    for row in await queries.list_due_rules(tx.session, tx.school, today, AT_ONCE):
        row.reminded_at = tx.now
        rule = Rule.model_validate(row.content)
        people = [] if rule.owner is None else [rule.owner]
        if rule.owner is None:
            places = {*await queries.places_of_unit(tx.session, tx.school, rule.unit), f"level:{rule.level}"}
            people = await queries.holders_of(tx.session, tx.school, rule.owner_post or "", places, today)
        words = f"规章制度「{rule.name}」应于 {rule.review_on} 复审"
        link = f"/api/v1/planning/rules/{row.code}"
        notices = [Notice(person, f"rule:{row.code}:{row.version}", "rule_review", words, link) for person in people]
        await tell(tx, notices)


async def tell_of_revision(tx: Transaction, said: RevisionDue) -> None:
    """Tell the quality office once a version that a standard is to be revised."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    words = f"标准「{said.name}」应于 {said.due_on} 前修订"
    link = f"/api/v1/standards/standards/{said.code}/versions/{said.version}"
    people = await queries.holders_of(tx.session, tx.school, "quality_office", [f"school:{tx.school}"], today)
    await tell(tx, [Notice(each, f"revision:{said.code}:{said.version}", "standard_revision", words, link) for each in people])
