"""Files as evidence: which kinds are taken, and what a file is by its content, whatever its name and its sender say."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Literal
from zipfile import BadZipFile, ZipFile

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TEXT, CSV = "text/plain", "text/csv"
ENDINGS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg", DOCX: ".docx", XLSX: ".xlsx", TEXT: ".txt", CSV: ".csv"}
"""The media types that are taken, and how a file of each is called where it has no name."""
_BEGINNINGS = {PDF: b"%PDF-", PNG: b"\x89PNG\r\n\x1a\n", JPEG: b"\xff\xd8\xff"}
_PARTS = {DOCX: "word/document.xml", XLSX: "xl/workbook.xml"}
_MOST_PARTS = 10_000

EvidenceOf = Literal["task", "improvement", "goal", "due_item", "run", "filing", "entry", "budget"]
"""What a file may be evidence of."""
_PATH = "/api/v1/planning/files/"
_NAMED = re.compile(rf"{_PATH}([0-9A-Za-z]*)")
_HASH = re.compile(r"[0-9a-f]{64}")


def path_of(sha256: str) -> str:
    """Where a file is read: evidence names it so, or by its hash alone."""
    return f"{_PATH}{sha256}"


def files_in(text: str) -> set[str]:
    """Return the files that a text names as evidence, each by what stands there for its hash, in lower case."""
    alone = text.strip().lower()
    return {alone} if _HASH.fullmatch(alone) else {each.lower() for each in _NAMED.findall(text)}


def fault_of(media: str, content: bytes) -> str | None:
    """What is wrong with a file that is said to be of `media`, one of `ENDINGS`; None: nothing.

    Office documents with macros, archives called documents, and text with NUL or not in UTF-8 are no evidence.
    """
    if not content:
        return "the file is empty"
    if media in _BEGINNINGS:
        return None if content.startswith(_BEGINNINGS[media]) else f"the content is no {media}"
    if media in _PARTS:
        return _office_fault(media, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "text is in UTF-8"
    return "text holds no NUL" if "\0" in text else None


def _office_fault(media: str, content: bytes) -> str | None:
    try:
        with ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
    except (BadZipFile, NotImplementedError, ValueError, OSError):  # the second: an archive of a version that nobody here reads
        return f"the content is no {media}"
    if len(names) > _MOST_PARTS or "[Content_Types].xml" not in names or _PARTS[media] not in names:
        return f"the content is no {media}"
    return "a document with macros is not taken" if any(name.lower().endswith("vbaproject.bin") for name in names) else None
