"""Who follows what is measured, and what they have not been told yet."""

from sqlalchemy import JSON, BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import RowId
from services.monitoring.tables.base import Table


class FollowedRow(Table):
    """A service (`wanted_by`) follows a metric at a level over windows of a kind; `subject` None: of everybody there.

    `metric` is the code or the alias that was asked for. `told_through` is the series up to which everything that was there has been
    told once (-1: nothing yet); from then on changes are told. `former` are first days of terms that are no more: who was told of
    one hears that nothing is left of it.
    """

    __tablename__ = "followed"
    __table_args__ = (Index("followed_place_ix", "school_id", "metric", "level", "window"),)
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    school_id: Mapped[int]
    metric: Mapped[str]
    level: Mapped[str]
    window: Mapped[str]
    subject: Mapped[str | None]
    wanted_by: Mapped[str]
    told_through: Mapped[int] = mapped_column(BigInteger, default=-1)
    former: Mapped[list[int]] = mapped_column(JSON, default=list)


class UntoldRow(Table):
    """A day of a series whose sum has changed since it was told, where somebody follows the metric at the level."""

    __tablename__ = "untold"
    __table_args__ = {"sqlite_with_rowid": False}
    school_id: Mapped[int] = mapped_column(primary_key=True)
    series: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
