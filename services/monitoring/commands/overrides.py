"""Whose stories the roster changes because other lines hold where a subject lies now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from libs.common.database import Transaction
from services.monitoring.domain.attribution import LEVEL_CODE, Roster
from services.monitoring.domain.episodes import Indicator
from services.monitoring.queries.log import first_place, list_naming, words_of
from services.monitoring.queries.schools import School
from services.monitoring.queries.totals import list_series


async def judged_otherwise(
    tx: Transaction, school: School, before: Roster
) -> tuple[Mapping[tuple[str, str], set[str]], int | None]:
    """The subjects by (metric, level) that an indicator judges in another form than by the roster before, and the first place in
    the order of counting from which it does; None where there are none.
    """
    changed: dict[tuple[str, str], set[str]] = defaultdict(set)
    places: list[int] = []
    for (metric, level), by_code in school.watch.items():
        versions = [version for versions in by_code.values() for version in versions if version.overridden]
        if not versions:
            continue
        if level == "lesson":
            classes = _since(school.roster, before, versions, "class", before.classes.keys() | school.roster.classes.keys())
            lessons, first = await _lessons(tx, school, metric, classes)
            changed[metric, level] |= lessons
        else:
            subjects = [subject for _, _, subject in await list_series(tx.session, school.metric_ids[metric], LEVEL_CODE[level])]
            since = _since(school.roster, before, versions, level, subjects)
            changed[metric, level] |= since.keys()
            first = None
            if since:
                first = await first_place(tx.session, school.id, school.metric_ids[metric], min(since.values()))
        places += [] if first is None else [first]
    return changed, min(places, default=None)


def _since(now: Roster, before: Roster, versions: Sequence[Indicator], level: str, subjects: Iterable[str]) -> dict[str, int]:
    """The earliest day from which each subject is judged in another form."""
    moves = {0, *(day for roster in (before, now) for day, _ in roster.past)}
    found: dict[str, int] = {}
    for subject in subjects:
        stays = (*before.stays.get(subject, ()), *now.stays.get(subject, ())) if level == "student" else ()
        for day in sorted({*moves, *(bound for stay in stays for bound in (stay.start, stay.end) if bound is not None)}):
            was, is_ = before.units(level, subject, day, subject), now.units(level, subject, day, subject)
            if was != is_ and any(version.form(was) is not version.form(is_) for version in versions):
                found[subject] = day
                break
    return found


async def _lessons(tx: Transaction, school: School, metric: str, classes: Mapping[str, int]) -> tuple[set[str], int | None]:
    """The lessons of these classes from a day on, and the first place of an observation of them."""
    lessons: set[str] = set()
    places: list[int] = []
    if classes:
        words = await words_of(tx.session, school.id, {("class", class_) for class_ in classes})
        async for part in list_naming(tx.session, school.id, words, since_day=min(classes.values())):
            for o in part:
                if o.metric == metric and "lesson" in o.references:
                    lessons.add(o.references["lesson"])
                    places.append(o.place)
    return lessons, min(places, default=None)
