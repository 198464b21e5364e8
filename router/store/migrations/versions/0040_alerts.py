"""Alerts with their ladders, notifications and one-time links; leased jobs."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0040"
down_revision = "0036"

_ID = sa.String(length=64)
_ODS = sa.String(length=6)


def upgrade() -> None:
    _jobs()
    _alert()
    _told()


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("destination", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("run_again", sa.Integer(), nullable=False),
        sa.Column("lease_token", sa.String(length=40), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "key", name="uq_job_kind_key"),
    )
    op.create_index("ix_job_state_run_at", "job", ["state", "run_at"], unique=False)


def _alert() -> None:
    op.create_table(
        "alert",
        sa.Column("id", _ID, nullable=False),
        sa.Column("raised_for", sa.String(length=200), nullable=False, comment="report or request that asked for it"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("code_digest", _ID, nullable=False, comment="of code and scheme, which have no length"),
        sa.Column("code_text", sa.Text(), nullable=True),
        sa.Column("trust", _ODS, nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column(
            "look_at", UtcDateTime(), nullable=True, comment="when the clock has something to do; null at the end"
        ),
        sa.Column("report_id", _ID, nullable=True),
        sa.Column("read_id", _ID, nullable=True),
        sa.Column("study_instance_uid", _ID, nullable=True),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("accession_issuer", sa.Text(), nullable=True),
        sa.Column(
            "held_because", sa.Text(), nullable=True, comment="why the report waits; then the trust is the reading site"
        ),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("urgency", sa.String(length=12), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False, comment="which ladder, from 1"),
        sa.Column("started_at", UtcDateTime(), nullable=True, comment="of the present ladder's time"),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=True),
        sa.Column("phone_at", UtcDateTime(), nullable=True),
        sa.Column("phoned_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_note", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("raised_for", "code_digest", name="uq_alert_raised_once"),
    )
    op.create_index(op.f("ix_alert_state"), "alert", ["state"], unique=False)
    op.create_index(op.f("ix_alert_look_at"), "alert", ["look_at"], unique=False)
    op.create_table(
        "alert_step",
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("who", sa.String(length=20), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.PrimaryKeyConstraint("alert_id", "round", "level"),
    )


def _told() -> None:
    op.create_table(
        "alert_notification",
        sa.Column("id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False, comment="of the recipient on its step"),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "round", "level", "place", name="uq_alert_notification_once"),
    )
    op.create_table(
        "alert_link",
        sa.Column("digest", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("notification_id", _ID, nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"]),
        sa.ForeignKeyConstraint(["notification_id"], ["alert_notification.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_alert_link_alert_id", "alert_link", ["alert_id"], unique=False)
