"""Where in a JSON text each value stands, so that a fault can be found by whoever wrote it."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any

from services.cli import Failure

Path = tuple[str | int, ...]
_BLANK = re.compile(r"[ \t\r\n]*")
_decoder = json.JSONDecoder()


def read(text: str, name: str) -> tuple[Any, dict[Path, int]]:
    """Return the value of a JSON text, and the line of each part of it. Raises Failure, with the line, for what is not JSON."""
    try:
        value = json.loads(text, parse_constant=_refuse)
        lines = _Lines(text, name)
        lines.walk(0, ())
    except json.JSONDecodeError as error:
        raise Failure(f"{name}, line {error.lineno}: not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise Failure(f"{name}: not JSON: {error}") from error
    return value, lines.found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


class _Lines:
    """Walks a text that is known to be JSON."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.breaks = [match.start() for match in re.finditer("\n", text)]
        self.found: dict[Path, int] = {}

    def walk(self, at: int, path: Path) -> int:
        """Note the line of the value at a place and of all in it; return where it ends."""
        at = self._skip(at)
        self.found[path] = self._line(at)
        match self.text[at]:
            case "{":
                return self._object(at, path)
            case "[":
                return self._array(at, path)
        return _decoder.raw_decode(self.text, at)[1]

    def _object(self, at: int, path: Path) -> int:
        seen: set[str] = set()
        at = self._skip(at + 1)
        while self.text[at] != "}":
            at = self._skip(at + 1) if self.text[at] == "," else at
            key, end = _decoder.raw_decode(self.text, at)
            if key in seen:
                raise Failure(f"{self.name}, line {self._line(at)}: the key {key!r} stands twice")
            seen.add(key)
            at = self._skip(self.walk(self._skip(end) + 1, (*path, key)))
        return at + 1

    def _array(self, at: int, path: Path) -> int:
        n = 0
        at = self._skip(at + 1)
        while self.text[at] != "]":
            at = self._skip(at + 1) if self.text[at] == "," else at
            at = self._skip(self.walk(at, (*path, n)))
            n += 1
        return at + 1

    def _skip(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        assert match is not None
        return match.end()

    def _line(self, at: int) -> int:
        return bisect_right(self.breaks, at - 1) + 1


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of a part, or of the innermost one around it that is there."""
    while path not in lines and path:
        path = path[:-1]
    return lines[path]


def path_of(pointer: str) -> Path:
    """The parts of a JSON pointer."""
    return tuple(int(part) if part.isdecimal() else part for part in pointer.split("/") if part)
