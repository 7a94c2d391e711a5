"""Write the pages of docs/ that are generated from the code: settings, events, metrics, the API.

usage: python -m tests.contract.write_docs
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin
from uuid import UUID

from prometheus_client import REGISTRY, Counter
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from libs.common import telemetry
from libs.common.event import Event
from libs.common.settings import PREFIX, Settings
from services.app import ALL, load
from services.openapi import METHODS, openapi
from tests.contract.write_golden import every_event

DOCS = Path(__file__).parents[2] / "docs"


def settings() -> str:
    """Every environment variable that a process reads."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", code(shown(field.default)), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return page(
        "Settings",
        "Every environment variable that Zhengai reads. None is needed: the defaults run everything in one process. A misspelt "
        "`ZHENGAI_…` is refused at start. In URLs, `{service}` stands for the service's name and `{home}` for the data folder.",
        table(("Variable", "Default", "Meaning"), rows),
    )


def shown(default: Any) -> str:
    """A default as one would write it into the environment."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(int(default))
    return ",".join(default) if isinstance(default, tuple) else str(default)


def events() -> str:
    """Every event, in every version that is still read."""
    every = every_event()
    sections: list[str] = []
    for producer in sorted({cls.producer() for cls in every.values()}):
        sections.append(f"## {producer}")
        sections += [section(cls) for (type_, version), cls in sorted(every.items()) if cls.producer() == producer]
    return page(
        "Events",
        "What services tell one another. Each travels as one structured CloudEvents 1.0 JSON: `id`, `source` "
        "(`urn:zhengai:<service>`), `type`, `time`, the extensions `school`, `causationid` and `traceparent`, and as `data` the fields "
        "below. The topic is the producer's name, the key is the school. How a version is changed: "
        "[decision 5](decisions/0005-event-versioning.md). A payload of each stands in `tests/contract/golden/`.",
        "\n\n".join(sections),
    )


def api() -> str:
    """Every route of the API, by the part of the installation that it is about."""
    parts: dict[str, list[tuple[str, str, str]]] = {}
    for path, item in openapi({name: load(name) for name in ALL})["paths"].items():
        for method in METHODS:
            if path.startswith("/api/") and (said := item.get(method)) is not None:
                does = said.get("description", said["summary"]).split("\n\n")[0].replace("\n", " ")
                row = (f"`{method.upper()} {path.removeprefix('/api/v1')}`", does, code(said.get("x-permission", "")))
                parts.setdefault(said["tags"][0], []).append(row)
    sections = [f"## {tag}\n\n{table(('Route', 'What it does', 'Permission'), rows)}" for tag, rows in sorted(parts.items())]
    return page(
        "API",
        "Every route, below `/api/v1`. Bodies and answers, those of standards and planning with an example, stand in `/openapi.json` and `/docs` of a running "
        "installation; who has which permission is in `services/gateway/domain/policy.py`.",
        "\n\n".join(sections),
    )


def section(cls: type[Event]) -> str:
    """One version of one event."""
    takers = [name for name in ALL if cls in {*load(name).handlers, *load(name).takes}]
    heading = f"### {cls.wire_type()}\n\n{paragraphs(cls)}"
    taken = f"Handled by {', '.join(takers)}." if takers else "Handled by no service yet."
    parts = [fields(f"{inner.__name__}: {paragraphs(inner)}", inner) for inner in parts_of(cls)]
    return "\n\n".join([heading, taken, fields("", cls), *parts])


def fields(title: str, cls: type[BaseModel]) -> str:
    rows = (
        (f"`{name}`", kind(field.annotation), "yes" if field.is_required() else f"no: {code(default_of(field))}")
        for name, field in cls.model_fields.items()
    )
    return "\n\n".join(filter(None, [title, table(("Field", "Type", "Required"), rows)]))


def default_of(field: FieldInfo) -> str:
    return "null" if field.default is None else json.dumps(field.get_default(call_default_factory=True), ensure_ascii=False)


def kind(annotation: Any) -> str:
    """A type as a reader of JSON would say it."""
    inner = [each for each in get_args(annotation) if each is not NoneType]
    if get_origin(annotation) is list:
        return f"list of {kind(inner[0])}"
    if NoneType in get_args(annotation):
        return f"{kind(inner[0])} or null"
    words = {
        str: "string",
        bool: "boolean",
        int: "integer",
        Decimal: "decimal, as a string",
        UUID: "UUID",
        date: "date",
        AwareDatetime: "instant",
    }
    return words.get(annotation) or str(getattr(annotation, "__name__", annotation))


def parts_of(cls: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that the fields of an event are made of."""
    found: dict[str, type[BaseModel]] = {}
    for field in cls.model_fields.values():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found[inner.__name__] = inner
    return list(found.values())


def metrics() -> str:
    """Every metric that a process exports."""
    ours = {metric for name, metric in vars(telemetry).items() if name.isupper() and metric in set(REGISTRY._collector_to_names)}
    rows = sorted(
        (
            code(metric._name + ("_total" if isinstance(metric, Counter) else "")),
            metric._type,
            ", ".join(metric._labelnames),
            metric._documentation,
        )
        for metric in ours
    )
    return page(
        "Metrics",
        "What each process exports at `/metrics` for Prometheus, besides the usual ones of Python and the process. Alerts on them stand "
        "in `deploy/prometheus/alerts.yml`, the dashboard in `deploy/grafana/dashboard.json`.",
        table(("Metric", "Kind", "Labels", "Meaning"), rows),
    )


def paragraphs(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *((cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(title: str, opening: str, body: str) -> str:
    return f"# {title}\n\n<!-- Written by `make docs` from the code; edit the code, not this page. -->\n\n{opening}\n\n{body}\n"


PAGES: dict[str, Callable[[], str]] = {"settings.md": settings, "events.md": events, "metrics.md": metrics, "api.md": api}


def main() -> None:
    for name, content in PAGES.items():
        (DOCS / name).write_text(content(), encoding="utf-8")
        print(f"wrote docs/{name}")


if __name__ == "__main__":
    main()
