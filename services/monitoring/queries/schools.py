"""What a worker keeps in memory of a school while it counts, read anew when the school's version has moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached

from libs.common.database import Transaction
from libs.common.errors import NotFound
from libs.common.events.observations import MetricRule
from services.monitoring.domain.attribution import Org, Roster, SchoolClass, Stay
from services.monitoring.domain.episodes import MILLION, Indicator, Line
from services.monitoring.domain.log import Ints
from services.monitoring.domain.windows import Calendar, Term, Window, to_day
from services.monitoring.queries import bulk
from services.monitoring.queries.amendments import pending_roots
from services.monitoring.queries.effects import compared_places
from services.monitoring.queries.telling import followed_places
from services.monitoring.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    IndicatorRow,
    InstallationRow,
    MetricRow,
    MovedRow,
    OrgRow,
    PersonRow,
    SchoolRow,
    TermRow,
    UnplacedRow,
)


class Words:
    """The integers for references and sources, by kind and code."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str | None, int]] = {}

    def of(self, kind: str) -> dict[str | None, int]:
        """Those of a kind, by code; None is 0."""
        return self._kinds.setdefault(kind, {None: 0})

    def __getitem__(self, word: tuple[str, str]) -> int:
        return self.of(word[0])[word[1]]

    def __contains__(self, word: tuple[str, str]) -> bool:
        return word[1] in self.of(word[0])

    def update(self, words: Mapping[tuple[str, str], int]) -> None:
        for (kind, code), word in words.items():
            self.of(kind)[code] = word


Limits = tuple[float, float, float, float, float]
MOST = float(1 << 80)  # beyond every value and denominator, and still a number to count with
STILL: Limits = (-MOST, MOST, MOST, MOST, -MOST)
ANYTHING: Limits = (MOST, -MOST, 0, -MOST, MOST)


