"""A zip of CSV files from a stranger: opened without trusting a word of it."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from libs.common.errors import Fault, Invalid, Malformed, TooLarge

MOST_COMPRESSED = 64 * 2**20
MOST_INFLATED = 512 * 2**20
MOST_RATIO = 100
RATIO_FROM = 2**20
MOST_DIRECTORY = 64 * 2**10
LONGEST_LINE = 2**20
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"
_END_SIZE, _COMMENT_MOST = 22, 65_535


class Archive:
    """The files of a zip by their bare names; none is inflated before it is read.

    Raises Malformed where the body is no readable zip, Invalid for names that no honest export has, TooLarge for one that
    inflates to more than 512 MiB or a hundred times its own size.
    """

    def __init__(self, body: bytes) -> None:
        self.size = len(body)
        self.inflated = 0
        _check_directory(body)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(body))
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, struct.error) as error:
            raise Malformed(f"the body is not a zip file: {error}") from error
        self._entries = _entries(self._zip.infolist())

    @property
    def names(self) -> set[str]:
        return set(self._entries)

    def lines(self, name: str) -> Iterator[str]:
        """Yield the file's lines with their ends, as they stand. Raises UnicodeDecodeError for what is not UTF-8."""
        try:
            with self._zip.open(self._entries[name]) as file:
                text = io.TextIOWrapper(io.BufferedReader(_Counted(file, self)), encoding="utf-8-sig", newline="")
                while line := text.readline(LONGEST_LINE):
                    if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
                        raise TooLarge(f"{name} has a line of more than {LONGEST_LINE:,} characters")
                    yield line
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise Malformed(f"{name} cannot be unpacked, the zip is damaged: {error}") from error

    def count(self, size: int) -> None:
        """Add to what was inflated so far; the sizes that a zip states about itself prove nothing."""
        self.inflated += size
        if self.inflated > MOST_INFLATED:
            raise TooLarge(f"the zip unpacks to more than {MOST_INFLATED // 2**20} MiB")
        if self.inflated > RATIO_FROM and self.inflated > MOST_RATIO * self.size:
            raise TooLarge(f"the zip unpacks to more than {MOST_RATIO} times its size: that is no roster")


class _Counted(io.RawIOBase):
    """A file of the zip that counts what comes out of it."""

    def __init__(self, file: IO[bytes], archive: Archive) -> None:
        self.file, self.archive = file, archive

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.file.read(len(buffer))
        self.archive.count(len(content))
        buffer[: len(content)] = content
        return len(content)


def _check_directory(body: bytes) -> None:
    """Refuse a directory with far more entries than a roster has, before they are read."""
    end = body.rfind(_END, max(0, len(body) - _END_SIZE - _COMMENT_MOST))
    if not body.startswith(b"PK") or end < 0 or len(body) - end < _END_SIZE:
        raise Malformed("the body is not a zip file")
    (size,) = struct.unpack_from("<I", body, end + 12)
    if size > MOST_DIRECTORY or body[max(0, end - 20) : end].startswith(_END_64):
        raise TooLarge("the zip lists far more files than a roster has")


def _entries(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    faults: list[Fault] = []
    found: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for info in infos:
        name = info.orig_filename
        if (reason := _refusal(info)) is not None:
            faults.append(Fault(pointer=_pointer(name), detail=reason))
            continue
        folder, _, bare = name.rpartition("/")
        if name.startswith("__MACOSX/") or bare in SYSTEM_FILES:
            continue
        folders.add(folder)
        if not bare:
            continue
        if bare in found:
            faults.append(Fault(pointer=_pointer(name), detail="stands twice in the zip"))
        found[bare] = info
    if len(folders) > 1 or any("/" in folder for folder in folders):
        faults.append(Fault(pointer="", detail="the files must lie side by side: at the top, or all in one folder"))
    if faults:
        raise Invalid("the zip holds files that a roster cannot have", faults)
    return found


def _refusal(info: zipfile.ZipInfo) -> str | None:
    """Why an entry is refused, or None."""
    name = info.orig_filename
    if "\\" in name or "\0" in name or ":" in name:
        return "not a name that a zip may hold"
    if name.startswith("/") or ".." in name.split("/"):
        return "the path leads out of the zip"
    if info.flag_bits & 0x1:
        return "is encrypted: make the zip without a password"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "is packed by a method other than deflate"
    if (info.external_attr >> 16) & 0o170000 not in {0, 0o100000, 0o040000}:
        return "is a link or a device, not a file"
    return None


def _pointer(name: str) -> str:
    return "/" + "".join(c if c.isprintable() else "?" for c in name[:200]).replace("~", "~0").replace("/", "~1")
