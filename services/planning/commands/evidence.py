"""Keep which files are evidence of what: written with what names them, so that who may see that may read the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid
from services.planning.domain.files import EvidenceOf, files_in
from services.planning.queries import files as find
from services.planning.tables import EvidenceRow


def single(document: str | None, at: str = "/document") -> dict[str, str]:
    """A document by the pointer to it; none where there is none."""
    return {} if document is None else {at: document}


def listed(evidence: Sequence[str], at: str = "/evidence") -> dict[str, str]:
    """A list of evidence, each entry by the pointer to it."""
    return {f"{at}/{n}": each for n, each in enumerate(evidence)}


async def unknown_files(tx: Transaction, texts: Iterable[str]) -> set[str]:
    """Return the files that these texts name and the school does not have."""
    named = {file for text in texts for file in files_in(text)}
    return named - await find.known_files(tx.session, tx.school, named)


async def keep_evidence(tx: Transaction, kind: EvidenceOf, about: Iterable[UUID], by: str, said: Mapping[str, str]) -> None:
    """Keep the files that somebody names as evidence of things of a kind; `said`: texts by the pointers to them.

    Raises Invalid for a file that nobody has handed in.
    """
    named = {file for text in said.values() for file in files_in(text)}
    if not named:
        return
    if unknown := await unknown_files(tx, said.values()):
        wrong = [pointer for pointer, text in said.items() if files_in(text) & unknown]
        raise Invalid("a file has to be handed in first", [Fault(pointer=each, detail="there is no such file") for each in wrong])
    for id_ in about:
        for file in sorted(named):
            await tx.session.merge(EvidenceRow(school=tx.school, sha256=file, kind=kind, about=id_, by=by))
