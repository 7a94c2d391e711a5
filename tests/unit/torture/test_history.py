"""What torture sends: made from a seed, with everything in it that has ever gone wrong, and a checker that sees a difference."""

from datetime import date

import pytest

from tests.torture.checker import Report, summed
from tests.torture.history import AT_FIRST, MILLION, History, model, roster, version


def history(seed: int = 7, connections: int = 1) -> History:
    return History(f"school-{seed}", seed, connections, 250)


def numbers(of: History) -> list[list[list[int]]]:
    return [[[batch.number for batch in lane] for lane in half] for half in of.halves]


def test_a_seed_makes_the_same_history_again_and_another_one_another() -> None:
    assert history().batches == history().batches
    assert numbers(history()) == numbers(history())
    assert history().batches != history(8).batches


def test_a_history_has_duplicates_amendments_conflicts_and_amendments_before_their_target() -> None:
    one = history()
    sent = [event.told for half in one.halves for batch in half[0] for event in batch.events]
    first = {event.id: n for n, event in reversed(list(enumerate(sent)))}

    assert len(sent) > len(first)
    assert one.conflicts
    assert {event.content is None for event in sent if event.target} == {True, False}
    assert any(first[event.target] > first[event.id] for event in sent if event.target in first)


@pytest.mark.parametrize("connections", [1, 4])
def test_every_batch_is_sent(connections: int) -> None:
    of = history(connections=connections)

    sent = {batch.number for half in of.halves for lane in half for batch in lane} | {batch.number for batch in of.middle}
    assert sent == set(of.batches)
    assert {len(half) for half in of.halves} == {connections}


def test_over_several_connections_the_order_does_not_matter() -> None:
    events = [event.told for batch in history(connections=4).batches.values() for event in batch.events]

    def sums(turned: bool) -> dict[tuple[str, ...], tuple[int, int]]:
        school = model()
        for event in reversed(events) if turned else events:
            school.send(event)
        return dict(summed(school.tell(), "s"))

    assert sums(turned=True) == sums(turned=False)


def test_an_indicator_is_told_to_the_model_in_its_words() -> None:
    told = version(AT_FIRST[0], 1)

    assert (told.below, told.least, told.since) == (True, 3 * MILLION, date(2020, 1, 1))
    assert [severity for severity, _, _ in told.lines] == ["yellow", "orange", "red"]


@pytest.mark.parametrize(
    ("wanted", "found", "said"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "1 differ: b: 2 wanted, 3 found"),
        ({"a", "b"}, {"b", "c"}, "1 missing ['a'], 1 too many ['c']"),
        ([1, 2], [1, 2, 2], "missing [], too many ['2'], or in another order"),
    ],
)
def test_a_difference_is_told(wanted: object, found: object, said: str) -> None:
    report = Report()
    report.expect("same", wanted, wanted)
    report.expect("other", wanted, found)

    assert report.wrong == [f"other: {said}"]


def test_between_the_halves_a_class_moves_students_turn_out_to_have_moved_and_classes_change_sides() -> None:
    of = history()
    before, after = ([event.told.content for event in batch.events] for batch in of.middle)
    todays = [e.told.content for b in of.batches.values() for e in b.events if e.told.content and e.told.content.day == of.today]
    moved = model(of.today)

    assert [content.named for content in before if content] == [content.named for content in after if content]
    assert todays
    assert {moved.subjects(content)["department"] for content in todays} == {"arts"}
    assert {place["department"] for since, place in moved.classes["C0"] if since < of.today} == {"mech"}
    assert len({home for _, _, home in moved.homes["S0"]}) == 2
    assert roster(whole=True) != roster(whole=True, moved=False)
