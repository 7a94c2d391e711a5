"""Find a template, read it, and move it to the period that a school plans for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from libs.common.reasons import reason_of, where_of
from services.cli import Failure
from services.cli.shell import content_of
from services.cli.template import lines
from services.cli.template.model import Template, template_faults
from services.cli.template.plans import moved as shifted
from services.cli.template.writing import said
from services.gateway.domain.setup import Period
from services.planning.domain.goals import KEPT

FOLDER = Path(__file__).parents[1] / "templates"
PLACE = "{period}"
SHOWN = 10
WIDE = 128
FIRST = ("code", "format", "name", "name_en", "family")
_DIGITS = "〇一二三四五六七八九"
_FIRST_PLAN = 1951  # the years of the state's five-year plans are counted from here on, but for the break after the second
_FIVE = 5
_REGULAR = 1971  # the fourth, from which on each follows the one before


def names() -> list[str]:
    """The templates that come with the product."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def find(template: str) -> Path:
    """The file of a template: by its name, or a file of one's own. Raises Failure."""
    if template in names():
        return FOLDER / f"{template}.json"
    if template.endswith(".json"):
        return Path(template)
    raise Failure(f"there is no template {template!r}: there are {', '.join(names())}, or a file FILE.json of your own")


def read_template(file: Path) -> Template:
    """Read a template. Raises Failure, with line and reason, for one that cannot be loaded."""
    try:
        text = content_of(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{file.name} is not UTF-8") from error
    value, found = lines.read(text, file.name)
    try:
        template = Template.model_validate(value, context=KEPT)
    except ValidationError as error:
        said = [(where_of(fault), reason_of(fault)) for fault in error.errors(include_url=False, include_input=False)]
        raise _refusal(file.name, found, said) from error
    if faults := template_faults(template):
        raise _refusal(file.name, found, [(lines.path_of(fault["pointer"]), fault["detail"]) for fault in faults])
    return template


def _refusal(name: str, found: dict[lines.Path, int], faults: list[tuple[lines.Path, str]]) -> Failure:
    said = sorted((lines.line_of(found, path), "/".join(map(str, path)), reason) for path, reason in faults)
    words = [f"{name}, line {line}: {path or 'the whole'}: {reason}" for line, path, reason in said[:SHOWN]]
    return Failure("; ".join([*words, f"and {len(said) - SHOWN} more"] if len(said) > SHOWN else words))


def period_of(text: str) -> Period:
    """A period as it is given at the shell. Raises Failure."""
    match = re.fullmatch(r"(\d{4})-(\d{4})", text, re.ASCII)
    try:
        return Period(first=int(match[1]), last=int(match[2])) if match else _no_period(text)
    except ValidationError as error:
        raise Failure(f"--period {text}: {reason_of(error.errors()[0])}") from error


def _no_period(text: str) -> Period:
    raise Failure(f"--period {text} is no period: it looks like 2026-2030")


def label(period: Period) -> str:
    """A period as people write it: that of a five-year plan of the state by the plan's number (“十五五”), another by its years."""
    number, rest = divmod(period.first - _FIRST_PLAN, _FIVE)
    if rest or period.last - period.first != _FIVE - 1 or period.first < _REGULAR:
        return f"{period.first}—{period.last}年"
    return f"“{_numeral(number)}五”"


def _numeral(number: int) -> str:
    tens, ones = divmod(number, 10)
    return ("" if tens == 0 else "十" if tens == 1 else f"{_DIGITS[tens]}十") + (_DIGITS[ones] if ones or not tens else "")


def moved(template: Template, period: Period | None) -> Template:
    """The template of a period (None: its own), names and all; what `returned` undoes. Raises Failure for a name that gets too long."""
    period = period or template.period
    years = period.first - template.period.first
    plans = [shifted(plan, years) for plan in template.plans]
    return _renamed(template, PLACE, label(period)).model_copy(update={"period": period, "plans": plans})


def _renamed(template: Template, old: str, new: str) -> Template:
    """The template with other words in its names. Raises Failure where a name becomes too long, or empty."""
    text = template.model_dump_json(exclude_defaults=True).replace(old, new)
    try:
        return Template.model_validate_json(text, context=KEPT)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise Failure(f"{'/'.join(map(str, fault['loc']))}: with {new!r} for {old!r}: {reason_of(fault)}") from error


def written(template: Template) -> str:
    """A template as a file: a short part a line."""
    return _written({"format": template.format, **said(template)}, 0) + "\n"


def _written(value: Any, indent: int) -> str:
    if isinstance(value, dict) and "code" in value:
        value = {**{name: value[name] for name in FIRST if name in value}, **value}
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDE or not isinstance(value, dict | list):
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        parts = [f"{pad}{json.dumps(name, ensure_ascii=False)}: {_written(part, indent + 1)}" for name, part in value.items()]
    else:
        parts = [pad + _written(part, indent + 1) for part in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return "\n".join((begin, ",\n".join(parts), " " * indent + end))


def returned(template: Template) -> Template:
    """The template as it can be moved to another period."""
    return _renamed(template, label(template.period), PLACE)
