"""Reporting keeps what people read: overview, timeline and the live stream."""

from datetime import timedelta

from libs.common.events import monitoring as m
from libs.common.events import planning as p
from libs.common.events.gateway import RosterImported, SchoolAdded
from libs.common.service import Job, Service
from services.reporting import handlers, jobs
from services.reporting.api import router
from services.reporting.tables import Table

service = Service(
    name="reporting",
    router=router,
    tables=Table.metadata,
    handlers={
        SchoolAdded: handlers.name_school,
        RosterImported: handlers.name_orgs,
        m.MetricDefined: handlers.define_metric,
        m.WarningRaised: handlers.raise_warning,
        m.WarningEscalated: handlers.escalate_warning,
        m.WarningCleared: handlers.clear_warning,
        m.WarningAcknowledged: handlers.acknowledge_warning,
        m.WarningImproving: handlers.improve_warning,
        m.WarningDismissed: handlers.dismiss_warning,
        m.WarningWithdrawn: handlers.withdraw_warning,
        m.WarningRevised: handlers.revise_warning,
        m.WarningStale: handlers.note_silence,
        m.WarningResumed: handlers.note_data_again,
        p.ImprovementOpened: handlers.open_improvement,
        p.ImprovementStarted: handlers.start_improvement,
        p.ImprovementSubmitted: handlers.submit_improvement,
        p.ImprovementReturned: handlers.return_improvement,
        p.ImprovementVerified: handlers.verify_improvement,
        p.ImprovementClosed: handlers.close_improvement,
        p.ImprovementReopened: handlers.reopen_improvement,
        p.ImprovementDueChanged: handlers.hurry_improvement,
        p.ImprovementOverdue: handlers.note_overdue,
        p.ImprovementPlanOverdue: handlers.note_plan_overdue,
        p.ImprovementProgressed: handlers.note_progress,
        m.EffectMeasured: handlers.note_effect,
        p.TaskAssigned: handlers.note_task_assigned,
        p.TaskVerified: handlers.note_task_verified,
        p.TaskOverdue: handlers.note_task_overdue,
        p.AgreementSigned: handlers.note_agreement_signed,
        p.DueItemOverdue: handlers.note_due_item_overdue,
    },
    jobs=(
        Job(name="count-warnings", every=timedelta(seconds=15), run=jobs.count_warnings),
        Job(name="forget-old", every=timedelta(hours=1), run=jobs.forget_old),
    ),
)
