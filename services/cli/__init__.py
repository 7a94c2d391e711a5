"""The `zhengai` command: what an operator does from a shell, as a client of the HTTP API.

Modules are imported where they are used, so that `zhengai --help` and a short call answer at once.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

EVERYWHERE = {"--url": True, "--token": True, "--json": False}
"""Options that may stand anywhere on the line, and whether each takes a value."""


class Failure(Exception):
    """What went wrong, as one plain sentence for the person at the shell."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    import typer  # noqa: PLC0415 - see above

    from services.cli.commands import app  # noqa: PLC0415 - see above

    try:
        ending = app(hoisted(sys.argv[1:] if arguments is None else arguments), prog_name="zhengai", standalone_mode=False)
    except Failure as failure:
        _end(str(failure), 1)
    except typer.TyperException as error:
        _end(error.format_message(), 2)
    except typer.Abort:
        _end("stopped before it was done", 130)
    sys.exit(ending if isinstance(ending, int) else 0)


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Move the options that may stand anywhere to the front, where the parser looks for them; after `--` nothing moves."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *waiting]
            break
        if name not in EVERYWHERE:
            rest.append(word)
        elif EVERYWHERE[name] and not equals and waiting:
            front += [word, waiting.pop(0)]
        else:
            front.append(word)
    return front + rest


def _end(sentence: str, status: int) -> NoReturn:
    if sentence:  # none where the help has just been printed
        print(f"zhengai: {sentence}", file=sys.stderr)  # noqa: T201 - a command speaks to its user
    sys.exit(status)
