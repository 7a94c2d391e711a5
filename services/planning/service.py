"""Planning owns what is to be reached and what is done about it: plans and goals, and improvement tasks, from warning to closed."""

from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded, SetupChanged
from libs.common.events.standards import IndicatorActivated, RevisionDue, StandardActivated, StandardRetired
from libs.common.service import Intake, Service
from services.planning import handlers, jobs
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
        RevisionDue: handlers.tell_of_revision,
    },
    intake={"monitoring": Intake(handlers.take_warnings)},
    takes=handlers.TAKEN,
    jobs=jobs.JOBS,
)
