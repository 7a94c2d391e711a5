"""Reporting keeps what people read: overview, timeline and the live stream."""

from libs.common.service import Service
from services.reporting.api import router
from services.reporting.tables import Table

service = Service(name="reporting", router=router, tables=Table.metadata)
