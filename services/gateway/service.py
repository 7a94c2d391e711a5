"""The gateway decides who may come in: people, campus systems, the roster."""

from datetime import timedelta

from libs.common.events.deadletters import DeadLettered
from libs.common.events.monitoring import MetricDefined
from libs.common.service import Job, Service
from services.gateway import handlers, jobs
from services.gateway.api import router
from services.gateway.tables import Table

service = Service(
    name="gateway",
    router=router,
    tables=Table.metadata,
    handlers={
        MetricDefined: handlers.remember_metric,
        DeadLettered: handlers.list_dead_letter,
    },
    jobs=[
        Job(name="forget", every=timedelta(hours=1), run=jobs.forget),
    ],
)
