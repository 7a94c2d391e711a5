"""Planning owns what is done about it: improvement tasks, from warning to closed."""

from libs.common.service import Service
from services.planning.api import router
from services.planning.tables import Table

service = Service(name="planning", router=router, tables=Table.metadata)
