"""Standards says what good means: indicators, warning lines, their versions."""

from libs.common.events.monitoring import MetricDefined
from libs.common.service import Service
from services.standards.api import router
from services.standards.handlers import keep_metric_for_indicators
from services.standards.tables import Table

service = Service(
    name="standards",
    router=router,
    tables=Table.metadata,
    handlers={MetricDefined: keep_metric_for_indicators},
)
