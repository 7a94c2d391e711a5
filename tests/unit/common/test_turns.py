"""When what is done in the background is done in shorter turns."""

from libs.common.turns import MANY, WITHIN_S, Turns


def test_people_wait_where_many_requests_came_within_a_second_and_no_longer() -> None:
    now = 100.0
    turns = Turns(lambda: now)
    for _ in range(MANY - 1):
        turns.note_asked()
    assert not turns.people_wait()
    turns.note_asked()
    assert turns.people_wait()
    now += WITHIN_S
    assert not turns.people_wait()


def test_a_request_now_and_then_is_nobody_waiting() -> None:
    now = 100.0
    turns = Turns(lambda: now)
    for _ in range(10 * MANY):
        turns.note_asked()
        now += 2 * WITHIN_S / MANY
        assert not turns.people_wait()
