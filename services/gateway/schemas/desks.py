"""A desk as callers see it."""

from typing import Any

from pydantic import Field

from libs.common.http import View


class DeskView(View):
    """What somebody sees first. `of`: the units, courses, homerooms or the student that it is about, empty: the whole school."""

    desk: str
    of: list[str]
    sections: list[dict[str, Any]] = Field(description="As `GET /api/v1/planning/desks/{desk}` has them.")
    figures: list[dict[str, Any]] = Field(description="As `GET /api/v1/monitoring/figures` has them.")
