"""Rows that monitoring owns."""

from services.monitoring.tables.base import Table
from services.monitoring.tables.catalogue import IndicatorRow, MetricRow, MomentRow, SchoolRow, TrialRow
from services.monitoring.tables.effects import EffectRow, LateRow
from services.monitoring.tables.following import FollowedRow, UntoldRow
from services.monitoring.tables.observations import (
    AmendedRow,
    AmendmentRow,
    ConflictRow,
    IdBlockRow,
    InstallationRow,
    LogBlockRow,
    RebuildRow,
    RebuiltTotalRow,
    SourceRow,
    TallyRow,
    TaughtRow,
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
    "AmendedRow",
    "AmendmentRow",
    "ClassRow",
    "ConflictRow",
    "CourseRow",
    "EffectRow",
    "EnrollmentRow",
    "FollowedRow",
    "IdBlockRow",
    "IndicatorRow",
    "InstallationRow",
    "LateRow",
    "LogBlockRow",
    "MetricRow",
    "MomentRow",
    "MovedRow",
    "OrgRow",
    "PersonRow",
    "RebuildRow",
    "RebuiltTotalRow",
    "RosterPartRow",
    "SchoolRow",
    "SourceRow",
    "Table",
    "TallyRow",
    "TaughtRow",
    "TermRow",
    "TotalRow",
    "TrialRow",
    "TurnRow",
    "UnplacedRow",
    "UntoldRow",
    "WarningPlaceRow",
    "WarningRow",
    "WarningStepRow",
    "WordRow",
]
