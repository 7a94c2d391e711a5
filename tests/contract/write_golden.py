"""Write a golden file for each event version that has none; what stands is never overwritten.

usage: python -m tests.contract.write_golden
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel

import libs.common.events
from libs.common.event import NAMESPACE, Event, Message, catalogue, encode

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)


def every_event() -> dict[tuple[str, int], type[Event]]:
    """The whole catalogue, by type and version."""
    for module in pkgutil.iter_modules(libs.common.events.__path__):
        importlib.import_module(f"libs.common.events.{module.name}")
    return {key: cls for key, cls in catalogue().items() if cls.__module__.startswith("libs.common.events.")}


def golden(type_: str, version: int) -> Path:
    """Where the golden file of an event version stands."""
    return GOLDEN / f"{type_}.v{version}.json"


def sample(cls: type[BaseModel]) -> dict[str, Any]:
    """A value for every field, made from its examples or its type: so that no field goes untested."""
    return {
        name: field.examples[0] if field.examples and isinstance(field.annotation, type) else value(name, field.annotation)
        for name, field in cls.model_fields.items()
    }


def value(name: str, annotation: Any) -> Any:
    """A value of this type that looks like the field's name. Raises TypeError for a type that no event had so far."""
    if (inner := [each for each in get_args(annotation) if each is not NoneType]) and get_origin(annotation) not in {list, dict}:
        return value(name, inner[0])
    if get_origin(annotation) is list:
        return [value(name, *get_args(annotation))]
    if get_origin(annotation) is dict:
        return {name: value(name, get_args(annotation)[1])}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return sample(annotation)
    simple = {
        str: name,
        bool: True,
        int: 3,
        Decimal: Decimal("0.75"),
        UUID: uuid5(NAMESPACE, name),
        date: AT.date(),
        datetime: AT,
        AwareDatetime: AT,
        Any: name,
    }
    try:
        return simple[annotation]
    except (KeyError, TypeError) as error:
        raise TypeError(f"say in write_golden.py what a sample of {annotation!r} looks like ({name})") from error


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for (type_, version), cls in sorted(every_event().items()):
        path = golden(type_, version)
        if path.exists():
            continue
        event = cls.model_validate(sample(cls))
        id_ = uuid5(NAMESPACE, f"{type_}.v{version}")
        message = Message(id_, AT, "hbpt", event, causationid=f"urn:uuid:{id_}", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        path.write_text(json.dumps(json.loads(encode(message)), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
