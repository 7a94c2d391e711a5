"""Tell people what concerns them (站内消息), and let them mark it as read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import update

from libs.common.database import Transaction, in_batches
from services.planning import queries
from services.planning.tables import NoticeRow


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told. `key` names it: a person is told it once; `link` is the API's path to what it is about."""

    person: str
    key: str
    kind: str
    text: str
    link: str


async def tell(tx: Transaction, notices: Iterable[Notice], *, school: str | None = None) -> None:
    """Tell each person, with this transaction or not at all, what they have not been told before. `school` None: the transaction's."""
    school = school or tx.school
    new = {(each.person, each.key): each for each in notices}
    told = await queries.told_before(tx.session, school, sorted({key for _, key in new}))
    rows = [{"school": school, "at": tx.now, **asdict(each)} for name, each in new.items() if name not in told]
    await tx.insert(NoticeRow, rows)


async def mark_read(tx: Transaction, person: str, ids: Sequence[int] | None) -> None:
    """Mark a person's messages as read, None: all of them; what is read already or is another's stays as it is."""
    mine = update(NoticeRow).where(NoticeRow.school == tx.school, NoticeRow.person == person, NoticeRow.read_at.is_(None))
    if ids is None:
        await tx.session.execute(mine.values(read_at=tx.now))
        return
    for some in in_batches(ids, queries.IN_AT_ONCE):
        await tx.session.execute(mine.where(NoticeRow.position.in_(some)).values(read_at=tx.now))
