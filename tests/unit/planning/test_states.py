"""What may follow what in the life of an improvement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.common.errors import Conflict
from services.planning.domain.states import Status, Step, next_state

CONTRACT = {
    (Status.PROPOSED, Step.START),
    (Status.RUNNING, Step.SUBMIT),
    (Status.RETURNED, Step.SUBMIT),
    (Status.SUBMITTED, Step.RETURN),
    (Status.SUBMITTED, Step.VERIFY),
}
PEOPLE = (Step.START, Step.SUBMIT, Step.RETURN, Step.VERIFY)


@given(st.sampled_from(Status), st.sampled_from(PEOPLE), st.booleans(), st.booleans())
def test_people_may_do_exactly_what_the_contract_lists_and_all_else_is_a_conflict_naming_the_state(
    status: Status, step: Step, cleared: bool, excused: bool
) -> None:
    if (status, step) in CONTRACT:
        assert next_state(status, step, cleared=cleared, excused=excused) is not status
    else:
        with pytest.raises(Conflict, match=f"is {status}: {step} needs it"):
            next_state(status, step, cleared=cleared, excused=excused)


@given(st.booleans(), st.booleans())
def test_what_is_verified_closes_at_once_only_if_cleared_or_excused(cleared: bool, excused: bool) -> None:
    after = next_state(Status.SUBMITTED, Step.VERIFY, cleared=cleared, excused=excused)

    assert after is (Status.CLOSED if cleared or excused else Status.VERIFIED)


@given(st.sampled_from(Status))
def test_a_dismissed_or_withdrawn_warning_closes_and_a_cleared_one_only_what_is_verified(status: Status) -> None:
    assert next_state(status, Step.DISMISS) is next_state(status, Step.WITHDRAW) is Status.CLOSED
    assert next_state(status, Step.CLEAR) is (Status.CLOSED if status is Status.VERIFIED else status)


class Life(RuleBasedStateMachine):
    """Any steps in any order: what holds of a life as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.status, self.cleared, self.submissions, self.verdicts, self.ended = Status.PROPOSED, False, 0, 0, False

    @rule(step=st.sampled_from(PEOPLE), excused=st.booleans())
    def people(self, step: Step, excused: bool) -> None:
        try:
            self.status = next_state(self.status, step, cleared=self.cleared, excused=excused)
        except Conflict:
            return
        self.submissions += step is Step.SUBMIT
        self.verdicts += step in {Step.VERIFY, Step.RETURN}

    @precondition(lambda self: not self.cleared)
    @rule()
    def clear(self) -> None:
        self.cleared = True
        self.status = next_state(self.status, Step.CLEAR)

    @rule(step=st.sampled_from([Step.DISMISS, Step.WITHDRAW]))
    def end(self, step: Step) -> None:
        self.status, self.ended = next_state(self.status, step), True

    @invariant()
    def closed_is_the_end_of_judged_work_or_of_a_warning(self) -> None:
        assert not self.ended or self.status is Status.CLOSED
        assert self.status is not Status.CLOSED or self.ended or 1 <= self.verdicts == self.submissions
        assert not (self.status is Status.VERIFIED and self.cleared)

    @invariant()
    def no_work_is_judged_twice(self) -> None:
        assert self.submissions - 1 <= self.verdicts <= self.submissions or self.submissions == 0


test_any_life_of_an_improvement_keeps_its_promises = Life.TestCase
