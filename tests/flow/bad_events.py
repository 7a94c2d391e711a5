"""Events that can never be counted: how each is answered over HTTP, and why it lies in the dead letters when it came by the bus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SCHOOL = "here"
SOURCE = f"urn:campus:{SCHOOL}:lms"
TIME = "2026-03-02T08:05:00+08:00"
DATA = {"metric": "attendance", "numerator": 1, "denominator": 1, "student": "S1", "class": "K1"}


def event(id_: str = "bad", data: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """An event as a campus system sends it; `data` and `attributes` change a good one."""
    good = {"specversion": "1.0", "id": id_, "source": SOURCE, "type": "cn.zhengai.observation.v1", "time": TIME}
    return {**good, **attributes, "data": {**DATA, **(data or {})}}


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def padded(id_: str, size: int) -> bytes:
    """An event of exactly this many bytes."""
    bare = written(event(id_, note=""))
    return written(event(id_, note="x" * (size - len(bare))))


def binary(id_: str, **more: str) -> dict[str, str]:
    """The headers of an event in binary mode."""
    good = event(id_)
    return {f"ce-{name}": good[name] for name in ("specversion", "id", "source", "type", "time")} | more


@dataclass(frozen=True, slots=True)
class Bad:
    """The bytes of one event; the status, the pointer and a part of the reason with which it is refused."""

    raw: bytes
    status: int
    pointer: str
    reason: str


def _data(pointer: str, reason: str, **data: Any) -> Bad:
    return Bad(written(event(data=data)), 422, f"/data/{pointer}", reason)


def _number(field: str, text: str, reason: str, status: int = 422) -> Bad:
    """The field's number as it is written in the JSON text."""
    raw = written(event()).replace(f'"{field}": 1'.encode(), f'"{field}": {text}'.encode())
    return Bad(raw, status, f"/data/{field}" if status == 422 else "", reason)


def _with(pointer: str, reason: str, /, **attributes: Any) -> Bad:
    return Bad(written(event(**attributes)), 422, pointer, reason)


def _without(field: str, reason: str, status: int = 422) -> Bad:
    """The event without an attribute, or `data.` field."""
    value = event()
    where, _, name = field.rpartition(".")
    del (value[where] if where else value)[name]
    return Bad(written(value), status, f"/{field.replace('.', '/')}" if status == 422 else "", reason)


def _text(old: bytes, new: bytes, reason: str) -> Bad:
    """The event's JSON text with something replaced; as such no JSON."""
    raw = written(event())
    assert old in raw
    return Bad(raw.replace(old, new, 1), 400, "", reason)


