"""What can be said to `zhengai metric` and `zhengai indicator`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import Failure
from services.cli.client import Client, of
from services.cli.shell import Installation, School, content_of, given, many

METRICS = "/api/v1/monitoring/metrics"
INDICATORS = "/api/v1/standards/indicators"
metric_commands = typer.Typer(help="A school's catalogue of metrics.", no_args_is_help=True)
indicator_commands = typer.Typer(help="Indicators and their warning lines.", no_args_is_help=True)


@metric_commands.command("apply")
def apply_metrics(context: typer.Context, file: Path, school: School) -> None:
    """Add metrics to the school's catalogue, or change them: a JSON file with one or a list. What is left out stays."""
    here: Installation = context.obj
    client, applied, position = here.client(), [], None
    for metric in _objects(file):
        answer = _send(client, METRICS, school, metric)
        position = answer.headers.get("zhengai-position", position)
        applied.append(answer.json())
    client.settle(school, position)
    here.say(f"{many(len(applied), 'metric')} in force at {school}.", applied=applied)


@metric_commands.command("list")
def list_metrics(context: typer.Context, school: School) -> None:
    """List the school's catalogue by code, each with its second code, grain and kind."""
    here: Installation = context.obj
    found = list(here.client().pages(METRICS, school))
    lines = [_line(each) for each in found]
    here.say("\n".join(lines) or f"{school} has no metrics.", items=found)


@metric_commands.command("template")
def apply_template(
    context: typer.Context,
    school: School,
    effective_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="From when the drafts are meant to be in force; default: today.", metavar="DATE"),
    ] = None,
    trial: Annotated[
        bool, typer.Option("--trial", help="Activated, the lines are on trial first: they count, and warn nobody.")
    ] = False,
) -> None:
    """Add the metrics of the schools' documents, and their suggested warning lines as drafts. What is there stays as it is."""
    here: Installation = context.obj
    client = here.client()
    metrics = client.change("POST", f"{METRICS}/template", school, school)
    body = given(effective_from=effective_from and f"{effective_from:%Y-%m-%d}", trial=trial or None)
    drafts = client.change("POST", f"{INDICATORS}/template", school, school, json=body)
    added, drafted = len(metrics["added"]), len(drafts["added"])
    here.say(
        f"{many(added, 'metric')} new at {school}, {len(metrics['there'])} were there; {many(drafted, 'draft')} new: activate what holds.",
        metrics=metrics,
        drafts=drafts,
    )


@indicator_commands.command("apply")
def apply_indicators(context: typer.Context, file: Path, school: School) -> None:
    """Create indicators and put them in force: a JSON file with one or a list. What is already so stays as it is."""
    here: Installation = context.obj
    client, applied, position = here.client(), [], None
    for indicator in _objects(file):
        draft = _send(client, INDICATORS, school, indicator).json()
        path = f"{INDICATORS}/{draft['code']}/versions/{draft['version']}/activate"
        answer = client.call("POST", path, params=of(school))
        position = answer.headers.get("zhengai-position", position)
        applied.append(answer.json())
    client.settle(school, position)
    versions = ", ".join(f"{each['code']} version {each['version']}" for each in applied)
    here.say(f"In force at {school}: {versions or 'nothing new'}.", applied=applied)


def _line(metric: dict[str, Any]) -> str:
    grain = ",".join(metric["grain"]) or "-"
    off = "" if metric["active"] else "  (switched off)"
    return f"{metric['code']:<24} {metric['alias'] or '-':<8} {metric['kind']:<6} {grain:<16} {metric['name']}{off}"


def _objects(file: Path) -> list[bytes]:
    """The file's objects, each as it is written: a number sent on through a float would not be the one that was meant."""
    import msgspec  # noqa: PLC0415 - two commands need it

    content = content_of(file).removeprefix(b"\xef\xbb\xbf").strip()
    try:
        if content.startswith(b"["):
            return [bytes(each) for each in msgspec.json.decode(content, type=list[msgspec.Raw])]
        return [bytes(msgspec.json.decode(content, type=msgspec.Raw))]
    except msgspec.DecodeError as error:
        raise Failure(f"{file} is not JSON: {error}") from error


def _send(client: Client, path: str, school: str, body: bytes) -> Any:
    headers = {"Content-Type": "application/json"}
    return client.call("POST", path, params=of(school), content=body, headers=headers)
