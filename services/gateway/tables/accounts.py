"""Schools, who may come in, and what could never be handled."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, ForeignKeyConstraint, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered
from services.gateway.tables.base import Table


class SchoolRow(Table):
    """A tenant. `timezone` is an IANA name, `year_start` is `MM-DD`."""

    __tablename__ = "school"
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    name: Mapped[str]
    timezone: Mapped[str]
    year_start: Mapped[str]
    template: Mapped[str | None]
    added_at: Mapped[datetime]


class MetricRow(Table):
    """A copy of a school's catalogue: what the intake of events must know of a metric. `alias` is its second code."""

    __tablename__ = "metric"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None]
    grain: Mapped[list[str]] = mapped_column(JSON)
    kind: Mapped[str]
    active: Mapped[bool]


class SourceRow(Table):
    """A campus system and the CloudEvents `source` values that it may send; `label` says how its numbers arise."""

    __tablename__ = "source"
    school: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Ordered, primary_key=True)
    uris: Mapped[list[str]] = mapped_column(JSON)
    label: Mapped[str]
    added_at: Mapped[datetime]


class SourceKeyRow(Table):
    """A key of a source, as the SHA-256 of what the source sends."""

    __tablename__ = "source_key"
    id: Mapped[str] = mapped_column(Ordered, primary_key=True)
    school: Mapped[str]
    source: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    added_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    __table_args__ = (ForeignKeyConstraint(["school", "source"], ["source.school", "source.name"]), Index(None, "school", "source"))


class AccountRow(Table):
    """A local account of a person of the roster; names are unique in the installation."""

    __tablename__ = "account"
    username: Mapped[str] = mapped_column(Ordered, primary_key=True)
    school: Mapped[str] = mapped_column(index=True)
    person: Mapped[str]
    password: Mapped[str] = mapped_column(Text)
    disabled: Mapped[bool]
    added_at: Mapped[datetime]


class AccessTokenRow(Table):
    """A person signed in, as the SHA-256 of their bearer token."""

    __tablename__ = "access_token"
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    username: Mapped[str] = mapped_column(index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AttemptRow(Table):
    """Failed or unfinished attempts to sign in since the first of them; kept for names that do not exist, too."""

    __tablename__ = "attempt"
    username: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class OperatorTokenRow(Table):
    """The operator's bearer token, as its SHA-256; there is one."""

    __tablename__ = "operator_token"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class DeadLetterRow(Table):
    """A record that a service will not try again. `event` is the id of the event that told of it."""

    __tablename__ = "dead_letter"
    id: Mapped[str] = mapped_column(Ordered, primary_key=True)
    school: Mapped[str] = mapped_column(index=True)
    event: Mapped[UUID]
    service: Mapped[str]
    topic: Mapped[str]
    key: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    problem: Mapped[str]
    detail: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(index=True)
    replayed_at: Mapped[datetime | None]
