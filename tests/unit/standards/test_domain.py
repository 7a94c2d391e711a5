"""Which warning lines can stand, which version counts, and which judgement."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.events.standards import WarningLine
from services.standards.domain.attainment import Judgement, Known, Verdict, finding_of
from services.standards.domain.content import Element, Judged, Rater
from services.standards.domain.indicators import SEVERITIES, Definition, Status, faults_of, status_of


def definition(comparison: str, *lines: tuple[str, str, str], **other: Any) -> Definition:
    said: dict[str, Any] = {
        "name": "班级周作业完成率",
        "metric": "assignment_completion",
        "level": "class",
        "window": "week",
        "comparison": comparison,
        "min_denominator": Decimal(50),
        "evaluate": "on_update",
        "effective_from": date(2026, 2, 24),
        "warning_lines": tuple(WarningLine(severity=s, enter=Decimal(enter), clear=Decimal(clear)) for s, enter, clear in lines),
    }
    return Definition(**{**said, **other})


Bands = tuple[str, tuple[str, str], tuple[str, str]]


def outside(*lines: Bands) -> Definition:
    bands = tuple(
        WarningLine(severity=s, enter=(Decimal(a), Decimal(b)), clear=(Decimal(c), Decimal(d))) for s, (a, b), (c, d) in lines
    )
    return definition("outside", warning_lines=bands)


def pointers(value: Definition) -> list[str]:
    return [fault["pointer"] for fault in faults_of(value)]


@pytest.mark.parametrize(
    ("comparison", "lines", "wrong"),
    [
        ("below", [("orange", "0.8", "0.85")], []),
        ("below", [("orange", "0.8", "0.8")], []),  # clearing on the very line is allowed
        ("below", [("orange", "0.8", "0.79")], ["/warning_lines/0/clear"]),
        ("above", [("orange", "3", "2")], []),
        ("above", [("orange", "3", "3")], []),
        ("above", [("orange", "3", "4")], ["/warning_lines/0/clear"]),
        ("below", [("yellow", "0.8", "0.9"), ("red", "0.6", "0.7")], []),
        ("below", [("red", "0.6", "0.7"), ("yellow", "0.8", "0.9")], []),  # in any order
        ("below", [("yellow", "0.6", "0.9"), ("red", "0.8", "0.9")], ["/warning_lines/1/enter"]),
        ("below", [("yellow", "0.8", "0.9"), ("red", "0.8", "0.9")], ["/warning_lines/1/enter"]),
        ("above", [("blue", "3", "2"), ("yellow", "2", "1")], ["/warning_lines/1/enter"]),
        ("below", [("red", "0.8", "0.9"), ("red", "0.7", "0.9")], ["/warning_lines/1/severity"]),
    ],
)
def test_lines_stand_only_where_worse_is_further_and_clearing_is_on_the_good_side(
    comparison: str, lines: list[tuple[str, str, str]], wrong: list[str]
) -> None:
    assert pointers(definition(comparison, *lines)) == wrong


@given(st.lists(st.sampled_from(SEVERITIES), unique=True, min_size=1), st.sampled_from(["below", "above"]), st.randoms())
def test_any_set_of_severities_with_lines_in_their_order_stands(severities: list[str], comparison: str, random: Any) -> None:
    step = -1 if comparison == "below" else 1
    lines = [(s, str(10 + step * SEVERITIES.index(s)), "10") for s in severities]
    random.shuffle(lines)

    assert faults_of(definition(comparison, *lines)) == []
    assert [line.severity for line in definition(comparison, *lines).in_order().warning_lines] == sorted(
        severities, key=SEVERITIES.index
    )


def test_definitions_are_equal_however_their_numbers_are_written() -> None:
    assert definition("below", ("red", "0.8", "0.90")) == definition("below", ("red", "0.80", "0.9"))
    assert definition("below", ("red", "0.8", "0.9")) != definition("below", ("red", "0.8", "0.91"))


@pytest.mark.parametrize(
    ("version", "active", "trial", "begun", "expected"),
    [
        (1, None, None, False, Status.DRAFT),
        (1, 1, None, True, Status.ACTIVE),
        (1, 2, None, True, Status.SUPERSEDED),
        (3, 2, None, False, Status.DRAFT),
        (3, 2, 3, True, Status.TRIAL),
        (3, 2, 4, True, Status.SUPERSEDED),
        (3, None, 4, False, Status.DRAFT),
    ],
)
def test_a_version_is_draft_until_activated_or_tried_and_superseded_after_the_next(
    version: int, active: int | None, trial: int | None, begun: bool, expected: Status
) -> None:
    assert status_of(version, active, trial, begun=begun) == expected


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([("yellow", ("0.4", "0.8"), ("0.5", "0.7"))], []),
        ([("yellow", ("0.4", "0.8"), ("0.4", "0.8"))], []),  # clearing on the very bounds is allowed
        ([("yellow", ("0.4", "0.8"), ("0.3", "0.7"))], ["/warning_lines/0/clear"]),
        ([("yellow", ("0.4", "0.8"), ("0.5", "0.9"))], ["/warning_lines/0/clear"]),
        ([("yellow", ("0.8", "0.4"), ("0.5", "0.6"))], ["/warning_lines/0/enter"]),
        ([("yellow", ("0.4", "0.8"), ("0.7", "0.5"))], ["/warning_lines/0/clear"]),
        ([("yellow", ("0.4", "0.8"), ("0.5", "0.7")), ("red", ("0.2", "0.8"), ("0.5", "0.7"))], []),
        ([("yellow", ("0.4", "0.8"), ("0.5", "0.7")), ("red", ("0.4", "0.8"), ("0.5", "0.7"))], ["/warning_lines/1/enter"]),
        ([("yellow", ("0.4", "0.8"), ("0.5", "0.7")), ("red", ("0.2", "0.7"), ("0.5", "0.6"))], ["/warning_lines/1/enter"]),
    ],
)
def test_a_band_clears_within_itself_and_a_worse_one_lies_around_it(lines: list[Bands], wrong: list[str]) -> None:
    assert pointers(outside(*lines)) == wrong


@pytest.mark.parametrize(("comparison", "band"), [("below", True), ("above", True), ("outside", False)])
def test_a_band_stands_with_outside_alone(comparison: str, band: bool) -> None:
    enter = (Decimal("0.4"), Decimal("0.8")) if band else Decimal("0.4")
    line = WarningLine(severity="red", enter=enter, clear=enter)

    assert pointers(definition(comparison, warning_lines=(line,))) == ["/warning_lines/0/enter", "/warning_lines/0/clear"]


@pytest.mark.parametrize(
    ("severity", "windows", "raise_after", "wrong"),
    [
        ("orange", 3, 1, []),
        ("orange", 3, 3, []),
        ("yellow", 3, 1, ["/repetition/severity"]),
        ("orange", 2, 3, ["/repetition/windows"]),
    ],
)
def test_repetition_makes_a_warning_worse_and_not_before_it_begins(
    severity: str, windows: int, raise_after: int, wrong: list[str]
) -> None:
    again = {"repetition": {"severity": severity, "windows": windows}, "raise_after_windows": raise_after}

    assert pointers(definition("below", ("yellow", "0.8", "0.8"), **again)) == wrong


def test_a_judgement_stands_when_elements_learn_to_say_more_and_not_when_the_element_changed() -> None:
    element = Element(code="e", name="师德", met_by="judged", judged=Judged(by="department_head"))
    older = {name: value for name, value in element.model_dump(mode="json").items() if name not in {"issuer", "floor"}}
    day = date(2026, 3, 2)

    def verdict(said: dict[str, Any]) -> Verdict:
        made = Judgement("j", met=True, on=day, valid_until=None, element=Element.kept(said))
        return finding_of(element, Known("teacher", day, {}, {"e": [made]}, {})).verdict

    assert verdict(older) is Verdict.MET
    assert verdict({**older, "name": "品行"}) is Verdict.UNDETERMINED
    assert verdict({**older, "colour": 1}) is Verdict.UNDETERMINED


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.integers(1, 25),
    st.lists(st.sampled_from([True, False, None]), min_size=5, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_what_several_raters_have_decided_stays_whatever_the_others_say(
    parts: list[int], at: int, said: list[bool | None], later: list[bool]
) -> None:
    raters = [Rater(by=f"p{n}", weight=Decimal(part) / 100) for n, part in enumerate(parts)]
    element = Element(code="e", name="行为规范", met_by="judged", judged=Judged(raters=raters, passes_at=Decimal(at) / 100))
    day = date(2026, 3, 2)

    def verdict(words: Sequence[bool | None]) -> Verdict:
        spoken = [(f"p{n}", met) for n, met in enumerate(words) if met is not None]
        made = [Judgement(post, met=met, on=day, valid_until=None, element=element, post=post) for post, met in spoken]
        return finding_of(element, Known("student", day, {}, {"e": made}, {})).verdict

    first = said[: len(parts)]
    now, then = verdict(first), verdict([late if early is None else early for early, late in zip(first, later, strict=False)])
    assert then is not Verdict.UNDETERMINED
    assert now in {then, Verdict.UNDETERMINED}
