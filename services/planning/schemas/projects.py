"""Request and response bodies of what tasks are linked to: resolutions, duties, projects."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import model_validator

from libs.common.days import Day
from libs.common.http import Body, View
from libs.common.reasons import at
from services.planning.domain.goals import KEPT, Code, Id, Line, Words
from services.planning.domain.tasks import Project
from services.planning.tables import ProjectRow


class ResolutionBody(Body):
    """A resolution of the leadership, known by its number."""

    number: Line
    date: Day
    title: Line


class ResolutionView(View):
    number: str
    date: date
    title: str


class DutyBody(Body):
    """A duty of a unit, of a post, or of a post in a unit."""

    unit: Id | None = None
    post: Line | None = None
    text: Words

    @model_validator(mode="after")
    def _somebodys(self) -> Self:
        if self.unit is None and self.post is None:
            raise at("unit", "a duty is of a unit or of a post")
        return self


class DutyView(View):
    id: UUID
    unit: str | None
    post: str | None
    text: str


class ProjectView(View):
    code: Code
    project: Project
    changed_at: datetime
    changed_by: str


def project_view(row: ProjectRow) -> ProjectView:
    project = Project.model_validate(row.content, context=KEPT)
    return ProjectView(code=row.code, project=project, changed_at=row.changed_at, changed_by=row.changed_by)
