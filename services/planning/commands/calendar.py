"""Change a school's calendar."""

from __future__ import annotations

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Forbidden, Invalid
from services.planning import queries
from services.planning.commands.due import move
from services.planning.commands.routines import something_changed
from services.planning.domain.calendar import CalendarDocument
from services.planning.tables import CalendarRow


async def change_calendar(tx: Transaction, scope: Scope, by: str, document: CalendarDocument) -> None:
    """Replace the school's calendar; the same again changes nothing. What is open and not late moves with it.

    Raises Forbidden below the whole school, Invalid for what cannot be.
    """
    if scope.places is not None:
        raise Forbidden("the calendar holds for the whole school: your posts do not cover all of it")
    if faults := document.faults():
        raise Invalid("the calendar cannot be like this", faults)
    if document == await queries.calendar_document(tx.session, scope.school):
        return
    content = document.model_dump(mode="json")
    await tx.session.merge(CalendarRow(school=scope.school, document=content, changed_at=tx.now, changed_by=by))
    queries.forget(tx.session)
    await something_changed(tx)
    await move(tx)
