"""Warnings: episodes of (indicator, subject), their history and their places."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.monitoring.tables.base import Table

_UNIT = JSON(none_as_null=True)
_UNCLEARED = text("episode_open")


class WarningRow(Table):
    """One episode. `episode_open` holds until the data is back over the clear line, whatever people decided meanwhile.

    Numbers are the deciding window's when it was last judged, in millionths, and the `revision` of that window; `line` is the
    worst line passed, of this version, or of its `override` for a unit ({kind: id}). `began` is the first day of the window that
    raised it. `raised_place` and `ended_place` say how far the school had counted then. `was` is the status that it goes back to
    where a correction, or new data, takes the present one away. `trial`: it is an episode of a trial, and nobody's warning.
    """

    __tablename__ = "warning"
    __table_args__ = (
        Index(
            "warning_one_open_uq",
            "school_id",
            "subject_word",
            "indicator",
            unique=True,
            sqlite_where=_UNCLEARED,
            postgresql_where=_UNCLEARED,
        ),
        Index("warning_list_ix", "school_id", "raised_at", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school_id: Mapped[int]
    indicator: Mapped[str]
    version: Mapped[int]
    metric: Mapped[str]
    kind: Mapped[str]
    level: Mapped[str]
    subject: Mapped[str] = mapped_column(Ordered)
    subject_word: Mapped[int] = mapped_column(BigInteger)
    subject_name: Mapped[str | None]
    window: Mapped[str] = mapped_column("span")
    start: Mapped[date] = mapped_column(Date)
    severity: Mapped[str]
    status: Mapped[str]
    episode_open: Mapped[bool]
    numerator: Mapped[int] = mapped_column(BigInteger)
    denominator: Mapped[int] = mapped_column(BigInteger)
    line: Mapped[int] = mapped_column(BigInteger)
    raised_at: Mapped[datetime]
    improvement: Mapped[UUID | None]
    revision: Mapped[int] = mapped_column(BigInteger)
    began: Mapped[int]
    override: Mapped[dict[str, str] | None] = mapped_column(_UNIT)
    raised_place: Mapped[int] = mapped_column(BigInteger)
    ended_place: Mapped[int | None] = mapped_column(BigInteger)
    was: Mapped[str | None]
    trial: Mapped[bool]


class TurnRow(Table):
    """A turn in the story of an (indicator, subject): where in the order of counting it stands, and how things are after it.

    `severity` None: no episode; `began`: the first day of the window that raised it. The story is what the log, the roster and the
    indicators say today; a correction tells it anew from where it changes. What people were shown meanwhile stands in
    `warning_step`, for ever.
    """

    __tablename__ = "turn"
    __table_args__ = (Index("turn_story_ix", "school_id", "indicator", "subject_word", "place"),)
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school_id: Mapped[int]
    indicator: Mapped[str]
    subject_word: Mapped[int] = mapped_column(BigInteger)
    place: Mapped[int] = mapped_column(BigInteger)
    severity: Mapped[str | None]
    quiet: Mapped[bool]
    version: Mapped[int]
    line: Mapped[int | None] = mapped_column(BigInteger)
    began: Mapped[int | None]
    override: Mapped[dict[str, str] | None] = mapped_column(_UNIT)


class WarningPlaceRow(Table):
    """A place that a warning lies in; who may see it follows from them."""

    __tablename__ = "warning_place"
    warning: Mapped[UUID] = mapped_column(ForeignKey("warning.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True, index=True)


class WarningStepRow(Table):
    """One line of a warning's history."""

    __tablename__ = "warning_step"
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    warning: Mapped[UUID] = mapped_column(ForeignKey("warning.id"), index=True)
    at: Mapped[datetime]
    step: Mapped[str]
    by: Mapped[str | None]
    detail: Mapped[dict[str, object]] = mapped_column(JSON)
