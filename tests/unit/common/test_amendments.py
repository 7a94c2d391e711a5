"""Corrections and retractions as a campus system sends them (contract, "Posting events")."""

from __future__ import annotations

from typing import Any

import pytest

from libs.common.events.observations import CORRECTED, RETRACTED, check
from tests.unit.common.test_observations import LATEST, RULES, event, pointer, taken, written

WRONG: list[tuple[dict[str, Any], str]] = [
    (event(type=CORRECTED), "/data/corrects"),
    (event({"corrects": "e0"}), "/data/corrects"),
    (event({"corrects": "e1"}, type=CORRECTED), "/data/corrects"),
    (event({"corrects": ""}, type=CORRECTED), "/data/corrects"),
    (event({"corrects": "a\n"}, type=CORRECTED), "/data/corrects"),
    (event({"retracts": "e0"}, type=CORRECTED), "/data/retracts"),
    (event({"retracts": "e0", "reason": "x"}, type=RETRACTED), "/data/metric"),
    (event(type=RETRACTED, data={"retracts": "e0"}), "/data/reason"),
    (event(type=RETRACTED, data={"retracts": "e0", "reason": ""}), "/data/reason"),
    (event(type=RETRACTED, data={"retracts": "e0", "reason": "\u0000"}), "/data/reason"),
    (event(type=RETRACTED, data={"retracts": "e1", "reason": "x"}), "/data/retracts"),
    (event(type=RETRACTED, data={"reason": "x"}), "/data/retracts"),
]


@pytest.mark.parametrize(("wrong", "where"), WRONG)
def test_a_wrong_amendment_is_refused_where_it_is_wrong(wrong: dict[str, Any], where: str) -> None:
    assert pointer(written(wrong)) == where


def test_a_correction_says_the_whole_observation_anew_and_names_what_it_corrects() -> None:
    read_ = taken(event({"corrects": "e0", "numerator": 0}, type=CORRECTED))
    assert (read_.amends, read_.target, read_.numerator, read_.references) == (
        "corrects",
        "e0",
        0,
        {"student": "S1", "class": "C1"},
    )
    assert check(read_, RULES, LATEST) is None
    assert check(taken(event({"corrects": "e0", "metric": "none"}, type=CORRECTED)), RULES, LATEST) is not None


def test_a_retraction_names_what_it_retracts_and_why_and_no_metric() -> None:
    read_ = taken(event(type=RETRACTED, data={"retracts": "e0", "reason": "误录"}))
    assert (read_.amends, read_.target, read_.reason) == ("retracts", "e0", "误录")
    assert check(read_, RULES, LATEST) is None
    assert check(taken(event(type=RETRACTED, time="2026-03-05T00:00:00Z", data={"retracts": "e0", "reason": "x"})), RULES, LATEST)


def test_content_differs_with_the_type_and_with_what_is_amended() -> None:
    events = [
        event(),
        event({"corrects": "e0"}, type=CORRECTED),
        event({"corrects": "e2"}, type=CORRECTED),
        event(type=RETRACTED, data={"retracts": "e0", "reason": "x"}),
        event(type=RETRACTED, data={"retracts": "e0", "reason": "y"}),
    ]
    assert len({taken(each).content_hash() for each in events}) == len(events)
