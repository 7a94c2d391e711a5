"""Corrections and retractions: from now on everything stands as if what they amend had never been wrong."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import update

from libs.common.database import Transaction
from libs.common.events.observations import Observation
from services.monitoring.commands.counting import recount
from services.monitoring.commands.entries import Entry, entry_of
from services.monitoring.commands.rebuilding import follow
from services.monitoring.commands.reconciling import Why
from services.monitoring.commands.retelling import retell
from services.monitoring.queries import bulk
from services.monitoring.queries.amendments import ended_at_place, find_amendment, list_amendments
from services.monitoring.queries.ids import find_counted
from services.monitoring.queries.log import list_at
from services.monitoring.queries.schools import School, installation_key
from services.monitoring.tables import AmendedRow, AmendmentRow, SchoolRow


class New(Struct, frozen=True, gc=False):
    """An event that is counted now: its place in the order of counting, and the hash of its id."""

    position: int
    id: bytes
    observation: Observation

    @property
    def cause(self) -> str:
        return f"{self.observation.source}|{self.observation.id}"


async def amend(tx: Transaction, row: SchoolRow, school: School, new: New) -> None:
    """Take in a correction, whose content is logged already, or a retraction.

    The last correction counted stands; a retraction ends the original with all its corrections, also those counted later.
    Either may come before what it names: then it waits. What names a correction is about its original, but that a retraction
    takes back the correction alone.
    """
    o = new.observation
    target = o.target_hash(await installation_key(tx))
    amendment = AmendmentRow(
        school_id=school.id,
        position=new.position,
        amends=o.amends,
        root=target,
        place=None,
        voids=None,
        source=o.source,
        event=o.id,
        target=o.target,
        reason=o.reason or None,
        time=int(o.time.timestamp() * 1_000_000),
        counted_at=int(tx.now.timestamp() * 1_000_000),
    )
    counted = school.arriving.get(target) or (await find_counted(tx, school.id, school.through, [target])).get(target)
    if counted is not None and counted < new.position:  # else it comes later in the same batch
        amendment.place = counted
        if (named := await find_amendment(tx.session, school.id, counted)) is not None:
            amendment.root, amendment.place = named.root, named.place
            amendment.voids = named.position if o.amends == "retracts" else None
    tx.session.add(amendment)
    await tx.session.flush()
    if new.id in school.pending:
        await _lead_on(tx, school, new, amendment)
    if amendment.place is None:
        _wait(row, school, school.pending | {amendment.root})
        return
    await _place_corrections(tx, school, [amendment], amendment.place)
    await _settle(tx, row, school, amendment.root, amendment.place, new)


async def count_amended(tx: Transaction, row: SchoolRow, school: School, new: New) -> None:
    """Count an original that was amended before it came; it is logged already, and does not stand yet."""
    _wait(row, school, school.pending - {new.id})
    amendments = await list_amendments(tx.session, school.id, new.id)
    for amendment in amendments:
        amendment.place = new.position
    await _place_corrections(tx, school, amendments, new.position)
    await _settle(tx, row, school, new.id, new.position, new)


async def _lead_on(tx: Transaction, school: School, new: New, amendment: AmendmentRow) -> None:
    """What waited for an id that turns out to be an amendment itself is about that one's original."""
    waiting = await list_amendments(tx.session, school.id, new.id)
    for each in waiting:
        each.root, each.place = amendment.root, amendment.place
        if each.amends == "retracts" and each.voids is None:
            each.voids = amendment.position
    if amendment.place is not None:
        await _place_corrections(tx, school, waiting, amendment.place)
    school.pending.discard(new.id)


def _wait(row: SchoolRow, school: School, pending: set[bytes]) -> None:
    if pending != school.pending:
        school.pending = pending
        row.version += 1  # other workers must know what waits
        school.version = row.version


async def _place_corrections(tx: Transaction, school: School, amendments: Sequence[AmendmentRow], place: int) -> None:
    positions = [each.position for each in amendments if each.amends == "corrects"]
    sql = update(AmendedRow).where(AmendedRow.school_id == school.id, AmendedRow.position.in_(positions))
    await tx.session.execute(sql.values(place=place).execution_options(synchronize_session=False))


async def _settle(tx: Transaction, row: SchoolRow, school: School, root: bytes, place: int, new: New) -> None:
    """Let what is to stand at a place stand, and count the difference."""
    await tx.session.flush()
    amendments = await list_amendments(tx.session, school.id, root)
    voided = {each.voids for each in amendments}
    corrections = [each for each in amendments if each.amends == "corrects" and each.position not in voided]
    retraction = next((each for each in amendments if each.amends == "retracts" and each.voids is None), None)
    standing = None if retraction else corrections[-1].position if corrections else place
    ended = await ended_at_place(tx.session, school.id, place)
    before = next((position for position, by in ended.items() if by is None), None)
    after = standing if standing in ended else None
    if before == after:
        return
    for position, by in ((before, new.position), (after, None)):
        if position is not None:
            await bulk.end(tx, school.id, position, by)
    why = Why("retracted" if retraction else "corrected", new.cause, _reason(new, retraction), new.observation.traceparent)
    gone, come = [await _entries(tx, school, each) for each in (before, after)]
    changed = await recount(tx, school, [entry for _, entry in gone], [entry for _, entry in come])
    await follow(tx, school, gone, come)
    await retell(tx, row, school, changed, place, why)


def _reason(new: New, retraction: AmendmentRow | None) -> str:
    return (retraction.reason or "") if retraction else f"更正：{new.observation.id}"


async def _entries(tx: Transaction, school: School, position: int | None) -> list[tuple[int, Entry]]:
    if position is None:
        return []
    logged = await list_at(tx.session, school.id, [position])
    return [(position, entry_of(school, logged[position]))]
