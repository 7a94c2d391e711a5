"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """Replace what stands exactly once in a file."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Raises ValueError where the text is not there exactly once: the list is older than the code."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: found {found} times: {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Bug:
    """`tests` are node ids without parameters, and each must turn red; `servers`: they need Kafka and PostgreSQL."""

    name: str
    harm: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    servers: bool = False
