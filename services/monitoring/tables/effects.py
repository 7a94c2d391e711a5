"""Improvements that were started, and what they have changed."""

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered
from services.monitoring.tables.base import Table


class EffectRow(Table):
    """An improvement that was started: when it was under way, which days are compared, and what that came to. Days are counted.

    `warning` led to it, and lies where it was seen; of a problem that people found (None) `places` says where its subject lay.
    `place` is the metric with the level, as series begin with it; `better` is 1 where a higher value is better, else -1. It was
    under way from `started_on` until `ended_on` (verified, or closed without); `verified_on` None: there is nothing to measure.
    The spans run from `…_from` (inclusive) to `…_to` (exclusive); those after are None until so many windows are over.
    `looked_on` is the day on which it was last seen whether they are, `due`: what it was measured by has changed. `revision` counts
    the measurements that came to something else; `found` is the newest, as it was published.
    """

    __tablename__ = "effect"
    __table_args__ = (
        Index("effect_place_ix", "school_id", "place"),
        Index("effect_indicator_ix", "school_id", "indicator"),
        Index("effect_level_ix", "school_id", "level", "started_on"),
        Index("effect_due_ix", "school_id", "due"),
        Index("effect_pending_ix", "school_id", "after_to", "verified_on"),
    )
    improvement: Mapped[UUID] = mapped_column(primary_key=True)
    school_id: Mapped[int]
    warning: Mapped[UUID | None]
    places: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    indicator: Mapped[str]
    version: Mapped[int]
    place: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[str]
    subject: Mapped[str] = mapped_column(Ordered)
    subject_word: Mapped[int] = mapped_column(BigInteger)
    better: Mapped[int]
    started_on: Mapped[int]
    ended_on: Mapped[int | None]
    verified_on: Mapped[int | None]
    before_from: Mapped[int]
    before_to: Mapped[int]
    before_windows: Mapped[int]
    after_from: Mapped[int | None]
    after_to: Mapped[int | None]
    after_windows: Mapped[int | None]
    looked_on: Mapped[int | None]
    due: Mapped[bool] = mapped_column(default=False)
    revision: Mapped[int] = mapped_column(default=0)
    found: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class LateRow(Table):
    """A day on which something of a metric at a level (`place`) changed after an effect had been measured by days not before it."""

    __tablename__ = "late"
    __table_args__ = {"sqlite_with_rowid": False}
    school_id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
