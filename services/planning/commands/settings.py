"""Change a school's settings for improvements."""

from __future__ import annotations

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Forbidden
from services.planning.domain.settings import SchoolSettings
from services.planning.queries import forget
from services.planning.tables import SettingsRow


async def change_settings(tx: Transaction, scope: Scope, by: str, settings: SchoolSettings) -> None:
    """Replace the school's settings; open improvements keep their dates and people. Raises Forbidden below the whole school."""
    if scope.places is not None:
        raise Forbidden("settings hold for the whole school: your posts do not cover all of it")
    document = settings.model_dump(mode="json")
    await tx.session.merge(SettingsRow(school=scope.school, document=document, changed_at=tx.now, changed_by=by))
    forget(tx.session)
