"""Alembic's entry: migrates over the connection that `router.store.schema` hands in, inside its transaction."""

from alembic import context

from router.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
