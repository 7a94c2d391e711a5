"""What a school lives through in one round, made from a seed: what is sent, and what the model is to be told of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from fractions import Fraction
from random import Random
from typing import Any

from tests.model.school import Content, Sent, Version
from tests.model.school import School as Model

MILLION = 1_000_000
TODAYS = 20  # observations of the day itself
TYPE = "cn.zhengai.observation"
SHANGHAI = timezone(timedelta(hours=8))
ZONES = (SHANGHAI, UTC, timezone(timedelta(hours=-7)))  # the same instant may be written in any zone
FIRST_DAY, DAYS = date(2024, 3, 4), 70  # long ago: right by every clock, three days fast or slow
TERMS = [("2023F", date(2023, 9, 1), date(2024, 1, 20)), ("2024S", date(2024, 2, 26), date(2024, 7, 6))]
NUMERATORS = (0, 100_000, 250_000, 300_000, 700_000, 1_000_000, 1_000_000, 1_000_000)  # 0.1 and 0.7 are no floats
HOMEWORK = "assignment_completion"
DENOMINATORS = (1_000_000, 1_000_000, 500_000, 1_100_000)

CLASS_COLUMNS = (
    "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
    "termSourcedIds,subjects,subjectCodes,periods"
)
UNITS = {"mech": "", "cnc": "mech", "arts": ""}  # a unit and the one above it; `cnc` is a programme
COURSES = {"K1": "cnc", "K2": "arts", "K3": "mech"}
PLACES = {
    "K1": {"course": "K1", "programme": "cnc", "department": "mech"},
    "K2": {"course": "K2", "department": "arts"},
    "K3": {"course": "K3", "department": "mech"},
}
CLASSES = {f"C{n}": f"K{1 + n % 3}" for n in range(6)}
HOMEROOMS = {"H0": {"programme": "cnc", "department": "mech"}, "H1": {"department": "arts"}}
STUDENTS = {f"S{n}": f"H{n % 2}" for n in range(12)}
PERSON = "Q1"  # of the quality office, who may dismiss
LEADER = "L1"
POSTS = f"person,post,object,from,to\n{PERSON},quality_office,,,\n{LEADER},school_leader,,,\n"
# In the middle of a round a class goes to another department, from that day on, and the roster says of some students that they
# have been in the other homeroom since a day long ago.
MOVED = "C0"
MOVED_TO = ("arts", {"course": "K1", "programme": "cnc", "department": "arts"})  # the programme is the course's
LEFT, SINCE = {"S0": "H1", "S3": "H0", "S6": "H1"}, date(2024, 4, 8)
KNOWN_FIRST = {*("C0", "C1", "C2"), *(f"S{n}" for n in range(6))}  # the rest of the roster comes in the middle


def indicator(
    code: str,
    metric: str,
    level: str,
    window: str,
    comparison: str,
    least: int,
    lines: Sequence[tuple[str, str, str]],
    since: date,
    evaluate: Any = "on_update",
) -> dict[str, Any]:
    """An indicator as the API takes it."""
    return {
        "code": code, "name": code, "metric": metric, "level": level, "window": window, "comparison": comparison,
        "target": 0.9, "min_denominator": least, "evaluate": evaluate, "effective_from": str(since),
        "warning_lines": [{"severity": s, "enter": float(enter), "clear": float(clear)} for s, enter, clear in lines],
    }  # fmt: skip


STEPS = [("yellow", "0.8", "0.85"), ("orange", "0.7", "0.75"), ("red", "0.5", "0.6")]
AT_FIRST = [
    indicator("class-week", "attendance", "class", "week", "below", 3, STEPS, date(2020, 1, 1)),
    indicator("student-month", "attendance", "student", "month", "below", 1, [("blue", "0.65", "0.65")], date(2020, 1, 1)),
    indicator("lessons-closed", "lesson_attendance", "class", "week", "below", 2, STEPS, date(2020, 1, 1), "window_close"),
    indicator(
        "department-closed",
        "lesson_attendance",
        "department",
        "month",
        "below",
        5,
        [("blue", "0.7", "0.75")],
        FIRST_DAY,
        "window_close",
    ),
    indicator("homeroom-term", "attendance", "homeroom", "term", "below", 10, [("orange", "0.68", "0.7")], date(2020, 1, 1)),
]
IN_THE_MIDDLE = [
    indicator("class-week", "attendance", "class", "week", "below", 2, [("red", "0.6", "0.65")], FIRST_DAY + timedelta(30)),
    indicator("course-over", "lesson_attendance", "course", "week", "above", 2, [("yellow", "0.7", "0.6")], date(2020, 1, 1)),
]


def daily(at: str) -> dict[str, Any]:
    """The indicator that is judged once a day: nothing but what comes in the middle of a round concerns it."""
    return indicator("daily", HOMEWORK, "class", "week", "below", 1, [("orange", "0.5", "0.6")], date(2020, 1, 1), {"daily_at": at})


@dataclass(frozen=True)
class Event:
    """An event as it is sent, and as the model is told."""

    raw: bytes
    told: Sent


@dataclass(frozen=True)
class Batch:
    """The events of one request; the number names it in the journal."""

    number: int
    events: tuple[Event, ...]

    @property
    def body(self) -> bytes:
        return b"[" + b",".join(event.raw for event in self.events) + b"]"


@dataclass
class History:
    """One school's round. `halves` holds, for each of two halves, the batches that each connection sends, in its order.

    With one connection the order of counting is known, and with it every warning. With several, what is sent does not
    depend on its order: a target is corrected at most once, and no id comes with two contents.
    """

    code: str
    seed: int
    connections: int
    events: int
    halves: list[list[list[Batch]]] = field(default_factory=list)
    middle: list[Batch] = field(default_factory=list)  # what comes between them: before and after a daily indicator is activated
    batches: dict[int, Batch] = field(default_factory=dict)
    today: date = field(default_factory=lambda: datetime.now(SHANGHAI).date())
    conflicts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed} {self.code}")
        events = self._shuffled(list(self._observed()))
        middle = len(events) // 2
        for part in range(2):
            self.middle.append(Batch(-1 - part, tuple(self._homework(part))))
        self.batches |= {batch.number: batch for batch in self.middle}
        for half in (events[:middle], self._shuffled([*events[middle:], *self._of_today()])):
            batches = list(self._batches(half))
            self.batches |= {batch.number: batch for batch in batches}
            self.halves.append(self._lanes(batches))

    @property
    def ordered(self) -> bool:
        """Whether the order of counting is known."""
        return self.connections == 1

    def _observed(self) -> Iterator[Event]:
        r, corrected, amended = self._random, set[str](), list[str]()
        for n in range(self.events):
            yield self._event(f"o{n}", "", "", self._content())
            amended.append(f"o{n}")
            kind, target = r.random(), r.choice(amended if r.random() < 0.5 else amended[-8:])
            if kind < 0.10 and (self.ordered or target not in corrected):
                corrected.add(target)
                yield self._event(f"c{n}", "corrects", target, self._content())
                if self.ordered:
                    amended.append(f"c{n}")
            elif kind < 0.16:
                yield self._event(f"r{n}", "retracts", target if self.ordered else f"o{r.randrange(n + 1)}", None)
            elif kind < 0.18 and self.ordered:
                self.conflicts.add(target)
                yield self._event(target, "", "", self._other_than(target))

    def _homework(self, part: int) -> Iterator[Event]:
        """First each class is well or badly off; then each has as much again, and some are the other way round."""
        for class_ in CLASSES:
            done = self._random.choice((0, 0, 1)) * MILLION * (1 + part)
            content = Content(HOMEWORK, FIRST_DAY, done, MILLION * (1 + part), (("class", class_), ("student", "S1")))
            yield self._event(f"h{part}-{class_}", "", "", content)

    def _of_today(self) -> Iterator[Event]:
        """What the class that has moved does from then on."""
        for n in range(TODAYS):
            named = (("class", MOVED), ("student", self._random.choice(list(STUDENTS))))
            content = Content("attendance", self.today, self._random.choice(NUMERATORS), self._random.choice(DENOMINATORS), named)
            yield self._event(f"t{n}", "", "", content)

    def _content(self) -> Content:
        r, class_ = self._random, self._random.choice(list(CLASSES))
        named, metric = ("student", r.choice(list(STUDENTS))), "attendance"
        if r.random() < 0.3:
            named, metric = ("lesson", f"{class_}-{r.randrange(20)}"), "lesson_attendance"
        day = FIRST_DAY + timedelta(r.randrange(DAYS))
        return Content(metric, day, r.choice(NUMERATORS), r.choice(DENOMINATORS), (("class", class_), named))

    def _other_than(self, id_: str) -> Content:
        """Content that nothing sent with this id has: the day is no content, so the numbers differ."""
        content = self._content()
        return Content(content.metric, content.day, 900_000 + int(id_[1:]), content.denominator, content.named)

    def _event(self, id_: str, amends: str, target: str, content: Content | None) -> Event:
        day = content.day if content else FIRST_DAY
        at = datetime.combine(day, time(0, 0), SHANGHAI) + timedelta(seconds=self._random.randrange(86_400))
        kind, data = ".v1", dict[str, Any]()
        if content is not None:
            data = {"metric": content.metric, "numerator": shown(content.numerator), "denominator": shown(content.denominator)}
            data |= dict(content.named)
        if amends == "corrects":
            kind, data = ".corrected.v1", {**data, "corrects": target}
        elif amends == "retracts":
            kind, data = ".retracted.v1", {"retracts": target, "reason": "误报"}
        source, written = f"urn:campus:{self.code}:lms", at.astimezone(self._random.choice(ZONES)).isoformat()
        event = {"specversion": "1.0", "id": id_, "source": source, "type": TYPE + kind, "time": written, "data": data}
        return Event(json.dumps(event, ensure_ascii=False).encode(), Sent(id_, content, target))

    def _shuffled(self, events: list[Event]) -> list[Event]:
        """Mostly a little out of order, some of it very late: an amendment may come before what it amends."""
        r = self._random
        places = {
            id(event): n + (r.random() * 12 if r.random() < 0.8 else r.random() * len(events)) for n, event in enumerate(events)
        }
        return sorted(events, key=lambda event: places[id(event)])

    def _batches(self, events: Sequence[Event]) -> Iterator[Batch]:
        at, number = 0, max(0, *self.batches) + 1
        while at < len(events):
            size = self._random.choice((1, 2, 5, 10, 20))
            part = list(events[at : at + size])
            part += [self._random.choice(part)] if self._random.random() < 0.3 else []  # twice within a request
            yield Batch(number, tuple(part))
            at, number = at + size, number + 1

    def _lanes(self, batches: Sequence[Batch]) -> list[list[Batch]]:
        """Each batch one to three times: on one connection again a little later, on several in any order."""
        r = self._random
        if self.ordered:
            again = [(n + r.randrange(1, 9), batch) for n, batch in enumerate(batches) for _ in range(r.choice((0, 0, 1, 2)))]
            placed = sorted([*enumerate(batches), *again], key=lambda each: each[0])  # stable: the first time comes first
            return [[batch for _, batch in placed]]
        lanes: list[list[Batch]] = [[] for _ in range(self.connections)]
        for batch in batches:
            for lane in r.sample(lanes, r.choice((1, 2, 3))):
                lane.append(batch)
        for lane in lanes:
            r.shuffle(lane)
        return lanes


def shown(millionths: int) -> float | int:
    """A number as the JSON of a campus system has it."""
    return millionths // MILLION if millionths % MILLION == 0 else millionths / MILLION


def version(said: dict[str, Any], number: int) -> Version:
    """An indicator in the model's words; it adds up millionths."""
    lines = tuple((line["severity"], Fraction(str(line["enter"])), Fraction(str(line["clear"]))) for line in said["warning_lines"])
    named = (said["code"], number, said["metric"], said["level"], said["window"], said["comparison"] == "below")
    when = said["evaluate"] if isinstance(said["evaluate"], str) else "daily"
    return Version(*named, said["min_denominator"] * MILLION, when, lines, date.fromisoformat(said["effective_from"]))


