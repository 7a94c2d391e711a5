"""Facts published by planning."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.common.event import Event


class ImprovementOpened(Event, type="planning.improvement_opened", about="improvement"):
    """A warning opened its one improvement task, or people recorded a problem: then there is no `warning` and no `severity`.

    `source` says where it comes from, `warning` or how people found it; `unit` is the one that answers; `recurs` the improvement of the same
    problem before. `owner` is the person by post, None where every post up to the quality office is vacant; `vacant` names the posts that
    were passed over on the way up. `places` are the warning's, or where the problem's subject and unit lie.
    """

    improvement: UUID
    warning: UUID | None
    source: str = "warning"
    indicator: str | None
    level: str
    subject: str
    title: str
    severity: str | None
    unit: str | None = None
    recurs: UUID | None = None
    owner: str | None
    owner_post: str
    verifier: str | None
    verifier_post: str
    vacant: list[str]
    plan_due_on: date
    due_on: date
    places: list[str]


class ImprovementAssigned(Event, type="planning.improvement_assigned", about="improvement"):
    """Posts that were vacant when a task was opened are held now, and it has not been started: it has other people.

    `vacant` names the posts that still are.
    """

    improvement: UUID
    warning: UUID | None
    owner: str | None
    owner_post: str
    verifier: str | None
    verifier_post: str
    vacant: list[str]


class ImprovementStarted(Event, type="planning.improvement_started", about="improvement"):
    """The owner accepted the plan: measures, goal and deadline. `indicator`: what it is to change of the subject, where that is measured."""

    improvement: UUID
    warning: UUID | None
    by: str
    measures: list[str]
    goal: str
    deadline: date
    indicator: str | None = None
    level: str | None = None
    subject: str | None = None


class ImprovementSubmitted(Event, type="planning.improvement_submitted", about="improvement"):
    """The owner says what was done, with evidence."""

    improvement: UUID
    warning: UUID | None
    by: str
    done: str
    evidence: list[str]


class ImprovementReturned(Event, type="planning.improvement_returned", about="improvement"):
    """The verifier wants more, with a reason."""

    improvement: UUID
    warning: UUID | None
    by: str
    reason: str


class ImprovementVerified(Event, type="planning.improvement_verified", about="improvement"):
    """Somebody other than the submitter confirmed it; `reason` is there where the warning was not yet cleared."""

    improvement: UUID
    warning: UUID | None
    by: str
    reason: str | None = None


class ImprovementClosed(Event, type="planning.improvement_closed", about="improvement"):
    """The task is over: `verified`, or `dismissed` or `withdrawn` with its warning."""

    improvement: UUID
    warning: UUID | None
    reason: str


class ImprovementReopened(Event, type="planning.improvement_reopened", about="improvement"):
    """A warning that had been withdrawn by mistake stands again, and so does its task, as far as it had come (`status`)."""

    improvement: UUID
    warning: UUID
    status: str
    reason: str


class ImprovementDueChanged(Event, type="planning.improvement_due_changed", about="improvement"):
    """A rising severity gave the task another title, and often earlier dates; a date that stays is told as it is."""

    improvement: UUID
    warning: UUID
    severity: str
    due_on: date
    plan_due_on: date | None = None
    title: str | None = None


class ImprovementOverdue(Event, type="planning.improvement_overdue", about="improvement"):
    """The due date passed without the task being submitted."""

    improvement: UUID
    warning: UUID | None
    due_on: date


class ImprovementPlanOverdue(Event, type="planning.improvement_plan_overdue", about="improvement"):
    """The date for the plan passed without the work being started."""

    improvement: UUID
    warning: UUID | None
    plan_due_on: date


class ImprovementProgressed(Event, type="planning.improvement_progressed", about="improvement"):
    """Somebody wrote down how far it is."""

    improvement: UUID
    warning: UUID | None
    by: str
    text: str
    evidence: list[str]


class MeasureWanted(Event, type="planning.measure_wanted", about="metric"):
    """Planning follows what a metric comes to at a level over windows of a kind; `subject` None: of everybody there."""

    metric: str
    level: str
    window: str
    subject: str | None = None


class PlanPublished(Event, type="planning.plan_published", about="plan"):
    """A version of a plan is in force in the place of the one before; `goals` says how many it has. Dates are inclusive."""

    plan: str
    version: int
    name: str
    kind: str
    level: str
    unit: str | None
    subject: str | None
    parent: str | None
    period_from: date
    period_to: date
    goals: int


class CycleClosed(Event, type="planning.cycle_closed", about="cycle"):
    """An object has gone through its spiral once: its diagnosis is approved. Days are inclusive; `place` is the object's own (`kind:id`).

    What a closed cycle concluded may be the origin of new versions of plans, standards and indicators.
    """

    cycle: UUID
    level: str
    subject: str
    place: str
    length: str
    starts_on: date
    ends_on: date
    approved_by: str


class TaskAssigned(Event, type="planning.task_assigned", about="task"):
    """An annual task was given to a unit or a person, or a unit's task found its owner; `goal` is the goal whose value of the year it is.

    `places` is where it lies, with the people who have it: of the following facts, too.
    """

    task: UUID
    task_class: str
    title: str
    year: int
    unit: str | None
    owner: str | None
    goal: UUID | None
    due_on: date
    places: list[str] = []


class TaskVerified(Event, type="planning.task_verified", about="task"):
    """Somebody who neither has an annual task nor submitted it confirmed it; `met`: what it asks for was reached."""

    task: UUID
    task_class: str
    title: str = ""
    year: int
    unit: str | None
    owner: str | None
    goal: UUID | None
    due_on: date
    by: str
    met: bool
    score: Decimal | None
    places: list[str] = []


class TaskOverdue(Event, type="planning.task_overdue", about="task"):
    """The due date of an annual task passed without its being submitted."""

    task: UUID
    task_class: str
    title: str
    year: int
    unit: str | None
    owner: str | None
    due_on: date
    places: list[str] = []


class AgreementSigned(Event, type="planning.agreement_signed", about="agreement"):
    """A letter of responsibility was signed: by the head of `unit`, or by the `holder` of a post; `hash` is the SHA-256 of what it says."""

    agreement: UUID
    kind: str
    name: str = ""
    year: int
    unit: str | None
    holder: str | None
    version: int
    by: str
    hash: str
    places: list[str] = []


class DueItemOverdue(Event, type="planning.due_item_overdue", about="item"):
    """The day on which something of a routine was due has passed, and its owner (None: the post is vacant) has not said that it is done.

    `per`, `subject`: whom or what it is about.
    """

    item: UUID
    routine: str
    name: str
    level: str
    per: str
    subject: str
    owner: str | None
    due_on: date
    places: list[str] = []
