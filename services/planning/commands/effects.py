"""Keep what monitoring says that improvements have changed."""

from __future__ import annotations

from libs.common.database import Transaction
from libs.common.events.monitoring import EffectMeasured
from services.planning.tables import EffectRow


async def keep_effect(tx: Transaction, fact: EffectMeasured) -> None:
    """The highest revision stands."""
    row = await tx.session.get(EffectRow, fact.improvement, with_for_update=True)
    said = fact.model_dump(mode="json")
    if row is None:
        tx.session.add(EffectRow(improvement=fact.improvement, school=tx.school, revision=fact.revision, said=said))
    elif fact.revision > row.revision:
        row.revision, row.said = fact.revision, said
    await tx.session.flush()