def model(moved: date = date.max) -> Model:
    """A school that knows the whole roster, when it came does not matter in the end, and the day on which a class moved."""
    school = Model(terms=[(start, end) for _, start, end in TERMS], students=set(STUDENTS))
    school.classes = {class_: [(date.min, PLACES[course])] for class_, course in CLASSES.items()}
    school.classes |= {homeroom: [(date.min, units)] for homeroom, units in HOMEROOMS.items()}
    school.classes[MOVED] += [(moved, MOVED_TO[1])]
    school.homes = {student: [(date.min, date.max, homeroom)] for student, homeroom in STUDENTS.items()}
    school.homes |= {
        student: [(date.min, SINCE, STUDENTS[student]), (SINCE, date.max, homeroom)] for student, homeroom in LEFT.items()
    }
    return school


def roster(*, whole: bool, moved: bool = True) -> bytes:
    """The school's master data as a OneRoster zip; not `whole`: some classes and students are missing yet."""
    tables = {**_units(), **_classes(whole=whole, moved=moved), **_people(whole=whole, moved=moved)}
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2", "file.demographics,absent"]
    tables["manifest"] = [*manifest, *(f"file.{name},bulk" for name in tables)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in tables.items():
            archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    return buffer.getvalue()


def _units() -> dict[str, list[str]]:
    return {
        "orgs": [
            "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId,metadata.kind",
            "root,,,学校,school,,,",
            *(f"{u},,,{u},department,,{above or 'root'},{'programme' if above else ''}" for u, above in UNITS.items()),
        ],
        "academicSessions": [
            "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
            *(f"{name},,,{name},term,{start},{end},,2024" for name, start, end in TERMS),
        ],
        "courses": [
            "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,subjectCodes",
            *(f"{course},,,,{course},{course},,{org},," for course, org in COURSES.items()),
        ],
    }


def _classes(*, whole: bool, moved: bool) -> dict[str, list[str]]:
    classes = [c for c in CLASSES if whole or c in KNOWN_FIRST]
    orgs = {c: COURSES[CLASSES[c]] for c in classes} | ({MOVED: MOVED_TO[0]} if moved else {})
    return {
        "classes": [
            CLASS_COLUMNS,
            *(f"{c},,,{c},,{CLASSES[c]},,scheduled,,{orgs[c]},2024S,,," for c in classes),
            *(f"{h},,,{h},,,,homeroom,,{units.get('programme', units['department'])},,,," for h, units in HOMEROOMS.items()),
        ]
    }


def _people(*, whole: bool, moved: bool) -> dict[str, list[str]]:
    students = [s for s in STUDENTS if whole or s in KNOWN_FIRST]
    left = [s for s in students if moved and s in LEFT]
    return {
        "users": [
            "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,agentSourcedIds",
            *(f"{person},,,true,{person},{person},李," for person in (PERSON, LEADER)),
            *(f"{student},,,true,{student},{student},王," for student in students),
        ],
        "roles": [
            "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId",
            *(f"role-{person},,,{person},primary,teacher,,,root" for person in (PERSON, LEADER)),
            *(f"role-{student},,,{student},primary,student,,,root" for student in students),
        ],
        "enrollments": [
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate",
            *(f"e-{s},,,{STUDENTS[s]},root,{s},student,,,{SINCE if s in left else ''}" for s in students),
            *(f"e2-{s},,,{LEFT[s]},root,{s},student,,{SINCE}," for s in left),
        ],
    }
