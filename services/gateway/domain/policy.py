"""What each post may do, and over what: the one table that decides it.

A right follows from a post held today or from what the roster says today, and ends with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from libs.common.grant import EVERYWHERE, Grant
from services.gateway.domain.relations import Post, Relations

PLACES = ("school", "unit", "course", "class", "student", "teacher", "level")
LEVELS = ("student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school")
# Roster roles that give a post by themselves; any other role outside a family makes its holder staff.
_ROLES = {"student": "student", "teacher": "teacher"}
_FAMILY = frozenset({"parent", "guardian", "relative"})


class Over(Enum):
    """What a post's object is, and so the places that it covers."""

    SCHOOL = auto()
    LEVEL = auto()
    UNIT = auto()
    COURSE = auto()
    HOMEROOM = auto()
    TAUGHT = auto()
    SELF_TEACHER = auto()
    SELF_STUDENT = auto()
    CHILDREN = auto()
    NAMED = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a post may do, and over what."""

    over: Over
    may: frozenset[str]


_LOOK = frozenset(
    {
        "school.read",
        "metric.read",
        "indicator.read",
        "standard.read",
        "measurement.read",
        "warning.read",
        "improvement.read",
        "plan.read",
        "cycle.read",
        "task.read",
        "file.read",
        "report.read",
        "progress.read",
        "inbox.read",
        "guarantee.read",
        "due.read",
    }
)
_TAKE_PART = frozenset({"process.read", "process.work", "due.work"})
_KNOW = _LOOK | _TAKE_PART | {"roster.read"}
_FILL_IN = _KNOW | {
    "warning.handle",
    "improvement.work",
    "task.work",
    "file.write",
    "plan.write",
    "diagnosis.write",
    "judgement.write",
}
_LEAD = _FILL_IN | {
    "improvement.open",
    "improvement.verify",
    "task.assign",
    "task.verify",
    "plan.approve",
    "diagnosis.approve",
    "exception.claim",
    "guarantee.write",
    "guarantee.verify",
    "post.delegate",
    "standard.write",
    "standard.review",
    "process.write",
}
_GOVERN = _LEAD | {
    "post.write",
    "agreement.issue",
    "metric.write",
    "indicator.write",
    "standard.manage",
    "settings.write",
    "setup.write",
    "conflict.read",
    "deadletter.read",
    "deadletter.replay",
}
_TUNE = frozenset({"indicator.tune"})
_DESKS = frozenset({"desk.department", "desk.course", "desk.class", "desk.student"})
_INSTALL = frozenset({"school.write", "source.write", "user.write", "roster.write", "rebuild"})

EVERYTHING = _GOVERN | _TUNE | _DESKS | _INSTALL
"""Every permission there is: the operator's."""

POSTS: Mapping[str, Rule] = {
    "school_leader": Rule(Over.SCHOOL, _GOVERN | _DESKS),
    "quality_office": Rule(Over.SCHOOL, _GOVERN | _TUNE | _DESKS),
    "level_group": Rule(
        Over.LEVEL, _KNOW | {"warning.handle", "file.write", "improvement.open", "post.delegate", "judgement.write"}
    ),
    "department_head": Rule(Over.UNIT, _LEAD | {"desk.department"}),
    "department_quality_officer": Rule(Over.UNIT, _FILL_IN | {"post.delegate", "process.write", "guarantee.write"}),
    "office_head": Rule(Over.UNIT, _LEAD | {"desk.department"}),
    "programme_leader": Rule(Over.UNIT, _LEAD | {"desk.department"}),
    "course_leader": Rule(Over.COURSE, _LEAD | {"desk.course"}),
    "class_teacher": Rule(Over.HOMEROOM, _FILL_IN | {"plan.approve", "diagnosis.approve", "post.delegate", "desk.class"}),
    "teacher": Rule(Over.TAUGHT, _FILL_IN),
    "staff": Rule(Over.SELF_TEACHER, _LOOK | _TAKE_PART | {"plan.write", "task.work", "file.write", "diagnosis.write"}),
    "student": Rule(
        Over.SELF_STUDENT, _LOOK | {"plan.write", "file.write", "due.work", "diagnosis.write", "judgement.write", "desk.student"}
    ),
    "parent": Rule(Over.CHILDREN, _LOOK),
    "outside_expert": Rule(Over.NAMED, _LOOK),
}
"""Post (任职) → what it may do. A quality officer fills in and the head verifies; students and parents only look, but that staff
and students write plans of their own and do what is due of them, and that students judge themselves (自评) where an element says so.
Warning lines are tried out and tuned by the quality office alone.
"""


def grants(relations: Relations, person: str, today: date) -> tuple[Grant, ...]:
    """What a person may do today, and over which places; the same rights over several places are one grant."""
    over: dict[frozenset[str], set[str]] = {}
    for post in posts_today(relations, today):
        rule = POSTS[post.post]
        over.setdefault(rule.may, set()).update(_places(rule.over, post, relations, person))
    return tuple(Grant(may, frozenset(places)) for may, places in sorted(over.items(), key=lambda item: sorted(item[0])))


def posts_today(relations: Relations, today: date) -> tuple[Post, ...]:
    """The posts held today, with those that follow from the roster alone; a post that the table lacks gives nothing."""
    held = [post for post in relations.posts if post.post in POSTS and post.holds_on(today)]
    implied = {_ROLES.get(role, "staff") for role in relations.roles if role not in _FAMILY}
    if relations.teaches:
        implied.add("teacher")
    if relations.children:
        implied.add("parent")
    held += [Post("class_teacher", homeroom) for homeroom in relations.homerooms_led]
    held += [Post(name) for name in sorted(implied)]
    return tuple(dict.fromkeys(held))


def _places(over: Over, post: Post, relations: Relations, person: str) -> set[str]:
    match over:
        case Over.SCHOOL:
            return {EVERYWHERE}
        case Over.TAUGHT:
            return {f"teacher:{person}", *(f"class:{id_}" for id_ in relations.teaches)}
        case Over.SELF_TEACHER:
            return {f"teacher:{person}"}
        case Over.SELF_STUDENT:
            return {f"student:{person}"}
        case Over.CHILDREN:
            return {f"student:{child}" for child in relations.children}
    if post.object is None:
        return set()
    match over:
        case Over.LEVEL:
            return {f"level:{post.object}"}
        case Over.UNIT:
            return {f"unit:{post.object}"}
        case Over.COURSE:
            return {f"course:{post.object}"}
        case Over.HOMEROOM:
            return {f"class:{post.object}"}
        case Over.NAMED:
            return _named(post.object)


def _named(object_: str) -> set[str]:
    """The place that an outside expert was given: `kind:id`, or an id alone of a unit, course, class or person."""
    kind, _, rest = object_.partition(":")
    if kind in PLACES and rest:
        return {object_}
    return {f"{kind}:{object_}" for kind in ("unit", "course", "class", "student", "teacher")}
