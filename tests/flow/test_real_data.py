"""The main job on real input: every sum to the last unit, every warning, one task each; and again, shuffled, nothing changes."""

import random
from pathlib import Path

import pytest

from tests.flow.oulad import Oulad, post
from tests.flow.stack import School, Stack

LIMIT_S = 400.0


def _replay_and_check(stack: Stack, data: Oulad) -> None:
    school = School(stack, "oulad")
    key = data.set_up(school)
    for body in data.batches():
        post(school, key, body)
    school.settle(limit_s=LIMIT_S)
    data.check(school)

    shuffled = list(data.lines)
    random.Random(7).shuffle(shuffled)
    before = {w["id"]: w for w in school.items("monitoring/warnings")}
    for body in data.batches(shuffled):
        post(school, key, body)
    school.settle(limit_s=LIMIT_S)
    data.check(school)
    assert {w["id"]: w for w in school.items("monitoring/warnings")} == before
    assert list(school.items("monitoring/conflicts")) == []
    assert list(school.items("deadletters")) == []


@pytest.mark.shared
def test_a_tenth_of_the_real_data_gives_exactly_the_expected_sums_warnings_and_tasks(
    stack: Stack, shared: Path, tmp_path: Path
) -> None:
    _replay_and_check(stack, Oulad(shared, tmp_path, every=10))


@pytest.mark.shared
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_all_of_the_real_data_gives_exactly_the_expected_sums_warnings_and_tasks(
    stack: Stack, shared: Path, tmp_path: Path
) -> None:
    _replay_and_check(stack, Oulad(shared, tmp_path))
