"""What a campus system may send, and what it is told otherwise (contract, "Posting events")."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid, Malformed
from libs.common.events.observations import REFERENCES, TYPE, MetricRule, Observation, check, read

RULES = {
    "attendance": MetricRule(frozenset({"student", "class"}), "ratio"),
    "lesson_attendance": MetricRule(frozenset({"class", "lesson"}), "ratio"),
    "canteen": MetricRule(frozenset(), "sum"),
}
LATEST = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def event(data: dict[str, Any] | None = None, /, **attributes: Any) -> dict[str, Any]:
    said = {"metric": "attendance", "numerator": 1, "denominator": 1, "student": "S1", "class": "C1", **(data or {})}
    return {
        "specversion": "1.0",
        "id": "e1",
        "source": "urn:campus:demo:lms",
        "type": TYPE,
        "time": "2026-03-02T08:05:00+08:00",
        "data": said,
        **attributes,
    }


def without(of: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in of.items() if key != name}


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def taken(value: Any) -> Observation:
    return read(written(value))


def numbered(numerator: str, denominator: str = "1") -> bytes:
    """An event with its numbers written just so."""
    raw = written(event({"numerator": "N", "denominator": "D"}))
    return raw.replace(b'"N"', numerator.encode()).replace(b'"D"', denominator.encode())


def pointer(raw: bytes) -> str:
    with pytest.raises(Invalid) as refusal:
        read(raw)
    (fault,) = refusal.value.errors
    return fault["pointer"]


def test_an_event_is_read_with_everything_it_says() -> None:
    names = {kind: f"{kind}-1" for kind in REFERENCES}
    read_ = taken(event({**names, "phase": "during", "numerator": 0.5}, school="demo", traceparent="00-a-b-01", subject="x"))

    assert (read_.source, read_.id, read_.metric, read_.phase, read_.school) == (
        "urn:campus:demo:lms",
        "e1",
        "attendance",
        "during",
        "demo",
    )
    assert (read_.numerator, read_.denominator) == (500_000, 1_000_000)
    assert read_.time == datetime(2026, 3, 2, 0, 5, tzinfo=UTC)
    assert dict(read_.references) == names
    assert (read_.traceparent, read_.recorded_at) == ("00-a-b-01", None)


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "millionths"),
    [
        ("1", 1_000_000),
        ("1.0", 1_000_000),
        ("1e0", 1_000_000),
        ("10E-1", 1_000_000),
        ("0.000001", 1),
        ("1e-6", 1),
        ("0.1", 100_000),
        ("0.000249", 249),  # as a float, times a million, it is less
        ("4.1", 4_100_000),  # as above
        ("0.10000000000000000000000000000", 100_000),
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0e999", 0),
        ("0.0000000", 0),
        ("-2.5", -2_500_000),
        ("999999999", 999_999_999_000_000),
        ("999999999.999999", 999_999_999_999_999),
        ("-999999999.999999", -999_999_999_999_999),
        ("9.99999999999999e8", 999_999_999_999_999),
        ("5." + "0" * 3000, 5_000_000),
        ("100000000000e-6", 100_000_000_000),
    ],
)
def test_a_number_is_kept_exactly_however_it_is_written(number: str, millionths: int) -> None:
    assert read(numbered(number)).numerator == millionths
    assert read(numbered("1", number)).denominator == millionths


@pytest.mark.parametrize(
    "number",
    [
        "1000000000",
        "-1000000000",
        "999999999.9999999",
        "1e9",
        "1e400",
        "-1e400",
        "1e999999",
        "0.0000001",
        "1e-7",
        "0.1234567",
        "0." + "3" * 3000,
        "18446744073709551616",
        "true",
        "null",
        '"1"',
        "[1]",
        "{}",
        '{"a":1}',
    ],
)
def test_a_number_out_of_bounds_or_no_number_is_named(number: str) -> None:
    assert pointer(numbered(number)) == "/data/numerator"
    assert pointer(numbered("1", number)) == "/data/denominator"


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 5), st.integers(-9, 9))
def test_a_number_is_the_same_in_every_notation(millionths: int, zeros: int, shift: int) -> None:
    exact = Decimal(millionths).scaleb(-6)
    ways = {f"{exact:f}", f"{exact:f}{'' if '.' in f'{exact:f}' else '.0'}{'0' * zeros}", f"{exact.scaleb(-shift):f}e{shift}"}

    assert {read(numbered(way)).numerator for way in ways} == {millionths}
    assert len({read(numbered(way)).content_hash() for way in ways}) == 1


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-(10**15) + 1, 10**15 - 1))
def test_other_numbers_are_other_content(one: int, other: int) -> None:
    first, second = (read(numbered(f"{Decimal(n).scaleb(-6):f}")).content_hash() for n in (one, other))

    assert (first == second) == (one == other)


# --- content and ids -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        event(time="2026-03-02T00:05:00Z"),
        event(time="2026-04-01T00:05:00Z"),
        event(id="another"),
        event(source="urn:other"),
        event(subject="x", sequence="7"),
        event(datacontenttype="application/json"),
        event({"numerator": 1.0}),
    ],
)
def test_only_type_and_data_are_content(changed: dict[str, Any]) -> None:
    assert taken(changed).content_hash() == taken(event()).content_hash()


@pytest.mark.parametrize(
    "data",
    [
        {"metric": "attendance2"},
        {"numerator": 0},
        {"denominator": 2},
        {"student": "S2"},
        {"class": "C2"},
        {"phase": "before"},
        {"teacher": "T1"},
        {"lesson": "T1"},
        {"activity": "A1"},
    ],
)
def test_every_field_of_data_is_content(data: dict[str, Any]) -> None:
    assert taken(event(data)).content_hash() != taken(event()).content_hash()


def test_the_same_id_as_another_kind_of_reference_is_other_content() -> None:
    hashes = {taken(event({kind: "X"})).content_hash() for kind in REFERENCES}

    assert len(hashes) == len(REFERENCES)


def test_the_order_of_the_fields_is_no_content() -> None:
    turned = event()
    turned["data"] = dict(reversed(turned["data"].items()))

    assert read(written(dict(reversed(turned.items())))).content_hash() == taken(event()).content_hash()


def test_an_id_is_of_its_source_and_hashed_with_the_installations_key() -> None:
    one = taken(event()).id_hash(b"k")

    assert one == taken(event({"numerator": 0}, time="2026-04-01T00:05:00Z")).id_hash(b"k")
    assert (
        len({one, taken(event(id="e2")).id_hash(b"k"), taken(event(source="urn:x")).id_hash(b"k"), taken(event()).id_hash(b"l")})
        == 4
    )
    assert taken(event(source="a", id="bc")).id_hash(b"k") != taken(event(source="ab", id="c")).id_hash(b"k")


# --- what is no event ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"7",
        b"null",
        b'"text"',
        b"{}",
        written(event())[:-1],
        written(event()) + b"}",
        b"\xef\xbb\xbf" + written(event()),
        written(event(id="X")).replace(b'"X"', b'"\xff"'),
        written(event(id="X")).replace(b'"X"', b'"\\ud800"'),
        written(event(extra="X")).replace(b'"X"', b'"\\ud800"'),
        written(event(extra="X")).replace(b'"X"', b'"\xc3\x28"'),
        written(event(id="X")).replace(b'"X"', b'"a\x00b"'),
        numbered("NaN"),
        numbered("Infinity"),
        numbered("01"),
        numbered("+1"),
        numbered(".5"),
        numbered("0x10"),
        written(event(deep="X")).replace(b'"X"', b"[" * 40 + b"]" * 40),
        written(event(deep="X")).replace(b'"X"', b"[" * 100_000 + b"]" * 100_000),
        written(event(specversion="0.3")),
        written(event(specversion=1.0)),
        *[written(without(event(), name)) for name in ("specversion", "id", "source", "type")],
    ],
)
def test_what_is_no_cloudevent_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(raw)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (event(id=""), "/id"),
        (event(id="x" * 129), "/id"),
        (event(id="a\nb"), "/id"),
        (event(id="a\n"), "/id"),
        (event(id="a\x85"), "/id"),
        (event(id="a\u0000"), "/id"),
        (event(id=7), "/id"),
        (event(source=""), "/source"),
        (event(source="x" * 257), "/source"),
        (event(source="urn:x\n"), "/source"),
        (event(type="cn.zhengai.observation.v2"), "/type"),
        (event(type=7), "/type"),
        (without(event(), "time"), "/time"),
        (event(time=None), "/time"),
        (event(time=1772409900), "/time"),
        (event(time="2026-03-02T08:05:00"), "/time"),
        (event(time="2026-03-02"), "/time"),
        (event(time="2026-02-30T08:05:00Z"), "/time"),
        (event(time="1999-12-31T23:59:59Z"), "/time"),
        (event(time="2000-01-01T07:59:59+08:00"), "/time"),
        (event(time="0001-01-01T00:00:00+14:00"), "/time"),
        (event(school=7), "/school"),
        (without(event(), "data"), "/data"),
        (event(data=7), "/data"),
        (event({"student": ""}), "/data/student"),
        (event({"student": "S\n"}), "/data/student"),
        (event({"student": "x" * 129}), "/data/student"),
        (event({"student": None}), "/data/student"),
        (event({"class": 7}), "/data/class"),
        (event({"phase": "late"}), "/data/phase"),
        (event({"phase": None}), "/data/phase"),
        (event({"class_": "C1"}), "/data/class_"),
        (event({"score": 1}), "/data/score"),
        (event({"a/b~c": 1}), "/data/a~1b~0c"),
        (event(Upper="x"), "/Upper"),
        (event(under_score="x"), "/under_score"),
        (event(**{"x" * 21: "x"}), f"/{'x' * 21}"),
        (event(**{"a/b": "x"}), "/a~1b"),
        (event(extra={"a": 1}), "/extra"),
        (event(extra=[1]), "/extra"),
        (event(**{f"x{n}": n for n in range(17)}), ""),
    ],
)
def test_an_event_that_can_never_be_counted_is_refused_with_a_pointer(wrong: dict[str, Any], where: str) -> None:
    assert pointer(written(wrong)) == where


@pytest.mark.parametrize("name", ["metric", "numerator", "denominator"])
def test_a_missing_field_of_data_is_named(name: str) -> None:
    whole = event()
    whole["data"] = without(whole["data"], name)

    assert pointer(written(whole)) == f"/data/{name}"


@pytest.mark.parametrize(
    "right",
    [
        event(id="x" * 128),
        event(id="学生-1 ä"),
        event(source="x" * 256),
        event({"student": "x" * 128}),
        event(time="2000-01-01T00:00:00Z"),
        event(time="2026-03-02T08:05:00.123456-11:30"),
        event(school=None),
        event(extra=True, other=7, third=1.5, fourth="x"),
        event(**{f"x{n}": n for n in range(16)}),
        event(note='he said ":"'),
        event(id='":":"'),
        event({"student": '{"a":1}'}),
        event({"phase": "after"}),
    ],
)
def test_what_is_at_its_bounds_is_right(right: dict[str, Any]) -> None:
    read_ = taken(right)

    assert (read_.id, read_.source) == (right["id"], right["source"])
    assert dict(read_.references) == {kind: right["data"][kind] for kind in REFERENCES if kind in right["data"]}


# --- what a school asks of it ----------------------------------------------------------------------------------------


def fault(data: dict[str, Any] | None = None, /, **attributes: Any) -> str | None:
    found = check(taken(event(data, **attributes)), RULES, LATEST)
    return found and found["pointer"]


def test_an_observation_that_names_its_grain_is_right() -> None:
    assert fault() is None
    assert fault({"teacher": "T1", "lesson": "L1", "department": "D1", "activity": "A1"}) is None


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"metric": "unknown"}, "/data/metric"),
        ({"metric": "Attendance"}, "/data/metric"),
        ({"metric": "attendance\n"}, "/data/metric"),
        ({"metric": ""}, "/data/metric"),
        ({"metric": "m" * 60_000}, "/data/metric"),
        ({"denominator": 0}, "/data/denominator"),
        ({"denominator": -1}, "/data/denominator"),
        ({"numerator": -0.000001}, "/data/numerator"),
        ({"numerator": 3}, None),  # a ratio may exceed 1
        ({"numerator": 0}, None),
        ({"metric": "lesson_attendance", "lesson": "L1"}, "/data/student"),
        ({"metric": "canteen"}, "/data/student"),
    ],
)
def test_what_is_wrong_for_the_school_is_named(data: dict[str, Any], where: str | None) -> None:
    assert fault(data) == where


@pytest.mark.parametrize("name", ["student", "class"])
def test_an_observation_that_names_less_than_its_grain_is_refused(name: str) -> None:
    whole = event()
    whole["data"] = without(whole["data"], name)

    found = check(taken(whole), RULES, LATEST)
    assert found is not None
    assert found["pointer"] == f"/data/{name}"


def test_a_metric_of_another_kind_may_be_negative() -> None:
    whole = event({"metric": "canteen", "numerator": -5})
    whole["data"] = without(whole["data"], "student")

    assert check(taken(whole), RULES, LATEST) is None


@pytest.mark.parametrize(("ahead", "where"), [(timedelta(0), None), (timedelta(microseconds=1), "/time")])
def test_a_time_too_far_ahead_is_refused(ahead: timedelta, where: str | None) -> None:
    assert fault(time=(LATEST + ahead).isoformat()) == where
