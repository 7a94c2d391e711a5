"""Parts of a template as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

NOTHING: tuple[Any, ...] = (None, [], {})


def said(part: BaseModel, without: Collection[str] = ()) -> dict[str, Any]:
    """A part as JSON, without what it leaves to the reader; a number is a number."""
    whole = part.model_dump(mode="python", exclude_defaults=True, exclude=set(without))
    body: dict[str, Any] = json.loads(json.dumps(whole, default=_as_json))
    return body


def _as_json(value: Decimal | date | UUID) -> float | str:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def something(value: Any) -> Any:
    """The same without fields that say nothing."""
    if isinstance(value, dict):
        return {name: something(part) for name, part in value.items() if part not in NOTHING}
    return [something(part) for part in value] if isinstance(value, list) else value
