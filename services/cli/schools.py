"""What can be said to `zhengai school`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli import Failure
from services.cli.shell import Installation, given, many, write_to

school_commands = typer.Typer(help="Schools.", no_args_is_help=True)


@school_commands.command("add")
def add_school(
    context: typer.Context,
    code: str,
    name: Annotated[str, typer.Option(help="What people call it.")],
    template: Annotated[
        str | None, typer.Option(help="A school's documents to start with: hubei-polytechnic, foshan-yanbu, …, or a FILE.json.")
    ] = None,
    period: Annotated[
        str | None, typer.Option(help="The years that it plans for; default: the template's.", metavar="2026-2030")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA name; fixed once there are observations.")] = None,
) -> None:
    """Add a school. With --template also what its documents name: bodies, plans, standards, metrics, cycles. What is there stays."""
    here: Installation = context.obj
    if template is None:
        if period is not None:
            raise Failure("--period moves a template: name one with --template")
        answer = here.client().change("POST", "/api/v1/schools", None, code, json=given(code=code, name=name, timezone=timezone))
        here.say(f"School {code} is there.", **answer)
        return
    from services.cli.template import loading, reading  # noqa: PLC0415 - one command needs them

    found = reading.moved(reading.read_template(reading.find(template)), None if period is None else reading.period_of(period))
    client = here.client()
    answer = client.change("POST", "/api/v1/schools", None, code, json=given(code=code, name=name, timezone=timezone))
    loaded = loading.load(client, code, found)
    years = f"{found.period.first}-{found.period.last}"
    words = f"{many(len(loaded.added), 'part', 'was', 'were')} added, {loaded.there} were there"
    here.say(f"School {code} is there, by {found.code} for {years}: {words}.", **answer, added=loaded.added, there=loaded.there)


@school_commands.command("export")
def export_school(
    context: typer.Context,
    code: str,
    output: Annotated[Path | None, typer.Option(help="The file to write; default: standard output.", metavar="FILE.json")] = None,
) -> None:
    """Write a school's set-up and standards as a template, which `school add --template FILE.json` loads."""
    from services.cli.template import loading, reading  # noqa: PLC0415 - one command needs them

    here: Installation = context.obj
    template = reading.returned(loading.export(here.client(), code))
    text = reading.written(template)
    if output is None:
        typer.echo(text, nl=False)
        return
    write_to(output, text.encode())
    parts = many(len(template.standards), "standard", "", "").strip()
    here.say(f"{output} holds {code}: {parts}, {len(template.setup.plan_kinds)} kinds of plans.", file=str(output))
