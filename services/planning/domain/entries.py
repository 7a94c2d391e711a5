"""What registers hold: a strict document for each kind of entry, and how an entry goes on from there.

Source: the guarantee chain of the schools' documents: trainings, meetings, hazards and drills, contingency plans, the internal control
of economic matters, student aid, quality incidents, activities of quality culture.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from libs.common.days import Day
from libs.common.errors import Conflict
from libs.common.reasons import at
from services.planning.domain.budgets import Yuan
from services.planning.domain.goals import Code, Id, Line, Number, Part, Words
from services.planning.domain.settings import Severity

Kind = Literal["training", "meeting", "hazard", "incident", "drill", "contingency", "control", "aid", "activity"]
Status = Literal[
    "recorded", "in_force", "open", "done", "verified", "decided", "executed", "supervised", "due", "paid", "withdrawn"
]
Step = Literal["done", "verify", "return", "execute", "supervise", "pay", "withdraw"]
Heads = Annotated[int, Field(ge=0, le=1_000_000)]
WAITING = ("open", "due")
"""Statuses in which an entry is overdue once its day has passed."""


class Entry(Part):
    """What every entry says: its day, and the unit whose register it stands in (None: the school's own).

    `WORDS`: the field whose word is the entry's category, and the list of the school's registers that it is from.
    """

    KIND: ClassVar[Kind]
    FIRST: ClassVar[Status] = "recorded"
    WORDS: ClassVar[tuple[str, str | None]]

    unit: Id | None = None
    on: Day

    @property
    def category(self) -> str | None:
        word: str | None = getattr(self, self.WORDS[0])
        return word


class Training(Entry):
    """A training (培训): `form` is how (走出去, 请进来, 校本化), `attendees` are persons."""

    KIND = "training"
    WORDS = ("form", "training_forms")
    form: Line
    topic: Line
    hours: Annotated[Number, Field(gt=0, le=10_000)]
    attendees: Annotated[list[Id], Field(min_length=1, max_length=5000)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.attendees)) < len(self.attendees):
            raise at("attendees", "each attendee is named once")
        return self


class Meeting(Entry):
    """A meeting of a body, its minutes, and what was decided."""

    KIND = "meeting"
    WORDS = ("body", None)
    body: Line
    minutes: Words
    decisions: Annotated[list[Words], Field(max_length=100)] = []


class _Rectified(Entry):
    """What somebody has to put right by a day, and somebody else verifies."""

    FIRST = "open"
    what: Words
    due_on: Day
    owner: Id

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.due_on < self.on:
            raise at("due_on", "it is due before it was found")
        return self


class Hazard(_Rectified):
    """A hazard (安全隐患): where it was found, and until when it is to be rectified."""

    KIND = "hazard"
    WORDS = ("danger", "safety_categories")
    danger: Line
    place: Line


class Incident(_Rectified):
    """A quality incident or a complaint (质量事故、投诉), by the school's classes and grades."""

    KIND = "incident"
    WORDS = ("incident", "incident_classes")
    incident: Line
    grade: Line | None = None


class Drill(Entry):
    """A drill (演练) and what it showed."""

    KIND = "drill"
    WORDS = ("danger", "safety_categories")
    danger: Line
    participants: Heads
    findings: Words | None = None


class Contact(Part):
    """Whom to turn to, by post: no names, so that a plan outlives its people."""

    post: Line
    task: Line | None = None


class Contingency(Entry):
    """An emergency or contingency plan (应急预案) of a mechanism: shown with warnings about `metrics` that are at least so `severe`."""

    KIND = "contingency"
    FIRST = "in_force"
    WORDS = ("mechanism", None)
    name: Line
    mechanism: Code
    metrics: Annotated[list[Line], Field(min_length=1, max_length=100)]
    severe: Severity = "red"
    steps: Annotated[list[Words], Field(min_length=1, max_length=100)]
    contacts: Annotated[list[Contact], Field(max_length=50)] = []


class Control(Entry):
    """An economic matter under internal control (经济活动内部控制): decided here, executed and supervised by two others."""

    KIND = "control"
    FIRST = "decided"
    WORDS = ("matter", None)
    matter: Line
    amount: Annotated[Yuan, Field(ge=0)] | None = None
    decision: Words
    document: Line | None = None


class Aid(Entry):
    """Aid that a student was granted (学生资助): to be paid in full by a day. It is the student's, and of no unit."""

    KIND = "aid"
    FIRST = "due"
    WORDS = ("aid", "aid_kinds")
    unit: None = None
    student: Id
    aid: Line
    amount: Annotated[Yuan, Field(gt=0)]
    due_on: Day
    owner: Id | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.due_on < self.on:
            raise at("due_on", "it is due before it was granted")
        return self


class Activity(Entry):
    """An activity of quality culture (质量文化): a campaign, a discussion, a handbook that was read."""

    KIND = "activity"
    WORDS = ("culture", "culture")
    culture: Line | None = None
    name: Line
    participants: Heads
    text: Words | None = None


ENTRIES: dict[str, type[Entry]] = {
    each.KIND: each for each in (Training, Meeting, Hazard, Incident, Drill, Contingency, Control, Aid, Activity)
}


# --- how it goes on -------------------------------------------------------------------------------------------------------


class Told(Part):
    """What was done, and the document that says so."""

    on: Day
    text: Words
    document: Line | None = None


class Reason(Part):
    """Why something goes back, or was never so."""

    reason: Words


class Payment(Part):
    """Aid that was paid out."""

    on: Day
    amount: Annotated[Yuan, Field(gt=0)]
    document: Line | None = None


_AFTER: dict[tuple[Status, Step], Status] = {
    ("open", "done"): "done",
    ("done", "verify"): "verified",
    ("done", "return"): "open",
    ("decided", "execute"): "executed",
    ("executed", "supervise"): "supervised",
    ("due", "pay"): "due",
    ("recorded", "withdraw"): "withdrawn",
    ("in_force", "withdraw"): "withdrawn",
    ("open", "withdraw"): "withdrawn",
    ("decided", "withdraw"): "withdrawn",
    ("due", "withdraw"): "withdrawn",
}

OTHERS: dict[Step, tuple[str, ...]] = {
    "verify": ("done",),
    "return": ("done",),
    "execute": ("written",),
    "supervise": ("written", "execute"),
}
"""Steps that nobody takes who took one of these before: decision, execution and supervision are three persons'."""


def next_status(status: Status, step: Step) -> Status:
    """Return where an entry stands after a step. Raises Conflict where the step does not follow."""
    if (after := _AFTER.get((status, step))) is None:
        allowed = " or ".join(before for before, by in _AFTER if by == step)
        raise Conflict(f"the entry is {status}: {step} needs it {allowed}")
    return after
