"""What must be so after a round, found over HTTP and compared with the model; it knows nothing of how the product does it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.flow.stack import until
from tests.model.school import School, Telling
from tests.torture.campus import Campus
from tests.torture.history import AT_FIRST, HOMEWORK, IN_THE_MIDDLE, MILLION, model, version
from tests.torture.office import wrong

METRICS = ("attendance", "lesson_attendance", HOMEWORK)
LEVELS = ("student", "class", "homeroom", "course", "programme", "department", "lesson", "school")
WINDOWS = ("day", "week", "month", "term", "year")
UNCLEARED = {"open", "acknowledged", "improving", "stale"}
STREAMED = {"warning", "improvement"}  # the timeline tells of tasks and due items, too
SHOWN = 5  # of many differences, that many are told


@dataclass
class Report:
    """What was compared, and what is wrong."""

    sums: int = 0
    warnings: int = 0
    open: int = 0
    streamed: int = 0
    dismissed: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, wanted: Any, found: Any) -> None:
        if wanted != found:
            self.wrong.append(f"{what}: {_difference(wanted, found)}")


def check(campus: Campus) -> Report:
    """Compare everything of one school."""
    report, telling = Report(), told(campus)
    code, history = campus.history.code, campus.history
    journalled = {number for half in campus.journals for journal in half for number in journal.read()}
    report.expect(f"{code}: batches acknowledged", set(history.batches), journalled)
    sums = dict(summed(telling, code))
    report.sums = len(sums)
    report.expect(f"{code}: sums", sums, dict(measured(campus)))
    warnings = list(campus.school.items("monitoring/warnings"))
    report.warnings = len(warnings)
    _check_warnings(report, campus, warnings, telling)
    if history.ordered:
        conflicts = {each["id"] for each in campus.school.items("monitoring/conflicts")}
        report.expect(f"{code}: conflicts", history.conflicts, conflicts)
    for what, wanted, found in wrong(campus.school, campus.office):
        report.expect(f"{code}: {what}", wanted, found)
    letters = list(campus.school.items("deadletters"))
    report.expect(f"{code}: dead letters", [], letters)
    _check_stream(report, campus, warnings)
    return report


def told(campus: Campus) -> Telling:
    """The model's story of what the journals say was acknowledged, and of what was done in the middle."""
    history, school = campus.history, model(campus.moved)
    for said in AT_FIRST:
        school.activate(version(said, 1), history.today)
    for half in campus.journals[::2]:
        for number in [number for journal in half for number in journal.read()]:
            for event in history.batches[number].events:
                school.send(event.told)
        if half is campus.journals[0]:
            _tell_middle(school, campus)
    school.inputs += [("daily", what) for kind, what in school.inputs if kind == "activated" and what.when == "daily"]
    return school.tell()


def _tell_middle(school: School, campus: Campus) -> None:
    known = {said["code"] for said in AT_FIRST}
    for kind, what in campus.middle:
        match kind:
            case "activated":
                school.activate(version(what, 2 if what["code"] in known else 1), campus.history.today)
            case "batch":
                for event in what.events:
                    school.send(event.told)
            case "dismissed":
                school.dismiss(what)


def summed(telling: Telling, code: str) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """The model's sums; it calls every school `demo`."""
    for (metric, level, subject, window), cells in telling.sums.items():
        for start, total in cells.items():
            yield (metric, level, code if level == "school" else subject, window, str(start)), total


def measured(campus: Campus) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    """The product's; a window that lost all its observations is listed with nothing in it."""
    for metric in METRICS:
        for level in LEVELS:
            for window in WINDOWS:
                for each in exactly(campus, "monitoring/measurements", metric=metric, level=level, window=window):
                    numbers = int(each["numerator"] * MILLION), int(each["denominator"] * MILLION)
                    if numbers != (0, 0):
                        yield (metric, level, each["subject"], window, each["start"]), numbers


