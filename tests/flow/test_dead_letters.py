"""What trusted systems put on Kafka themselves: bad records end in the dead letters with their cause, good ones pass them by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaProducer

from tests.conftest import KAFKA, POSTGRES
from tests.flow.bad_events import BAD, SCHOOL, event, written
from tests.flow.campus import Campus
from tests.flow.stack import Stack, distributed, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
# An array is not one event but several: those have a test of their own.
SINGLE = {name: bad for name, bad in BAD.items() if not bad.raw.startswith(b"[")}
Sent = tuple[str | bytes | None, bytes | None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    assert KAFKA, "make test-servers starts Kafka"
    assert POSTGRES, "make test-servers starts PostgreSQL"
    with distributed(tmp_path_factory.mktemp("letters"), KAFKA, POSTGRES) as running:
        yield running


class Topic:
    """The topic `observations`, written by a client that is not ours, and the letters that came of it."""

    def __init__(self, stack: Stack) -> None:
        self.campus = Campus(stack)
        self.url = f"{stack.url}/api/v1/deadletters"
        broker = urlsplit(stack.gateway.environment["ZHENGAI_BUS_URL"])
        self.servers, self.name = broker.netloc, f"{broker.path.strip('/')}observations"

    def produce(self, records: Sequence[Sent]) -> None:
        asyncio.run(self._produce(records))

    async def _produce(self, records: Sequence[Sent]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.servers, acks="all") as producer:
            for key, value in records:
                await producer.send(self.name, value, key=key.encode() if isinstance(key, str) else key)
            await producer.flush()

    def good(self, id_: str) -> bytes:
        """One more event that must be counted."""
        self.campus.good += 1
        return written(event(id_, school=SCHOOL))

    def all_good_are_counted(self) -> None:
        """Good events came last, so that what is counted beside them was counted before."""
        until(lambda: self.campus.counted("school") >= self.campus.good, "the good events are counted")
        assert self.campus.counted("school") == self.campus.good

    def letters(self, at_least: int = 0) -> dict[str, dict[str, Any]]:
        """All letters of all schools by payload, once there are so many."""

        def read() -> dict[str, dict[str, Any]]:
            found: dict[str, dict[str, Any]] = {}
            cursor: str | None = None
            while True:
                params = {"limit": "500", **({"cursor": cursor} if cursor else {})}
                page = self.campus.school.http.get(self.url, params=params).json()
                found |= {letter["payload"]: letter for letter in page["items"]}
                if (cursor := page["next"]) is None:
                    return found if len(found) >= at_least else {}

        return until(read, f"{at_least} dead letters") if at_least else read()

    def letter(self, payload: bytes) -> dict[str, Any]:
        shown = _shown(payload)
        found: dict[str, Any] = until(lambda: self.letters().get(shown), f"a dead letter {shown[:100]}")
        return found


def _shown(payload: bytes) -> str:
    return payload.decode("utf-8", "backslashreplace")


@pytest.fixture(scope="module")
def topic(stack: Stack) -> Topic:
    return Topic(stack)


def test_every_bad_record_ends_in_the_dead_letters_with_its_cause_and_good_ones_pass_it_by(topic: Topic) -> None:
    records: list[Sent] = [(SCHOOL, topic.good("before"))]
    for i, bad in enumerate(SINGLE.values()):
        records += [(SCHOOL, bad.raw), (SCHOOL, topic.good(f"after-{i}"))]
    topic.produce(records)
    topic.all_good_are_counted()
    letters = topic.letters(len(SINGLE))
    assert set(letters) == {_shown(bad.raw) for bad in SINGLE.values()}
    for name, bad in SINGLE.items():
        letter = letters[_shown(bad.raw)]
        assert (letter["school"], letter["key"]) == (SCHOOL, SCHOOL)
        assert (letter["service"], letter["topic"], letter["problem"]) == ("monitoring", "observations", "invalid")
        assert bad.reason in letter["detail"], name
        assert bad.pointer in letter["detail"], name
        assert letter["replayed_at"] is None


@pytest.mark.parametrize("name", ["a key twice inside", "33 levels", "no id", "an empty id", "a numerator of 1e400"])
def test_an_array_loses_only_its_bad_event(topic: Topic, name: str) -> None:
    bad = BAD[name].raw.replace(b'"class": "K1"', b'"class": "K2"')
    assert bad != BAD[name].raw
    events = [topic.good(f"{name}-1"), bad, topic.good(f"{name}-2"), topic.good(f"{name}-3")]
    topic.produce([(SCHOOL, b" [ " + b" , ".join(events) + b" ] "), (SCHOOL, topic.good(f"{name}-4"))])
    topic.all_good_are_counted()
    assert BAD[name].reason in topic.letter(bad)["detail"]


@pytest.mark.parametrize(
    "record", [b"[1, {}", b'["\\ud800"]', b"[" * 5_000 + b"]" * 5_000, b'[{"id": "\xff"}]', b"[]", b"[[]]", None]
)
def test_a_record_that_cannot_be_split_stops_nothing(topic: Topic, record: bytes | None) -> None:
    before = len(topic.letters())
    topic.produce([(SCHOOL, record), (SCHOOL, topic.good(f"after {record!r}"[:100]))])
    topic.all_good_are_counted()
    topic.campus.school.settle()
    lost = len(topic.letters()) - before
    assert lost == (0 if record in {b"[]", None} else 1)  # an empty array holds nothing; an empty record is known from above


@pytest.mark.parametrize(
    ("key", "school", "kept_under"),
    [("nobody", None, "nobody"), ("Not a code!", None, "Not a code!"), (None, None, ""), (b"\xff", None, ""), (b"", None, "")],
)
def test_a_record_whose_key_is_no_school_is_put_aside(
    topic: Topic, key: str | bytes | None, school: str | None, kept_under: str
) -> None:
    bad = written(event(f"key {key!r}", school=school))
    topic.produce([(key, bad), (SCHOOL, topic.good(f"beside key {key!r}"))])
    letter = topic.letter(bad)
    assert (letter["key"], letter["school"]) == (kept_under, kept_under)
    assert "no school is called" in letter["detail"]
    topic.all_good_are_counted()


@pytest.mark.parametrize(("key", "school"), [(SCHOOL, "there"), ("there", SCHOOL), (None, SCHOOL)])
def test_an_event_whose_school_is_not_the_records_key_is_put_aside(topic: Topic, key: str | None, school: str) -> None:
    bad = written(event(f"{school} under {key}", school=school))
    topic.produce([(key, bad), (SCHOOL, topic.good(f"beside {school} under {key}"))])
    letter = topic.letter(bad)
    assert letter["key"] == (key or "")
    assert "/school" in letter["detail"]
    topic.all_good_are_counted()
    there = topic.campus.stack.operator("there").get("monitoring/measurements", metric="attendance", level="school", window="day")
    assert there["items"] == []


def test_a_letter_that_is_replayed_once_its_cause_is_mended_counts_exactly_once(topic: Topic) -> None:
    school = topic.campus.school
    late = written(event("late", {"metric": "late_metric"}))
    topic.produce([(SCHOOL, late)])
    letter = topic.letter(late)
    assert "no metric of this school is called 'late_metric'" in letter["detail"]
    replay = f"deadletters/{letter['id']}/replay"

    school.change("POST", replay)
    until(lambda: topic.letter(late)["at"] > letter["at"], "it is put aside again")
    assert topic.letter(late)["replayed_at"] is None

    metric = {"code": "late_metric", "name": "迟", "grain": ["student", "class"], "kind": "ratio", "direction": "higher"}
    school.change("POST", "monitoring/metrics", json=metric)
    for _ in range(3):
        school.change("POST", replay)
        (measured,) = school.items("monitoring/measurements", metric="late_metric", level="school", window="day")
        assert (measured["numerator"], measured["denominator"]) == (1, 1)
    assert topic.letter(late)["replayed_at"] is not None
    topic.produce([(SCHOOL, topic.good("the last"))])
    topic.all_good_are_counted()
