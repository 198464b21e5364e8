"""The tables of alerts: what was raised, its ladder's times, who was told, the one-time links, and leased jobs.

They stand in the same schema as `router.store.tables`.
"""

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from dicom_nodes.foundation.database import UtcDateTime
from dicom_nodes.foundation.jobs import job_table
from router.store.tables import metadata

_ID = String(64)
_ODS = String(6)

job = job_table(metadata)

alert = Table(
    "alert",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("raised_for", String(200), nullable=False, comment="report or request that asked for it"),
    Column("code", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("code_digest", String(64), nullable=False, comment="of code and scheme, which have no length"),
    Column("code_text", Text),
    Column("trust", _ODS, nullable=False),
    Column("raised_by", Text, nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("entered_at", UtcDateTime, nullable=False),
    Column("look_at", UtcDateTime, index=True, comment="when the clock has something to do; null at the end"),
    Column("report_id", _ID),
    Column("read_id", _ID),
    Column("study_instance_uid", String(64), index=True),
    Column("accession_number", Text),
    Column("accession_issuer", Text),
    Column("held_because", Text, comment="why the report waits; then the trust is the reading site"),
    Column("category", Text),
    Column("urgency", String(12)),
    Column("round", Integer, nullable=False, comment="which ladder, from 1"),
    Column("started_at", UtcDateTime, comment="of the present ladder's time"),
    Column("level", Integer, nullable=False),
    Column("deadline_at", UtcDateTime),
    Column("phone_at", UtcDateTime),
    Column("phoned_at", UtcDateTime),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_note", Text),
    Column("closed_by", Text),
    Column("closed_at", UtcDateTime),
    Column("closed_note", Text),
    UniqueConstraint("raised_for", "code_digest", name="uq_alert_raised_once"),
)

alert_step = Table(
    "alert_step",
    metadata,
    Column("alert_id", _ID, ForeignKey("alert.id"), primary_key=True),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("who", String(20), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("recipients", JSON, nullable=False),
    Column("begun_at", UtcDateTime),
)

alert_notification = Table(
    "alert_notification",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("alert_id", _ID, ForeignKey("alert.id"), nullable=False),
    Column("round", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("place", Integer, nullable=False, comment="of the recipient on its step"),
    Column("recipient", Text, nullable=False),
    Column("channel", String(40), nullable=False),
    Column("address", Text),
    Column("state", String(10), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Column("reference", Text),
    UniqueConstraint("alert_id", "round", "level", "place", name="uq_alert_notification_once"),
)

alert_link = Table(
    "alert_link",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("alert_id", _ID, ForeignKey("alert.id"), nullable=False),
    Column("notification_id", _ID, ForeignKey("alert_notification.id"), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    Index("ix_alert_link_alert_id", "alert_id"),
)
