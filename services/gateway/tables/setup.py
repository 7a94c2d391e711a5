"""How schools are set up."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.gateway.tables.base import Table


class SetupRow(Table):
    """A school's set-up: `content` is a `Setup`, whole."""

    __tablename__ = "setup"
    school: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