def _ahead(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def _nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


BAD: dict[str, Bad] = {
    # --- what is no JSON ---
    "not JSON": Bad(b"attendance: 1", 400, "", "not JSON"),
    "nothing at all": Bad(b"", 400, "", "not JSON"),
    "truncated": Bad(written(event())[:-20], 400, "", "not JSON"),
    "something after the end": Bad(written(event()) + b" x", 400, "", "not JSON"),
    "two objects": Bad(written(event()) * 2, 400, "", "not JSON"),
    "NaN": _text(b'"numerator": 1', b'"numerator": NaN', "not JSON"),
    "Infinity": _text(b'"numerator": 1', b'"numerator": Infinity', "not JSON"),
    "minus Infinity": _text(b'"numerator": 1', b'"numerator": -Infinity', "not JSON"),
    "a leading zero": _text(b'"numerator": 1', b'"numerator": 01', "not JSON"),
    "a key twice": _text(b'"id": "bad"', b'"id": "bad", "id": "other"', "'id' stands twice"),
    "a key twice with space before the colon": _text(b'"id": "bad"', b'"id": "bad", "id" \t\n: "other"', "'id' stands twice"),
    "a key twice inside": _text(b'"numerator": 1', b'"numerator": 1, "numerator": 0', "'numerator' stands twice"),
    "a key twice, once escaped": _text(b'"numerator": 1', b'"numerator": 1, "\\u006eumerator": 0', "'numerator' stands twice"),
    "a key twice beside text that looks like a key": _text(
        b'"id": "bad"', b'"id": "\\":", "subject": "\\":", "id": "x"', "'id' stands twice"
    ),
    "invalid UTF-8": _text(b'"S1"', b'"S\xff1"', "not "),
    "overlong UTF-8": _text(b'"S1"', b'"S\xc0\xb11"', "not "),
    "a surrogate in UTF-8": _text(b'"S1"', b'"S\xed\xa0\x801"', "not "),
    "a lone surrogate": _text(b'"S1"', b'"S\\ud800"', "surrogate"),
    "a raw NUL": _text(b'"S1"', b'"S\x001"', "not JSON"),
    "UTF-16": Bad(json.dumps(event()).encode("utf-16"), 400, "", "not "),
    "33 levels": Bad(written(event()).replace(b'"S1"', _nested(31)), 400, "", "32 levels"),
    "5,000 levels of arrays": Bad(b"[" * 5_000 + b"]" * 5_000, 400, "", "32 levels"),
    # --- what is no CloudEvent ---
    "an array": Bad(b"[1]", 400, "", "object"),
    "null": Bad(b"null", 400, "", "object"),
    "text": Bad(b'"event"', 400, "", "object"),
    "no specversion": _without("specversion", "'specversion' is missing", 400),
    "no id": _without("id", "'id' is missing", 400),
    "no source": _without("source", "'source' is missing", 400),
    "no type": _without("type", "'type' is missing", 400),
    "another specversion": Bad(written(event(specversion="0.3")), 400, "", "specversion"),
    # --- what is a CloudEvent and no observation ---
    "an unknown type": _with("/type", "unknown type", type="cn.zhengai.observed.v1"),
    "a later version": _with("/type", "unknown type", type="cn.zhengai.observation.v2"),
    "a type that is a number": _with("/type", "unknown type", type=1),
    "an empty type": _with("/type", "unknown type", type=""),
    "a correction of nothing": _with("/data/corrects", "is missing", type="cn.zhengai.observation.corrected.v1"),
    "a retraction that observes": _with("/data/metric", "unknown field", type="cn.zhengai.observation.retracted.v1"),
    "an empty id": _with("/id", "must not be empty", id=""),
    "an id of 129 characters": _with("/id", "longer than 128", id="x" * 129),
    "a control character in an id": _with("/id", "control characters", id="a\x1fb"),
    "NUL in an id": _with("/id", "control characters", id="a\0b"),
    "a C1 control character in an id": _with("/id", "control characters", id="a\x85b"),
    "a line end after an id": _with("/id", "control characters", id="a\n"),
    "an id that is a number": _with("/id", "str", id=7),
    "an id that is null": Bad(written(event(id=None)), 400, "", "'id' is missing"),
    "no time": _without("time", "is missing"),
    "a time without zone": _with("/time", "with a zone", time="2026-03-02T08:05:00"),
    "a date for a time": _with("/time", "with a zone", time="2026-03-02"),
    "a time that is a number": _with("/time", "", time=1772409900),
    "no day of the calendar": _with("/time", "", time="2026-02-30T08:05:00Z"),
    "25 hours ahead": _with("/time", "24 hours ahead", time=_ahead(26.5)),
    "the year 9999": _with("/time", "", time="9999-12-31T23:59:59-12:00"),
    "before 2000": _with("/time", "before 2000-01-01", time="1999-12-31T23:59:59Z"),
    "the year 1": _with("/time", "", time="0001-01-01T00:00:00+12:00"),
    "no data": _without("data", "is missing"),
    "data that is an array": Bad(written({**event(), "data": [1]}), 422, "/data", "object"),
    "no metric": _without("data.metric", "is missing"),
    "an unknown metric": _data("metric", "no metric", metric="punctuality"),
    "a metric in capitals": _data("metric", "'Attendance'", metric="Attendance"),
    "a metric with a line end": _data("metric", "'attendance\\n'", metric="attendance\n"),
    "an unknown field": _data("score", "unknown field", score=1),
    "an unknown field with a slash": _data("a~1b~0c", "unknown field", **{"a/b~c": 1}),
    "an unknown level": _data("grade", "unknown field", grade="2025"),
    "an unknown phase": _data("phase", "", phase="later"),
    "no class": _without("data.class", "name it"),
    "no student": _without("data.student", "name it"),
    "an empty reference": _data("student", "must not be empty", student=""),
    "a reference of 129 characters": _data("class", "longer than 128", **{"class": "x" * 129}),
    "a reference that is a number": _data("student", "str", student=1),
    "a reference that is null": _data("teacher", "str", teacher=None),
    "NUL in a reference": _data("student", "control characters", student="S\0"),
    "a student where the metric knows none": _data("student", "leave it out", metric="lesson_attendance", lesson="L1"),
    "no numerator": _without("data.numerator", "is missing"),
    "a negative numerator": _data("numerator", "negative", numerator=-1),
    "a numerator of 7 decimals": _number("numerator", "0.1234567", "multiple of 0.000001"),
    "a numerator a hair beside": _number("numerator", "1.00000000000000000000000000000001", "multiple of 0.000001"),
    "a tiny numerator": _number("numerator", "1e-7", "multiple of 0.000001"),
    "a numerator of 1e400": _number("numerator", "1e400", "below 1,000,000,000"),
    "a numerator of 1e999999999": _number("numerator", "1e999999999", "below 1,000,000,000"),
    "a numerator that no decimal can hold": _number("numerator", "1e99999999999999999999", "bounds"),
    "a numerator of a thousand million": _number("numerator", "1000000000", "below 1,000,000,000"),
    "a numerator of 5,000 digits": _number("numerator", "9" * 5_000, "below 1,000,000,000"),
    "a numerator as text": _data("numerator", "must be a JSON number", numerator="1"),
    "a numerator that is a boolean": _data("numerator", "must be a JSON number", numerator=True),
    "a numerator that is null": _data("numerator", "must be a JSON number", numerator=None),
    "a numerator that is an array": _data("numerator", "must be a JSON number", numerator=[1]),
    "a denominator of zero": _data("denominator", "greater than 0", denominator=0),
    "a denominator of minus zero": _number("denominator", "-0.0", "greater than 0"),
    "a negative denominator": _data("denominator", "greater than 0", denominator=-1),
    "an extension in capitals": _with("/traceParent", "[a-z0-9]{1,20}", traceParent="x"),
    "an extension of 21 characters": _with(f"/{'x' * 21}", "[a-z0-9]{1,20}", **{"x" * 21: "x"}),
    "an extension that is an object": _with("/extra", "string, a number or a boolean", extra={}),
    "17 extensions": _with("", "16 extension", **{f"x{i}": "x" for i in range(17)}),
    "a school that is a number": _with("/school", "", school=1),
    "data in base64": _with("/data_base64", "[a-z0-9]{1,20}", data_base64="e30="),
}
