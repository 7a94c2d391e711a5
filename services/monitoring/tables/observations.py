"""The observation log, the ids that were counted, and the sums.

Subjects are integers here; the words for them stand in `word`. The log is the evidence behind every number and the source of
a rebuild. Numbers are millionths, times are microseconds and days are counted from 1970-01-01, all in plain integers: these
tables are written by the intake's bulk statements.
"""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Identity, Index, LargeBinary, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.monitoring.tables.base import Table

_PLACED = text("place IS NOT NULL")
_PENDING = text("place IS NULL")


class InstallationRow(Table):
    """The key of this installation's id hashes."""

    __tablename__ = "installation"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class WordRow(Table):
    """The text for an integer in log and sums: a reference of some kind, or a source."""

    __tablename__ = "word"
    __table_args__ = (UniqueConstraint("school_id", "kind", "code"),)
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school_id: Mapped[int]
    kind: Mapped[str]
    code: Mapped[str] = mapped_column(Ordered)


class IdRow(Table):
    """An id that was counted: BLAKE2b of (source, id), 8 bytes of the content's hash, and where it stands in the log."""

    __tablename__ = "counted_id"
    __table_args__ = {"sqlite_with_rowid": False}
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    position: Mapped[int] = mapped_column(BigInteger)


class ObservationRow(Table):
    """One counted observation, or what a correction says in its place, in the school's order of counting.

    References are words; None where the observation did not name one. `event` is the campus system's own id, by which a
    person finds and corrects it there. Rows are never changed but for two columns: `place` is the position of the original
    that a correction stands for (None: the row's own); `ended_by` the position of the correction or retraction that put it
    out of force (None: it stands; 0: a correction whose original has not come).
    """

    __tablename__ = "observation"
    __table_args__ = (
        Index("observation_metric_day_ix", "school_id", "metric_id", "day"),
        Index("observation_place_ix", "school_id", "place", sqlite_where=_PLACED, postgresql_where=_PLACED),
        {"sqlite_with_rowid": False},
    )
    school_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    metric_id: Mapped[int]
    time: Mapped[int] = mapped_column(BigInteger)
    day: Mapped[int]
    numerator: Mapped[int] = mapped_column(BigInteger)
    denominator: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[int] = mapped_column(BigInteger)
    event: Mapped[str]
    phase: Mapped[int | None] = mapped_column(SmallInteger)
    counted_at: Mapped[int] = mapped_column(BigInteger)
    student: Mapped[int | None] = mapped_column(BigInteger)
    teacher: Mapped[int | None] = mapped_column(BigInteger)
    class_: Mapped[int | None] = mapped_column("class", BigInteger)
    homeroom: Mapped[int | None] = mapped_column(BigInteger)
    course: Mapped[int | None] = mapped_column(BigInteger)
    programme: Mapped[int | None] = mapped_column(BigInteger)
    department: Mapped[int | None] = mapped_column(BigInteger)
    lesson: Mapped[int | None] = mapped_column(BigInteger)
    activity: Mapped[int | None] = mapped_column(BigInteger)
    place: Mapped[int | None] = mapped_column(BigInteger)
    ended_by: Mapped[int | None] = mapped_column(BigInteger)


class AmendmentRow(Table):
    """A correction or retraction, in the order of counting.

    `root` is the hash of (source, id) of the original it leads to; `place` the original's position, None until that has come.
    `voids`: the correction that a retraction takes back; None: the original with all that corrects it.
    """

    __tablename__ = "amendment"
    __table_args__ = (
        Index("amendment_root_ix", "school_id", "root"),
        Index("amendment_pending_ix", "school_id", sqlite_where=_PENDING, postgresql_where=_PENDING),
        {"sqlite_with_rowid": False},
    )
    school_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amends: Mapped[str]
    root: Mapped[bytes] = mapped_column(LargeBinary)
    place: Mapped[int | None] = mapped_column(BigInteger)
    voids: Mapped[int | None] = mapped_column(BigInteger)
    source: Mapped[str]
    event: Mapped[str]
    target: Mapped[str]
    reason: Mapped[str | None]
    time: Mapped[int] = mapped_column(BigInteger)
    counted_at: Mapped[int] = mapped_column(BigInteger)


class SeriesRow(Table):
    """One metric of one subject at one level: the integer that sums are keyed by."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("metric_id", "level", "subject"),)
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    metric_id: Mapped[int]
    level: Mapped[int] = mapped_column(SmallInteger)
    subject: Mapped[int] = mapped_column(BigInteger)


class TotalRow(Table):
    """What was observed of a series in one window; days for every series, longer windows where an indicator watches.

    `revision` counts the changes: observations, corrections, retractions, and moves of the roster. `at` is the time of the
    newest observation where the metric is of kind `latest`, and the numbers are that one's; -1 otherwise.
    """

    __tablename__ = "total"
    __table_args__ = {"sqlite_with_rowid": False}
    series: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    window: Mapped[int] = mapped_column("span", SmallInteger, primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
    numerator: Mapped[int] = mapped_column(BigInteger)
    denominator: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    measured_at: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[int] = mapped_column(BigInteger, server_default="-1")


class UnplacedRow(Table):
    """An observation that named an id which the roster did not know: looked at again when the roster brings it."""

    __tablename__ = "unplaced"
    __table_args__ = {"sqlite_with_rowid": False}
    word: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class TallyRow(Table):
    """How many events of a source had an outcome on a day, by the school's clock when they were taken in."""

    __tablename__ = "tally"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Ordered, primary_key=True)
    outcome: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[int] = mapped_column(BigInteger)


class ConflictRow(Table):
    """What was not counted for another's sake, listed once: an id that came again with other `content`, where the first stands,
    or (`why` is `source`, `content` empty, `position` 0) an observation of a metric that only another source may send.
    """

    __tablename__ = "conflict"
    __table_args__ = (UniqueConstraint("school_id", "source", "event", "content"),)
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school_id: Mapped[int]
    source: Mapped[str]
    event: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    why: Mapped[str]
    position: Mapped[int] = mapped_column(BigInteger)
    refused: Mapped[dict[str, object]] = mapped_column(JSON)
    found_at: Mapped[datetime]


class RebuildRow(Table):
    """A rebuild of a school's sums and stories from the log: how far it is, and what it found.

    `done` is the position up to which the log has been added up anew; `version` the school's when that began. `before` and
    `after` are SHA-256 of the canonical state, `mended` counts what differed.
    """

    __tablename__ = "rebuild"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    version: Mapped[int]
    done: Mapped[int] = mapped_column(BigInteger)
    before: Mapped[str | None]
    after: Mapped[str | None]
    mended: Mapped[int | None]


class RebuiltTotalRow(Table):
    """A sum that a rebuild has added up so far; keyed as `total`."""

    __tablename__ = "rebuilt_total"
    __table_args__ = {"sqlite_with_rowid": False}
    series: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    window: Mapped[int] = mapped_column("span", SmallInteger, primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
    numerator: Mapped[int] = mapped_column(BigInteger)
    denominator: Mapped[int] = mapped_column(BigInteger)
