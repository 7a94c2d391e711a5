"""Judge lessons some minutes after their end (`lesson_end_plus_minutes`), each once, also those missed while stopped."""

from __future__ import annotations

from libs.common.database import Transaction
from services.monitoring.commands.judging import find_deciding, judge_subjects
from services.monitoring.commands.warnings import Ledger
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import Indicator
from services.monitoring.domain.story import ended_cause
from services.monitoring.queries.lessons import find_ended, list_lessons
from services.monitoring.queries.schools import School
from services.monitoring.queries.totals import names_of
from services.monitoring.tables import IndicatorRow, MomentRow, SchoolRow

_MINUTE = 60_000_000
_NEVER = 1 << 62


async def judge_ended(tx: Transaction, row: SchoolRow, school: School) -> None:
    """Judge the lessons that are due, of all indicators that ask for it."""
    for by_code in school.watch.values():
        for versions in by_code.values():
            for indicator in sorted(versions, key=lambda v: (v.effective_from, v.version)):
                if indicator.lesson_minutes is not None:
                    await _judge_ended(tx, row, school, indicator, indicator.lesson_minutes)


async def _judge_ended(tx: Transaction, row: SchoolRow, school: School, indicator: Indicator, minutes: int) -> None:
    """A lesson is judged once; observations that come for it later judge at once."""
    before = int(tx.now.timestamp() * 1_000_000) - minutes * _MINUTE
    at = (indicator.code, indicator.version)
    position, next_end = school.awaited.get(at, (-1, 0))
    if position == row.position and before < next_end:
        return  # nothing has come, and none of those waited for is over
    kept = await tx.session.get(IndicatorRow, (school.id, indicator.code, indicator.version))
    if kept is None or (kept.judged_through or 0) >= row.position:
        return  # every lesson has been judged
    lessons = await list_lessons(tx.session, school.id, school.metric_ids[indicator.metric], kept.judged_through or 0)
    ended = await find_ended(tx.session, school.id, {indicator.code}, {word for word, _, _ in lessons})
    waiting = [each for each in lessons if (indicator.code, indicator.version, each[0]) not in ended]
    due = {word for word, end, _ in waiting if end <= before}
    school.awaited[at] = (row.position, min((end for word, end, _ in waiting if word not in due), default=_NEVER))
    kept.judged_through = min((first - 1 for word, _, first in waiting if word not in due), default=row.position)
    if not due:
        return
    story = {"school_id": school.id, "code": indicator.code, "version": indicator.version, "position": row.position}
    for word in sorted(due):
        tx.append(MomentRow, what="ended", start=None, subject_word=word, **story)
    subjects = await names_of(tx.session, school.metric_ids[indicator.metric], LEVEL_CODE["lesson"], due)
    school.words.update({("lesson", name): word for word, name in subjects.values()})
    ledger = await Ledger.open(tx, school, {indicator.code}, due)
    found = await find_deciding(tx, school, indicator, {key: name for key, (_, name) in subjects.items()})
    await judge_subjects(tx, ledger, subjects, found, ended_cause(indicator), row.position)
    await ledger.write()
