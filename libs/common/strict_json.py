"""JSON read strictly: exact numbers, no key twice, no lone surrogate, no deep nesting. The usual parsers let all of these pass."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import msgspec

from libs.common.errors import Malformed

DEEPEST = 32
_any = msgspec.json.Decoder(float_hook=Decimal)
_NO_NUMBER = "not JSON: a number is out of all bounds"
_KEY_END = re.compile(rb'"[ \t\r\n]*:')


def read_json(raw: bytes) -> Any:
    """Decode strictly: numbers exact. Raises Malformed for what is not JSON, duplicate keys and deep nesting included."""
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _depth(raw) > DEEPEST:
        raise Malformed(f"nested more than {DEEPEST} levels deep")
    try:
        value = _any.decode(raw)
    except RecursionError as error:
        raise Malformed(f"nested more than {DEEPEST} levels deep") from error
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8") from error
    except ArithmeticError as error:  # an exponent that no decimal can hold
        raise Malformed(_NO_NUMBER) from error
    except (msgspec.DecodeError, ValueError) as error:
        if "out of range" in str(error):
            raise Malformed(_NO_NUMBER) from error
        reason = "a lone surrogate, or the text ends too early" if "truncated" in str(error) else str(error)
        raise Malformed(f"not JSON: {reason}") from error
    _refuse_duplicate_keys(raw, value)
    return value


def _depth(raw: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for byte in raw:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _refuse_duplicate_keys(raw: bytes, value: Any) -> None:
    """JSON parsers keep the last of two equal keys without a word.

    Each key is followed by `":`, with or without white space; so as many of these as keys were read means that none was
    dropped. Text that holds `":` itself makes the count larger, and only then each key is looked at.
    """
    spaced = b'" ' in raw or b'"\t' in raw or b'"\n' in raw or b'"\r' in raw
    colons = len(_KEY_END.findall(raw)) if spaced else raw.count(b'":')
    if colons != _count_keys(value):
        json.loads(raw, object_pairs_hook=_unique)


def _count_keys(value: Any) -> int:
    if type(value) is dict:
        n = len(value)
        for each in value.values():
            if type(each) is dict or type(each) is list:
                n += _count_keys(each)
        return n
    return sum(map(_count_keys, value)) if type(value) is list else 0


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"the key {twice!r} stands twice in one object")
    return keys