@dataclass
class School:
    """A school as counting sees it.

    `versions` maps an indicator's code to all its versions; `watch` maps (metric, level) to those of them that watch there,
    by code: a version may watch elsewhere than the one before it. `pending` are the roots of corrections and retractions
    whose original has not come; `unplaced` the words of ids that observations named and the roster does not know. `aliases` maps
    second codes of metrics to their codes, `owners` a metric to the one source that may send it, `switched_off` are metrics
    that take no observations; `followed` says of which metrics and levels changes are to be told,
    `compared` before which day they change a measured effect. The rest is known of what is
    in the database: words, lessons with their classes. While a batch is counted, `arriving` maps its new ids to their positions,
    which follow the position `through`; `awaited` has of indicators judged after lessons (code, version) up to which position lessons were
    looked for, and when the next of them ends.
    """

    id: int
    code: str
    version: int
    calendar: Calendar
    metric_ids: dict[str, int]
    rules: dict[str, MetricRule]
    versions: dict[str, list[Indicator]]
    watch: dict[tuple[str, str], dict[str, list[Indicator]]]
    judged_through: dict[tuple[str, int], int]
    roster: Roster
    pending: set[bytes] = field(default_factory=set)
    unplaced: set[int] = field(default_factory=set)
    aliases: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    switched_off: frozenset[str] = frozenset()
    followed: frozenset[int] = frozenset()
    compared: Mapping[int, int] = field(default_factory=dict)
    words: Words = field(default_factory=Words)
    taught: set[tuple[int, int]] = field(default_factory=set)
    through: int = 0
    arriving: dict[bytes, int] = field(default_factory=dict)
    awaited: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    _limits: dict[tuple[str, str, Window], tuple[Limits, Limits]] = field(default_factory=dict)
    _starts: dict[tuple[str, str, int], Mapping[Window, int]] = field(default_factory=dict)

    @cached_property
    def metrics(self) -> Mapping[int, str]:
        """The codes of the metrics, by their integers."""
        return {id_: code for code, id_ in self.metric_ids.items()}

    @cached_property
    def windows(self) -> Mapping[tuple[str, str], tuple[Window, ...]]:
        """The windows that an indicator watches, by (metric, level)."""
        return {
            place: tuple(sorted({i.window for versions in by_code.values() for i in versions}))
            for place, by_code in self.watch.items()
        }

    @cached_property
    def lines(self) -> Mapping[tuple[str, str], Mapping[Window, Sequence[tuple[bool, int, Sequence[Line]]]] | None]:
        """Where a warning can begin and end, by (metric, level) and window: below or above, least denominator, lines.

        None where more than running sums and lines decides: several versions, judging by the clock, values that are no quotient,
        windows before, bands, lines of units.
        """
        found: dict[tuple[str, str], Mapping[Window, Sequence[tuple[bool, int, Sequence[Line]]]] | None] = {}
        for place, by_code in self.watch.items():
            lines: dict[Window, list[tuple[bool, int, Sequence[Line]]]] = defaultdict(list)
            for code, (version, *others) in by_code.items():
                plain = version.plain and version.evaluate == "on_update" and version.kind in {"ratio", "mean"}
                if others or len(self.versions[code]) > 1 or not plain:
                    found[place] = None
                    break
                lines[version.window].append((version.below, version.min_denominator, version.lines))
            else:
                found[place] = lines
        return found

    def limits(self, metric: str, level: str, window: Window) -> tuple[Limits, Limits]:
        """Between what a running value leaves everything as it is: without an uncleared warning, and with one.

        Low, high (a value below or above may begin or worsen a warning), the least denominator that is judged, and two bounds
        between which a value may end it. Every value may turn where more than running sums and lines decides.
        """
        if (known := self._limits.get((metric, level, window))) is None:
            known = self._limits[metric, level, window] = self._find_limits(metric, level, window)
        return known

    def _find_limits(self, metric: str, level: str, window: Window) -> tuple[Limits, Limits]:
        if (metric, level) not in self.watch:
            return STILL, STILL
        if (lines := self.lines[metric, level]) is None:
            return ANYTHING, ANYTHING
        here = lines.get(window, ())
        low = max((line.enter for below, _, (line, *_) in here if below), default=-MOST)
        high = min((line.enter for below, _, (line, *_) in here if not below), default=MOST)
        begins = (low / MILLION, high / MILLION, min((least for _, least, _ in here), default=MOST), MOST, -MOST)
        if len(here) != 1 or len(self.watch[metric, level]) > 1:
            return begins, ANYTHING  # which of several warnings stands is looked at one by one
        ((below, least, (mildest, *worse)),) = here
        next_, clear = (worse[0].enter / MILLION if worse else None), mildest.clear / MILLION
        if below:
            return begins, (-MOST if next_ is None else next_, MOST, least, clear, MOST)
        return begins, (-MOST, MOST if next_ is None else next_, least, -MOST, clear)

    def starts(self, place: tuple[str, str], day: int) -> Mapping[Window, int]:
        """First days of the windows that hold a day and that an indicator watches at (metric, level)."""
        if (known := self._starts.get((*place, day))) is None:
            starts = {window: self.calendar.start(window, day) for window in self.windows[place]}
            known = self._starts[*place, day] = {window: start for window, start in starts.items() if start is not None}
        return known

    def form(self, indicator: Indicator, subject: tuple[str, str], day: int, taught: str | None = None) -> Indicator:
        """How an indicator judges a subject (level, id) as of a day, by the units that it lies in; `taught` is the class of a lesson."""
        return indicator.form(self.roster.units(*subject, day, taught)) if indicator.overridden else indicator

    async def words_of(self, tx: Transaction, wanted: Iterable[tuple[str, str]]) -> Words:
        """Integers for these (kind, code); new ones are made."""
        if missing := [word for word in dict.fromkeys(wanted) if word not in self.words]:
            self.words.update(await bulk.make_words(tx, self.id, missing))
        return self.words

    async def column(self, tx: Transaction, kind: str, codes: Sequence[str | None]) -> Ints:
        """Integers for these codes of one kind, 0 for None; new ones are made."""
        return (await self.columns(tx, {kind: codes}))[kind]

    async def columns(self, tx: Transaction, codes: Mapping[str, Sequence[str | None]]) -> dict[str, Ints]:
        """Integers for these codes by kind, 0 for None; new ones are made."""
        used = {kind for kind, named in codes.items() if any(named)}
        missing = [(kind, code) for kind in used for code in set(codes[kind]) - self.words.of(kind).keys()]
        if missing:
            self.words.update(await bulk.make_words(tx, self.id, sorted((kind, c) for kind, c in missing if c is not None)))
        nobody = np.zeros(len(next(iter(codes.values()), ())), dtype=np.int64)
        nobody.flags.writeable = False  # several kinds share it
        known = {kind: self.words.of(kind).__getitem__ for kind in codes}
        return {
            kind: np.fromiter(map(known[kind], named), dtype=np.int64, count=len(named)) if kind in used else nobody
            for kind, named in codes.items()
        }


