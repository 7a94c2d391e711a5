"""The chain lint as an endpoint."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query

from libs.common.http import Limit, Now, Read
from services.planning import queries
from services.planning.api.plans import MayRead
from services.planning.domain.lint import MENDING, lint
from services.planning.schemas.plans import FindingView, LintView

router = APIRouter(tags=["goals"])
FindingCode = Annotated[str | None, Query(pattern=f"^({'|'.join(MENDING)})$")]


@router.get("/lint")
async def read_lint(session: Read, scope: MayRead, now: Now, code: FindingCode = None, limit: Limit = 100) -> LintView:
    """Say what of the school's plans, goals and standards does not hang together, as far as the caller may see them.

    `code` asks for the findings of one kind; `counts` and `errors` are of all.
    """
    today = await queries.today_in(session, scope.school, now)
    found = list(lint(await queries.load_chain(session, scope, today)))
    counts = Counter(each.code for each in found)
    wanted = [each for each in found if code is None or each.code == code]
    items = [FindingView.model_validate(each) for each in wanted[:limit]]
    errors = sum(each.severity == "error" for each in found)
    shown = {name: counts[name] for name in MENDING if counts[name]}
    return LintView(counts=shown, errors=errors, items=items, more=len(wanted) > limit)
