"""Alembic's environment, the same for every service; the caller hands over a connection and the service."""

from alembic import context

from libs.common.database import CommonTable

config = context.config
service = config.attributes["service"]
context.configure(
    connection=config.attributes["connection"],
    target_metadata=[CommonTable.metadata, service.tables],
    render_as_batch=True,
    compare_type=True,
    user_module_prefix="database.",
)
with context.begin_transaction():
    context.run_migrations()
