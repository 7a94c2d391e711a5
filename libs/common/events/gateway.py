"""Facts published by the gateway: schools, the roster, posts."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from libs.common.event import Event


class Org(BaseModel):
    """A unit of the school. `kind` is `school`, `department`, `programme` or `office` (教研室); `parent` is None for the root."""

    id: str
    name: str
    kind: str
    parent: str | None = None
    active: bool = True


class Session(BaseModel):
    """A span of the school calendar; `end` is exclusive. `term` and `semester` make term windows."""

    id: str
    title: str
    kind: str
    start: date
    end: date
    active: bool = True


class Course(BaseModel):
    """What is taught; `org` is the unit that answers for it."""

    id: str
    title: str
    org: str | None = None
    active: bool = True


class Class(BaseModel):
    """A group that is taught (`scheduled`) or belongs together (`homeroom`)."""

    id: str
    title: str
    kind: str = Field(examples=["scheduled", "homeroom"])
    course: str | None = None
    org: str | None = None
    active: bool = True


class Person(BaseModel):
    """Somebody of the roster, with the OneRoster roles they hold and the orgs where they hold them."""

    id: str
    name: str
    roles: list[str] = []
    orgs: list[str] = []
    active: bool = True


class Enrollment(BaseModel):
    """Somebody in a class, as `student` or `teacher`, from `start` (inclusive) to `end` (exclusive); None is open.

    `id` names the span: a row of the roster that was gone and came back, or moved to another class, has a further span with
    an id of its own, and the earlier one stays.
    """

    id: str
    class_id: str
    person: str
    role: str
    primary: bool = False
    start: date | None = None
    end: date | None = None


class Relation(BaseModel):
    """A parent or guardian of a student."""

    person: str
    student: str
    active: bool = True


class SchoolAdded(Event, type="gateway.school_added", about="code"):
    """A school joined. `timezone` is an IANA name; the academic year starts on `year_start` (`MM-DD`)."""

    code: str
    name: str
    timezone: str = "Asia/Shanghai"
    year_start: str = "09-01"
    template: str | None = None


class SourceAdded(Event, type="gateway.source_added", about="name"):
    """A campus system may send events under these `source` values; `label` says how its numbers arise: `measured`, `imported` or
    `by_hand`.
    """

    name: str
    uris: list[str]
    label: str


class SetupChanged(Event, type="gateway.setup_changed", about="code"):
    """A school (`code`) is set up as `content` says, whole: the document of `PUT /api/v1/setup` without what is as by default.

    Its parts that other services work by are those of `libs/common/events/setup.py`.
    """

    code: str
    content: dict[str, Any]


class RosterImported(Event, type="gateway.roster_imported", about="part"):
    """Rows of a roster import that are new or changed, in parts of at most 1,000 rows, orgs first.

    Bulk: a row that the import lacks comes as inactive (or, for an enrollment, ended) from `today` on. `part` is
    `<import id>/<number>`; `last` marks the import's last part.
    """

    part: str
    last: bool
    today: date
    orgs: list[Org] = []
    sessions: list[Session] = []
    courses: list[Course] = []
    classes: list[Class] = []
    people: list[Person] = []
    enrollments: list[Enrollment] = []
    relations: list[Relation] = []


class Post(BaseModel):
    """A post (任职) of a person over an object, from `start` (inclusive) to `end` (exclusive); None is open.

    `object` is the id of a unit, course, class or person; None is the whole school.
    """

    person: str
    post: str
    object: str | None = None
    start: date | None = None
    end: date | None = None


class PostsImported(Event, type="gateway.posts_imported", about="part"):
    """Posts of a school that are new or changed; (person, post, object, start) names a post."""

    part: str
    posts: list[Post]
