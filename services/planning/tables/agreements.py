"""Letters of responsibility (责任状), version by version, with the versions of tasks that each freezes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.planning.tables.base import Table


class AgreementRow(Table):
    """A version of an agreement of a year: of a unit, or of a person who holds a post (`holder`).

    `content` is what is signed and `hash` the SHA-256 of it. `signer` is who is asked to sign. `newest`: no later version is there.
    """

    __tablename__ = "agreement"
    __table_args__ = (
        Index(None, "school", "year", "kind", "party", "version", unique=True),
        Index(None, "school", "signer", "status"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    kind: Mapped[str]
    year: Mapped[int]
    party: Mapped[str]
    unit: Mapped[str | None]
    holder: Mapped[str | None]
    version: Mapped[int]
    newest: Mapped[bool]
    status: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[str]
    signer: Mapped[str | None]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str]
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[str | None]
    outdated_at: Mapped[datetime | None]


class AgreementTaskRow(Table):
    """A version of a task that an agreement freezes."""

    __tablename__ = "agreement_task"
    __table_args__ = (Index(None, "task"),)
    agreement: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    task: Mapped[UUID] = mapped_column(ForeignKey("task.id"), primary_key=True)
    version: Mapped[int]


class AgreementPlaceRow(Table):
    """Where an agreement lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "agreement_place"
    agreement: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
