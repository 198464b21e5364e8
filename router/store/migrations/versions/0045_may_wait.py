"""Pathways whose reads may make room for others; no pathway of before does, until the seed file says so."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0040"


def upgrade() -> None:
    op.add_column("pathway", sa.Column("may_wait", sa.Boolean, nullable=False, server_default=sa.false()))
