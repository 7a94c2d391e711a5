"""What an import changes of what is known: only rows that are new or different, and what the import no longer has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

from libs.common.events import gateway as events
from services.gateway.domain.roster.model import Class, Course, Enrollment, Org, Parent, Person, Role, Roster, Session

PART = 1000


class Row(Protocol):
    """A row that an import may lack."""

    @property
    def active(self) -> bool: ...


RowT = TypeVar("RowT", bound=Row)
KeyT = TypeVar("KeyT")


@dataclass(frozen=True)
class Difference(Generic[RowT]):
    """Rows to add and rows to save; of the latter, `inactive` are those that the import lacks."""

    new: list[RowT] = field(default_factory=list)
    changed: list[RowT] = field(default_factory=list)
    inactive: list[RowT] = field(default_factory=list)

    @property
    def rows(self) -> list[RowT]:
        return [*self.new, *self.changed, *self.inactive]


def compare(
    stored: Mapping[KeyT, RowT], given: Mapping[KeyT, RowT], leave: Callable[[RowT], RowT] | None = None
) -> Difference[RowT]:
    """Compare rows by id; one that is missing becomes inactive, by `leave`, and one that comes back is a change."""
    found: Difference[RowT] = Difference()
    for id_, row in given.items():
        if (before := stored.get(id_)) is None:
            found.new.append(row)
        elif before != row:
            found.changed.append(row)
    for id_, row in stored.items():
        if row.active and id_ not in given:
            found.inactive.append(leave(row) if leave else replace(row, active=False))  # type: ignore[type-var]  # all rows are dataclasses
    return found


@dataclass(frozen=True, slots=True)
class Span:
    """A time that something holds: from `start` to before `end`, None is open.

    Something that an import lacks ends on that day (`left`), and begins again when it comes back, as a span of its own:
    number `n`, never before `after`, the end of the one before it.
    """

    start: date | None
    end: date | None
    n: int = 1
    after: date | None = None
    left: bool = False

    def over(self, day: date) -> bool:
        return self.end is not None and self.end <= day

    def close(self, today: date) -> Span:
        """The import lacks it: it ends today, if it has not ended before."""
        if self.over(today):
            return self
        return replace(self, end=max(today, self.start or today), left=True)

    def follow(self, start: date | None, end: date | None, today: date) -> Span:
        """The import has it, with these days: the span as it is now, or the next one where it had left."""
        if not self.left:
            if self.after is not None and (start is None or start < self.after):
                start = self.start
            if start is not None and end is not None and end < start:
                end = start
            return replace(self, start=start, end=end)
        if end is not None and end <= today:
            return self
        return self.next(start, end, today)

    def next(self, start: date | None, end: date | None, today: date) -> Span:
        """Begin again; a span in which nothing ever held is used again."""
        begin = self.begin(start, today)
        if self.start is not None and self.start >= begin:
            return replace(self, start=begin, end=end, after=begin, left=False)
        return Span(begin, end, self.n + 1, self.end)

    def begin(self, start: date | None, today: date) -> date:
        """When the span after this one begins: at `start` where that is after what ended, else today."""
        floor = today if self.end is None else min(self.end, today)
        return start if start is not None and start >= floor else today


@dataclass(frozen=True, slots=True)
class Attendance:
    """An enrollment with the span in which it holds."""

    id: str
    class_id: str
    person: str
    role: str
    primary: bool
    span: Span

    @property
    def active(self) -> bool:
        return not self.span.left

    def fact(self) -> events.Enrollment:
        """A row that was gone and came back has an id for each of its spans: no sourcedId holds a control character."""
        return events.Enrollment(
            id=self.id if self.span.n == 1 else f"{self.id}\x1f{self.span.n}",
            class_id=self.class_id,
            person=self.person,
            role=self.role,
            primary=self.primary,
            start=self.span.start,
            end=self.span.end,
        )


def compare_enrollments(stored: Mapping[str, Attendance], given: Mapping[str, Enrollment], today: date) -> Difference[Attendance]:
    """Compare enrollments; a row that now names another class, person or role ends today and begins anew."""
    found: Difference[Attendance] = Difference()
    for id_, row in given.items():
        before = stored.get(id_)
        if before is None:
            found.new.append(_attendance(row, Span(row.start, row.end)))
        elif (before.class_id, before.person, before.role) == (row.class_id, row.person, row.role):
            now = _attendance(row, before.span.follow(row.start, row.end, today))
            if now != before:
                found.changed.append(now)
        else:
            closed = before.span.close(today)
            if closed != before.span:
                found.changed.append(replace(before, span=closed))
            begin = closed.begin(row.start, today)
            if row.end is None or row.end > begin:
                found.changed.append(_attendance(row, Span(begin, row.end, closed.n + 1, closed.end)))
    for id_, before in stored.items():
        if id_ not in given and (closed := before.span.close(today)) != before.span:
            found.inactive.append(replace(before, span=closed))
    return found


def _attendance(row: Enrollment, span: Span) -> Attendance:
    return Attendance(row.id, row.class_id, row.person, row.role, row.primary, span)


@dataclass(frozen=True)
class Known:
    """What is stored of a school's roster, by id; of an enrollment its latest span."""

    orgs: Mapping[str, Org] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    courses: Mapping[str, Course] = field(default_factory=dict)
    classes: Mapping[str, Class] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    enrollments: Mapping[str, Attendance] = field(default_factory=dict)
    parents: Mapping[tuple[str, str], Parent] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """What an import changes."""

    orgs: Difference[Org]
    sessions: Difference[Session]
    courses: Difference[Course]
    classes: Difference[Class]
    people: Difference[Person]
    roles: Difference[Role]
    enrollments: Difference[Attendance]
    parents: Difference[Parent]

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Yield (field of RosterImported, row) of all that others must know, what is referred to first."""
        for name in ("orgs", "sessions", "courses", "classes", "people", "enrollments"):
            for row in getattr(self, name).rows:
                yield name, row.fact()
        for row in self.parents.rows:
            yield "relations", row.fact()


def changes(known: Known, roster: Roster, today: date) -> Changes:
    """Return what the import changes."""

    def leave(role: Role) -> Role:
        return replace(role, active=False, end=today if role.end is None or role.end > today else role.end)

    return Changes(
        orgs=compare(known.orgs, roster.orgs),
        sessions=compare(known.sessions, roster.sessions),
        courses=compare(known.courses, roster.courses),
        classes=compare(known.classes, roster.classes),
        people=compare(known.people, roster.people_on(today)),
        roles=compare(known.roles, roster.roles, leave),
        enrollments=compare_enrollments(known.enrollments, roster.enrollments, today),
        parents=compare(known.parents, roster.parents),
    )


def parts(import_id: str, today: date, found: Changes) -> list[events.RosterImported]:
    """Return the events that tell of it, each with at most 1,000 rows; none where nothing changed."""
    facts = list(found.facts())
    pieces = [facts[i : i + PART] for i in range(0, len(facts), PART)]
    told = []
    for number, piece in enumerate(pieces, start=1):
        rows: dict[str, list[Any]] = {}
        for name, fact in piece:
            rows.setdefault(name, []).append(fact)
        told.append(events.RosterImported(part=f"{import_id}/{number}", last=number == len(pieces), today=today, **rows))
    return told
