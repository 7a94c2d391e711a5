"""What can be said to `zhengai`, and what it answers."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import Failure
from services.cli.catalogue import indicator_commands, metric_commands
from services.cli.client import Client, connect, of
from services.cli.goals import goal_commands
from services.cli.schools import school_commands
from services.cli.shell import Installation, OnlySchool, School, content_of, given, many
from services.cli.standards import standard_commands

app = typer.Typer(
    help="Run Zhengai from a shell: schools, campus systems, people, master data, indicators.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
source_commands = typer.Typer(help="Campus systems that may send events.", no_args_is_help=True)
user_commands = typer.Typer(help="Accounts of people.", no_args_is_help=True)
roster_commands = typer.Typer(help="Master data: units, terms, courses, classes, people.", no_args_is_help=True)
posts_commands = typer.Typer(help="Posts (任职): who answers for what, from when until when.", no_args_is_help=True)
deadletter_commands = typer.Typer(help="What could not be counted, and why.", no_args_is_help=True)
for name, commands in {
    "school": school_commands,
    "source": source_commands,
    "user": user_commands,
    "standard": standard_commands,
    "goals": goal_commands,
    "roster": roster_commands,
    "posts": posts_commands,
    "metric": metric_commands,
    "indicator": indicator_commands,
    "deadletters": deadletter_commands,
}.items():
    app.add_typer(commands, name=name)

SCHOOLS_SHOWN = 5


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="The installation; default: this machine's.")] = None,
    token: Annotated[str | None, typer.Option(help="The operator's token; default: operator.token in ZHENGAI_HOME.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Run Zhengai from a shell. --url, --token and --json may stand before or after the subcommand."""
    context.obj = Installation(url, token, json_)


@source_commands.command("add")
def add_source(
    context: typer.Context,
    name: str,
    school: School,
    uri: Annotated[list[str] | None, typer.Option(help="A `source` that it may send; default: urn:campus:SCHOOL:NAME.")] = None,
    label: Annotated[str | None, typer.Option(help="How its numbers arise: measured (the default), imported or by_hand.")] = None,
) -> None:
    """Let a campus system send events. Prints its key, which is shown this once only."""
    here: Installation = context.obj
    body = given(name=name, uris=uri or None, label=label)
    answer = here.client().change("POST", "/api/v1/sources", school, school, json=body)
    here.say(answer["key"], **answer)


@user_commands.command("add")
def add_user(
    context: typer.Context,
    username: str,
    person: Annotated[str, typer.Option(help="Their sourcedId in the roster: their posts say what they may do.")],
    school: School,
    ask_password: Annotated[bool, typer.Option(help="Ask for the password, or read it from standard input.")] = False,
) -> None:
    """Give somebody of the roster an account. Prints the password that was made for it, which is shown this once only."""
    here: Installation = context.obj
    body = given(username=username, person=person, password=_password() if ask_password else None)
    answer = here.client().change("POST", "/api/v1/users", school, school, json=body)
    here.say(answer.get("password") or f"{username} may sign in.", **answer)


@roster_commands.command("import")
def import_roster(context: typer.Context, source: Annotated[Path, typer.Argument(metavar="DIR|ZIP")], school: School) -> None:
    """Take in a OneRoster 1.2 CSV export, bulk: rows that it lacks become inactive."""
    here: Installation = context.obj
    content = _zipped(source) if source.is_dir() else content_of(source)
    headers = {"Content-Type": "application/zip"}
    answer = here.client().change("PUT", "/api/v1/roster", school, school, content=content, headers=headers)
    here.say("\n".join(f"{name:<18} {_counts(counts)}" for name, counts in answer.items()), **answer)


@posts_commands.command("import")
def import_posts(context: typer.Context, file: Path, school: OnlySchool = None) -> None:
    """Take in posts from CSV with the columns person,post,object,from,to."""
    here: Installation = context.obj
    client, content, headers = here.client(), content_of(file), {"Content-Type": "text/csv"}
    school = school or _only_school(client)
    answer = client.change("PUT", "/api/v1/posts", school, school, content=content, headers=headers)
    here.say(f"{'posts':<18} {_counts(answer)}", **answer)


@app.command("replay")
def replay_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.ndjson", help="One CloudEvent in JSON a line.")],
    key: Annotated[str, typer.Option(help="The key of the campus system whose events they are.")],
    rate: Annotated[float | None, typer.Option(help="Most events a second; default: as fast as they are taken.", min=0.001)] = None,
) -> None:
    """Post events from a file, in order; sends again until they are taken, and names the refused ones."""
    from services.cli.replay import Outcome, replay  # noqa: PLC0415 - only this command needs it

    here: Installation = context.obj
    if not file.is_file():
        raise Failure(f"{file} is not a file")
    client = connect(here.url, key)
    with _progress(file.stat().st_size, quiet=here.json) as advance:

        def watch(dealt_with: int, so_far: Outcome) -> None:
            advance(dealt_with, f"{so_far.accepted:,} accepted, {so_far.left_out:,} left out")

        outcome = replay(client, file, rate, watch)
    a_second = outcome.accepted / outcome.seconds if outcome.seconds else 0.0
    here.say(
        f"{outcome.accepted:,} events accepted in {outcome.seconds:.1f} s ({a_second:,.0f} a second).",
        accepted=outcome.accepted,
        left_out=outcome.left_out,
        seconds=round(outcome.seconds, 3),
    )
    if outcome.left_out:
        raise Failure(f"{outcome.left_out:,} events were left out, each named above")


