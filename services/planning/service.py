"""Planning owns what is to be reached and what is done about it: plans and goals, and improvement tasks, from warning to closed."""

from datetime import timedelta

from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded, SetupChanged
from libs.common.events.standards import IndicatorActivated, StandardActivated, StandardRetired
from libs.common.service import Intake, Job, Service
from services.planning import handlers, jobs, queries
from services.planning.api import router
from services.planning.tables import Table

service = Service(
    name="planning",
    router=router,
    tables=Table.metadata,
    handlers={
        SchoolAdded: handlers.keep_school,
        SetupChanged: handlers.keep_setup,
        RosterImported: handlers.keep_roster,
        PostsImported: handlers.keep_posts,
        StandardActivated: handlers.keep_standard,
        StandardRetired: handlers.drop_standard,
        IndicatorActivated: handlers.keep_indicator,
    },
    intake={"monitoring": Intake(handlers.take_warnings)},
    takes=handlers.TAKEN,
    jobs=(
        Job(name="overdue", every=timedelta(minutes=1), run=jobs.call_overdue, schools=queries.list_schools),
        Job(name="standings", every=timedelta(minutes=1), run=jobs.renew_standings, schools=queries.list_unsettled),
        Job(name="cycles", every=timedelta(minutes=1), run=jobs.keep_cycles, schools=queries.list_schools),
        Job(name="places", every=timedelta(minutes=1), run=jobs.place_plans, schools=queries.list_unplaced),
        Job(name="due_items", every=timedelta(seconds=10), run=jobs.bring_due_items_up_to_date, schools=queries.list_due_schools),
        Job(name="workflows", every=timedelta(minutes=1), run=jobs.call_late_runs, schools=queries.list_schools),
    ),
)
