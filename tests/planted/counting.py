"""Bugs in what is counted and judged."""

from tests.planted.bug import Bug, Edit

INTAKE = "tests/service/monitoring/test_intake.py::"
AMENDING = "tests/service/monitoring/test_amending.py::"
CRASHES = "tests/service/monitoring/test_crashes.py::"
CLOSING = "tests/service/monitoring/test_closing.py::"

COUNTING = (
    Bug(
        "Ids remembered for the last three events only",
        "What a source sends again later is counted twice",
        (
            Edit(
                "services/monitoring/commands/intake.py",
                "    counted = await find_counted(tx, school.id, row.position, ids)\n",
                "    counted = await find_counted(tx, school.id, row.position, ids)\n"
                "    counted = {id_: known for id_, known in counted.items() if known > row.position - 3}\n",
            ),
        ),
        (INTAKE + "test_an_observation_counts_once_however_often_and_in_whatever_batches_it_comes",),
    ),
    Bug(
        "Other content under a counted id counts again",
        "A source that edits and sends again is counted twice, and no conflict is listed",
        (
            Edit("services/monitoring/commands/reading.py", "o.id_hash(key)", "o.id_hash(key + o.content_hash())"),
            Edit(
                "services/monitoring/commands/plain.py",
                "    ids = list(map(id_hash, columns.sources, columns.events, repeat(key)))\n",
                "    all_ = map(columns.observation, range(len(columns)))\n    ids = [o.id_hash(key + o.content_hash()) for o in all_]\n",
            ),
        ),
        (INTAKE + "test_other_content_under_a_counted_id_is_listed_once_and_the_first_stands",),
    ),
    Bug(
        "Late observations are dropped",
        "What a campus system delivers after a week off line is missing from every sum, without a word",
        (
            Edit(
                "services/monitoring/commands/intake.py",
                "        if (fault := check(event.observation, school.rules, latest)) is None:\n",
                "        if event.observation.time < tx.now - timedelta(days=7):\n            continue\n"
                "        if (fault := check(event.observation, school.rules, latest)) is None:\n",
            ),
            Edit(
                "services/monitoring/commands/plain.py",
                "    owned = metrics & school.owners.keys()\n",
                "    owned = metrics & school.owners.keys()\n"
                "    if columns.time.min() < latest.timestamp() * MILLION - 8 * 86_400_000_000:\n        return False\n",
            ),
        ),
        (INTAKE + "test_late_is_never_refused_and_a_time_within_a_day_ahead_counts",),
    ),
    Bug(
        "Numbers as floats",
        "Sums drift by what floats cannot hold, and a value on a line falls past it",
        (
            Edit(
                "libs/common/events/observations.py",
                "    scaled: int = int(text) * 10**power\n",
                "    scaled: int = int(float(number) * MILLION)\n    sign = 0\n",
            ),
        ),
        ("tests/unit/common/test_observations.py::test_a_number_is_kept_exactly_however_it_is_written",),
    ),
    Bug(
        "The mean of rates instead of the rate of sums",
        "A day with one pupil weighs as much as a day with a thousand",
        (
            Edit(
                "services/monitoring/queries/measurements.py",
                "Sum(m.numerator, m.denominator, m.revision, m.at) + Sum(row.numerator, row.denominator, row.revision, row.at)",
                "Sum((m.numerator + row.numerator * 1_000_000 // max(row.denominator, 1)) // (2 if m.revision else 1), 1_000_000)",
            ),
        ),
        ("tests/service/monitoring/test_measurements.py::test_a_window_is_the_same_whether_an_indicator_watches_it_or_not",),
    ),
    Bug(
        "`>=` for `>` at a warning line",
        "A value exactly on the line raises a warning",
        (
            Edit(
                "services/monitoring/domain/episodes.py",
                "return value < limit if under else value > limit",
                "return value <= limit if under else value >= limit",
            ),
        ),
        (
            "tests/unit/monitoring/test_episodes.py::test_without_an_episode_a_value_past_a_line_raises_with_the_worst_line_passed",
            "tests/unit/monitoring/test_episodes.py::test_above_is_the_mirror_image",
        ),
    ),
    Bug(
        "Judging a batch by its end",
        "A dip that begins and ends within a batch is never seen, and the result depends on where batches end",
        (
            Edit(
                "services/monitoring/commands/counting.py",
                "    for each in watched:\n        bench.judge(each)\n",
                "    ends = {each.series: each for each in watched}\n"
                "    for each in watched:\n        bench.judge(each, ends[each.series] is each)\n",
            ),
            Edit(
                "services/monitoring/commands/counting.py",
                "    def judge(self, each: _Watched) -> None:\n",
                "    def judge(self, each: _Watched, at_end: bool) -> None:\n",
            ),
            Edit(
                "services/monitoring/commands/counting.py",
                "        for code, versions in self.school.watch[entry.metric, each.level].items():\n            indicator = in_force",
                "        for code, versions in self.school.watch[entry.metric, each.level].items() if at_end else ():\n"
                "            indicator = in_force",
            ),
        ),
        ("tests/service/monitoring/test_warnings.py::test_one_observation_may_raise_escalate_and_clear_within_a_batch",),
    ),
    Bug(
        "The newest version judges everything",
        "Late data of last term is judged by this term's lines",
        (
            Edit(
                "services/monitoring/domain/episodes.py",
                "    covering = [version for version in versions if version.effective_from <= day]\n",
                "    covering = list(versions)\n",
            ),
        ),
        (
            "tests/unit/monitoring/test_episodes.py::test_the_version_in_force_is_the_latest_effective",
            CLOSING + "test_each_version_judges_its_own_time_whenever_the_observation_comes",
        ),
    ),
    Bug(
        "A window closes with the next event",
        "A class of which nothing more is heard is never judged",
        (
            Edit(
                "services/monitoring/commands/judging.py",
                "    if newest <= through:\n",
                "    if newest <= through or not await list_starts(\n"
                "        tx.session, school.metric_ids[metric], LEVEL_CODE[level], indicator.window, newest, 1 << 30\n    ):\n",
            ),
        ),
        (CLOSING + "test_a_window_is_judged_once_when_it_has_ended_in_the_schools_zone",),
    ),
    Bug(
        "Days of UTC instead of the school's",
        "What happens before eight in the morning in China counts for the day before",
        (
            Edit(
                "services/monitoring/domain/windows.py",
                "return to_day(instant.astimezone(self._zone).date())",
                "return to_day(instant.astimezone(UTC).date())",
            ),
        ),
        (
            "tests/unit/monitoring/test_windows.py::test_an_instant_falls_on_the_schools_day",
            INTAKE + "test_an_observation_falls_on_the_day_of_its_school",
        ),
    ),
    Bug(
        "A correction that only adds",
        "The wrong observation and the right one both count",
        (
            Edit(
                "services/monitoring/commands/amending.py",
                "    gone, come = [await _entries(tx, school, each) for each in (before, after)]\n",
                "    gone, come = [await _entries(tx, school, each) for each in (None, after)]\n",
            ),
        ),
        (AMENDING + "test_a_correction_counts_in_the_place_of_the_original_at_every_level",),
    ),
    Bug(
        "A retraction that leaves the corrections",
        "What was taken back goes on counting as it was last corrected",
        (
            Edit(
                "services/monitoring/commands/amending.py",
                "standing = None if retraction else corrections[-1].position if corrections else place",
                "standing = corrections[-1].position if corrections else None if retraction else place",
            ),
        ),
        (AMENDING + "test_a_retraction_ends_the_original_with_all_its_corrections_also_later_ones",),
    ),
    Bug(
        "A correction that comes first is forgotten",
        "Whether a mistake is mended depends on the order in which events arrive",
        (
            Edit(
                "services/monitoring/commands/amending.py",
                "        _wait(row, school, school.pending | {amendment.root})\n",
                "",
            ),
        ),
        (AMENDING + "test_what_comes_before_its_target_waits_for_it",),
    ),
    Bug(
        "Memory of a transaction that was rolled back",
        "After a failure, sums go to numbers of series that were never made, or to another subject's",
        (
            Edit(
                "services/monitoring/queries/schools.py",
                "    picture = pictures.pop(row.code, None)\n",
                "    picture = pictures.get(row.code)\n",
            ),
            Edit(
                "services/monitoring/queries/schools.py",
                "    kept = picture\n    tx.when_committed.append(lambda: pictures.update({kept.code: kept}))\n",
                "    pictures[row.code] = picture\n",
            ),
        ),
        (CRASHES + "test_a_process_that_fails_at_each_await_point_in_turn_and_goes_on_remembers_nothing_of_it",),
    ),
)
