"""Stops a coroutine at its await points: there, and only there, can a process be said to have got so far and no further.

What is driven has no hooks for it. Between two await points nothing reaches the disk, so that the files as they are when
what was awaited has come to pass are all that a power cut can leave, but for what the database itself makes whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

How = Literal["fails", "cancelled"]


class Crashed(OSError):
    """What was awaited has failed."""


@dataclass
class Walk:
    """Awaits `work`, and calls `passed` with the number of each await point that it has come past."""

    work: Coroutine[Any, Any, Any]
    passed: Callable[[int], None]
    before: Callable[[int], None] = lambda _: None
    points: int = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waits_for = steps.send(None) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            self.points += 1
            self.before(self.points)
            try:
                yield waits_for
                self.passed(self.points)
            except BaseException as raised:  # noqa: BLE001 - the coroutine's to handle, whatever it is
                error = raised
            else:
                error = None


async def broken_at(point: int, how: How, work: Coroutine[Any, Any, Any]) -> bool:
    """Let `work` fail, or be cancelled, at its n-th await point; whether it came so far. What it raises then is forgotten.

    It fails once what it awaits has come to pass; it is cancelled while that is still under way.
    """
    task = asyncio.current_task()
    assert task is not None

    def fail(now: int) -> None:
        if (now, how) == (point, "fails"):
            raise Crashed(f"at await point {point}")

    def cancel(now: int) -> None:
        if (now, how) == (point, "cancelled"):
            task.cancel()

    walk = Walk(work, fail, cancel)
    try:
        await walk
    except (Crashed, asyncio.CancelledError):
        if walk.points < point:
            raise
    task.uncancel()
    return walk.points >= point


@dataclass
class Images:
    """Copies of a folder's files, one for each state that they are seen in; `at` says where that was."""

    folder: Path
    into: Path
    taken: list[tuple[Path, Any]] = field(default_factory=list)
    at: Any = None
    _seen: bytes = b""

    def take(self, _: int = 0) -> None:
        """Copy what a process that ends now would leave, unless it is what was copied last."""
        files = sorted(path for path in self.folder.iterdir() if path.suffix in {".db", ".db-wal"})
        contents = {path.name: path.read_bytes() for path in files}
        state = hashlib.blake2b(b"\0".join(contents[name] for name in sorted(contents))).digest()
        if state == self._seen:
            return
        self._seen = state
        image = self.into / f"image-{len(self.taken)}"
        image.mkdir()
        for name, content in contents.items():
            (image / name).write_bytes(content)
        self.taken.append((image, self.at))


def copied(folder: Path, to: Path) -> Path:
    """A copy of the folder, to go on from."""
    return Path(shutil.copytree(folder, to))
