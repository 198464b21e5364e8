"""Alerts are found by their study: for what repeats one, and beside the study's reads."""

from alembic import op

revision = "0060"
down_revision = "0055"


def upgrade() -> None:
    op.create_index("ix_alert_study_instance_uid", "alert", ["study_instance_uid"])
