"""A key that stands twice is refused, wherever it stands and however it is spelled; white space means nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Malformed
from libs.common.events.observations import read
from libs.common.strict_json import read_json
from tests.unit.common.test_observations import event, written


def spelled(value: Any, style: int, twice: str | None) -> str:
    """JSON text of a value in a style of white space and escapes; `twice` is a path (a/b) whose last key stands twice."""
    gap = ("", " ", "\n\t")[style % 3]

    def key(name: str) -> str:
        text = json.dumps(name, ensure_ascii=style % 2 == 0)
        return "".join(f"\\u{ord(c):04x}" for c in name).join('""') if style >= 3 and name.isascii() and name else text

    def write(each: Any, path: Sequence[str]) -> str:
        if isinstance(each, dict):
            members = [(name, write(inner, [*path, name])) for name, inner in each.items()]
            if twice is not None and twice.split("/")[:-1] == list(path) and members:
                members.append((next(name for name, _ in members), "0"))
            return "{" + ",".join(f"{gap}{key(name)}{gap}:{gap}{text}" for name, text in members) + gap + "}"
        if isinstance(each, list):
            return "[" + ",".join(gap + write(inner, [*path, str(n)]) for n, inner in enumerate(each)) + gap + "]"
        return json.dumps(each, ensure_ascii=style % 2 == 0)

    return write(value, [])


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ['":', '"', "a", "\\", '" :', "{"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def duplicated(raw: str) -> bool:
    """Whether an object of the text has a key twice: the plainest way to say it."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)
        return dict(pairs)

    json.loads(raw, object_pairs_hook=look)
    return found


def paths(value: Any, path: str = "") -> list[str]:
    if isinstance(value, list):
        return [each for n, inner in enumerate(value) for each in paths(inner, f"{path}{n}/")]
    if not isinstance(value, dict):
        return []
    return ([f"{path}x"] if value else []) + [each for name, inner in value.items() for each in paths(inner, f"{path}{name}/")]


@given(st.data(), values, st.integers(0, 5), st.booleans())
def test_exactly_json_with_duplicate_keys_is_refused(data: st.DataObject, value: Any, style: int, twice: bool) -> None:
    where = [path for path in paths(value) if "//" not in f"/{path}"]
    raw = spelled(value, style, data.draw(st.sampled_from(where)) if twice and where else None)

    if duplicated(raw):
        with pytest.raises(Malformed, match="twice"):
            read_json(raw.encode())
    else:
        assert read_json(raw.encode()) == value


@pytest.mark.parametrize(
    "raw",
    [
        written(event()).replace(b'"numerator"', b'"numerator": 0, "numerator"'),
        written(event()).replace(b'"numerator"', b'"numerator":0,"num\\u0065rator"').replace(b'": ', b'":'),
        written(event()).replace(b'"id"', b'"id" : "x", "id"'),
        written(event()).replace(b'"id"', b'"id":"x","id"').replace(b'": ', b'":'),
        written(event(extra="1")).replace(b'"extra"', b'"extra":2,"extra"').replace(b'": ', b'":'),
        written(event(extra='":')).replace(b'"id"', b'"id":"x","id"').replace(b'": ', b'":'),
        # A key in the place of one that is missing: the number of keys is right, one of them stands twice.
        written(event(school="demo")).replace(b'"school"', b'"id"').replace(b'": ', b'":'),
    ],
)
def test_an_event_with_a_key_twice_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed, match="twice"):
        read(raw)


def test_an_event_is_the_same_with_any_white_space_between() -> None:
    loose = json.dumps(event({"phase": "during"}, school="demo"), indent=3, separators=(" ,", "\t:\n")).encode()
    tight = json.dumps(event({"phase": "during"}, school="demo"), separators=(",", ":")).encode()

    assert read(loose) == read(tight)
