"""Rows that standards owns."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.database import NAMES, TYPES, Ordered


class Table(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = TYPES


class MetricRow(Table):
    """Copy of a school's metrics: the ones an indicator may watch. `alias` is a second code of the same metric, `direction` the one
    in which it is good.
    """

    __tablename__ = "metric"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None]
    direction: Mapped[str]


class IndicatorRow(Table):
    """An indicator of a school; `newest` is its last version, `active` the one activated last (None: none yet)."""

    __tablename__ = "indicator"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    newest: Mapped[int]
    active: Mapped[int | None]


class VersionRow(Table):
    """One version, never changed once written; `definition` is a `Definition` with its decimals as strings."""

    __tablename__ = "version"
    __table_args__ = (ForeignKeyConstraint(["school", "code"], ["indicator.school", "indicator.code"]),)
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    activated_at: Mapped[datetime | None]
    activated_by: Mapped[str | None]
