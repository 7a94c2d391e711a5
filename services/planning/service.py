"""Planning owns what is done about it: improvement tasks, from warning to closed."""

from datetime import timedelta

from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded
from libs.common.events.monitoring import MetricDefined, WarningCleared, WarningDismissed, WarningEscalated, WarningRaised
from libs.common.service import Job, Service
from services.planning import handlers, jobs
from services.planning.api import router
from services.planning.tables import Table

service = Service(
    name="planning",
    router=router,
    tables=Table.metadata,
    handlers={
        SchoolAdded: handlers.keep_school,
        RosterImported: handlers.keep_roster,
        PostsImported: handlers.keep_posts,
        MetricDefined: handlers.keep_metric,
        WarningRaised: handlers.open_improvement_for_warning,
        WarningEscalated: handlers.hurry_improvement_of_worse_warning,
        WarningCleared: handlers.remember_cleared_warning,
        WarningDismissed: handlers.close_improvement_of_dismissed_warning,
    },
    jobs=(Job(name="overdue", every=timedelta(minutes=1), run=jobs.call_overdue),),
)
