"""Endpoints of desks (工作台): one call shows what somebody in a post has to see first; and rankings of units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from libs.common.auth import Scope
from libs.common.errors import NotFound
from libs.common.http import Caller, Now, Page, Read, Tx, needs
from services.planning import queries
from services.planning.commands import desks as commands
from services.planning.domain.desks import NEWS_DAYS, Section, section
from services.planning.domain.ledger import rate
from services.planning.queries import desks
from services.planning.queries.desks import API, STANDING
from services.planning.schemas.desks import AnswerBody, DeskView, RankView, SectionView, TalkBody, TalkView
from services.planning.tables import DueItemRow, ImprovementRow, PlanRow

router = APIRouter(tags=["desks"])
MayLead = Annotated[Scope, needs("desk.department")]
MayTeach = Annotated[Scope, needs("desk.course")]
MayGuide = Annotated[Scope, needs("desk.class")]
MayLearn = Annotated[Scope, needs("desk.student")]
MayRank = Annotated[Scope, needs("task.read")]
One = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
_ABOUT_UNITS = ("department", "programme", "course", "class", "teacher")


@router.get("/desks/department-head")
async def department_head(session: Read, scope: MayLead, caller: Caller, now: Now, of: One = None) -> DeskView:
    """The head's desk: to sign or verify, what was prepared, units below a line, what is owed this week, good news."""
    whole, scope = scope, _narrowed(scope, "unit", of)
    today = await queries.today_in(session, scope.school, now)
    verify = [
        await desks.improvements(session, scope, today, desks.to_verify(caller.id)),
        await desks.tasks(session, scope, today, desks.tasks_to_verify(caller.id, whole, today)),
        await desks.agreements_to_sign(session, scope, caller.id),
    ]
    below = await desks.improvements(session, scope, today, *STANDING, ImprovementRow.level.in_(_ABOUT_UNITS))
    return _desk(
        "department-head",
        scope,
        section("to_verify", verify, f"{API}/improvements?status=submitted"),
        section("prepared", [await desks.plans(session, scope, desks.in_review(caller.id))], f"{API}/plans?status=in_review"),
        section("below_line", [below], "/api/v1/monitoring/warnings?status=open"),
        section("owed", await desks.owed(session, scope.school, caller.id, today), f"{API}/inbox"),
        section("good_news", [await desks.good_news(session, scope, now - timedelta(days=NEWS_DAYS))]),
    )


@router.get("/desks/course-leader")
async def course_leader(session: Read, scope: MayTeach, caller: Caller, now: Now, of: One = None) -> DeskView:
    """The course leader's desk: the checks to confirm, open items of the course and its classes, what is owed, good news."""
    scope = _narrowed(scope, "course", of)
    today = await queries.today_in(session, scope.school, now)
    checks = await desks.due_items(session, scope, today, DueItemRow.level == "course")
    open_items = await desks.improvements(session, scope, today, *STANDING, ImprovementRow.level != "student")
    return _desk(
        "course-leader",
        scope,
        section("to_confirm", [checks], f"{API}/due-items"),
        section("open_items", [open_items], f"{API}/improvements"),
        section("owed", await desks.owed(session, scope.school, caller.id, today), f"{API}/inbox"),
        section("good_news", [await desks.good_news(session, scope, now - timedelta(days=NEWS_DAYS))]),
    )


@router.get("/desks/class-teacher")
async def class_teacher(session: Read, scope: MayGuide, now: Now, of: One = None) -> DeskView:
    """The class teacher's desk: students with warnings over all courses, who is new among them, who is better."""
    homerooms = await desks.homerooms_of(session, _narrowed(scope, "class", of))
    scope = Scope(scope.school, frozenset(f"class:{id_}" for id_ in homerooms))
    since = now - timedelta(days=NEWS_DAYS)
    link = "/api/v1/monitoring/warnings?level=student"
    return _desk(
        "class-teacher",
        scope,
        section("students", [await desks.students(session, scope)], link),
        section("new", [await desks.students(session, scope, desks.new_since(since))], link),
        section("good_news", [await desks.better_students(session, scope, since)]),
    )


@router.post("/desks/class-teacher/talks")
async def note_talk(body: TalkBody, tx: Tx, scope: MayGuide, caller: Caller) -> TalkView:
    """Write down a talk with a student (谈话记录) beside every standing warning of theirs. 404 where none stands."""
    homerooms = await desks.homerooms_of(tx.session, scope)
    scope = Scope(scope.school, frozenset(f"class:{id_}" for id_ in homerooms))
    return TalkView(improvements=list(await commands.note_talk(tx, scope, caller.id, body.student, body.text)))


@router.get("/desks/student")
async def student(session: Read, scope: MayLearn, now: Now, of: One = None) -> DeskView:
    """A student's desk: my warnings with reason and next step, my plan, the standards to choose one from, good news."""
    scope = _narrowed(scope, "student", of)
    today = await queries.today_in(session, scope.school, now)
    mine = ImprovementRow.level == "student"
    plans = await desks.plans(session, scope, PlanRow.level == "student", PlanRow.current)
    return _desk(
        "student",
        scope,
        section("warnings", [await desks.improvements(session, scope, today, *STANDING, mine)], "/api/v1/monitoring/warnings"),
        section("plan", [plans], f"{API}/plans"),
        section("standards", [await desks.student_standards(session, scope, today)], "/api/v1/standards/standards"),
        section("good_news", [await desks.good_news(session, scope, now - timedelta(days=NEWS_DAYS), mine)]),
    )


@router.post("/desks/student/answers")
async def answer(body: AnswerBody, tx: Tx, scope: MayLearn, caller: Caller) -> TalkView:
    """Answer a warning of one's own: it stands in the history of its improvement, and whoever answers for that is told."""
    row = await commands.answer(tx, scope, caller.id, body.improvement, body.text)
    return TalkView(improvements=[row.id])


@router.get("/rankings")
async def rank_units(session: Read, scope: MayRank, now: Now, year: Annotated[int, Query(ge=2000, le=2200)]) -> Page[RankView]:
    """Units by how far they are with their tasks of a year, the best first; what is not submitted lowers every rate."""
    rows = await desks.rank_units(session, scope, year, await queries.today_in(session, scope.school, now))
    names = ("unit", "unit_name", "total", "completed", "met", "overdue")
    return Page(items=[_ranked(**dict(zip(names, row, strict=True))) for row in rows])


def _ranked(total: int, completed: int, met: int, **said: Any) -> RankView:
    rates = {"completion": rate(completed, total) or 0.0, "attainment": rate(met, total) or 0.0}
    return RankView(total=total, completed=completed, met=met, **rates, **said)


def _narrowed(scope: Scope, kind: str, id_: str | None) -> Scope:
    """The scope, or one of the objects in it. Raises NotFound for one that is not in it."""
    if id_ is None:
        return scope
    place = f"{kind}:{id_}"
    if not scope.covers([place]):
        raise NotFound(f"there is no {kind} {id_!r}")
    return Scope(scope.school, frozenset({place}))


def _desk(name: str, scope: Scope, *sections: Section) -> DeskView:
    of: Sequence[str] = sorted(place.partition(":")[2] for place in scope.places or ())
    return DeskView(desk=name, of=list(of), sections=[SectionView.model_validate(each) for each in sections])
