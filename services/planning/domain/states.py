"""The life of an improvement: what may follow what."""

from __future__ import annotations

from enum import StrEnum

from libs.common.errors import Conflict


class Status(StrEnum):
    """Where an improvement stands; `closed` is the end."""

    PROPOSED = "proposed"
    RUNNING = "running"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    CLOSED = "closed"


class Step(StrEnum):
    """What happens to an improvement: four steps of people, then what its warning does."""

    START = "start"
    SUBMIT = "submit"
    RETURN = "return"
    VERIFY = "verify"
    CLEAR = "clear"
    DISMISS = "dismiss"
    WITHDRAW = "withdraw"


OWNERS_TURN = (Status.PROPOSED, Status.RUNNING, Status.RETURNED)
"""States in which the owner has something to do: only these can be overdue."""

DONE = (Status.VERIFIED, Status.CLOSED)
"""States after which nobody has anything to do; a closed one was not always verified."""

_PEOPLE = {
    (Status.PROPOSED, Step.START): Status.RUNNING,
    (Status.RUNNING, Step.SUBMIT): Status.SUBMITTED,
    (Status.RETURNED, Step.SUBMIT): Status.SUBMITTED,
    (Status.SUBMITTED, Step.RETURN): Status.RETURNED,
    (Status.SUBMITTED, Step.VERIFY): Status.VERIFIED,
}


def next_state(status: Status, step: Step, *, cleared: bool = False, excused: bool = False) -> Status:
    """Return the state after a step.

    `cleared`: the data has cleared the warning; `excused`: the verifier gave a reason. Either closes what is verified at
    once, otherwise it closes when the warning clears. A dismissed or withdrawn warning closes its improvement whatever
    its state; a cleared one leaves the work to people. Raises Conflict for any other step.
    Source: contract, "Improvement".
    """
    if step in {Step.DISMISS, Step.WITHDRAW}:
        return Status.CLOSED
    if step is Step.CLEAR:
        return Status.CLOSED if status is Status.VERIFIED else status
    if (after := _PEOPLE.get((status, step))) is None:
        allowed = " or ".join(before for (before, by), _ in _PEOPLE.items() if by is step)
        raise Conflict(f"the improvement is {status}: {step} needs it {allowed}")
    return Status.CLOSED if after is Status.VERIFIED and (cleared or excused) else after