async def get_school(session: AsyncSession, code: str, *, lock: bool = False) -> SchoolRow:
    """The school; `lock`: held for counting. Raises NotFound."""
    sql = select(SchoolRow).filter_by(code=code)
    row = await session.scalar(sql.with_for_update() if lock else sql)
    if row is None:
        raise NotFound(f"no school {code!r}")
    return row


async def find_school_locked(tx: Transaction, code: str) -> tuple[SchoolRow, School] | None:
    """The school, locked for counting, and its picture in memory; None where no such school is known."""
    row = await tx.session.scalar(select(SchoolRow).filter_by(code=code).with_for_update())
    return None if row is None else (row, await _picture(tx, row))


async def begin_counting(tx: Transaction, code: str) -> tuple[SchoolRow, School] | None:
    """As `find_school_locked`, for a transaction that does nothing with the school before: in one trip with its beginning."""
    async with tx.together():
        found = await bulk.lock_school(tx, code, [column.name for column in SchoolRow.__table__.columns])
    if found is None:
        return None
    row = SchoolRow(**found)
    make_transient_to_detached(row)
    tx.session.add(row)
    return row, await _picture(tx, row)


async def _picture(tx: Transaction, row: SchoolRow) -> School:
    """The school as it is kept in memory. It may hold words and series that a rolled-back transaction made: so it is dropped when this
    one fails.
    """
    pictures: dict[str, School] = tx.database.memory.setdefault("schools", {})
    picture = pictures.pop(row.code, None)
    if picture is None or picture.version != row.version:
        fresh = await load_school(tx.session, row)
        if picture is not None:
            fresh.words, fresh.taught = picture.words, picture.taught
        picture = fresh
    kept = picture
    tx.when_committed.append(lambda: pictures.update({kept.code: kept}))
    return picture


def changed(row: SchoolRow) -> None:
    """Say that metrics, indicators or roster of the school changed in this transaction: pictures of it are old now."""
    row.version += 1


async def installation_key(tx: Transaction) -> bytes:
    """The key of id hashes, made once an installation."""
    key: bytes | None = tx.database.memory.get("key")
    if key is None:
        key = await tx.session.scalar(select(InstallationRow.key))
        assert key is not None
        tx.database.memory["key"] = key
    return key


async def load_school(session: AsyncSession, row: SchoolRow) -> School:
    """Read everything that counting needs of a school."""
    metrics = {m.code: m for m in await session.scalars(select(MetricRow).filter_by(school_id=row.id))}
    versions: dict[str, list[Indicator]] = defaultdict(list)
    watch: dict[tuple[str, str], dict[str, list[Indicator]]] = defaultdict(lambda: defaultdict(list))
    judged: dict[tuple[str, int], int] = {}
    # In an order that every worker shares: it is the order in which an observation is judged by several indicators.
    ordered = select(IndicatorRow).filter_by(school_id=row.id).order_by(IndicatorRow.code, IndicatorRow.version)
    for each in await session.scalars(ordered):
        indicator = Indicator.of(each.definition, metrics[str(each.definition["metric"])].kind)
        versions[indicator.code].append(indicator)
        watch[indicator.metric, indicator.level][indicator.code].append(indicator)
        if each.judged_through is not None:
            judged[each.code, each.version] = each.judged_through
    return School(
        id=row.id,
        code=row.code,
        version=row.version,
        calendar=await load_calendar(session, row),
        metric_ids={code: m.id for code, m in metrics.items()},
        rules={code: MetricRule(frozenset(m.grain), m.kind) for code, m in metrics.items()},
        versions=dict(versions),
        watch={key: dict(by_code) for key, by_code in watch.items()},
        judged_through=judged,
        roster=await load_roster(session, row),
        pending=await pending_roots(session, row.id),
        unplaced=set(await session.scalars(select(UnplacedRow.word).filter_by(school_id=row.id))),
        aliases={m.alias: code for code, m in metrics.items() if m.alias is not None},
        owners={code: m.source for code, m in metrics.items() if m.source is not None},
        switched_off=frozenset(code for code, m in metrics.items() if not m.active),
        followed=await followed_places(session, row.id),
        compared=await compared_places(session, row.id),
    )