@app.command("wait")
def wait(
    context: typer.Context,
    school: School,
    timeout: Annotated[float | None, typer.Option(help="Most seconds to wait; default: no limit.")] = None,
) -> None:
    """Return when every service has taken in all that was accepted before this call."""
    here: Installation = context.obj
    here.client().settle(school, seconds=timeout)
    here.say(f"Everything accepted at {school} has been taken in.", school=school)


@app.command("rebuild")
def rebuild(context: typer.Context, school: School) -> None:
    """Add up a school's sums and tell its warnings anew from the observation log, while intake goes on.

    Interrupted, the same command goes on where it was.
    """
    here: Installation = context.obj
    client = here.client()
    client.call("POST", "/api/v1/monitoring/rebuild", params=of(school))
    with _progress(1, quiet=here.json) as move:
        while True:
            state = client.call("GET", "/api/v1/monitoring/rebuild", params=of(school)).json()
            move(state["done"] / max(state["of"], 1), f"{state['done']:,} of {state['of']:,} observations")
            if state["status"] == "finished":
                break
            time.sleep(0.2)  # a person watches; asking more often would only slow it down
    found = "nothing differed" if state["before"] == state["after"] else f"what differed was mended ({state['mended']:,} sums)"
    here.say(f"before {state['before']}\nafter  {state['after']}\nRebuilt {school} from its log: {found}.", **state)


@app.command("lint")
def lint(
    context: typer.Context,
    school: School,
    code: Annotated[str | None, typer.Option(help="Only findings of this kind.")] = None,
) -> None:
    """Say what of a school's plans, goals and standards does not hang together or is yet to be done, and how to mend it; ends with 1 for errors."""
    here: Installation = context.obj
    asked = of(school) | given(code=code) | {"limit": "500"}
    found = here.client().call("GET", "/api/v1/planning/lint", params=asked).json()
    lines = [
        f"{each['severity']}  {each['code']}  {each['kind']} {each['object']}: {each['sentence']}\n    {each['mend']}"
        for each in found["items"]
    ]
    counts = ", ".join(f"{name} {n}" for name, n in found["counts"].items())
    shown = [f"Only the first {len(lines)} of these are shown."] if found["more"] else []
    here.say("\n".join([*lines, *shown, counts or f"Plans, goals and standards of {school} hang together."]), **found)
    if found["errors"]:
        raise typer.Exit(1)


@deadletter_commands.command("list")
def list_dead_letters(
    context: typer.Context,
    school: Annotated[str | None, typer.Option(help="Code of the school; default: every school.", metavar="CODE")] = None,
) -> None:
    """List what could not be counted, and why, newest first."""
    here: Installation = context.obj
    found = list(here.client().pages("/api/v1/deadletters", school))
    lines = [
        f"{each['id']}  {each['at']}  {each['school']}  {each['service']}  {each['topic']}  {each['detail']}" for each in found
    ]
    here.say("\n".join(lines) or "There are no dead letters.", items=found)


@deadletter_commands.command("replay")
def replay_dead_letters(context: typer.Context, ids: Annotated[list[str], typer.Argument(metavar="ID...")], school: School) -> None:
    """Hand dead letters in again, once their cause is mended."""
    here: Installation = context.obj
    client, position = here.client(), None
    for letter in ids:
        answer = client.call("POST", f"/api/v1/deadletters/{letter}/replay", params=of(school))
        position = answer.headers.get("zhengai-position", position)
    client.settle(school, position)
    here.say(f"{many(len(ids), 'dead letter', 'was', 'were')} handed in again.", replayed=ids)


@app.command("migrate")
def migrate(context: typer.Context) -> None:
    """Bring the databases of ZHENGAI_SERVICES up to date; run it before the services of a new release start."""
    from services.cli.migrate import migrate as run  # noqa: PLC0415 - loads the services, which no other command needs

    here: Installation = context.obj
    services = run()
    here.say(f"The databases of {', '.join(services)} are up to date.", services=services)


def _only_school(client: Client) -> str:
    """The installation's one school. Raises Failure where there are several, or none."""
    codes = [str(each["code"]) for each in client.pages("/api/v1/schools", None)]
    if not codes:
        raise Failure("there is no school yet: zhengai school add makes one")
    if len(codes) > 1:
        raise Failure(f"there are {len(codes)} schools ({', '.join(codes[:SCHOOLS_SHOWN])}): add --school CODE")
    return codes[0]


def _counts(file: dict[str, int]) -> str:
    """What one file of an import brought, as its answer counts it."""
    return f"{file['rows']} rows: {file['new']} new, {file['changed']} changed, {file['inactive']} now inactive"


def _zipped(folder: Path) -> bytes:
    """The folder's CSV files as one zip."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise Failure(f"{folder} holds no CSV file")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.writestr(file.name, content_of(file))
    return packed.getvalue()


def _password() -> str:
    typed = typer.get_text_stream("stdin")
    if typed.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return typed.readline().rstrip("\r\n")


@contextmanager
def _progress(size: int, *, quiet: bool) -> Iterator[Any]:
    """A bar on standard error while the block runs, where a person watches; yields what moves it."""
    from rich.console import Console  # noqa: PLC0415 - one command needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - as above

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=size)
        yield lambda completed, words: progress.update(task, completed=completed, description=words)
