"""Whom the observations of a stretch count for: the ids that they name, and what the roster derives from them, in words.

Column by column what `Roster.subjects` says of one observation (contract, "Levels").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.common.database import Transaction
from libs.common.events.observations import REFERENCES
from services.monitoring.commands.columns import Columns
from services.monitoring.domain.attribution import LEVELS, Placement
from services.monitoring.domain.log import Ints, Mask, Stretch
from services.monitoring.queries.schools import School

DERIVED = ("course", "programme", "department")
_AT = {kind: at for at, kind in enumerate(REFERENCES)}
_DAYS = 22  # bits that hold any day of the calendar


@dataclass(frozen=True, slots=True)
class Subjects:
    """For each level a column of words, 0 where an observation counts for nobody; `derived`: the ids behind words that the
    observation itself does not name, by level and word; `observations` have those that it does.
    """

    words: dict[str, Ints]
    derived: dict[tuple[str, int], str]
    observations: Columns

    def code(self, level: str, row: int) -> str:
        """The id of the subject that a row counts for at a level, at which it counts."""
        if level in _AT and (named := self.observations.named[_AT[level]][row]) is not None:
            return named
        return self.derived[level, int(self.words[level][row])]


async def attribute(tx: Transaction, school: School, stretch: Stretch, observations: Columns) -> Subjects:
    """Find the subjects of each observation at each level."""
    words = {level: stretch.columns[level] for level in LEVELS if level != "school"}
    (whole,) = (await school.column(tx, "school", [school.code])).tolist()
    words["school"] = np.full(len(stretch), whole, dtype=np.int64)
    subjects = Subjects(words, {("school", whole): school.code}, observations)
    await _homerooms(tx, school, stretch, subjects)
    await _units(tx, school, stretch, subjects)
    return subjects


async def _homerooms(tx: Transaction, school: School, stretch: Stretch, subjects: Subjects) -> None:
    """The homeroom that a student was in on the day, where none is named."""
    open_ = (subjects.words["student"] > 0) & (subjects.words["homeroom"] == 0)
    if not school.roster.stays or not open_.any():
        return
    rows = np.flatnonzero(open_)
    key = (subjects.words["student"][rows] << _DAYS) | stretch.columns["day"][rows]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    days = stretch.columns["day"][rows[first]].tolist()
    named = subjects.observations.named[_AT["student"]]
    students = [named[row] for row in rows[first].tolist()]
    codes = [school.roster.homeroom_of(student, day) for student, day in zip(students, days, strict=True) if student is not None]
    await _fill(tx, school, subjects, "homeroom", rows, codes, inverse)


async def _units(tx: Transaction, school: School, stretch: Stretch, subjects: Subjects) -> None:
    """Course, programme and department of the class; of the homeroom where no class, lesson or course is named."""
    words = {level: column.copy() for level, column in subjects.words.items()}
    by_class = words["class"] > 0
    by_homeroom = ~by_class & (words["homeroom"] > 0) & (words["lesson"] == 0) & (words["course"] == 0)
    for kind, mask, levels in (("class", by_class, DERIVED), ("homeroom", by_homeroom, DERIVED[1:])):
        rows = np.flatnonzero(mask)
        if not len(rows):
            continue
        days = stretch.columns["day"][rows] if school.roster.past else np.zeros(len(rows), dtype=np.int64)
        _, first, inverse = np.unique((words[kind][rows] << _DAYS) | days, return_index=True, return_inverse=True)
        placements = []
        for row in rows[first].tolist():
            code, day = subjects.code(kind, row), int(stretch.columns["day"][row])
            placements.append(school.roster.at(day).placement(code))
        for level in levels:
            await _fill_open(tx, school, subjects, level, rows, placements, inverse)


async def _fill_open(
    tx: Transaction, school: School, subjects: Subjects, level: str, rows: Ints, placements: Sequence[Placement], inverse: Ints
) -> None:
    codes: list[str | None] = [getattr(placement, level) for placement in placements]
    open_: Mask = subjects.words[level][rows] == 0
    if any(codes) and open_.any():
        await _fill(tx, school, subjects, level, rows[open_], codes, inverse[open_])


async def _fill(
    tx: Transaction, school: School, subjects: Subjects, level: str, rows: Ints, codes: Sequence[str | None], inverse: Ints
) -> None:
    found = await school.column(tx, level, codes)
    column = subjects.words[level].copy()  # it may be the log's own
    column[rows] = found[inverse]
    subjects.words[level] = column
    subjects.derived.update({(level, word): code for word, code in zip(found.tolist(), codes, strict=True) if code is not None})
