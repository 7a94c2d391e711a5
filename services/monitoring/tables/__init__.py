"""Rows that monitoring owns."""

from services.monitoring.tables.base import Table
from services.monitoring.tables.catalogue import IndicatorRow, MetricRow, SchoolRow
from services.monitoring.tables.observations import (
    ConflictRow,
    IdRow,
    InstallationRow,
    ObservationRow,
    SeriesRow,
    TotalRow,
    UnplacedRow,
    WordRow,
)
from services.monitoring.tables.roster import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    OrgRow,
    PersonRow,
    RosterPartRow,
    TermRow,
)
from services.monitoring.tables.warnings import WarningPlaceRow, WarningRow, WarningStepRow

__all__ = [
    "ClassRow",
    "ConflictRow",
    "CourseRow",
    "EnrollmentRow",
    "IdRow",
    "IndicatorRow",
    "InstallationRow",
    "MetricRow",
    "ObservationRow",
    "OrgRow",
    "PersonRow",
    "RosterPartRow",
    "SchoolRow",
    "SeriesRow",
    "Table",
    "TermRow",
    "TotalRow",
    "UnplacedRow",
    "WarningPlaceRow",
    "WarningRow",
    "WarningStepRow",
    "WordRow",
]
