"""What is measured and judged: schools, their metrics, and the indicators that standards has activated."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.monitoring.tables.base import Table


class SchoolRow(Table):
    """A school, and how far it has counted.

    Whoever counts holds this row locked, so that one worker at a time counts a school; `position` is the place of the
    newest observation in the school's order of counting; `version` grows with every change of metrics, indicators or
    roster, so that a worker knows when its copy in memory is old. Blocks of log and ids up to the positions `packed` and
    `ids_packed` are full.
    """

    __tablename__ = "school"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, unique=True)
    timezone: Mapped[str]
    year_start: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    version: Mapped[int] = mapped_column(default=1)
    packed: Mapped[int] = mapped_column(BigInteger, default=0)
    ids_packed: Mapped[int] = mapped_column(BigInteger, default=0)


class MetricRow(Table):
    """A row of a school's catalogue. Its grain and kind never change: sums of two grains cannot be told apart.

    `alias` is a second code, and no other metric's code or alias. `source` is the only one that may send observations of it.
    """

    __tablename__ = "metric"
    __table_args__ = (UniqueConstraint("school_id", "code"), UniqueConstraint("school_id", "alias"))
    id: Mapped[int] = mapped_column(primary_key=True)
    school_id: Mapped[int]
    code: Mapped[str] = mapped_column(Ordered)
    name: Mapped[str]
    grain: Mapped[list[str]] = mapped_column(JSON)
    kind: Mapped[str]
    unit: Mapped[str | None]
    direction: Mapped[str]
    alias: Mapped[str | None]
    name_en: Mapped[str | None]
    phase: Mapped[str | None]
    counting_rules: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    owner: Mapped[str | None]
    source_system: Mapped[str | None]
    source: Mapped[str | None]
    active: Mapped[bool]


class IndicatorRow(Table):
    """One activated version of an indicator, as standards published it; of one in trial, `code` is that of its story.

    `judged_through` is the first day of the newest closed window that has been judged (`window_close`), or the last day on which
    the version was judged (`daily_at`), or the position up to which every lesson was judged (`lesson_end`).
    """

    __tablename__ = "indicator"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, object]] = mapped_column(JSON)
    judged_through: Mapped[int | None] = mapped_column(BigInteger)
    stale_after_days: Mapped[int | None]


class TrialRow(Table):
    """A version of an indicator that is, or was, in trial (试运行): judged as an indicator of its own, whose code is `story`.

    It is over since `ended_at` (None: it runs): then nothing of it is told anew, and what it had counted stays.
    """

    __tablename__ = "trial"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    story: Mapped[str]
    name: Mapped[str]
    level: Mapped[str]
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class MomentRow(Table):
    """What happened to stories between observations, in order (`what`): a version was `activated`, its windows were judged at
    their close (`closed`, with the first day of the newest), it was judged at its time of the day (`daily`), a lesson
    (`subject_word`) was judged at its end (`ended`), or a person `dismissed` the warning of a subject (`subject_word`).

    `position` is how far the school had counted then.
    """

    __tablename__ = "moment"
    __table_args__ = (Index("moment_story_ix", "school_id", "code", "subject_word"),)
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school_id: Mapped[int]
    code: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    what: Mapped[str]
    version: Mapped[int | None]
    start: Mapped[int | None]
    subject_word: Mapped[int | None] = mapped_column(BigInteger)
