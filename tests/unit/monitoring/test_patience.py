"""What keeps a warning from flapping, what makes it worse with time, and values that must stay within a band."""

from __future__ import annotations

import pytest

from services.monitoring.domain.episodes import Episode, Line, Repetition, Step, Sum, judge
from services.monitoring.domain.explaining import formula
from tests.unit.monitoring.test_episodes import NEXT, WEEK, indicator, percent

LINE = (Line("yellow", 800_000, 850_000),)
BAND = (
    Line("yellow", 400_000, 450_000, Line("yellow", 800_000, 750_000)),
    Line("red", 200_000, 300_000, Line("red", 900_000, 800_000)),
)


def sums(*values: int) -> tuple[Sum, ...]:
    return tuple(percent(value) for value in values)


@pytest.mark.parametrize(
    ("earlier", "raised"), [((), False), ((79,), False), ((79, 80), False), ((80, 79), False), ((79, 79), True)]
)
def test_a_warning_begins_when_enough_windows_in_a_row_are_past_the_line(earlier: tuple[int, ...], raised: bool) -> None:
    patient = indicator(lines=LINE, raise_after=3)

    after, step, line = judge(Episode(), patient, WEEK, percent(79), sums(*earlier))

    assert (step, after.severity) == ((Step.RAISED, "yellow") if raised else (None, None))
    assert (line is not None) == raised
    assert after.deciding == WEEK


@pytest.mark.parametrize(("earlier", "cleared"), [((), False), ((84,), False), ((85,), True)])
def test_it_ends_when_enough_windows_in_a_row_are_not_past_the_clear_line(earlier: tuple[int, ...], cleared: bool) -> None:
    before = Episode("yellow", began=WEEK)

    after, step, _ = judge(before, indicator(lines=LINE, clear_after=2), NEXT, percent(90), sums(*earlier))

    assert (step, after.severity) == ((Step.CLEARED, None) if cleared else (None, "yellow"))


@pytest.mark.parametrize(
    ("hold", "start", "step"), [(8, NEXT, None), (7, NEXT, Step.CLEARED), (1, WEEK, None), (0, WEEK, Step.CLEARED)]
)
def test_it_is_held_for_days_after_the_window_that_raised_it(hold: int, start: int, step: Step | None) -> None:
    assert judge(Episode("yellow", began=WEEK), indicator(lines=LINE, hold_days=hold), start, percent(90))[1] is step


def test_the_window_that_raised_it_is_kept_through_worse_ones() -> None:
    raised, _, _ = judge(Episode(), indicator(), WEEK, percent(79))
    worse, step, _ = judge(raised, indicator(), NEXT, percent(10))

    assert (step, worse.began, worse.deciding) == (Step.ESCALATED, WEEK, NEXT)


@pytest.mark.parametrize(
    ("before", "value", "earlier", "severity", "step"),
    [
        (None, 79, (79,), "yellow", Step.RAISED),
        (None, 79, (79, 79), "orange", Step.RAISED),
        ("yellow", 79, (79, 79), "orange", Step.ESCALATED),
        ("yellow", 79, (79, 80), "yellow", None),
        ("yellow", 40, (79, 79), "red", Step.ESCALATED),
        ("red", 79, (79, 79), "red", None),
    ],
)
def test_repetition_makes_a_warning_at_least_as_severe_as_it_says(
    before: str | None, value: int, earlier: tuple[int, ...], severity: str, step: Step | None
) -> None:
    again = indicator(lines=(*LINE, Line("red", 500_000, 600_000)), repetition=Repetition("orange", 3))

    after, taken, line = judge(Episode(before, began=WEEK), again, NEXT, percent(value), sums(*earlier))

    assert (after.severity, taken) == (severity, step)
    assert line is not None
    assert line.enter == (500_000 if value < 50 else 800_000), "the line that was passed, not one of the repetition"


def test_a_dismissed_warning_stays_as_it_is_however_often_it_repeats() -> None:
    again = indicator(lines=LINE, repetition=Repetition("red", 2))

    assert judge(Episode("yellow", quiet=True, began=WEEK), again, NEXT, percent(10), sums(10))[1] is None


@pytest.mark.parametrize(
    ("value", "severity", "line"),
    [
        (19, "red", 200_000),
        (20, "yellow", 400_000),
        (39, "yellow", 400_000),
        (40, None, None),
        (80, None, None),
        (81, "yellow", 800_000),
        (90, "yellow", 800_000),
        (91, "red", 900_000),
    ],
)
def test_outside_is_past_either_bound_and_never_on_it(value: int, severity: str | None, line: int | None) -> None:
    after, _, passed = judge(Episode(), indicator(lines=BAND, below=False, outside=True), WEEK, percent(value))

    assert after.severity == severity
    assert (None if passed is None else passed.enter) == line


@pytest.mark.parametrize(("value", "step"), [(44, None), (45, Step.CLEARED), (75, Step.CLEARED), (76, None)])
def test_outside_ends_within_the_clear_band_of_the_mildest_line(value: int, step: Step | None) -> None:
    assert judge(Episode("yellow", began=WEEK), indicator(lines=BAND, below=False, outside=True), WEEK, percent(value))[1] is step


def test_the_formula_says_all_that_decides() -> None:
    patient = indicator(
        lines=BAND, below=False, outside=True, raise_after=2, clear_after=3, hold_days=7, repetition=Repetition("orange", 4)
    )
    zh, en = formula(patient, 800_000)

    assert "高于 0.8 预警，处于 [0.45, 0.75] 解除" in zh
    assert "连续 2 个窗口越线才预警；连续 3 个窗口恢复才解除；预警后至少保持 7 天；连续 4 个窗口越线至少为 orange" in zh
    assert "warned below 0.2, cleared within [0.45, 0.75]" in formula(patient, 200_000)[1]
    assert (
        "warned after 2 windows in a row; cleared after 3 windows in a row; held for 7 days; at least orange after 4 windows" in en
    )
