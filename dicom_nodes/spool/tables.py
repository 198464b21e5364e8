"""The node's tables. The catalogue (study, series, instance) can be rebuilt from the spool; the rest cannot.

Dates and times of studies and series are kept as DICOM text (`YYYYMMDD`, `HHMMSS.FFFFFF`), because that is what
range matching compares (DICOM PS3.4 C.2.2.2.5). `attributes` holds every other header attribute by keyword. Keys of
studies and series are never used again, so that nothing left behind can come to mean another patient's.
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
    func,
    literal_column,
)

from dicom_nodes.foundation.database import UtcDateTime
from dicom_nodes.foundation.jobs import job_table
from dicom_nodes.spool.column_types import ByteText, HexBytes, PackedUid, RowKey, UtcMicroseconds

SCHEMA_VERSION = 4

metadata = MetaData()

schema = Table("schema_version", metadata, Column("version", Integer, nullable=False))

study = Table(
    "study",
    metadata,
    Column("study_key", RowKey, primary_key=True),
    Column("study_instance_uid", ByteText, nullable=False, unique=True),
    Column("origin", String(6), nullable=False),
    Column("patient_id", ByteText),
    Column("patient_id_issuer", ByteText),
    Column("nhs_number", ByteText),
    Column("patient_name", Text),
    Column("patient_name_folded", ByteText, comment="case-folded, without diacritics"),
    Column("patient_birth_date", ByteText),
    Column("patient_sex", String(16)),
    Column("birth_date", Date, comment="patient_birth_date where it is a date"),
    Column("accession_number", ByteText),
    Column("accession_issuer", ByteText),
    Column("study_date", ByteText),
    Column("study_time", String(16)),
    Column("studied_at", UtcDateTime),
    Column("study_id", Text),
    Column("study_description", Text),
    Column("referring_physician_name", Text),
    Column("referring_physician_name_folded", ByteText),
    Column("exam_code", JSON),
    Column("modalities", Text, nullable=False, default="", comment="sorted, each between backslashes: \\CT\\SR\\"),
    Column("series_count", Integer, nullable=False, default=0),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", JSON, nullable=False),
    Column("sending_ae_title", String(16), nullable=False),
    Column("last_arrival", UtcDateTime, nullable=False),
    Column("growing", Boolean, nullable=False, server_default=false()),
    Column("settled_revision", Integer, nullable=False, default=0),
    Column("archived_revision", Integer, nullable=False, default=0),
    Column("evicted_at", UtcDateTime, comment="when its instances were let go of; NULL: the spool has some"),
    Index("ix_study_evictable", "evicted_at", "last_arrival"),
    sqlite_autoincrement=True,
)

patient_id_text = func.coalesce(study.c.patient_id, literal_column("''"))
patient_issuer_text = func.coalesce(study.c.patient_id_issuer, literal_column("''"))
"""Patients in an order without NULL, so that a page of an answer can say where the next begins."""

Index("ix_study_patient", patient_id_text, patient_issuer_text, study.c.study_key)
Index("ix_study_accession", study.c.accession_number, study.c.study_key)
Index("ix_study_nhs_number", study.c.nhs_number, study.c.study_key)
Index("ix_study_birth_date", study.c.patient_birth_date, study.c.study_key)
Index("ix_study_date", study.c.study_date, study.c.study_key)
Index("ix_study_last_arrival", study.c.last_arrival)
Index("ix_study_growing", study.c.last_arrival, sqlite_where=study.c.growing, postgresql_where=study.c.growing)

study_name = Table(
    "study_name",
    metadata,
    Column("folded", ByteText, primary_key=True, comment="a component group of the patient's name, or all of it"),
    Column("study_key", RowKey, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""What a study is found by under its patient's name: see `search_entries`."""

