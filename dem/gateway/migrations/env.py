"""Run by Alembic: brings the connection that it is given to the wanted version."""

from alembic import context

from dem.gateway.state import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
