"""Posts (任职) by CSV: read, checked against the roster, compared with what is known."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from libs.common.events import gateway as events
from services.gateway.domain.policy import LEVELS, POSTS, Over
from services.gateway.domain.roster.changes import Difference, Span
from services.gateway.domain.roster.sheet import Columns, Faults, Line, read_lines

COLUMNS = Columns(("person", "post"), ("object", "from", "to"))
ALIASES = {
    "校领导": "school_leader",
    "质量办": "quality_office",
    "质量管理办公室": "quality_office",
    "推进组": "level_group",
    "部门负责人": "department_head",
    "部门质量专员": "department_quality_officer",
    "质量专员": "department_quality_officer",
    "教研室主任": "office_head",
    "专业负责人": "programme_leader",
    "专业带头人": "programme_leader",
    "课程负责人": "course_leader",
    "班主任": "class_teacher",
    "辅导员": "class_teacher",
    "教师": "teacher",
    "教职工": "staff",
    "学生": "student",
    "家长": "parent",
    "校外专家": "outside_expert",
}
LEVEL_ALIASES = {
    "学校": "school",
    "部门": "department",
    "专业": "programme",
    "课程": "course",
    "班级": "class",
    "教师": "teacher",
    "学生": "student",
}
_UNIT_KIND = {
    "department_head": "department",
    "department_quality_officer": "department",
    "office_head": "office",
    "programme_leader": "programme",
}
_MARK = {"programme": "metadata.kind=programme", "office": "metadata.kind=office"}
Key = tuple[str, str, str | None, date | None]


@dataclass(frozen=True)
class Ground:
    """What posts refer to: the active rows of a school's roster, with their kinds; of people their roles."""

    school: str
    units: Mapping[str, str] = field(default_factory=dict)
    courses: Collection[str] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, Collection[str]] = field(default_factory=dict)

    def places(self, id_: str) -> list[str]:
        """Every place that an id may mean."""
        found = [f"unit:{id_}"] if id_ in self.units else []
        found += [f"course:{id_}"] if id_ in self.courses else []
        found += [f"class:{id_}"] if id_ in self.classes else []
        if id_ in self.people:
            found.append(f"{'student' if 'student' in self.people[id_] else 'teacher'}:{id_}")
        return found


@dataclass(frozen=True, slots=True)
class Holding:
    """A post of a person; `given` is its first day as the file has it, `place` its object as `kind:id`."""

    person: str
    post: str
    object: str | None
    place: str
    given: date | None
    span: Span

    @property
    def id(self) -> Key:
        return self.person, self.post, self.object, self.given

    @property
    def active(self) -> bool:
        return not self.span.left

    def fact(self) -> events.Post:
        return events.Post(person=self.person, post=self.post, object=self.object, start=self.span.start, end=self.span.end)


def post_named(name: str) -> str | None:
    """The identifier of a post by its identifier or its Chinese name."""
    post = ALIASES.get(name, name)
    return post if post in POSTS else None


def object_named(post: str, name: str | None) -> str | None:
    """An object as it is kept: levels may be given by their Chinese names."""
    return LEVEL_ALIASES.get(name, name) if name and POSTS[post].over is Over.LEVEL else name or None


def parse_posts(body: bytes, ground: Ground) -> dict[Key, Holding]:
    """Read a CSV of `person,post,object,from,to`. Raises Invalid naming row and column of each fault."""
    faults = Faults()
    found: dict[Key, Holding] = {}
    rows: dict[Key, int] = {}
    for line in read_lines("", _text(body), COLUMNS, faults):
        count = faults.count
        holding = _holding(line, ground)
        if holding is None or faults.count > count:
            continue
        if holding.id in rows:
            line.fault("person", f"the same post from the same day stands in row {rows[holding.id]} too")
        rows[holding.id], found[holding.id] = line.row, holding
    faults.refuse("the posts are")
    return found


def _text(body: bytes) -> Iterable[str]:
    return io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", newline="")


