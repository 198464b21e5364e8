"""The node's tables. The catalogue (study, series, instance) can be rebuilt from the spool; the rest cannot.

Dates and times of studies and series are kept as DICOM text (`YYYYMMDD`, `HHMMSS.FFFFFF`), because that is what
range matching compares (DICOM PS3.4 C.2.2.2.5). `attributes` holds every other header attribute by keyword.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from dicom_nodes.foundation.database import UtcDateTime
from dicom_nodes.foundation.jobs import job_table

SCHEMA_VERSION = 2

metadata = MetaData()

schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

study = Table(
    "study",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("origin", String(6), nullable=False),
    Column("patient_id", Text, index=True),
    Column("patient_id_issuer", Text),
    Column("nhs_number", String(10), index=True),
    Column("patient_name", Text),
    Column("patient_name_folded", Text, index=True, comment="case-folded, without diacritics"),
    Column("patient_birth_date", String(8), index=True),
    Column("patient_sex", String(16)),
    Column("birth_date", Date, comment="patient_birth_date where it is a date"),
    Column("accession_number", Text, index=True),
    Column("accession_issuer", Text),
    Column("study_date", String(8), index=True),
    Column("study_time", String(16)),
    Column("studied_at", UtcDateTime),
    Column("study_id", Text),
    Column("study_description", Text),
    Column("referring_physician_name", Text),
    Column("referring_physician_name_folded", Text),
    Column("exam_code", JSON),
    Column("modalities", Text, nullable=False, default="", comment="sorted, each between backslashes: \\CT\\SR\\"),
    Column("series_count", Integer, nullable=False, default=0),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", JSON, nullable=False),
    Column("sending_ae_title", String(16), nullable=False),
    Column("last_arrival", UtcDateTime, nullable=False, index=True),
    Column("growing", Boolean, nullable=False, server_default=false(), index=True),
    Column("settled_revision", Integer, nullable=False, default=0),
    Column("archived_revision", Integer, nullable=False, default=0),
)

series = Table(
    "series",
    metadata,
    Column("study_instance_uid", String(64), ForeignKey("study.study_instance_uid"), primary_key=True),
    Column("series_instance_uid", String(64), primary_key=True),
    Column("modality", String(16), index=True),
    Column("series_number", String(16)),
    Column("series_description", Text),
    Column("body_part_examined", String(16)),
    Column("series_date", String(8)),
    Column("series_time", String(16)),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", JSON, nullable=False),
    Index("ix_series_uid", "series_instance_uid"),
)

instance = Table(
    "instance",
    metadata,
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("series_instance_uid", String(64), nullable=False, index=True),
    Column("study_instance_uid", String(64), nullable=False, index=True),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("instance_number", String(16)),
    Column("digest", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("origin", String(6), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("sending_ae_title", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("archived_at", UtcDateTime),
    Index("ix_instance_place", "segment", "offset"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", String(80), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False, comment="as announced: may be no UID at all"),
    Column("study_instance_uid", Text),
    Column("transfer_syntax_uid", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("origin", String(6), nullable=False),
    Column("sending_ae_title", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Index("ix_quarantine_place", "segment", "offset"),
)

whole_segment = Table(
    "whole_segment",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False, comment="the life of which every record is in these tables"),
)

revision = Table(
    "revision",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("instance_count", Integer, nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("settled_at", UtcDateTime, nullable=False),
)

outbox_identity = Table(
    "outbox_identity",
    metadata,
    Column("outbox_id", String(36), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("sent_through", BigInteger, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
)

order_position = Table(
    "order_position",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("log_id", String(36), nullable=False),
    Column("after", BigInteger, nullable=False),
)

order = Table(
    "received_order",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
)

delivered_instance = Table(
    "delivered_instance",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

returned_report = Table(
    "returned_report",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("code", String(4), nullable=False),
    Column("reference", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

filed_report = Table(
    "filed_report",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("version", Integer, nullable=False, comment="the highest acknowledged"),
    Column("status", String(1), nullable=False, comment="the furthest acknowledged"),
)

refused_return = Table(
    "refused_return",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("code", String(4), nullable=False),
    Column("words", Text, nullable=False, comment="the partner's own; may name the patient, never leave the node"),
    Column("at", UtcDateTime, nullable=False),
)

received_report = Table(
    "received_report",
    metadata,
    Column("report_id", String(36), primary_key=True),
    Column("channel", String(10), nullable=False),
    Column("original_reference", Text, nullable=False, index=True),
    Column("original_digest", String(64), nullable=False),
    Column("original", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

job = job_table(metadata)
