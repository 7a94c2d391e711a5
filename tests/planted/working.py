"""Bugs of the chains: tasks and letters, improvements and their effects, the spiral, and who may move what."""

from tests.planted.bug import Bug, Edit

PLANNING = "tests/service/planning/"
STANDARDS = "tests/service/standards/"
MONITORING = "tests/service/monitoring/"
COMMANDS = "services/planning/commands/"

WORKING: tuple[Bug, ...] = (
    Bug(
        "What is due gets a new id with each run",
        "After a restart, a clock that went back, or at a second replica, everybody has the same thing to hand in twice",
        (
            Edit(
                COMMANDS + "due.py",
                '"id": queries.due_id(tx.school, routine.code, period.kind, period.key, routine.per, about.subject)',
                '"id": __import__("uuid").uuid4()',
            ),
        ),
        (
            PLANNING + "test_due_clock.py::test_nothing_is_made_twice_or_missed_and_nothing_falls_due_in_a_vacation",
            PLANNING + "test_due.py::test_scenario_12_every_department_has_its_self_diagnosis_of_the_month_to_submit_once",
        ),
    ),
    Bug(
        "The tasks of a year made twice",
        "Whoever asks for them again gives every unit its goals a second time",
        (
            Edit(
                COMMANDS + "tasks_generating.py",
                "id_=each.id) for each in wanted if each.id not in there]",
                'id_=__import__("uuid").uuid4()) for each in wanted]',
            ),
        ),
        (PLANNING + "test_tasks.py::test_scenario_1_the_tasks_of_a_year_come_from_goals_and_are_made_once",),
    ),
    Bug(
        "Each year starts from the plan's baseline",
        "What the years before have come to is not where the next one starts, however often it was verified",
        (
            Edit(
                COMMANDS + "tasks_generating.py",
                "    baseline = measure.baseline if verified is None else verified\n",
                "    baseline = measure.baseline\n",
            ),
        ),
        (PLANNING + "test_cycles.py::test_the_tasks_of_a_year_start_from_what_the_last_cycle_of_a_year_came_to",),
    ),
    Bug(
        "The hash of the letter before",
        "A letter's hash is not that of what it says: nobody can prove what was signed",
        (Edit(COMMANDS + "agreements.py", "hash=hash_of(content)", 'hash=hash_of({**content, "version": version - 1})'),),
        (PLANNING + "test_agreements.py::test_a_letter_freezes_versions_and_a_changed_task_needs_a_new_one",),
    ),
    Bug(
        "What was not submitted is not counted",
        "A unit that hands in nothing but what is done has met everything: silence improves its rate",
        (
            Edit(
                "services/planning/queries/desks.py",
                "TaskRow.unit.is_not(None), TaskRow.status != TaskStatus.DRAFT)",
                "TaskRow.unit.is_not(None), TaskRow.status.not_in((TaskStatus.DRAFT, *TASK_OWNERS_TURN)))",
            ),
        ),
        (PLANNING + "test_desks.py::test_what_is_not_submitted_lowers_a_units_rates",),
    ),
    Bug(
        "The submitter verifies",
        "Whoever did the work for an owner confirms it, too",
        (Edit(COMMANDS + "working.py", "    if by in {row.owner, row.submitted_by}:\n", "    if by == row.owner:\n"),),
        (
            PLANNING + "test_working.py::test_the_submitter_never_judges_the_own_work",
            PLANNING + "test_many.py::test_the_submitter_of_one_of_many_verifies_none",
        ),
    ),
    Bug(
        "Two peers are enough",
        "An effect is told where hardly anybody is there to compare with",
        (Edit("services/monitoring/domain/effect.py", "LEAST_PEERS = 8 ", "LEAST_PEERS = 2 "),),
        (
            "tests/unit/monitoring/test_effect.py::test_fewer_than_eight_peers_are_not_judged",
            MONITORING + "test_effects.py::test_fewer_than_eight_peers_are_not_judged",
        ),
    ),
    Bug(
        "Peers who are being improved, too",
        "Where work is done on many at once, all of it together shows no effect",
        (
            Edit(
                "services/monitoring/queries/effects.py",
                "    return frozenset(await session.scalars(sql))\n",
                "    return frozenset(await session.scalars(sql.where(EffectRow.ended_on.is_(None))))\n",
            ),
        ),
        (MONITORING + "test_effects.py::test_on_whom_an_improvement_was_under_way_is_nobodys_peer",),
    ),
    Bug(
        "A trial's lines warn",
        "Lines that nobody dares to switch on yet open tasks for the whole school",
        (Edit("services/monitoring/commands/warnings.py", "        if row.trial:\n", "        if row.trial and row.ended_at:\n"),),
        (MONITORING + "test_trials.py::test_a_trial_counts_what_it_would_warn_of_and_nobody_is_told",),
    ),
    Bug(
        "One's own line is changed by way of another level",
        "Who is judged by a line moves it to where it judges others, and nobody is asked",
        (
            Edit(
                "services/standards/commands/indicators.py",
                "        await not_judged_before(tx, scope, by, indicator)\n",
                "",
            ),
        ),
        (STANDARDS + "test_goalposts.py::test_nobody_moves_the_line_that_judges_them_and_nobody_inside_the_loop_moves_any",),
    ),
    Bug(
        "Anybody claims an exception",
        "A teacher rewrites the goals of a plan in the middle of its cycle",
        (Edit(COMMANDS + "origins.py", 'case "exception" if not excepted:', 'case "exception" if origin.reason is None:'),),
        (
            PLANNING + "test_goalposts.py::test_nobody_inside_the_dynamic_loop_moves_the_goalposts",
            PLANNING + "test_origins.py::test_an_exception_takes_a_role_a_reason_and_a_second_person_and_is_listed",
        ),
    ),
    Bug(
        "The floor holds what is published alone",
        "A target below the school's bottom line stands in a plan until somebody looks",
        (
            Edit(
                "services/planning/domain/floors.py", "if not bottom.holds(each.target):", "if bottom.value > 10**9 > each.target:"
            ),
        ),
        (PLANNING + "test_plans.py::test_scenario_18_a_students_own_standard_is_not_below_the_schools",),
    ),
    Bug(
        "A standard holds once it has come",
        "The floors of a version that begins tomorrow refuse the plans of today: what holds depends on when it was told",
        (
            Edit(
                "services/planning/domain/floors.py",
                "        if each.effective_from <= today:\n",
                "        if each.version > 0 or today:\n",
            ),
        ),
        (PLANNING + "test_lint.py::test_a_floor_of_tomorrow_is_none_yet",),
    ),
    Bug(
        "A step of the spiral is passed over",
        "A cycle is diagnosed that has had no plan, and says that it is at its end",
        (
            Edit(
                "services/planning/domain/spiral.py",
                "AFTER_THE_PERIOD.issuperset(by):\n                break\n",
                "AFTER_THE_PERIOD.issuperset(by):\n                continue\n",
            ),
        ),
        ("tests/unit/planning/test_spiral.py::test_no_static_step_is_taken_before_the_one_that_stands_before_it",),
    ),
)
