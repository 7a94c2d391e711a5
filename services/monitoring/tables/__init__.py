"""Rows that monitoring owns."""

from services.monitoring.tables.base import Table
from services.monitoring.tables.catalogue import IndicatorRow, MetricRow, MomentRow, SchoolRow
from services.monitoring.tables.observations import (
    AmendmentRow,
    ConflictRow,
    IdRow,
    InstallationRow,
    ObservationRow,
    RebuildRow,
    RebuiltTotalRow,
    SeriesRow,
    TallyRow,
    TotalRow,
    UnplacedRow,
    WordRow,
)
from services.monitoring.tables.roster import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    MovedRow,
    OrgRow,
    PersonRow,
    RosterPartRow,
    TermRow,
)
from services.monitoring.tables.warnings import TurnRow, WarningPlaceRow, WarningRow, WarningStepRow

__all__ = [
    "AmendmentRow",
    "ClassRow",
    "ConflictRow",
    "CourseRow",
    "EnrollmentRow",
    "IdRow",
    "IndicatorRow",
    "InstallationRow",
    "MetricRow",
    "MomentRow",
    "MovedRow",
    "ObservationRow",
    "OrgRow",
    "PersonRow",
    "RebuildRow",
    "RebuiltTotalRow",
    "RosterPartRow",
    "SchoolRow",
    "SeriesRow",
    "Table",
    "TallyRow",
    "TermRow",
    "TotalRow",
    "TurnRow",
    "UnplacedRow",
    "WarningPlaceRow",
    "WarningRow",
    "WarningStepRow",
    "WordRow",
]
