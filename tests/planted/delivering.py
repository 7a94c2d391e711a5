"""Bugs between a campus system and a reader: acknowledged and lost, delivered twice, told and never done."""

from tests.planted.bug import Bug, Edit

CONSUMERS = "tests/service/common/test_consumers.py::"
OUTBOX = "tests/service/common/test_outbox.py::"
OPENING = "tests/service/planning/test_opening_at_once.py::"
CLOCK = "tests/service/common/test_clock.py::"
CRASHES = "tests/service/monitoring/test_crashes.py::"
KILLED = CRASHES + "test_killed_at_any_await_point_nothing_is_lost_and_nothing_doubled"
FAILED = CRASHES + "test_a_process_that_fails_at_each_await_point_in_turn_and_goes_on_remembers_nothing_of_it"

DELIVERING = (
    Bug(
        "Acknowledge before the append",
        "A 202 for events that a full disk or a dead broker never took",
        (
            Edit(
                "services/gateway/commands/events.py",
                "    await bus.publish([Record(TOPIC, source.school, value)])",
                "    import asyncio\n\n    asyncio.create_task(bus.publish([Record(TOPIC, source.school, value)]))",
            ),
        ),
        ("tests/service/gateway/test_acknowledging.py::test_events_that_a_full_disk_does_not_take_are_not_acknowledged",),
    ),
    Bug(
        "`synchronous=NORMAL` on the bus",
        "What was acknowledged in the last seconds is gone after a power cut",
        (Edit("libs/common/bus_sqlite.py", "PRAGMA synchronous = FULL;", "PRAGMA synchronous = NORMAL;"),),
        ("tests/contract/test_bus_sqlite.py::test_each_append_is_synced",),
    ),
    Bug(
        "`synchronous=NORMAL` in the databases",
        "Sums and inbox marks go back in time after a power cut, while the bus has gone on",
        (Edit("libs/common/sqlite.py", '"synchronous = FULL"', '"synchronous = NORMAL"'),),
        ("tests/service/common/test_database.py::test_each_commit_is_synced",),
    ),
    Bug(
        "Auto-commit of the Kafka consumer",
        "A batch that was fetched and not yet handled is lost when the process ends",
        (Edit("libs/common/bus_kafka/subscription.py", "enable_auto_commit=False", "enable_auto_commit=True"),),
        ("tests/contract/test_bus.py::test_a_record_comes_again_until_it_is_committed",),
        servers=True,
    ),
    Bug(
        "Records on Kafka bear their producer's time",
        "A process whose clock is an hour ahead is refused by the broker and hands on nothing",
        (
            Edit(
                "libs/common/bus_kafka/__init__.py",
                '"message.timestamp.type": "LogAppendTime"',
                '"message.timestamp.type": "CreateTime"',
            ),
        ),
        ("tests/contract/test_bus_kafka.py::test_who_writes_with_a_clock_that_is_days_wrong_is_heard",),
        servers=True,
    ),
    Bug(
        "Positions committed before the work",
        "What was being handled when the process ended never comes again",
        (
            Edit(
                "libs/common/runtime/consumers.py",
                "        try:\n            if self._intake is None:\n",
                "        await subscription.commit()\n        try:\n            if self._intake is None:\n",
            ),
        ),
        (
            CONSUMERS + "test_what_was_being_handled_when_the_process_ended_comes_again",
            CONSUMERS + "test_a_broken_handler_is_said_tried_again_and_loses_nothing",
            FAILED,
        ),
    ),
    Bug(
        "A rewind that forgets to rewind",
        "After a failed batch the consumer goes on behind it",
        (
            Edit(
                "libs/common/bus_sqlite.py",
                "            self._positions[topic] = self._bus._committed[self._group, topic]\n        self._sizes.clear()",
                "            del topic\n        self._sizes.clear()",
            ),
        ),
        ("tests/contract/test_bus.py::test_after_a_rewind_what_was_not_committed_comes_again",),
    ),
    Bug(
        "No inbox mark",
        "An event that is delivered again is handled again: two tasks for one warning",
        (
            Edit(
                "libs/common/runtime/inbox.py",
                "            tx.append(InboxRow, event_id=message.id, handled_at=tx.now)\n",
                "",
            ),
        ),
        (CONSUMERS + "test_an_event_delivered_again_has_no_effect",),
    ),
    Bug(
        "Random ids of outgoing events",
        "A cause that is handled again on a restored database publishes a second event, which no inbox knows",
        (
            Edit(
                "libs/common/database.py",
                '        id_ = event_id(f"{school}|{cause}", fact, n)',
                '        event_id(f"{school}|{cause}", fact, n)\n        id_ = uuid4()',
            ),
        ),
        (CONSUMERS + "test_handling_the_same_event_on_another_database_publishes_the_same_ids",),
    ),
    Bug(
        "Publish although the transaction is rolled back",
        "Other services are told of what never happened",
        (
            Edit(
                "libs/common/database.py",
                "                tx = Transaction(session, self)\n                yield tx\n",
                "                tx, failed = Transaction(session, self), None\n                try:\n"
                "                    async with session.begin_nested():\n                        yield tx\n"
                "                except Exception as error:\n                    failed = error\n",
            ),
            Edit(
                "libs/common/database.py",
                "        for callback in tx.when_committed:\n",
                "        if failed is not None:\n            raise failed\n        for callback in tx.when_committed:\n",
            ),
        ),
        (
            OUTBOX + "test_a_transaction_that_fails_publishes_nothing",
            CONSUMERS + "test_a_handler_that_fails_leaves_no_effect_no_event_and_no_mark",
        ),
    ),
    Bug(
        "Events written once their rows are committed",
        "A crash between the two: a warning stands that nobody is told of, and no task is ever opened for it",
        (
            Edit(
                "libs/common/database.py",
                "                await tx.write_last()\n",
                "                outgoing, tx.outgoing = tx.outgoing, []\n                await tx.write_last()\n"
                "            tx.outgoing = outgoing\n            async with self._sessions.begin() as session:\n"
                "                tx.session, tx._driver = session, None\n                await tx.insert(OutboxRow, tx.outgoing)\n",
            ),
        ),
        (KILLED,),
    ),
    Bug(
        "What befell a warning is taken without a mark",
        "Told again after a crash, a task is closed, opened again and hurried once more, and everybody is told so",
        (
            Edit(
                "services/planning/handlers.py",
                "await for_the_first_time([m for m in messages if type(m.event) in THEN], tx)",
                "[m for m in messages if type(m.event) in THEN]",
            ),
        ),
        (OPENING + "test_what_went_forth_and_back_is_not_gone_through_again_when_it_is_told_again",),
    ),
    Bug(
        "The relay deletes before it publishes",
        "A crash between the two, or a broker that refuses, loses events",
        (
            Edit(
                "libs/common/runtime/outbox.py",
                "        await bus.publish([Record(topic, key, payload) for _, topic, key, payload in rows])\n",
                "",
            ),
            Edit(
                "libs/common/runtime/outbox.py",
                "    return len(rows)\n",
                "        await bus.publish([Record(topic, key, payload) for _, topic, key, payload in rows])\n    return len(rows)\n",
            ),
        ),
        (
            OUTBOX + "test_a_crash_between_publish_and_delete_publishes_again_and_loses_nothing",
            OUTBOX + "test_while_the_bus_refuses_the_outbox_keeps_what_was_committed",
            KILLED,
        ),
    ),
    Bug(
        "Outbox rows deleted by `position <= last`",
        "On PostgreSQL a row with a smaller position that commits later is deleted unsent",
        (
            Edit(
                "libs/common/runtime/outbox.py",
                '            await tx.delete(OutboxRow, "position", [position for position, *_ in rows])\n',
                "            from sqlalchemy import delete\n"
                "            await tx.session.execute(delete(OutboxRow).where(OutboxRow.position <= rows[-1].position))\n",
            ),
        ),
        (OUTBOX + "test_a_row_that_commits_late_with_a_smaller_position_is_not_deleted_unsent",),
    ),
    Bug(
        "No fencing by the lease",
        "A worker that slept past its lease goes on writing beside the one that took over",
        (
            Edit(
                "libs/common/runtime/leases.py",
                "        if self.token is None or await tx.session.scalar(sql) != self.token:",
                "        if await tx.session.scalar(sql) == 0:",
            ),
        ),
        (
            "tests/service/common/test_leases.py::test_a_holder_past_its_time_can_write_nothing_once_another_has_it",
            OUTBOX + "test_a_relay_that_lost_its_lease_deletes_nothing",
        ),
    ),
    Bug(
        "Leases by the worker's own clock",
        "A worker whose clock is days wrong takes a lease that is held",
        (Edit("libs/common/runtime/leases.py", "await self._database.seconds(tx.session)", "tx.now.timestamp()"),),
        ("tests/service/common/test_leases.py::test_a_wrong_clock_of_a_worker_neither_takes_nor_keeps_it",),
    ),
    Bug(
        "Signatures by the machine's own clock",
        "A gateway whose clock is days behind lets nobody in; one that is ahead signs for days instead of a minute",
        (Edit("libs/common/clock.py", "return self._machine() - self.ahead", "return self._machine()"),),
        (
            CLOCK + "test_who_is_asking_is_believed_for_a_minute_between_machines_whose_clocks_are_days_apart",
            CLOCK + "test_what_a_transaction_takes_for_now_is_the_databases_time",
        ),
    ),
    Bug(
        "The live stream resumes one too early",
        "A page that reconnects shows the last change twice",
        (Edit("services/reporting/queries.py", "FeedRow.position > after", "FeedRow.position >= after"),),
        (
            "tests/service/reporting/test_stream.py::test_a_reader_that_is_cut_off_again_and_again_sees_every_change_once_and_in_order",
        ),
    ),
)