study_modality = Table(
    "study_modality",
    metadata,
    Column("modality", ByteText, primary_key=True),
    Column("study_date", ByteText, primary_key=True, comment="empty where the study has none"),
    Column("study_key", RowKey, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""What a study is found by under each of its modalities: see `search_entries`."""

series = Table(
    "series",
    metadata,
    Column("series_key", RowKey, primary_key=True),
    Column("study_instance_uid", ByteText, ForeignKey("study.study_instance_uid"), nullable=False),
    Column("series_instance_uid", ByteText, nullable=False),
    Column("modality", String(16)),
    Column("series_number", String(16)),
    Column("series_description", Text),
    Column("body_part_examined", String(16)),
    Column("series_date", String(8)),
    Column("series_time", String(16)),
    Column("instance_count", Integer, nullable=False, default=0),
    Column("attributes", JSON, nullable=False),
    Index("ix_series_of_study", "study_instance_uid", "series_instance_uid", unique=True),
    Index("ix_series_uid", "series_instance_uid", "series_key"),
    sqlite_autoincrement=True,
)

instance_kind = Table(
    "instance_kind",
    metadata,
    Column("kind_key", Integer, primary_key=True),
    Column("fingerprint", HexBytes, nullable=False, unique=True, comment="of all that follows"),
    Column("sop_class_uid", Text, nullable=False),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("origin", String(6), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("sending_ae_title", String(16), nullable=False),
    Column("attributes", JSON, nullable=False),
    sqlite_autoincrement=True,
)
"""What many instances have in common, written once."""

instance = Table(
    "instance",
    metadata,
    Column("series_key", RowKey, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("received_at", UtcMicroseconds, nullable=False),
    Column("archived_at", UtcMicroseconds),
    Column("epoch", BigInteger),
    Column("offset", BigInteger),
    Column("segment", Integer, comment="where in the spool; NULL: evicted from it"),
    Column("kind_key", Integer, nullable=False),
    Column("sop_instance_uid", PackedUid, primary_key=True),
    Column("digest", HexBytes, nullable=False),
    Column("instance_number", String(16)),
    Column("acquisition_number", String(16)),
    Column("content_time", String(16)),
    Index("ix_instance_series", "series_key", "kind_key"),
    Index("ix_instance_place", "segment", "offset"),
)
"""One compact row an instance (widest columns first: PostgreSQL pads); read it through `instances.stored_instance`."""

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
    Column("wanted_bytes", BigInteger, nullable=False, comment="what the records take that rows still lead to"),
)

damaged_object = Table(
    "damaged_object",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("noticed_at", UtcDateTime, nullable=False),
)

scrubbing = Table(
    "scrubbing",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("begun_at", UtcDateTime, nullable=False, comment="when this pass over the spool began"),
    Column("segment", Integer, nullable=False, comment="the last object that was looked at"),
    Column("offset", BigInteger, nullable=False),
    Column("is_done", Boolean, nullable=False),
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
    Column("study_instance_uid", String(64), index=True, comment="of the study it is about, if any"),
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

begun_version = Table(
    "begun_version",
    metadata,
    Column("study_instance_uid", String(64), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("version", Integer, primary_key=True, comment="its sending was begun; it may have arrived"),
)

report_loss = Table(
    "report_loss",
    metadata,
    Column("order_id", String(36), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("losses", JSON, nullable=False, comment="sentences that quote nothing of the report"),
    Column("at", UtcDateTime, nullable=False),
)
"""What a channel could not carry of a report that it was sent all the same."""

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
    Column("channel", String(20), nullable=False),
    Column("original_reference", Text, nullable=False, index=True),
    Column("original_digest", String(64), nullable=False),
    Column("original", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

refused_report = Table(
    "refused_report",
    metadata,
    Column("refusal_id", String(36), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("answer", String(4), nullable=False),
    Column("reason", Text, nullable=False, comment="what is wrong and where; quotes nothing"),
    Column("original_digest", String(64), nullable=False),
    Column("original", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)
"""What came as a report and could not be read: kept for a person."""

job = job_table(metadata)
