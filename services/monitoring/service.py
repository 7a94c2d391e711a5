"""Monitoring says what is: observations, sums per subject and window, warnings."""

from libs.common.service import Service
from services.monitoring.api import router
from services.monitoring.tables import Table

service = Service(name="monitoring", router=router, tables=Table.metadata)
