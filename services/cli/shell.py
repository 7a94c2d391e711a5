"""What the commands share: the installation that they speak to, the school they are about, files and sentences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import Failure
from services.cli.client import Client, connect

School = Annotated[str, typer.Option("--school", help="Code of the school.", metavar="CODE")]

OnlySchool = Annotated[
    str | None, typer.Option("--school", help="Code of the school; may be left out where there is only one.", metavar="CODE")
]


@dataclass(frozen=True)
class Installation:
    """What the options before or after the subcommand say."""

    url: str | None
    token: str | None
    json: bool

    def client(self) -> Client:
        return connect(self.url, self.token)

    def say(self, text: str, **facts: Any) -> None:
        """Print what was done: a sentence for a person, the facts for a machine."""
        typer.echo(json.dumps(facts, ensure_ascii=False) if self.json else text)


class Context(typer.Context):
    """The parser's context, with what the options said."""

    obj: Installation


def given(**values: Any) -> dict[str, Any]:
    """What was said of these; the rest is left to the installation."""
    return {name: value for name, value in values.items() if value is not None}


def many(n: int, what: str, one: str = "is", more: str = "are") -> str:
    """For example `1 metric is`, `2 metrics are`."""
    return f"{n} {what} {one}" if n == 1 else f"{n} {what}s {more}"


def content_of(file: Path) -> bytes:
    """The bytes of a file. Raises Failure where it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {(error.strerror or '').lower()}") from error


def write_to(file: Path, content: bytes) -> None:
    """Write a file. Raises Failure where it cannot be written."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {(error.strerror or '').lower()}") from error
