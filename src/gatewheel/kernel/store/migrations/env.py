"""Alembic's entry: runs the migrations on the connection that `store.open` hands over."""

from alembic import context

from gatewheel.kernel.store import learning  # noqa: F401 (its tables are among those of the metadata)
from gatewheel.kernel.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
