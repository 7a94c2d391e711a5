"""Set a school up."""

from libs.common.auth import Principal, Scope
from libs.common.database import Transaction
from libs.common.errors import Invalid
from libs.common.events.gateway import SetupChanged
from services.gateway.domain.setup import Setup, faults
from services.gateway.queries.roster import school_to_change
from services.gateway.queries.setup import find_setup
from services.gateway.tables import SetupRow


async def put_setup(tx: Transaction, scope: Scope, caller: Principal, setup: Setup) -> SetupRow:
    """Write the school's set-up over the one before; the same again changes nothing. Raises Invalid for one that does not hang together."""
    await school_to_change(tx.session, scope)
    if found := faults(setup):
        raise Invalid("the set-up does not hang together", found)
    content = setup.model_dump(mode="json", exclude_defaults=True)
    row = await find_setup(tx.session, scope)
    if row is None:
        row = SetupRow(school=scope.school)
        tx.session.add(row)
    elif row.content == content:
        return row
    row.content, row.changed_at, row.changed_by = content, tx.now, caller.id
    tx.publish(SetupChanged(code=scope.school, content=content))
    return row
