"""Rows that planning owns, and its copies of what others own."""

from services.planning.tables.agreements import AgreementPlaceRow, AgreementRow, AgreementTaskRow
from services.planning.tables.base import Table
from services.planning.tables.calendar import CalendarRow
from services.planning.tables.copies import (
    CourseRow,
    EnrollmentRow,
    FollowedRow,
    HomeroomRow,
    IndicatorRow,
    MeasuredRow,
    MetricRow,
    OrgRow,
    PersonRow,
    PostRow,
    SchoolRow,
    SessionRow,
    SetupRow,
    StandardRow,
)
from services.planning.tables.due import DueItemRow, DuePlaceRow, RoutinesRow, TeacherKindsRow
from services.planning.tables.effects import EffectRow
from services.planning.tables.files import FileRow, UploadRow
from services.planning.tables.guarantees import BudgetRow, EntryRow, GuaranteeRow, ProtectionRow, RecordRow, SpendingRow
from services.planning.tables.improvements import HistoryRow, ImprovementRow, PlaceRow, SettingsRow
from services.planning.tables.inbox import NoticeRow
from services.planning.tables.plans import (
    DeliveryRow,
    GoalHistoryRow,
    GoalRow,
    LinkRow,
    PlanHistoryRow,
    PlanPlaceRow,
    PlanRow,
    StandingRow,
)
from services.planning.tables.spiral import CyclePlaceRow, CycleRow, ProposalPlaceRow, ProposalRow, RoundRow
from services.planning.tables.tasks import (
    DutyRow,
    ProjectRow,
    ResolutionRow,
    TaskPlaceRow,
    TaskRow,
    TaskStepRow,
    TaskVersionRow,
)
from services.planning.tables.workflows import FilingRow, PackageRow, PaperPlaceRow, RuleRow, RunHistoryRow, RunRow

__all__ = [
    "AgreementPlaceRow",
    "AgreementRow",
    "AgreementTaskRow",
    "BudgetRow",
    "CalendarRow",
    "CourseRow",
    "CyclePlaceRow",
    "CycleRow",
    "DeliveryRow",
    "DueItemRow",
    "DuePlaceRow",
    "DutyRow",
    "EffectRow",
    "EnrollmentRow",
    "EntryRow",
    "FileRow",
    "FilingRow",
    "FollowedRow",
    "GoalHistoryRow",
    "GoalRow",
    "GuaranteeRow",
    "HistoryRow",
    "HomeroomRow",
    "ImprovementRow",
    "IndicatorRow",
    "LinkRow",
    "MeasuredRow",
    "MetricRow",
    "NoticeRow",
    "OrgRow",
    "PackageRow",
    "PaperPlaceRow",
    "PersonRow",
    "PlaceRow",
    "PlanHistoryRow",
    "PlanPlaceRow",
    "PlanRow",
    "PostRow",
    "ProjectRow",
    "ProposalPlaceRow",
    "ProposalRow",
    "ProtectionRow",
    "RecordRow",
    "ResolutionRow",
    "RoundRow",
    "RoutinesRow",
    "RuleRow",
    "RunHistoryRow",
    "RunRow",
    "SchoolRow",
    "SessionRow",
    "SettingsRow",
    "SetupRow",
    "SpendingRow",
    "StandardRow",
    "StandingRow",
    "Table",
    "TaskPlaceRow",
    "TaskRow",
    "TaskStepRow",
    "TaskVersionRow",
    "TeacherKindsRow",
    "UploadRow",
]
