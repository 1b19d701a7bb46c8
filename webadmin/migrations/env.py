"""Alembic's environment: one transaction, on the connection that `db.migrate` hands in."""

from alembic import context

from webadmin.db import SCHEMA_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=SCHEMA_TABLE,
    transactional_ddl=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
