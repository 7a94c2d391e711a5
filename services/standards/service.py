"""Standards says what good means: indicators, warning lines, families of standards, their versions, ladders and judgements."""

from datetime import timedelta

from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded
from libs.common.events.monitoring import Measured, MetricDefined
from libs.common.events.planning import CycleClosed
from libs.common.service import Job, Service
from services.standards import handlers, jobs
from services.standards.api import router
from services.standards.queries.standards import list_turning
from services.standards.tables import Table

service = Service(
    name="standards",
    router=router,
    tables=Table.metadata,
    handlers={
        SchoolAdded: handlers.keep_school,
        RosterImported: handlers.keep_roster,
        PostsImported: handlers.keep_posts,
        MetricDefined: handlers.keep_metric_for_indicators,
        Measured: handlers.keep_measured,
        CycleClosed: handlers.keep_cycle,
    },
    jobs=(Job(name="standards", every=timedelta(minutes=1), run=jobs.begin_and_end_standards, schools=list_turning),),
)
