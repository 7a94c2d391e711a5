"""Schools join, and their metrics become known here."""

from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Invalid
from libs.common.events.gateway import SchoolAdded
from libs.common.events.monitoring import MetricDefined
from services.gateway.commands.adding import add_once
from services.gateway.queries.metrics import forget_metrics
from services.gateway.queries.schools import find_metric, find_school
from services.gateway.tables import MetricRow, SchoolRow


async def add_school(
    tx: Transaction, *, code: str, name: str, timezone: str, year_start: str, template: str | None
) -> tuple[SchoolRow, bool]:
    """Add a school; return it, and whether it is new: the same again changes nothing.

    Raises Invalid for a template, Conflict where the school stands with other content.
    """
    if template is not None:
        raise Invalid(
            "a school is added without a template: zhengai school add --template loads one",
            [Fault(pointer="/template", detail="loaded by zhengai school add --template")],
        )
    wanted = {"name": name, "timezone": timezone, "year_start": year_start, "template": template}
    if (row := await find_school(tx.session, code)) is not None:
        if row.timezone != timezone:
            raise Conflict(f"the timezone of {code!r} is {row.timezone} and stays so: windows were laid out by it")
        if differing := [field for field, value in wanted.items() if getattr(row, field) != value]:
            raise Conflict(f"the school {code!r} is there with another {' and '.join(differing)}")
        return row, False
    row = SchoolRow(code=code, **wanted, added_at=tx.now)
    await add_once(tx, row, f"the school {code!r} was added by another request at this moment")
    tx.publish(SchoolAdded(code=code, name=name, timezone=timezone, year_start=year_start, template=template), school=code)
    return row, True


async def keep_metric(tx: Transaction, fact: MetricDefined) -> None:
    """Remember what an observation of this metric must name, and whether it takes any."""
    if (row := await find_metric(tx.session, tx.school, fact.code)) is None:
        row = MetricRow(school=tx.school, code=fact.code)
        tx.session.add(row)
    row.alias, row.grain, row.kind, row.active = fact.alias, fact.grain, fact.kind, fact.active
    school = tx.school
    tx.when_committed.append(lambda: forget_metrics(tx.database, school))
