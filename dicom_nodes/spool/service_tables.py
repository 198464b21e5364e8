"""Tables of the workflow services: commitments in both directions, announcements, procedure steps, the worklist."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from dicom_nodes.foundation.database import UtcDateTime
from dicom_nodes.spool.column_types import PackedUid
from dicom_nodes.spool.tables import metadata

commitment_request = Table(
    "commitment_request",
    metadata,
    Column("key", String(90), primary_key=True, comment="AE title and transaction UID"),
    Column("peer", String(16), nullable=False),
    Column("transaction_uid", String(64), nullable=False),
    Column("instances", JSON, nullable=False, comment="(SOP class, SOP instance) pairs in the order asked"),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("failures", JSON, comment="SOP instance → reason, as reported"),
    Column("reported_at", UtcDateTime),
)
"""What peers ask of us."""

commitment_transaction = Table(
    "commitment_transaction",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime, comment="the archive took the question"),
    Column("ended_at", UtcDateTime, comment="answered, or given up"),
)
"""What we ask of the archive."""

archive_commitment = Table(
    "archive_commitment",
    metadata,
    Column("sop_instance_uid", PackedUid, primary_key=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("transaction_uid", String(64), nullable=False),
    Column("committed_at", UtcDateTime, comment="what the archive has promised to keep"),
    Column("refusals", Integer, nullable=False, default=0),
    Column("reason", Integer, comment="of the last refusal: (0008,1197)"),
)

announced_instance = Table(
    "announced_instance",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("sop_instance_uid", PackedUid, primary_key=True),
    Column("announced_by", String(16), nullable=False),
    Column("announced_at", UtcDateTime, nullable=False),
)

procedure_step = Table(
    "procedure_step",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("performed_by", String(16), nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("lists_instances", Boolean, nullable=False, comment="what it made can be compared with what came"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

procedure_step_study = Table(
    "procedure_step_study",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
)

scheduled_step = Table(
    "scheduled_step",
    metadata,
    Column("order_key", Text, primary_key=True, comment="issuer and number of the filler's or placer's order"),
    Column("step_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("placer_number", Text),
    Column("placer_issuer", Text),
    Column("filler_number", Text),
    Column("filler_issuer", Text),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("start_date", String(8), nullable=False),
    Column("attributes", JSON, nullable=False, comment="the worklist item"),
    Column("original", LargeBinary, nullable=False, comment="the order message that said so last"),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("ix_scheduled_step_worklist", "state", "start_date"),
)
