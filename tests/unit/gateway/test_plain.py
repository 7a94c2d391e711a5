"""Whatever is taken on the short road would be taken on the long one, and mean the same."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from libs.common.errors import ServiceError
from libs.common.events.observations import REFERENCES, TYPE, MetricRule, Observation, read
from libs.common.events.plain import observation_of, read_plain
from services.gateway.commands.events import check_all, complete
from services.gateway.commands.plain import take_plain
from services.gateway.queries.sources import Source
from services.gateway.sources import BATCHED, STRUCTURED, read_body

NOW = datetime(2026, 9, 7, 4, tzinfo=UTC)
TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
LMS = Source("demo", "lms", frozenset({"urn:campus:lms"}))
METRICS = {
    "attendance": MetricRule(frozenset({"student", "class"}), "ratio"),
    "energy": MetricRule(frozenset(), "mean"),
    "old": MetricRule(frozenset({"student", "class"}), "ratio", active=False),
}
PLAIN: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "urn:campus:lms",
    "type": TYPE,
    "time": "2026-09-07T08:00:00.25+08:00",
    "data": {"metric": "attendance", "numerator": 1, "denominator": 2, "student": "s1", "class": "c1"},
}


def long_road(mode: str, body: bytes) -> bytes:
    sent = read_body(mode, body)
    return complete(LMS, sent, check_all(LMS, sent, METRICS, NOW), NOW, TRACE)


def observations(record: bytes) -> list[Observation]:
    mode = BATCHED if record.startswith(b"[") else STRUCTURED
    return [read(sent.raw) for sent in read_body(mode, record)]


TEXTS = st.sampled_from(
    ["", "1", "s1", "学生", "a:b", '"', "\\", "\u0001", "\u007f", "\u00a0", "x" * 129, "demo", "urn:campus:lms", TRACE]
)
TIMES = st.sampled_from(
    [
        "2026-09-07T08:00:00Z",
        "2026-09-07T08:00:00.123456789+08:00",
        "2026-09-08T12:00:01+08:00",
        "2026-09-08T12:00:00+08:00",
        "2000-01-01T07:59:59+08:00",
        "2000-01-01T08:00:00+08:00",
        "2026-09-07T08:00:00",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
    ]
)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 1.0, 0.5, 1e3, 999_999_999, 1_000_000_000, 10**20, True, None, "1"]), st.integers(-5, 2_000_000_000)
)
ODD = st.one_of(st.none(), st.booleans(), st.integers(), TEXTS, st.just({}), st.just([]))
CHANGES = st.one_of(
    st.tuples(
        st.just(()),
        st.sampled_from(["id", "source", "subject", "school", "traceparent", "datacontenttype", "dataschema", "room"]),
        TEXTS,
    ),
    st.tuples(st.just(()), st.sampled_from(["time", "recordedtime"]), TIMES),
    st.tuples(st.just(("data",)), st.sampled_from(["numerator", "denominator"]), NUMBERS),
    st.tuples(st.just(("data",)), st.sampled_from([*REFERENCES, "metric", "phase", "corrects", "room"]), TEXTS),
    st.tuples(st.just(("data",)), st.just("metric"), st.sampled_from([*METRICS, "other"])),
    st.tuples(st.just(()), st.sampled_from([*PLAIN, "school", "recordedtime"]), ODD),
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """Bodies near to plain ones: attributes set to what is odd or left out, keys twice, spaces, cut off."""
    events = []
    for _ in range(draw(st.integers(1, 3))):
        made = json.loads(json.dumps(PLAIN))
        for path, name, value in draw(st.lists(CHANGES, max_size=2)):
            place = made["data"] if path and isinstance(made.get("data"), dict) else made
            place[name] = value
        if draw(st.integers(0, 5)) == 0:
            made.pop(draw(st.sampled_from(sorted(made))))
        events.append(
            json.dumps(made, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([None, (",", ":"), (", ", " :")])))
        )
    text = events[0] if (mode := draw(st.sampled_from([STRUCTURED, BATCHED]))) == STRUCTURED else f"[{','.join(events)}]"
    kind = draw(st.integers(0, 9))
    if kind == 0:
        text = text.replace('"id":', '"id": "2", "id":').replace('"student"', '"student": "s2", "student"')
    elif kind == 1:
        text = text[: draw(st.integers(0, len(text)))]
    return mode, text.encode("utf-8", "surrogatepass")


@settings(max_examples=1000)
@given(bodies())
def test_the_short_road_takes_only_what_the_long_one_takes_and_means_the_same(sent: tuple[str, bytes]) -> None:
    taken = take_plain(LMS, *sent, METRICS, NOW, TRACE)
    event("taken" if taken is not None else "left to the long road")
    if taken is None:
        with suppress(ServiceError):
            long_road(*sent)
        return
    expected = observations(long_road(*sent))
    assert observations(taken[1]) == expected
    assert len(expected) == taken[0]


@settings(max_examples=1000)
@given(st.lists(bodies(), min_size=1, max_size=3))
def test_what_is_read_at_once_is_read_the_same_one_by_one(sent: list[tuple[str, bytes]]) -> None:
    raws = [raw for mode, body in sent for raw in ([body] if mode == STRUCTURED else split(body))]
    at_once = read_plain(raws)
    event("at once" if at_once is not None else "one by one")
    if at_once is not None:
        one_by_one = [read(raw) for raw in raws]
        assert list(map(observation_of, at_once[0])) == one_by_one
        assert at_once[1] == [observation.time.timestamp() for observation in one_by_one]


def split(body: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [body]


def test_one_event_that_is_not_plain_makes_all_be_read_one_by_one() -> None:
    plain, odd = (json.dumps(PLAIN | {"id": id_}).encode() for id_ in ("学生", '"'))
    assert read_plain([plain, plain]) is None, "escaped as it is"
    plain = json.dumps(PLAIN, ensure_ascii=False).encode()
    at_once = read_plain([plain, plain])
    assert at_once is not None
    assert [observation_of(each) for each in at_once[0]] == [read(plain), read(plain)]
    assert read_plain([plain, odd]) is None


@pytest.mark.parametrize(
    "change", [{}, {"school": "demo"}, {"subject": "a"}, {"recordedtime": "2026-09-07T00:00:00Z"}, {"time": "2026-09-07T00:00:00Z"}]
)
@pytest.mark.parametrize("spaced", [None, (",", ":")])
def test_what_campus_systems_usually_send_takes_the_short_road(change: dict[str, Any], spaced: tuple[str, str] | None) -> None:
    event = json.dumps(PLAIN | change, separators=spaced).encode()
    assert take_plain(LMS, STRUCTURED, event, METRICS, NOW, TRACE) is not None
    number, record = take_plain(LMS, BATCHED, b"[" + event + b"," + event + b"]", METRICS, NOW, TRACE) or (0, b"")
    assert number == 2
    for added in msgspec.json.decode(record):
        completed = {"school": "demo", "traceparent": TRACE, "recordedtime": "2026-09-07T04:00:00Z"}
        assert added == PLAIN | {"time": added["time"]} | completed | change


@pytest.mark.parametrize(
    "change",
    [
        {"source": "urn:campus:other"},
        {"school": "other"},
        {"time": "2026-09-08T12:00:00.000001+08:00"},
        {"data": PLAIN["data"] | {"metric": "old"}},
        {"data": PLAIN["data"] | {"metric": "other"}},
        {"data": PLAIN["data"] | {"metric": "energy"}},
        {"data": {name: value for name, value in PLAIN["data"].items() if name != "class"}},
    ],
)
def test_what_cannot_be_accepted_is_left_to_the_long_road_to_refuse(change: dict[str, Any]) -> None:
    event = json.dumps(PLAIN | change).encode()
    assert take_plain(LMS, STRUCTURED, event, METRICS, NOW, TRACE) is None
    with pytest.raises(ServiceError):
        long_road(STRUCTURED, event)


def test_long_bodies_and_binary_mode_are_left_to_the_long_road() -> None:
    event = json.dumps(PLAIN).encode()
    assert take_plain(LMS, STRUCTURED, event + b" " * 64 * 1024, METRICS, NOW, TRACE) is None
    assert take_plain(LMS, "binary", event, METRICS, NOW, TRACE) is None
    assert take_plain(LMS, BATCHED, b"[]", METRICS, NOW, TRACE) is None