def exactly(campus: Campus, path: str, **params: Any) -> Iterator[Any]:
    """Every item of a list with its numbers as they are written."""
    cursor: dict[str, str] = {}
    while True:
        answer = campus.school.call("GET", path, params={"limit": 500, **params, **cursor})
        assert answer.status_code == 200, answer.text
        page = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def _check_warnings(report: Report, campus: Campus, warnings: list[Any], telling: Telling) -> None:
    """One uncleared warning a pair, exactly the model's where the order is known; one improvement each."""
    code = campus.history.code
    uncleared = [(w["indicator"], w["level"], w["subject"], w["severity"]) for w in warnings if w["status"] in UNCLEARED]
    report.open = len(uncleared)
    twice = [pair for pair, n in Counter(each[:3] for each in uncleared).items() if n > 1]
    report.expect(f"{code}: pairs with several uncleared warnings", [], twice)
    pairs = [(w["indicator"], w["level"], w["subject"]) for w in warnings if w["status"] == "dismissed"]
    # Over several connections the order in which the others are judged is not known.
    exact = {"daily"} if campus.judged_daily else set()
    if campus.history.ordered:
        exact |= {said["code"] for said in (*AT_FIRST, *IN_THE_MIDDLE)}
    stands = {key: said for key, said in telling.open.items() if key[0] in exact}
    wanted = {(*key, severity) for key, (severity, quiet) in stands.items() if not quiet}
    report.expect(f"{code}: open warnings", wanted, {each for each in uncleared if each[0] in exact})
    report.expect(f"{code}: what is dismissed", {key for key, (_, quiet) in stands.items() if quiet} - set(pairs), set())
    improvements = [each for each in campus.school.items("planning/improvements") if each["warning"] is not None]
    report.expect(
        f"{code}: one improvement a warning", sorted(w["id"] for w in warnings), sorted(i["warning"] for i in improvements)
    )
    _check_dismissed(report, campus, warnings, improvements)
    named = {w["id"]: w["improvement"] for w in warnings}
    report.expect(f"{code}: improvements as warnings name them", {i["warning"]: i["id"] for i in improvements}, named)


def _check_dismissed(report: Report, campus: Campus, warnings: list[Any], improvements: list[Any]) -> None:
    """What a person was told is dismissed stays so, once, with its task closed, unless there was never a reason for it."""
    code, states = campus.history.code, {w["id"]: w["status"] for w in warnings}
    mine = sorted(campus.dismissed)
    report.expect(
        f"{code}: dismissed", [], [(id_, states.get(id_)) for id_ in mine if states.get(id_) not in {"dismissed", "withdrawn"}]
    )
    report.expect(
        f"{code}: dismissed by nobody", [], [id_ for id_, state in states.items() if state == "dismissed" and id_ not in mine]
    )
    report.expect(
        f"{code}: tasks of what is dismissed", [], [i for i in improvements if i["warning"] in mine and i["status"] != "closed"]
    )
    for id_ in mine:
        steps = [step["step"] for step in campus.school.get(f"monitoring/warnings/{id_}")["history"]]
        report.expect(f"{code}: times that {id_} was dismissed", 1, steps.count("dismissed"))
    report.dismissed = len(mine)


def _check_stream(report: Report, campus: Campus, warnings: list[Any]) -> None:
    """The reader has seen everything once and in order, and ends with the state that the lists show."""
    code, reader = campus.history.code, campus.reader
    states = {w["id"]: (w["status"], w["severity"]) for w in warnings}

    def seen() -> dict[str, tuple[str, str]]:
        return {said["id"]: (said["status"], said["severity"]) for _, kind, said in list(reader.blocks) if kind == "warning"}

    try:
        until(lambda: seen() == states, "the stream has told everything", 30)
    except AssertionError:
        report.expect(f"{code}: warnings as the stream told them last", states, seen())
    reader.stopped = True
    ids = [position for position, _, _ in reader.blocks]
    report.streamed = len(ids)
    timeline = sorted((each["position"], each["kind"]) for each in campus.school.items("reporting/timeline"))
    report.expect(f"{code}: the timeline's places", list(range(1, len(timeline) + 1)), [position for position, _ in timeline])
    streamed = [position for position, kind in timeline if kind in STREAMED]
    report.expect(f"{code}: the stream's ids", streamed, ids)
    report.expect(f"{code}: resets of the stream", 0, reader.resets)


def _difference(wanted: Any, found: Any) -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = [key for key in {**wanted, **found} if wanted.get(key) != found.get(key)]
        shown = "; ".join(f"{key}: {wanted.get(key)} wanted, {found.get(key)} found" for key in keys[:SHOWN])
        return f"{len(keys)} differ: {shown}"
    if isinstance(wanted, set) and isinstance(found, set):
        missing, more = sorted(wanted - found, key=str), sorted(found - wanted, key=str)
        return f"{len(missing)} missing {missing[:SHOWN]}, {len(more)} too many {more[:SHOWN]}"
    if isinstance(wanted, list) and isinstance(found, list):
        had, got = Counter(map(str, wanted)), Counter(map(str, found))
        return f"missing {sorted(had - got)[:SHOWN]}, too many {sorted(got - had)[:SHOWN]}, or in another order"
    return f"{wanted!r} wanted, {found!r} found"
