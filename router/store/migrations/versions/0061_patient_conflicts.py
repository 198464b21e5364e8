"""Changes of patients that contradict wait for two persons, with both sides."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    op.create_table(
        "patient_conflict",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="of its human-queue item"),
        sa.Column("study_instance_uid", sa.String(64), nullable=False),
        sa.Column("origin", sa.String(6), nullable=False),
        sa.Column("how", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("study_patient", sa.JSON(), nullable=False),
        sa.Column("present", sa.JSON(), nullable=False),
        sa.Column("prior", sa.JSON(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=True),
        sa.Column("proposed_at", UtcDateTime(), nullable=True),
        sa.Column("proposed_why", sa.Text(), nullable=True),
        sa.Column("decided", sa.String(10), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["study_instance_uid"], ["study.study_instance_uid"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_patient_conflict_study_instance_uid", "patient_conflict", ["study_instance_uid"])
