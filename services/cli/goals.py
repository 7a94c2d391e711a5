"""What can be said to `zhengai goals`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli import Failure
from services.cli.client import POSITION, Client, of
from services.cli.shell import Installation, School, content_of, many, write_to

goal_commands = typer.Typer(help="Goals of plans, in and out of Excel.", no_args_is_help=True)
PLANNING = "/api/v1/planning"
EXCEL = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
Plan = Annotated[str | None, typer.Option(help="Code of the one plan; default: every plan.", metavar="CODE")]
Table = Annotated[bool, typer.Option("--breakdown", help="In the school's own columns (目标任务分解表): needs --plan.")]


@goal_commands.command("export")
def export_goals(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx|FILE.docx")],
    school: School,
    plan: Plan = None,
    breakdown: Table = False,
) -> None:
    """Write goals as an Excel file, a goal a row; the school's own table as Excel or Word."""
    here: Installation = context.obj
    word = file.suffix.lower() == ".docx"
    if word and not breakdown:
        raise Failure("only the school's own table is written as a Word document: add --breakdown")
    path = _path(plan, breakdown=breakdown)
    content = here.client().call("GET", path, params=of(school) | ({"form": "word"} if word else {})).content
    write_to(file, content)
    here.say(f"{file} holds the goals of {plan or 'every plan'} of {school}.", file=str(file))


@goal_commands.command("import")
def import_goals(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")],
    school: School,
    plan: Plan = None,
    breakdown: Table = False,
    why: Annotated[str | None, typer.Option(help="Why the goals change: kept in their history.")] = None,
) -> None:
    """Write the goals of an Excel file into drafts of their plans. With a fault in any cell nothing is taken."""
    here: Installation = context.obj
    client: Client = here.client()
    params = of(school) | ({} if why is None else {"why": why})
    answer = client.call("POST", _path(plan, breakdown=breakdown), params=params, content=content_of(file), headers=EXCEL)
    client.settle(school, answer.headers.get(POSITION))
    taken = answer.json()
    words = f"{many(len(taken['added']), 'goal', 'is', 'are')} new at {school}, {len(taken['changed'])} changed, {taken['same']} say this already."
    here.say(words, **taken)


def _path(plan: str | None, *, breakdown: bool) -> str:
    if breakdown and plan is None:
        raise Failure("--breakdown is the table of one plan: add --plan CODE")
    if plan is None:
        return f"{PLANNING}/goals/sheet"
    return f"{PLANNING}/plans/{plan}/{'breakdown' if breakdown else 'goals/sheet'}"
