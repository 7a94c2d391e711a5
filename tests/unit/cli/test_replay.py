"""Replaying a file: in order, each batch until it is acknowledged and never again, refused events named and left out."""

import json
import time
from pathlib import Path

import pytest

from services.cli import replay
from tests.unit.cli.conftest import DROPPED, Answer, Installation, Reply, Request, Zhengai, refusal

EVENTS = "/api/v1/events"


def event(number: int, **fields: object) -> str:
    return json.dumps({"specversion": "1.0", "id": f"e{number}", **fields})


def accept(request: Request) -> Answer:
    return Answer(202, {"accepted": len(request.json)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """2,500 events, one a line."""
    path = tmp_path / "events.ndjson"
    path.write_text("".join(event(n) + "\n" for n in range(2500)))
    return path


def ids(requests: list[Request]) -> list[list[str]]:
    return [[each["id"] for each in request.json] for request in requests]


def test_events_are_sent_in_order_in_batches_of_at_most_a_thousand(
    zhengai: Zhengai, installation: Installation, file: Path
) -> None:
    installation.on("POST", EVENTS, accept)

    ending = zhengai("replay", file, "--key", "k-1")

    assert ending.status == 0, ending.err
    requests = installation.sent("POST", EVENTS)
    assert [len(batch) for batch in ids(requests)] == [1000, 1000, 500]
    assert [id_ for batch in ids(requests) for id_ in batch] == [f"e{n}" for n in range(2500)]
    assert requests[0].headers["content-type"] == "application/cloudevents-batch+json"
    assert requests[0].headers["authorization"] == "Bearer k-1"
    assert ending.out.startswith("2,500 events accepted")


def test_a_batch_never_exceeds_five_mebibytes(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("POST", EVENTS, accept)
    big = event(0, filler="x" * 60_000)
    (tmp_path / "big.ndjson").write_text((big + "\n") * 200)

    assert zhengai("replay", tmp_path / "big.ndjson", "--key", "k").status == 0
    requests = installation.sent("POST", EVENTS)
    assert len(requests) == 3
    assert all(len(request.body) <= 5 * 2**20 for request in requests)
    assert sum(len(request.json) for request in requests) == 200


@pytest.mark.parametrize(
    "trouble",
    [DROPPED, refusal(429, "over the rate", Retry_After="0"), refusal(503, "not able to store now"), Answer(502)],
    ids=["lost connection", "429", "503", "502 of a proxy"],
)
def test_a_batch_is_sent_again_until_it_is_answered_and_an_acknowledged_one_never(
    zhengai: Zhengai, installation: Installation, file: Path, trouble: Reply
) -> None:
    installation.on("POST", EVENTS, accept, trouble, trouble, accept)

    ending = zhengai("replay", file, "--key", "k")

    assert ending.status == 0, ending.err
    assert [batch[0] for batch in ids(installation.sent("POST", EVENTS))] == ["e0", "e1000", "e1000", "e1000", "e2000"]
    assert "trying again until it answers" in ending.err


def test_retry_after_is_honoured(zhengai: Zhengai, installation: Installation, file: Path) -> None:
    at: list[float] = []

    def busy(_: Request) -> Answer:
        at.append(time.monotonic())
        return refusal(503, "the bus is behind", Retry_After="1")

    def at_last(request: Request) -> Answer:
        at.append(time.monotonic())
        return accept(request)

    installation.on("POST", EVENTS, busy, at_last)

    assert zhengai("replay", file, "--key", "k").status == 0
    assert at[1] - at[0] >= 1.0


def test_refused_events_are_named_by_line_and_left_out_and_the_rest_is_sent(
    zhengai: Zhengai, installation: Installation, file: Path
) -> None:
    """Line 1 of the file is index 0 of the first batch."""
    refused = refusal(422, "2 of 1000 events are invalid", ("/2/data/metric", "no such metric"), ("/7", "too old"))
    installation.on("POST", EVENTS, refused, accept)

    ending = zhengai("replay", file, "--key", "k")

    assert ending.status == 1
    assert "line 3 was left out: /data/metric: no such metric" in ending.err
    assert "line 8 was left out: too old" in ending.err
    assert "2 events were left out" in ending.err
    assert ending.out.startswith("2,498 events accepted")
    second = ids(installation.sent("POST", EVENTS))[1]
    assert second == [f"e{n}" for n in range(1000) if n not in {2, 7}]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_event_that_the_answer_does_not_name_is_found(
    zhengai: Zhengai, installation: Installation, file: Path, status: int
) -> None:
    def picky(request: Request) -> Answer:
        return refusal(status, "not this") if b'"e1234"' in request.body else accept(request)

    installation.on("POST", EVENTS, picky)

    ending = zhengai("replay", file, "--key", "k")

    assert ending.status == 1
    assert "line 1235 was left out: not this" in ending.err
    taken = [request for request in installation.sent("POST", EVENTS) if b'"e1234"' not in request.body]
    assert [id_ for batch in ids(taken) for id_ in batch] == [f"e{n}" for n in range(2500) if n != 1234]


def test_a_line_that_is_not_json_is_named_and_spoils_nothing(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("POST", EVENTS, accept)
    lines = [event(1), '{"id": "half', 'way"}', "", event(2), "nonsense"]
    (tmp_path / "f.ndjson").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())

    ending = zhengai("replay", tmp_path / "f.ndjson", "--key", "k", "--json")

    assert ending.status == 1
    assert [line.split()[2] for line in ending.err.splitlines() if "was left out" in line] == ["2", "3", "6"]
    assert ids(installation.sent("POST", EVENTS)) == [["e1", "e2"]]
    assert json.loads(ending.out)["left_out"] == 3


@pytest.mark.parametrize("status", [401, 403, 415, 500])
def test_an_answer_that_is_about_the_sender_stops_the_replay_and_says_where(
    zhengai: Zhengai, installation: Installation, file: Path, status: int
) -> None:
    installation.on("POST", EVENTS, accept, refusal(status, "no"))

    ending = zhengai("replay", file, "--key", "k")

    assert ending.status == 1
    assert "stopped at line 1001 (1000 events accepted before): no" in ending.err
    assert len(installation.sent("POST", EVENTS)) == 2


def test_a_rate_is_kept(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("POST", EVENTS, accept)
    (tmp_path / "f.ndjson").write_text("".join(event(n) + "\n" for n in range(101)))

    started = time.monotonic()
    ending = zhengai("replay", tmp_path / "f.ndjson", "--key", "k", "--rate", 200)

    assert ending.status == 0, ending.err
    assert time.monotonic() - started >= 0.5
    assert {len(batch) for batch in ids(installation.sent("POST", EVENTS))} == {20, 1}


def test_a_file_is_read_and_grouped_far_faster_than_it_can_be_counted(file: Path) -> None:
    file.write_text(event(1, data={"metric": "attendance", "filler": "x" * 200}) + "\n" + "")
    file.write_bytes(file.read_bytes() * 100_000)
    outcome = replay.Outcome()

    started = time.process_time()
    grouped = sum(len(batch) for batch, _ in replay.batches(replay.lines(file, outcome), replay.MOST_EVENTS))

    assert grouped == 100_000
    assert grouped / (time.process_time() - started) > 100_000
