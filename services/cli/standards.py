"""What can be said to `zhengai standard`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from services.cli.catalogue import INDICATORS, METRICS
from services.cli.shell import Installation, School, many, write_to

standard_commands = typer.Typer(help="Standards, in and out of Excel.", no_args_is_help=True)


@standard_commands.command("export")
def export_standards(context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")], school: School) -> None:
    """Write a school's standards as an Excel file, an element a row."""
    from services.cli.template import loading, sheet  # noqa: PLC0415 - two commands need them

    here: Installation = context.obj
    standards = loading.export(here.client(), school).standards
    write_to(file, sheet.write_sheet(standards))
    here.say(
        f"{file} holds {many(len(standards), 'standard', '', '').strip()} of {school}.", file=str(file), standards=len(standards)
    )


@standard_commands.command("import")
def import_standards(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")],
    school: School,
    effective_from: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="From when the drafts are meant to be in force; default: as before.", metavar="DATE"
        ),
    ] = None,
) -> None:
    """Write drafts of the standards that an Excel file changes. What is no column stays; with a fault in any cell nothing is sent."""
    from services.cli.template import loading, sheet  # noqa: PLC0415 - two commands need them

    here: Installation = context.obj
    client = here.client()
    template = loading.export(client, school)
    known = {standard.code: standard for standard in template.standards}
    families = {family.code for family in template.families}
    named = [each for path in (INDICATORS, METRICS) for each in client.pages(path, school)]
    measures = {str(code) for each in named for code in (each["code"], each.get("alias")) if code is not None}
    found = sheet.read_sheet(file, template.standards, families, measures)
    changed = [standard for standard in found if standard != known.get(standard.code)]
    writing = loading.Loading(client, school, loading.Loaded([]))
    for standard in changed:
        body = loading.standard_body(standard, template.period)
        if effective_from is not None:
            body["effective_from"] = f"{effective_from:%Y-%m-%d}"
        writing.add(f"standard {standard.code}", False, "POST", loading.STANDARDS, body)
    client.settle(school, writing.loaded.position)
    words = (
        f"{many(len(changed), 'draft', 'was', 'were')} written at {school}, {len(found) - len(changed)} standards say this already."
    )
    here.say(words, changed=[standard.code for standard in changed], same=len(found) - len(changed))
