"""Request and response bodies of letters of responsibility."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from libs.common.http import Body, View
from services.planning.domain.agreements import AgreementStatus
from services.planning.domain.goals import Code, Id
from services.planning.schemas.improvements import Ids
from services.planning.tables import AgreementRow


class IssueBody(Body):
    """Which agreements: a kind of the set-up and a year; of one unit, or of everybody whom it is with."""

    kind: Code
    year: Annotated[int, Field(ge=2000, le=2200)]
    unit: Id | None = None


class SignBody(Body):
    """The hash of what the signer was shown: where it is given, nothing else is signed."""

    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class SignManyBody(Body):
    ids: Ids


class AgreementItem(View):
    """An agreement in a list; `tasks` counts the versions of tasks that it freezes, `signer` is who is asked to sign."""

    id: UUID
    kind: str
    name: str
    year: int
    unit: str | None
    holder: str | None
    party: str
    version: int
    newest: bool
    status: AgreementStatus
    tasks: int
    signer: str | None
    signer_name: str | None
    signed_by: str | None
    signed_at: datetime | None


class AgreementView(AgreementItem):
    """An agreement whole: what it says, and the SHA-256 of that as JSON with sorted keys."""

    content: dict[str, Any]
    hash: str
    issued_at: datetime
    issued_by: str
    outdated_at: datetime | None


class IssuedView(View):
    """The agreements that were issued, and how many stay as they are."""

    made: int
    there: int
    items: list[AgreementItem]


class SignedView(View):
    items: list[AgreementItem]


def agreement_item(row: AgreementRow, names: Mapping[str, str]) -> AgreementItem:
    return AgreementItem.model_validate(_shown(row, names))


def agreement_view(row: AgreementRow, names: Mapping[str, str]) -> AgreementView:
    return AgreementView.model_validate(_shown(row, names))


def _shown(row: AgreementRow, names: Mapping[str, str]) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in AgreementRow.__table__.columns}
    content = row.content
    said = {"name": content["name"], "party": content["party"], "tasks": len(content["tasks"])}
    return {**columns, **said, "signer_name": names.get(row.signer or "")}
