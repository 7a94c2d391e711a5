"""The gateway decides who may come in: people, campus systems, the roster."""

from libs.common.service import Service
from services.gateway.api import router
from services.gateway.tables import Table

service = Service(name="gateway", router=router, tables=Table.metadata)
