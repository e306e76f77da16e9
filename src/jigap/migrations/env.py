"""Alembic's entry: run the migrations on the connection that ``migrate`` opened."""

from alembic import context

from jigap.database import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