def _holding(line: Line, ground: Ground) -> Holding | None:
    person, name = line.id("person"), line.text("post", needed=True)
    if person and person not in ground.people:
        line.fault("person", f"the roster has no active person {person!r}")
    start, end = line.date("from"), line.date("to")
    if start and end and end <= start:
        line.fault("to", "must be after from: it is the first day on which the post is not held")
    if not name:
        return None
    post = post_named(name)
    if post is None:
        line.fault("post", f"unknown post {name!r}; there are {', '.join((*POSTS, *ALIASES))}")
        return None
    if post == "outside_expert" and end is None:
        line.fault("to", "an outside expert looks until a day: name it")
    object_, place = _object(line, post, ground)
    return Holding(person, post, object_, place, start, Span(start, end))


def _object(line: Line, post: str, ground: Ground) -> tuple[str | None, str]:
    """The object as it is kept, and as a place."""
    given = line.text("object")
    match POSTS[post].over:
        case Over.SCHOOL:
            return _school(line, given, ground)
        case Over.LEVEL:
            return _level(line, given, post)
        case Over.UNIT:
            kind = _UNIT_KIND[post]
            return _one(line, given, ground.units, "unit", kind, f"a {kind}")
        case Over.COURSE:
            return _one(line, given, dict.fromkeys(ground.courses, "course"), "course", "course", "a course")
        case Over.HOMEROOM:
            return _one(line, given, ground.classes, "class", "homeroom", "a homeroom class")
        case Over.TAUGHT if given:
            return _one(line, given, ground.classes, "class", "scheduled", "a scheduled class")
        case Over.CHILDREN:
            students = {id_: "student" for id_, roles in ground.people.items() if "student" in roles}
            return _one(line, given, students, "student", "student", "a student")
        case Over.NAMED:
            return _named(line, given, ground)
        case Over.SELF_STUDENT:
            line.fault("post", "who is a student follows from the roster: give it there")
        case _:
            if given:
                line.fault("object", "this post has no object: leave it empty")
    return None, f"teacher:{line.values['person'].strip()}"


def _school(line: Line, given: str, ground: Ground) -> tuple[None, str]:
    if given not in {"", ground.school} and ground.units.get(given) != "school":
        line.fault("object", "this post is held over the whole school: leave the object empty")
    return None, f"school:{ground.school}"


def _level(line: Line, given: str, post: str) -> tuple[str | None, str]:
    level = object_named(post, given)
    if level not in LEVELS:
        line.fault("object", f"must be a level: {', '.join((*LEVELS, *LEVEL_ALIASES))}")
    return level, f"level:{level}"


def _one(line: Line, id_: str, kinds: Mapping[str, str], place: str, kind: str, what: str) -> tuple[str, str]:
    """An object that must be of one kind."""
    if not id_:
        line.fault("object", f"name {what}: its sourcedId in the roster")
    elif id_ not in kinds:
        line.fault("object", f"the roster has no active {place} {id_!r}")
    elif kinds[id_] != kind:
        hint = f" (the roster marks one by {_MARK[kind]})" if kind in _MARK else ""
        line.fault("object", f"{id_!r} is not {what} but a {kinds[id_]}{hint}")
    return id_, f"{place}:{id_}"


def _named(line: Line, given: str, ground: Ground) -> tuple[str, str]:
    """What an outside expert is shown: `kind:id`, or an id that only one thing has."""
    if not given:
        line.fault("object", "an outside expert is shown named objects: name one a row")
        return "", ""
    _, _, rest = given.partition(":")
    places = ground.places(given)
    if not places and given in ground.places(rest):
        places = [given]
    if len(places) != 1:
        reason = f"may mean {' or '.join(places)}: write one of them" if places else "the roster has nothing active of this id"
        line.fault("object", reason)
        return "", ""
    return places[0], places[0]


def compare_posts(stored: Mapping[Key, Holding], given: Mapping[Key, Holding], today: date) -> Difference[Holding]:
    """Compare posts: what the file lacks ends today, what comes back begins again."""
    found: Difference[Holding] = Difference()
    for key, holding in given.items():
        before = stored.get(key)
        if before is None:
            found.new.append(holding)
            continue
        now = replace(holding, span=before.span.follow(holding.span.start, holding.span.end, today))
        if now != before:
            found.changed.append(now)
    for key, before in stored.items():
        if key not in given and (closed := before.span.close(today)) != before.span:
            found.inactive.append(replace(before, span=closed))
    return found
