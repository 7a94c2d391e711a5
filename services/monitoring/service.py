"""Monitoring says what is: observations, sums per subject and window, warnings.

It owns each school's metrics, observation log, sums, warnings and
the effects of improvements, and keeps copies of the roster and of activated indicators.
"""

from libs.common.events import planning, standards
from libs.common.events.gateway import RosterImported, SchoolAdded, SourceAdded
from libs.common.events.planning import (
    ImprovementClosed,
    ImprovementOpened,
    ImprovementReopened,
    ImprovementStarted,
    ImprovementVerified,
)
from libs.common.events.standards import IndicatorActivated, IndicatorTried, TrialAbandoned
from libs.common.service import Intake, Service
from services.monitoring.api import router
from services.monitoring.handlers import (
    abandon_trial,
    activate_indicator,
    add_school,
    await_effect,
    follow_measurements,
    label_source,
    link_improvement,
    mark_improving,
    note_closed,
    note_reopened,
    read_observations,
    take_observations,
    take_roster,
    try_indicator,
)
from services.monitoring.jobs import JOBS
from services.monitoring.tables import Table

service = Service(
    name="monitoring",
    router=router,
    tables=Table.metadata,
    handlers={
        SchoolAdded: add_school,
        SourceAdded: label_source,
        RosterImported: take_roster,
        IndicatorActivated: activate_indicator,
        IndicatorTried: try_indicator,
        TrialAbandoned: abandon_trial,
        ImprovementOpened: link_improvement,
        ImprovementStarted: mark_improving,
        ImprovementVerified: await_effect,
        ImprovementClosed: note_closed,
        ImprovementReopened: note_reopened,
        standards.MeasureWanted: follow_measurements,
        planning.MeasureWanted: follow_measurements,
    },
    intake={"observations": Intake(take_observations, read_observations)},
    jobs=JOBS,
)
