"""Deliveries of every version by every channel, and how each trust wants its reports."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0035"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("trust", sa.Column("returns", sa.JSON()))
    with op.batch_alter_table("delivery") as delivery:
        delivery.alter_column("order_id", existing_type=sa.String(length=64), nullable=True)
        delivery.add_column(sa.Column("queued_at", UtcDateTime()))
        delivery.add_column(sa.Column("words", sa.Text()))
        delivery.add_column(sa.Column("note", sa.Text()))
    op.execute("UPDATE delivery SET queued_at = updated_at")
    op.create_index(op.f("ix_human_queue_report_id"), "human_queue", ["report_id"], unique=False)
    op.create_index(op.f("ix_delivery_state"), "delivery", ["state"], unique=False)
