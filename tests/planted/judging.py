"""Bugs of judging: patience, lines of units, lessons."""

from tests.planted.bug import Bug, Edit

MONITORING = "tests/service/monitoring/"

JUDGING: tuple[Bug, ...] = (
    Bug(
        "Windows in a row as they stood before the batch",
        "Whether a warning begins depends on where batches end",
        (
            Edit(
                "services/monitoring/queries/history.py",
                "            if window == indicator.window and key in series:\n",
                "            if window == indicator.window and key in series and start < 0:\n",
            ),
        ),
        (MONITORING + "test_patience.py::test_a_warning_begins_and_ends_with_windows_in_a_row",),
    ),
    Bug(
        "A warning is held a day too long",
        "The window that starts when its days are over does not clear it",
        (
            Edit(
                "services/monitoring/domain/episodes.py",
                "start < episode.began + indicator.hold_days",
                "start <= episode.began + indicator.hold_days",
            ),
        ),
        (
            "tests/unit/monitoring/test_patience.py::test_it_is_held_for_days_after_the_window_that_raised_it",
            MONITORING + "test_patience.py::test_a_held_warning_ends_when_its_days_are_over",
        ),
    ),
    Bug(
        "A class that moves keeps its lines",
        "It is judged by the lines of a department that it left",
        (
            Edit(
                "services/monitoring/commands/roster.py",
                "    others, since = await judged_otherwise(tx, school, before)\n",
                "    others, since = dict[tuple[str, str], set[str]](), None\n",
            ),
        ),
        (MONITORING + "test_overrides.py::test_a_class_that_moves_is_judged_by_the_lines_of_its_new_unit_from_that_day_on",),
    ),
    Bug(
        "A lesson ends with its first observation",
        "It is judged before the last pupils are counted",
        (Edit("services/monitoring/queries/lessons.py", "max(end, time), first", "min(end, time), first"),),
        (MONITORING + "test_lessons.py::test_an_observation_before_that_moves_the_end_of_the_lesson",),
    ),
)
