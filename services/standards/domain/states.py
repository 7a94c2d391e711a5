"""From a draft to a standard in force, and out of it again."""

from __future__ import annotations

from enum import StrEnum

from libs.common.errors import Conflict


class State(StrEnum):
    """`approved` waits for its day; `retired` stays readable for ever, and what was found by it stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    ACTIVE = "active"
    RETIRED = "retired"


class Step(StrEnum):
    WRITE = "write"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    ACTIVATE = "activate"
    RETIRE = "retire"


_STEPS: dict[tuple[State, Step], State] = {
    (State.DRAFT, Step.WRITE): State.DRAFT,
    (State.DRAFT, Step.SUBMIT): State.IN_REVIEW,
    (State.IN_REVIEW, Step.APPROVE): State.IN_REVIEW,
    (State.IN_REVIEW, Step.RETURN): State.DRAFT,
    (State.APPROVED, Step.ACTIVATE): State.ACTIVE,
    (State.APPROVED, Step.RETIRE): State.RETIRED,
    (State.ACTIVE, Step.RETIRE): State.RETIRED,
}


def next_state(state: State, step: Step, *, last: bool = False) -> State:
    """Return the state after a step; `last`: it is the path's last approval. Raises Conflict where the state has no such step."""
    if (after := _STEPS.get((state, step))) is None:
        allowed = " or ".join(before for before, by in _STEPS if by is step)
        raise Conflict(f"the version is {state}: {step} needs it {allowed}")
    return State.APPROVED if step is Step.APPROVE and last else after
