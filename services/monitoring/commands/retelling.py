"""Tell stories anew from the place where a correction, a retraction or the roster changed them.

The sums are right by now; what remains is what followed from them. The log is read from that place on once, for all stories
that are told anew together; sums before it are those of today less what is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import delete, insert

from libs.common.database import Transaction, in_batches
from services.monitoring.commands.entries import newest_at
from services.monitoring.commands.reconciling import Retold, Why, reconcile
from services.monitoring.domain.attribution import LEVEL_CODE, NAMED, series_key
from services.monitoring.domain.episodes import Episode, Indicator, Sum
from services.monitoring.domain.story import Moment, Teller, Told
from services.monitoring.queries.history import classes_taught
from services.monitoring.queries.log import Logged, list_standing
from services.monitoring.queries.schools import School
from services.monitoring.queries.story import Pair, last_turns, list_moments, list_of_stories
from services.monitoring.queries.totals import list_days
from services.monitoring.tables import MomentRow, SchoolRow, TurnRow, WarningRow

Subject = tuple[str, str]  # level, id
Changed = Mapping[tuple[str, str], Iterable[str]]  # (metric, level) → subjects


async def retell(tx: Transaction, row: SchoolRow, school: School, changed: Changed, since: int, why: Why) -> None:
    """Tell anew, from the place `since` on, the stories whose sums have `changed`, and make the warnings agree."""
    stories = _stories(school, changed)
    if not stories:
        return
    subjects = {subject for _, subject in stories}
    words = await school.words_of(tx, subjects)
    codes = {code for code, _ in stories}
    if any(v.kind == "latest" for code in codes for v in school.versions[code]):
        since = 1  # which observation was the newest before is not kept
    pairs: dict[Pair, Subject] = {(code, words[subject]): subject for code, subject in stories}
    telling = await _Telling.prepare(tx, school, codes, pairs, since)
    retold = [telling.tell(code, subject, words[subject]) for code, subject in sorted(stories)]
    await _look_back(tx, school, retold)
    await _replace_turns(tx, school, retold, since)
    await reconcile(tx, row, school, retold, telling.warnings, since, why)


async def _look_back(tx: Transaction, school: School, retold: list[Retold]) -> None:
    """An episode that was open before and that nothing judged since shows what was judged last: only the whole story knows that."""
    unclear = [each for each in retold if each.begun is not None and each.teller.judged is None]
    if unclear:
        pairs = {(each.code, each.word): each.subject for each in unclear}
        telling = await _Telling.prepare(tx, school, {each.code for each in unclear}, pairs, 1)
        for each in unclear:
            each.teller.judged = telling.tell(each.code, each.subject, each.word).teller.judged


def _stories(school: School, changed: Changed) -> set[tuple[str, Subject]]:
    found = set()
    for (metric, level), subjects in changed.items():
        for code in school.watch.get((metric, level), ()):
            found |= {(code, (level, subject)) for subject in subjects}
    return found


@dataclass
class _Telling:
    """Everything that the stories are told from, read at once."""

    school: School
    since: int
    days: dict[Subject, dict[tuple[str, int], Sum]]
    told: dict[Subject, list[Told]]
    before: dict[Pair, TurnRow]
    moments: dict[str, list[MomentRow]]
    taught: dict[str, dict[tuple[str, int], str]] = field(default_factory=lambda: defaultdict(dict))
    warnings: dict[Pair, list[WarningRow]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    async def prepare(cls, tx: Transaction, school: School, codes: set[str], pairs: Mapping[Pair, Subject], since: int) -> _Telling:
        words = sorted({word for _, word in pairs})
        metrics: dict[Subject, set[str]] = defaultdict(set)
        for (code, _), subject in pairs.items():
            metrics[subject] |= {v.metric for v in school.versions[code] if v.level == subject[0]}
        told = await _read(tx, school, metrics, since)
        days = await _days(tx, school, metrics)
        for subject, entries in told.items():
            for each in (each for each in entries if each.total.at < 0):
                days[subject][each.metric, each.day] = days[subject].get((each.metric, each.day), Sum()).less(each.total)
        moments: dict[str, list[MomentRow]] = defaultdict(list)
        for moment in await list_moments(tx.session, school.id, codes, words):
            moments[moment.code].append(moment)
        telling = cls(school, since, days, told, await last_turns(tx.session, school.id, codes, words, since), moments)
        if since > 1:
            telling.taught |= await _taught(tx, school, codes, days, since)
        for warning in await list_of_stories(tx.session, school.id, codes, words):
            if (warning.indicator, warning.subject_word) in pairs:
                telling.warnings[warning.indicator, warning.subject_word].append(warning)
        return telling

    def tell(self, code: str, subject: Subject, word: int) -> Retold:
        turn = self.before.get((code, word))
        episode = Episode() if turn is None else Episode(turn.severity, turn.quiet, began=turn.began)
        before = [moment for moment in self.moments[code] if moment.position < self.since]
        early = [version for moment in before if (version := self._activated(moment)) is not None]
        through = {m.version: m.start for m in before if m.what == "closed" and m.version is not None and m.start is not None}
        after = [self._moment(m) for m in self.moments[code] if m.position >= self.since and m.subject_word in {None, word}]
        later = [moment.version for moment in after if moment.what == "activated" and moment.version is not None]
        ended = {m.version for m in before if m.what == "ended" and m.subject_word == word and m.version is not None}

        def form(version: Indicator, day: int, taught: str | None) -> Indicator:
            return self.school.form(version, subject, day, taught)

        about = (subject[0], self.school.calendar, early, later, episode, self.days[subject], through)
        teller = Teller(*about, form, dict(self.taught[subject[1]] if subject[0] == "lesson" else {}), ended)
        teller.tell(self.told.get(subject, ()), after)
        return Retold(code, subject, word, teller, turn if episode.severity is not None else None)

    def _activated(self, moment: MomentRow) -> Indicator | None:
        return self._version(moment) if moment.what == "activated" else None

    def _version(self, moment: MomentRow) -> Indicator:
        return next(v for v in self.school.versions[moment.code] if v.version == moment.version)

    def _moment(self, moment: MomentRow) -> Moment:
        version = None if moment.version is None else self._version(moment)
        return Moment(moment.position, moment.what, version, moment.start)


async def _read(tx: Transaction, school: School, metrics: Mapping[Subject, set[str]], since: int) -> dict[Subject, list[Told]]:
    """What stands in the log from a place on, by subject."""
    wanted = {metric for named in metrics.values() for metric in named}
    levels = {level for level, _ in metrics}
    told: dict[Subject, list[Told]] = defaultdict(list)
    named: dict[str, set[int]] | None = None
    if levels <= NAMED:  # what counts there names the subject: the rest of the log is left out at once
        named = defaultdict(set)
        for subject in metrics:
            named[subject[0]].add(school.words[subject])
    async for part in list_standing(tx.session, school.id, {school.metric_ids[metric] for metric in wanted}, since, named):
        for o in part:
            found = school.roster.subjects(o.references, o.day)
            for level in levels:
                subject = (level, found.get(level, ""))
                if o.metric in metrics.get(subject, ()):
                    told[subject].append(_told(school, o))
    return told


def _told(school: School, o: Logged) -> Told:
    total = Sum(o.numerator, o.denominator, 1, newest_at(school, o))
    return Told(o.place, o.metric, o.day, total, f"{o.source}|{o.event}", o.references.get("class"))


async def _taught(
    tx: Transaction, school: School, codes: Iterable[str], days: Mapping[Subject, Mapping[tuple[str, int], Sum]], since: int
) -> dict[str, dict[tuple[str, int], str]]:
    """By lesson: the class that its observations before a place named last, by metric and day; where an indicator asks for it."""
    asking = {v.metric for code in codes for v in school.versions[code] if v.overridden and v.level == "lesson"}
    found: dict[str, dict[tuple[str, int], str]] = defaultdict(dict)
    for metric in sorted(asking):
        named = {day for (level, _), by_day in days.items() if level == "lesson" for of, day in by_day if of == metric}
        for (lesson, day), class_ in (await classes_taught(tx.session, school, metric, named, since)).items():
            found[lesson][metric, day] = class_
    return found


async def _days(tx: Transaction, school: School, metrics: Mapping[Subject, set[str]]) -> dict[Subject, dict[tuple[str, int], Sum]]:
    """The sums of all days of the subjects, as they are now."""
    series = {
        series_key(school.metric_ids[metric], LEVEL_CODE[level], school.words[level, subject]): ((level, subject), metric)
        for (level, subject), named in metrics.items()
        for metric in named
    }
    days: dict[Subject, dict[tuple[str, int], Sum]] = defaultdict(dict)
    for id_, day, *total, _ in await list_days(tx.session, sorted(series)):
        subject, metric = series[id_]
        if school.rules[metric].kind != "latest":  # told from the first observation on: what was newest before is not known
            days[subject][metric, day] = Sum(*total)
    return days


async def _replace_turns(tx: Transaction, school: School, retold: list[Retold], since: int) -> None:
    by_code: dict[str, list[int]] = defaultdict(list)
    for each in retold:
        by_code[each.code].append(each.word)
    for code, words in by_code.items():
        for part in in_batches(words, 10_000):
            gone = (
                TurnRow.school_id == school.id,
                TurnRow.indicator == code,
                TurnRow.subject_word.in_(part),
                TurnRow.place >= since,
            )
            await tx.session.execute(delete(TurnRow).where(*gone))
    rows = [
        {
            "school_id": school.id,
            "indicator": each.code,
            "subject_word": each.word,
            "place": turn.place,
            "severity": turn.severity,
            "quiet": turn.quiet,
            "version": turn.indicator.version if turn.indicator is not None else 0,
            "line": turn.line,
            "began": turn.began,
            "override": None if turn.indicator is None else turn.indicator.override,
        }
        for each in retold
        for turn in each.teller.turns
    ]
    if rows:
        await tx.session.execute(insert(TurnRow), rows)
