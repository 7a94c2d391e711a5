"""Files that people hand in as evidence, by the hash of their content."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.planning.tables.base import Table


class FileRow(Table):
    """A file's content, once a school however often it is handed in; `media` as its content was found to be."""

    __tablename__ = "file"
    school: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    media: Mapped[str]
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class UploadRow(Table):
    """Who handed a file in, when, and what they call it."""

    __tablename__ = "file_upload"
    __table_args__ = (ForeignKeyConstraint(["school", "sha256"], ["file.school", "file.sha256"]),)
    school: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    at: Mapped[datetime]


class EvidenceRow(Table):
    """That somebody named a file as evidence: `kind` says of what (`domain.files.EvidenceOf`), `about` is that thing's id."""

    __tablename__ = "evidence"
    __table_args__ = (ForeignKeyConstraint(["school", "sha256"], ["file.school", "file.sha256"]),)
    school: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    about: Mapped[UUID] = mapped_column(primary_key=True)
    by: Mapped[str] = mapped_column(primary_key=True)
