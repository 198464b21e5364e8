"""How often a read and a reader were changed, so that a planner reads again only what is not as it knows it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0020"


def upgrade() -> None:
    for table, comment in (("read", "grows with every change"), ("reader", "grows with every change, credentials too")):
        column = sa.Column("version", sa.Integer(), server_default="0", nullable=False, comment=comment)
        op.add_column(table, column)
    # A planner asks for all versions in every round: from the index, not from the rows, which are long.
    op.create_index("ix_read_state_version", "read", ["state", "id", "version"])
