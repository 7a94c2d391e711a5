"""When a warning begins, worsens and ends (contract, "Warnings")."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.monitoring.domain.episodes import Episode, Indicator, Line, Step, Sum, in_force, judge
from services.monitoring.domain.windows import Window, to_day

LINES = (Line("yellow", 800_000, 850_000), Line("orange", 700_000, 900_000), Line("red", 500_000, 600_000))
ABOVE = (Line("yellow", 100_000, 50_000), Line("red", 300_000, 200_000))
WEEK, NEXT = 100, 107


def indicator(**changes: Any) -> Indicator:
    said: dict[str, Any] = {
        "code": "i",
        "version": 1,
        "name": "i",
        "metric": "m",
        "level": "class",
        "window": Window.WEEK,
        "below": True,
        "min_denominator": 10,
        "evaluate": "on_update",
        "lines": LINES,
        "effective_from": 0,
    }
    return Indicator(**{**said, **changes})


def percent(value: int, of: int = 100) -> Sum:
    return Sum(value, of)


def judged(
    episode: Episode, total: Sum, start: int = WEEK, **changes: Any
) -> tuple[str | None, Step | None, str | None, int | None]:
    """Severity afterwards, the step, the severity of the worst line passed, the deciding window."""
    after, step, line = judge(episode, indicator(**changes), start, total)
    return after.severity, step, None if line is None else line.severity, after.deciding


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        (100, None),
        (85, None),
        (81, None),
        (80, None),
        (79, "yellow"),
        (70, "yellow"),
        (69, "orange"),
        (50, "orange"),
        (49, "red"),
        (0, "red"),
    ],
)
def test_without_an_episode_a_value_past_a_line_raises_with_the_worst_line_passed(value: int, severity: str | None) -> None:
    step = None if severity is None else Step.RAISED

    assert judged(Episode(), percent(value)) == (severity, step, severity, WEEK)


@pytest.mark.parametrize(("value", "severity"), [(0, None), (10, None), (11, "yellow"), (30, "yellow"), (31, "red"), (150, "red")])
def test_above_is_the_mirror_image(value: int, severity: str | None) -> None:
    step = None if severity is None else Step.RAISED

    assert judged(Episode(), percent(value), below=False, lines=ABOVE) == (severity, step, severity, WEEK)


@pytest.mark.parametrize(
    ("before", "value", "after", "step"),
    [
        ("yellow", 79, "yellow", None),
        ("yellow", 69, "orange", Step.ESCALATED),
        ("yellow", 49, "red", Step.ESCALATED),
        ("orange", 79, "orange", None),  # severity never falls
        ("red", 69, "red", None),
        ("red", 84, "red", None),  # not past a line, but not back over the clear line either
        ("yellow", 80, "yellow", None),
        ("yellow", 84, "yellow", None),
        ("yellow", 85, None, Step.CLEARED),  # on the clear line is not past it
        ("yellow", 86, None, Step.CLEARED),
        ("orange", 85, None, Step.CLEARED),  # the mildest line's clear decides, not the orange one's 90
        ("red", 65, "red", None),  # nor the red one's 60
        ("red", 85, None, Step.CLEARED),
    ],
)
def test_an_open_episode_worsens_or_ends_or_stays(before: str, value: int, after: str | None, step: Step | None) -> None:
    severity, taken, _, deciding = judged(Episode(before, deciding=WEEK), percent(value))

    assert (severity, taken, deciding) == (after, step, WEEK)


@pytest.mark.parametrize(
    ("before", "value", "after", "step"),
    [
        ("yellow", 10, "yellow", None),
        ("yellow", 5, None, Step.CLEARED),
        ("yellow", 6, "yellow", None),
        ("yellow", 31, "red", Step.ESCALATED),
        ("red", 11, "red", None),
        ("red", 5, None, Step.CLEARED),
    ],
)
def test_an_open_episode_above_worsens_or_ends_or_stays(before: str, value: int, after: str | None, step: Step | None) -> None:
    severity, taken, _, _ = judged(Episode(before, deciding=WEEK), percent(value), below=False, lines=ABOVE)

    assert (severity, taken) == (after, step)


def test_where_enter_and_clear_are_equal_there_is_nothing_between() -> None:
    lines = (Line("red", 800_000, 800_000),)

    assert judged(Episode(), percent(79), lines=lines)[1] is Step.RAISED
    assert judged(Episode("red", deciding=WEEK), percent(80), lines=lines)[1] is Step.CLEARED


@pytest.mark.parametrize(("denominator", "step"), [(9, None), (10, Step.RAISED), (11, Step.RAISED)])
def test_a_window_with_too_little_denominator_is_not_judged(denominator: int, step: Step | None) -> None:
    assert judged(Episode(), percent(0, denominator))[1] is step


def test_a_window_with_too_little_denominator_does_not_become_the_deciding_one() -> None:
    before = Episode("yellow", deciding=WEEK)

    assert judge(before, indicator(), NEXT, percent(9, 9)) == (before, None, None)


def test_a_window_without_denominator_is_not_judged_whatever_the_least_is() -> None:
    assert judged(Episode(), Sum(0, 0), min_denominator=0) == (None, None, None, None)


def test_a_change_of_an_older_window_neither_raises_nor_clears() -> None:
    quiet, open_ = Episode(deciding=NEXT), Episode("yellow", deciding=NEXT)

    assert judge(quiet, indicator(), WEEK, percent(0)) == (quiet, None, None)
    assert judge(open_, indicator(), WEEK, percent(100)) == (open_, None, None)
    assert judge(open_, indicator(), WEEK, percent(0)) == (open_, None, None)


def test_a_newer_window_with_enough_denominator_decides_from_then_on() -> None:
    assert judged(Episode("yellow", deciding=WEEK), percent(100), NEXT) == (None, Step.CLEARED, None, NEXT)
    assert judged(Episode("yellow", deciding=WEEK), percent(79), NEXT) == ("yellow", None, "yellow", NEXT)
    assert judged(Episode(deciding=WEEK), percent(100), NEXT) == (None, None, None, NEXT)


@pytest.mark.parametrize(
    ("value", "after", "step"),
    [(79, "yellow", None), (0, "yellow", None), (84, "yellow", None), (85, None, Step.ENDED)],
)
def test_a_dismissed_episode_is_quiet_until_the_data_is_back_over_the_clear_line(
    value: int, after: str | None, step: Step | None
) -> None:
    severity, taken, _, _ = judged(Episode("yellow", quiet=True, deciding=WEEK), percent(value))

    assert (severity, taken) == (after, step)


def test_a_dismissed_episode_stays_quiet_while_it_lasts_and_ends_with_its_recovery() -> None:
    still, _, _ = judge(Episode("yellow", quiet=True, deciding=WEEK), indicator(), NEXT, percent(0))
    over, _, _ = judge(still, indicator(), NEXT, percent(90))

    assert still == Episode("yellow", quiet=True, deciding=NEXT)
    assert over == Episode(deciding=NEXT)
    assert judge(over, indicator(), NEXT, percent(79))[1] is Step.RAISED


def test_a_new_version_judges_an_episode_by_its_own_lines_without_ending_or_restarting_it() -> None:
    gentler = indicator(version=2, lines=(Line("yellow", 500_000, 900_000),))
    harder = indicator(version=2, lines=(Line("red", 900_000, 900_000),))
    open_ = Episode("yellow", deciding=WEEK)

    assert judge(open_, gentler, WEEK, percent(70)) == (open_, None, None)
    assert judge(open_, harder, WEEK, percent(85))[1] is Step.ESCALATED
    assert judge(Episode("red", deciding=WEEK), harder, WEEK, percent(85))[1] is None


@pytest.mark.parametrize(("day", "version"), [(9, None), (10, 1), (19, 1), (20, 2), (500, 2)])
def test_the_version_in_force_is_the_latest_effective(day: int, version: int | None) -> None:
    versions = [indicator(version=2, effective_from=20), indicator(version=1, effective_from=10)]

    found = in_force(versions, day)
    assert (found and found.version) == version
    assert in_force([], day) is None


def test_of_two_versions_effective_on_one_day_the_newer_is_in_force() -> None:
    versions = [indicator(version=n, effective_from=10) for n in (2, 3, 1)]

    found = in_force(versions, 10)
    assert found is not None
    assert found.version == 3


@pytest.mark.parametrize(("day", "covered"), [(9, False), (10, True)])
def test_a_single_version_covers_nothing_before_its_day(day: int, covered: bool) -> None:
    assert (in_force([indicator(effective_from=10)], day) is not None) == covered


def test_an_indicator_is_read_as_standards_published_it() -> None:
    read = Indicator.of(
        {
            "code": "class-completion-week",
            "version": 3,
            "name": "班级周作业完成率",
            "metric": "assignment_completion",
            "level": "class",
            "window": "week",
            "comparison": "below",
            "target": "0.90",
            "min_denominator": "50.5",
            "evaluate": "window_close",
            "warning_lines": [
                {"severity": "red", "enter": "0.5", "clear": "0.60"},
                {"severity": "blue", "enter": "0.80", "clear": "0.85"},
            ],
            "effective_from": "2026-02-24",
        },
        "ratio",
    )

    assert (read.code, read.version, read.metric, read.level) == ("class-completion-week", 3, "assignment_completion", "class")
    assert (read.window, read.below, read.evaluate) == (Window.WEEK, True, "window_close")
    assert (read.min_denominator, read.effective_from) == (50_500_000, to_day(date(2026, 2, 24)))
    assert read.lines == (Line("blue", 800_000, 850_000), Line("red", 500_000, 600_000)), "mildest first"
