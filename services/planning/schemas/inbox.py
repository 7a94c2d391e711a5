"""The inbox as people see it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from libs.common.http import Body, View


class NoticeView(View):
    """A message: what, where to read on (a path of this API), since when, and when it was read."""

    id: Annotated[int, Field(validation_alias="position")]
    kind: str
    text: str
    link: str
    at: datetime
    read_at: datetime | None


class ReadBody(Body):
    """Which messages were read; without `ids` all of them."""

    ids: Annotated[list[Annotated[int, Field(ge=1, lt=1 << 63)]] | None, Field(min_length=1, max_length=500)] = None


class UnreadView(View):
    """How many messages wait."""

    unread: int
