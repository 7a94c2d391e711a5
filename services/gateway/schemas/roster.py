"""The roster and posts as callers see them."""

from datetime import datetime

from libs.common.http import View


class FileCounts(View):
    """What one file of an import brought: its rows, and how many were new, changed, or missing and so inactive."""

    rows: int
    new: int
    changed: int
    inactive: int


class RosterView(View):
    """How much is active of each kind, and the last import."""

    counts: dict[str, int]
    imported_at: datetime | None
    imported_by: str | None
