"""One CSV file, row by row: what each value must be, and every fault with its file, row and column."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from libs.common.errors import Fault, Invalid, TooLarge

LISTED_MOST = 100
ROWS_MOST = 2_000_000
ID_LENGTH = 128
TEXT_LENGTH = 256
SAVE_AS_UTF8 = "is not UTF-8: save it as UTF-8 (in Excel: “CSV UTF-8 (Comma delimited)”; in WPS: 编码 UTF-8)"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass
class Faults:
    """What is wrong with a set of files: the first hundred, how many there are, and whether a whole file cannot be read."""

    listed: list[Fault] = field(default_factory=list)
    count: int = 0
    broken: bool = False

    def add(self, detail: str, *where: str | int) -> None:
        """Note a fault; `where` are file, row (as a spreadsheet numbers it, the header is 1) and column."""
        self.count += 1
        if len(self.listed) < LISTED_MOST:
            pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in where)
            self.listed.append(Fault(pointer=pointer, detail=detail))

    def add_broken(self, detail: str, *where: str | int) -> None:
        """Note a fault of a whole file."""
        self.broken = True
        self.add(detail, *where)

    def refuse(self, what: str) -> None:
        """Raise Invalid where anything is wrong."""
        if not self.count:
            return
        more = f" (the first {LISTED_MOST} of {self.count} are listed)" if self.count > LISTED_MOST else ""
        raise Invalid(f"{what} refused, nothing was taken: {self.count} fault{'s' if self.count > 1 else ''}{more}", self.listed)


@dataclass(frozen=True)
class Columns:
    """The columns of a file: those that must be there, those that may, and whether `metadata.*` may be added."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    metadata: bool = False

    def faults(self, header: list[str]) -> Iterator[tuple[str, str]]:
        """Yield (column, what is wrong with it)."""
        known = {*self.required, *self.optional}
        for name in self.required:
            if name not in header:
                yield name, "this column is missing"
        for name in dict.fromkeys(header):
            if name not in known and not (self.metadata and name.startswith("metadata.")):
                yield name, f"unknown column; there are {', '.join((*self.required, *self.optional))}"
            elif header.count(name) > 1:
                yield name, "this column stands twice"


@dataclass(slots=True)
class Line:
    """One row of a file. A getter answers None (or "") for a value that it has reported as a fault."""

    file: tuple[str, ...]
    row: int
    values: Mapping[str, str]
    faults: Faults

    def fault(self, column: str, detail: str) -> None:
        self.faults.add(detail, *self.file, self.row, column)

    def text(self, column: str, *, needed: bool = False, most: int = TEXT_LENGTH) -> str:
        """The value without spaces around it."""
        value = self.values.get(column, "").strip()
        if not value:
            if needed:
                self.fault(column, "must not be empty")
            return ""
        if len(value) > most:
            self.fault(column, f"has more than {most} characters")
            return ""
        if not value.isprintable() and any(unicodedata.category(c) == "Cc" for c in value):
            self.fault(column, "holds control characters")
            return ""
        return value

    def id(self, column: str = "sourcedId") -> str:
        """An identifier that must be there: 1 to 128 characters."""
        return self.text(column, needed=True, most=ID_LENGTH)

    def reference(self, column: str, known: Collection[str], kind: str, *, needed: bool = False) -> str | None:
        """The id of a row of another file, or None where it may be empty."""
        value = self.text(column, needed=needed, most=ID_LENGTH)
        if value and value not in known:
            self.fault(column, f"there is no {kind} {value!r}")
            return None
        return value or None

    def references(self, column: str, known: Collection[str], kind: str) -> list[str]:
        """Ids of rows, comma-separated."""
        values = [part for part in map(str.strip, self.values.get(column, "").split(",")) if part]
        for value in values:
            if value not in known:
                self.fault(column, f"there is no {kind} {value[:ID_LENGTH]!r}")
        return values

    def choice(self, column: str, choices: Collection[str], *, default: str = "") -> str:
        """One of some words; `default` where it is empty, which "" forbids."""
        value = self.text(column) or default
        if value not in choices:
            self.fault(column, f"must be one of {', '.join(sorted(choices))}" + (f", not {value!r}" if value else ""))
            return ""
        return value

    def date(self, column: str, *, needed: bool = False) -> date | None:
        """A day, YYYY-MM-DD."""
        value = self.text(column, needed=needed)
        if not value:
            return None
        try:
            if _DATE.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.fault(column, f"must be a date like 2026-02-24, not {value!r}")
        return None


def read_lines(file: str, lines: Iterable[str], columns: Columns, faults: Faults) -> Iterator[Line]:
    """Yield the rows of a CSV file; what is wrong with its form is noted in `faults`. `file` "" is the body itself."""
    where = (file,) if file else ()
    rows = csv.reader(_clean(lines), strict=True)
    row = 1
    try:
        header = [name.strip() for name in next(rows, [])]
        if not header:
            faults.add_broken("is empty: the first row must name the columns", *where)
            return
        if wrong := list(columns.faults(header)):
            for column, detail in wrong:
                faults.add_broken(detail, *where, 1, column)
            return
        for row, values in enumerate(rows, start=2):
            if row > ROWS_MOST:
                raise TooLarge(f"{file or 'the file'} has more than {ROWS_MOST:,} rows")
            if len(values) == len(header):
                if any(values):
                    yield Line(where, row, dict(zip(header, values, strict=True)), faults)
            elif any(values):
                faults.add(f"has {len(values)} fields, the header has {len(header)}", *where, row)
    except csv.Error as error:
        faults.add_broken(f"cannot be read as CSV: {error}", *where, row + 1)
    except UnicodeDecodeError:
        faults.add_broken(SAVE_AS_UTF8, *where)


def _clean(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("it holds NUL characters")
        yield line
