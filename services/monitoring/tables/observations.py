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


class SourceRow(Table):
    """How the numbers of a source arise (`label`): `measured`, `imported` or `by_hand`. A source without a row is measured."""

    __tablename__ = "source"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]


class IdBlockRow(Table):
    """The ids that were counted from one position through another: 16 bytes each, BLAKE2b of (source, id), in order."""

    __tablename__ = "id_block"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    ids: Mapped[bytes] = mapped_column(LargeBinary)


class LogBlockRow(Table):
    """A stretch of the observation log (`domain.log`): what was observed at the positions from `first` through `last`.

    Its days reach from `day_min` through `day_max`; `observations` says how many it holds: a retraction has a position and is
    no observation. `event`s in it are the campus systems' own ids, by which a person finds and corrects them there.
    """

    __tablename__ = "log_block"
    __table_args__ = (Index("log_block_day_ix", "school_id", "day_max", "day_min"),)
    school_id: Mapped[int] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    day_min: Mapped[int]
    day_max: Mapped[int]
    observations: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class AmendedRow(Table):
    """What corrections and retractions have made of an observation of the log.

    `place` is the position of the original that a correction stands for (None: the row's own); `ended_by` the position of the
    correction or retraction that put it out of force (None: it stands; 0: its original has not come, or it has just come).
    """

    __tablename__ = "amended"
    __table_args__ = (Index("amended_place_ix", "school_id", "place"), {"sqlite_with_rowid": False})
    school_id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    place: Mapped[int | None] = mapped_column(BigInteger)
    ended_by: Mapped[int | None] = mapped_column(BigInteger)


class TaughtRow(Table):
    """A class that an observation named together with a lesson: the roster has no lessons. Both are words."""

    __tablename__ = "taught"
    __table_args__ = ({"sqlite_with_rowid": False},)
    lesson: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    class_: Mapped[int] = mapped_column("class", BigInteger, primary_key=True, index=True)


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


class TotalRow(Table):
    """What was observed of a series in one window; days for every series, longer windows where an indicator watches.

    A series is one metric of one subject at one level, all three in one integer (`domain.attribution.series_key`).

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
    """An id that the roster did not know when it was first named, at `position`: from there on the log is looked through again
    when the roster brings it.
    """

    __tablename__ = "unplaced"
    word: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    school_id: Mapped[int] = mapped_column(index=True)
    position: Mapped[int] = mapped_column(BigInteger)


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
