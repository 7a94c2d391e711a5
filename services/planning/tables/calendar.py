"""What a school says of its calendar."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.planning.tables.base import Table


class CalendarRow(Table):
    """A school's own calendar, whole; without a row it has weekends alone."""

    __tablename__ = "calendar"
    school: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
