"""Rows that the gateway owns."""

from services.gateway.tables.accounts import (
    AccessTokenRow,
    AccountRow,
    AttemptRow,
    DeadLetterRow,
    MetricRow,
    OperatorTokenRow,
    SchoolRow,
    SourceKeyRow,
    SourceRow,
)
from services.gateway.tables.base import Table
from services.gateway.tables.roster import (
    ClassRow,
    CourseRow,
    DelegationRow,
    EnrollmentRow,
    ImportRow,
    OrgRow,
    ParentRow,
    PersonRow,
    PostRow,
    RoleRow,
    SessionRow,
)
from services.gateway.tables.setup import SetupRow

__all__ = [
    "AccessTokenRow",
    "AccountRow",
    "AttemptRow",
    "ClassRow",
    "CourseRow",
    "DeadLetterRow",
    "DelegationRow",
    "EnrollmentRow",
    "ImportRow",
    "MetricRow",
    "OperatorTokenRow",
    "OrgRow",
    "ParentRow",
    "PersonRow",
    "PostRow",
    "RoleRow",
    "SchoolRow",
    "SessionRow",
    "SetupRow",
    "SourceKeyRow",
    "SourceRow",
    "Table",
]
