"""What people are told (站内消息)."""

from datetime import datetime

from sqlalchemy import Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import RowId
from services.planning.tables.base import Table


class NoticeRow(Table):
    """Something that a person is told, in the transaction in which it happened.

    `key` names what is told: a person is told it once. `link` is the path of the API where it can be read. `read_at` None: unread.
    """

    __tablename__ = "notice"
    __table_args__ = (
        Index(None, "school", "person", "position"),
        Index(None, "school", "person", "key", unique=True),
    )
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school: Mapped[str]
    person: Mapped[str]
    key: Mapped[str]
    kind: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    link: Mapped[str]
    at: Mapped[datetime]
    read_at: Mapped[datetime | None]