async def load_calendar(session: AsyncSession, row: SchoolRow) -> Calendar:
    """Read the school's calendar."""
    month, day = map(int, row.year_start.split("-"))
    terms = [Term(to_day(t.starts), to_day(t.ends)) for t in await session.scalars(select(TermRow).filter_by(school_id=row.id))]
    return Calendar(row.timezone, (month, day), tuple(terms))


async def load_roster(session: AsyncSession, row: SchoolRow) -> Roster:
    """Read the school's roster as attribution sees it."""
    stays: dict[str, list[Stay]] = defaultdict(list)
    classes = {
        c.id: SchoolClass(c.kind, c.course, c.org) for c in await session.scalars(select(ClassRow).filter_by(school_id=row.id))
    }
    homerooms = (
        select(EnrollmentRow.person, EnrollmentRow.class_, EnrollmentRow.starts, EnrollmentRow.ends)
        .join(ClassRow, (ClassRow.school_id == EnrollmentRow.school_id) & (ClassRow.id == EnrollmentRow.class_))
        .where(EnrollmentRow.school_id == row.id, EnrollmentRow.role == "student", ClassRow.kind == "homeroom")
    )
    for person, homeroom, starts, ends in await session.execute(homerooms):
        stays[person].append(Stay(homeroom, _day(starts), _day(ends)))
    orgs = {o.id: Org(o.kind, o.parent) for o in await session.scalars(select(OrgRow).filter_by(school_id=row.id))}
    courses = {id_: org for id_, org in await session.execute(select(CourseRow.id, CourseRow.org).filter_by(school_id=row.id))}  # noqa: C416 - rows are no pairs to dict's type
    people = frozenset(await session.scalars(select(PersonRow.id).filter_by(school_id=row.id)))
    moves = select(MovedRow).filter_by(school_id=row.id).order_by(MovedRow.before.desc())
    now = Roster(row.code, orgs, courses, classes, people, dict(stays))
    return _with_past(now, (await session.scalars(moves)).all())


def _with_past(now: Roster, moves: Sequence[MovedRow]) -> Roster:
    """The roster with how it was before each day of a move; moves come latest first."""
    past: list[tuple[int, Roster]] = []
    older = now
    for move in moves:
        orgs, courses, classes = dict(older.orgs), dict(older.courses), dict(older.classes)
        was = move.belonged
        if move.kind == "org":
            orgs[move.id] = Org(was["kind"] or "", was["parent"])
        elif move.kind == "course":
            courses[move.id] = was["org"]
        else:
            classes[move.id] = SchoolClass(was["kind"] or "", was["course"], was["org"])
        older = Roster(now.school, orgs, courses, classes, now.students, now.stays)
        if past and past[0][0] == to_day(move.before):
            past[0] = (past[0][0], older)
        else:
            past.insert(0, (to_day(move.before), older))
    return replace(now, past=tuple(past), _placements={})


def _day(day: date | None) -> int | None:
    return None if day is None else to_day(day)


async def list_closing(session: AsyncSession, _now: datetime) -> Sequence[str]:
    """Schools with an indicator that is judged by the clock, or goes stale by it."""
    by_clock = IndicatorRow.judged_through.is_not(None) | IndicatorRow.stale_after_days.is_not(None)
    sql = (
        select(SchoolRow.code)
        .join(IndicatorRow, IndicatorRow.school_id == SchoolRow.id)
        .where(by_clock)
        .distinct()
        .order_by(SchoolRow.code)
    )
    return (await session.scalars(sql)).all()
