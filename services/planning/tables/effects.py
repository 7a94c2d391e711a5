"""What improvements have changed: the copy of what monitoring measured."""

from typing import Any
from uuid import UUID

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.planning.tables.base import Table


class EffectRow(Table):
    """The newest measurement of an improvement's effect: `said` is what `EffectMeasured` says, as JSON."""

    __tablename__ = "effect"
    improvement: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    revision: Mapped[int]
    said: Mapped[dict[str, Any]] = mapped_column(JSON)
