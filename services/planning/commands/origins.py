"""Why there may be a new version of a plan: goals change at the end of a cycle, and otherwise for a reason that is written down."""

from __future__ import annotations

from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from libs.common.events.origin import Origin
from services.planning import queries
from services.planning.queries import proposals as proposed
from services.planning.tables import PlanRow


async def check_origin(tx: Transaction, source: PlanRow, origin: Origin, *, excepted: bool) -> None:
    """Check what is said of the version that follows `source`. `excepted`: the caller's posts let them claim an exception.

    Raises Forbidden for an exception without that, Invalid for what is no origin of a further version, and for a cycle that is not
    closed, is not of what the plan is about, or has led to a version of it before.
    """
    match origin.kind:
        case "exception" if not excepted:
            raise Forbidden("goals change at the end of a cycle: your posts do not let you make an exception")
        case "first":
            raise Invalid("not an origin", [Fault(pointer="/origin/kind", detail="there is a first version already")])
        case "cycle":
            assert origin.cycle is not None, "checked where it is read"
            cycle = await proposed.find_cycle(tx.session, source.school, origin.cycle)
            why = None
            if cycle is None or cycle.place not in await queries.plan_places(tx.session, source.id):
                why = "there is no such cycle of what the plan is about, or of what that lies in"
            elif cycle.status != "closed":
                why = "the cycle is not closed: its diagnosis comes first"
            elif await proposed.came_of(tx.session, source, origin.cycle):
                why = "a version of this plan has come of this cycle already"
            if why is not None:
                raise Invalid("not an origin", [Fault(pointer="/origin/cycle", detail=why)])


async def period_origin_faults(tx: Transaction, plan: PlanRow) -> list[Fault]:
    """What is said to be for a new plan period ends later than what stood before."""
    before = await queries.find_current(tx.session, plan.school, plan.code)
    if plan.origin["kind"] != "period" or before is None or plan.period_to > before.period_to:
        return []
    return [
        Fault(pointer="/period_to", detail=f"the origin is a new plan period, and the one before lasts until {before.period_to}")
    ]
