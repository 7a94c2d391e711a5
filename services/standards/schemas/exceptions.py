"""Response body of exceptions."""

from __future__ import annotations

from datetime import datetime

from libs.common.http import View


class ExceptionView(View):
    """`kind` is `indicator` or `standard`; the reason `unstated`: nobody gave one. `confirmed_by` null: nobody has put it in force.

    An indicator without a reason may be confirmed by who wrote it: then both are the same.
    """

    kind: str
    code: str
    version: int
    reason: str
    by: str
    at: datetime
    confirmed_by: str | None
