"""The router's tables. `ledger`, `fact` and `node_order` only grow: triggers in the database refuse anything else.

`study.origin` and `read.origin` never change: triggers again. Times are aware UTC. A change here needs a migration (a
test compares the two).
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from dicom_nodes.foundation.database import UtcDateTime

metadata = MetaData()

APPEND_ONLY = ("ledger", "fact", "node_order")
"""Tables in which the database refuses UPDATE, DELETE, TRUNCATE, and an INSERT that would replace a row."""
RULE_SETS_APPEND_ONLY = ("rule_set", "rule_set_event")
"""The same of rule sets: what a version says, and what was done with it, never changes."""
AID_APPEND_ONLY = ("aid_entry",)
"""The same of the aid account."""

_COUNTER = BigInteger().with_variant(Integer, "sqlite")
_UID = String(64)
_ODS = String(6)
_ID = String(64)
_JSON_OR_NULL = JSON(none_as_null=True)

trust = Table(
    "trust",
    metadata,
    Column("ods_code", _ODS, primary_key=True),
    Column("name", Text, nullable=False),
    Column("returns", _JSON_OR_NULL, doc="as router.model.delivery.ReturnPolicy; null: its defaults"),
)

node = Table(
    "node",
    metadata,
    Column("ods_code", _ODS, ForeignKey("trust.ods_code"), primary_key=True),
    Column("ae_title", String(16), nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("last_traffic_at", UtcDateTime),
    Column("health", JSON),
    Column("health_at", UtcDateTime),
    Column("expected_since", UtcDateTime, comment="since when the router waits for its first traffic"),
)

reader = Table(
    "reader",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("registration", String(20), nullable=False, unique=True),
    Column("employer", _ODS, ForeignKey("trust.ods_code"), nullable=False),
    Column("modalities", JSON, nullable=False),
    Column("subspecialties", JSON, nullable=False),
    Column("workstation_node", _ODS, ForeignKey("node.ods_code"), nullable=False),
    Column("workstation_ae_title", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("profession", String(24), nullable=False, server_default="consultant"),
    Column("levels", _JSON_OR_NULL, doc="level by subspecialty; one that is missing is general"),
    Column("exam_scope", _JSON_OR_NULL, doc="exam groups or codes; null: not restricted"),
    Column("speeds", _JSON_OR_NULL, doc="personal factor by exam group; one that is missing is 1"),
    Column("max_run", Integer),
    Column("break_after_minutes", Integer),
    Column("display_valid_until", UtcDateTime),
    Column("delivery", String(4), nullable=False, server_default="push"),
    Column("outsourcer_price_pence", Integer),
    Column("outsourcer_queue_limit", Integer),
    Column("version", Integer, nullable=False, server_default="0", comment="grows with every change, credentials too"),
)

credential = Table(
    "credential",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False, index=True),
    Column("trust", _ODS, ForeignKey("trust.ods_code"), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

session = Table(
    "session",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False, index=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("capacity_reads", Integer),
    Column("capacity_minutes", Float),
    Column("kind", String(16), nullable=False, server_default="elective"),
    Column("place_node", _ODS),
    Column("place_ae_title", String(16)),
    Column("pattern_id", String(200), index=True, doc="recurring pattern or calendar entry it was made of"),
)

leave = Table(
    "leave",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False, index=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("reason", Text, nullable=False),
)

session_pattern = Table(
    "session_pattern",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False, index=True),
    Column("body", JSON, nullable=False, doc="days and local times, as router.model.rota.Pattern"),
)

aid_limits = Table(
    "aid_limits",
    metadata,
    Column("trust", _ODS, ForeignKey("trust.ods_code"), primary_key=True),
    Column("reads_for", JSON, nullable=False),
    Column("minutes_out_per_day", Float),
    Column("minutes_in_per_day", Float),
    Column("group_minutes_out", JSON, nullable=False),
    Column("group_minutes_in", JSON, nullable=False),
    Column("acute_reserve", Float, nullable=False),
)

aid_entry = Table(
    "aid_entry",
    metadata,
    Column("read_id", _ID, ForeignKey("read.id"), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("employer", _ODS, nullable=False),
    Column("origin", _ODS, nullable=False),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False),
    Column("exam_group", String(40)),
    Column("minutes", Float, nullable=False),
    Column("reads", Integer, nullable=False),
    Column("acute", Boolean, nullable=False),
)

exam_code = Table(
    "exam_code",
    metadata,
    Column("trust", _ODS, ForeignKey("trust.ods_code"), primary_key=True),
    Column("local_code", String(64), primary_key=True),
    Column("scheme", String(64), primary_key=True, doc="of the local code; empty: any"),
    Column("standard_code", String(64), nullable=False),
    Column("standard_scheme", String(20), nullable=False),
    Column("exam_group", String(40), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("body_part", Text),
    Column("subspecialty", Text, nullable=False),
    Column("minimum_level", Integer, nullable=False),
    Column("expected_minutes", Float, nullable=False),
    Column("sigma", Float, nullable=False),
    Column("pathway", String(40)),
)

pathway = Table(
    "pathway",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("target_minutes", Float, nullable=False),
    Column("weight", Float, nullable=False),
    Column("acute", Boolean, nullable=False),
    Column("may_wait", Boolean, nullable=False),
    Column("session_kinds", JSON, nullable=False),
)

reading_time = Table(
    "reading_time",
    metadata,
    Column("read_id", _ID, ForeignKey("read.id"), primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False),
    Column("exam_group", String(40), nullable=False),
    Column("log_minutes", Float, nullable=False, doc="natural logarithm of minutes in hand, claimed to signed"),
    Column("at", UtcDateTime, nullable=False, index=True),
)

group_time = Table(
    "group_time",
    metadata,
    Column("exam_group", String(40), primary_key=True),
    Column("prior_minutes", Float, nullable=False),
    Column("median_minutes", Float, nullable=False),
    Column("sigma", Float, nullable=False),
    Column("reads", Integer, nullable=False),
    Column("learned_at", UtcDateTime, nullable=False),
)

seed = Table(
    "seed",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("digest", String(64), nullable=False),
)

study = Table(
    "study",
    metadata,
    Column("study_instance_uid", _UID, primary_key=True),
    Column("origin", _ODS, nullable=False),
    Column("accession_number", Text),
    Column("accession_issuer", Text),
    Column("patient_issuer", Text),
    Column("patient_id", Text),
    Column("nhs_number", Text),
    Column("birth_date", Date),
    Column("revision", Integer, nullable=False),
    Column("modalities", JSON, nullable=False),
    Column("description", Text),
    Column("exam_code", JSON),
    Column("body_part", Text),
    Column("study_time", UtcDateTime),
    Column("present_issuer", Text, doc="who the patient is now by the origin's ADT, where that changed"),
    Column("present_patient_id", Text),
    Column("present_nhs_number", Text),
    Column("present_birth_date", Date),
    Column("order_joined", Boolean, nullable=False, server_default=false(), doc="to the order of its accession"),
    Index("ix_study_present_patient", "present_patient_id", "present_issuer"),
    Index("ix_study_accession", "accession_number", "accession_issuer"),
    Index("ix_study_patient", "patient_issuer", "patient_id"),
    Index("ix_study_nhs_number", "nhs_number"),
)

imaging_order = Table(
    "imaging_order",
    metadata,
    Column("accession_issuer", Text, primary_key=True),
    Column("accession_number", Text, primary_key=True),
    Column("origin", _ODS, nullable=False, comment="the trust whose node told it; it never changes"),
    Column("study_instance_uid", _UID),
    Column("patient_issuer", Text),
    Column("patient_id", Text),
    Column("nhs_number", Text),
    Column("birth_date", Date),
    Column("told_at", UtcDateTime, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("urgency", String(10)),
    Column("suspected_cancer", Boolean, nullable=False),
    Column("pathway", Text),
    Column("clinical_question", Text),
    Column("referrer_name", Text),
    Column("referrer_registration", Text),
    Column("referrer_contact", Text),
    Column("critical_contact", Text),
)

patient_merge = Table(
    "patient_merge",
    metadata,
    Column("origin", _ODS, primary_key=True, comment="the trust whose ADT said it"),
    Column("issuer", Text, primary_key=True),
    Column("prior_id", Text, primary_key=True),
    Column("present_id", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("present_nhs_number", Text),
    Column("present_birth_date", Date),
    Column("present_of", Text),  # of which number both are said; of another than present_id they do not count
)

study_revision = Table(
    "study_revision",
    metadata,
    Column("study_instance_uid", _UID, ForeignKey("study.study_instance_uid"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("manifest", JSON, nullable=False),
    Column("manifest_digest", String(64), nullable=False),
    Column("instance_count", Integer, nullable=False),
    Column("settled_at", UtcDateTime, nullable=False, index=True),
)

read = Table(
    "read",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("study_instance_uid", _UID, ForeignKey("study.study_instance_uid"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("origin", _ODS, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("state", String(12), nullable=False, index=True),
    Column("entered_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("modalities", JSON, nullable=False),
    Column("subspecialty", Text),
    Column("expected_minutes", Float),
    Column("priority", Text),
    Column("due_at", UtcDateTime),
    Column("epoch", Integer, nullable=False),
    Column("reader_id", _ID, ForeignKey("reader.id"), index=True),
    Column("session_id", _ID),
    Column("transaction_uid", _UID),
    Column("assigned_at", UtcDateTime),
    Column("lease_until", UtcDateTime),
    Column("claimed_at", UtcDateTime),
    Column("images_delivered_at", UtcDateTime),
    Column("replaces", _ID),
    Column("waiting", JSON),
    Column("exam_code", String(64), doc="standard code, where a code map or a table named one"),
    Column("exam_group", String(40)),
    Column("minimum_level", Integer, nullable=False, server_default="1"),
    Column("pathway", String(40)),
    Column("directives", JSON, comment="what the routing rules say besides"),
    Column("second_of", _ID, comment="the first read, of a second read"),
    Column("read_by", _JSON_OR_NULL, comment="reader ids and registrations that read it before"),
    Column("version", Integer, nullable=False, server_default="0", comment="grows with every change"),
    UniqueConstraint("study_instance_uid", "ordinal", name="uq_read_study_ordinal"),
    Index("ix_read_state_version", "state", "id", "version"),
)

assignment = Table(
    "assignment",
    metadata,
    Column("read_id", _ID, ForeignKey("read.id"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("reader_id", _ID, ForeignKey("reader.id"), nullable=False),
    Column("session_id", _ID, nullable=False, index=True),
    Column("transaction_uid", _UID, nullable=False, unique=True),
    Column("expected_minutes", Float, nullable=False),
    Column("assigned_at", UtcDateTime, nullable=False, index=True),
    Column("explanation", JSON, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("outcome", String(20)),
    Column("reason", Text),
)

report = Table(
    "report",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("node", _ODS),
    Column("channel", String(20), nullable=False),
    Column("study_instance_uid", _UID, index=True, comment="as the report gives it, or as it was matched"),
    Column("accession_number", Text),
    Column("accession_issuer", Text),
    Column("patient_issuer", Text),
    Column("patient_id", Text),
    Column("nhs_number", Text),
    Column("birth_date", Date),
    Column("status", String(1), nullable=False),
    Column("text", Text, nullable=False),
    Column("registration", Text),
    Column("author_name", Text),
    Column("authored_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("original_reference", Text),
    Column("original_digest", String(64)),
    Column("transaction_uid", _UID),
    Column("disposition", String(10), nullable=False),
    Column("read_id", _ID, ForeignKey("read.id")),
    Column("version", Integer),
    Column("reasons", JSON, nullable=False),
    Column("sections", JSON, nullable=False, server_default="[]"),
    Column("authors", JSON, nullable=False, server_default="[]"),
    Column("addendum", Boolean, nullable=False, server_default=false()),
    Column("alert_codes", JSON, nullable=False, server_default="[]"),
)

report_original = Table(
    "report_original",
    metadata,
    Column("report_id", _ID, primary_key=True, comment="of a report, or of a refusal"),
    Column("media_type", String(100), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the bytes"),
    Column("original", LargeBinary, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

report_match = Table(
    "report_match",
    metadata,
    Column("report_id", _ID, ForeignKey("report.id"), primary_key=True),
    Column("read_id", _ID, ForeignKey("read.id"), nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("contradictions", JSON, nullable=False, comment="what the second person looks at"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("report_id", _ID, ForeignKey("report.id"), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("order_id", _ID, index=True, doc="null while it waits for an earlier version"),
    Column("state", String(10), nullable=False, index=True),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("code", String(10)),
    Column("reference", Text),
    Column("queued_at", UtcDateTime, doc="since when the origin has to get it"),
    Column("words", Text, doc="the destination's own"),
    Column("note", Text, doc="why it was held, dropped or called off, and by whom"),
)

planner_round = Table(
    "planner_round",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("finished_at", UtcDateTime, nullable=False),
)

order_log = Table(
    "order_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("log_id", _ID, nullable=False),
)

order_head = Table(
    "order_head",
    metadata,
    Column("node", _ODS, primary_key=True),
    Column("last_seq", _COUNTER, nullable=False),
    Column("log_id", _ID, comment="the name of this node's log, where it is not that of all logs"),
)

node_order = Table(
    "node_order",
    metadata,
    Column("order_id", _ID, primary_key=True),
    Column("node", _ODS, nullable=False),
    Column("seq", _COUNTER, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
    Column("read_id", _ID, index=True),
    Column("report_id", _ID),
    Column("epoch", Integer),
    UniqueConstraint("node", "seq", name="uq_node_order_node_seq"),
)

order_outcome = Table(
    "order_outcome",
    metadata,
    Column("order_id", _ID, ForeignKey("node_order.order_id"), primary_key=True),
    Column("outcome", String(10), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text),
)

fact_source = Table(
    "fact_source",
    metadata,
    Column("node", _ODS, primary_key=True),
    Column("outbox_id", _ID, primary_key=True),
    Column("last_seq", _COUNTER, nullable=False),
)

fact = Table(
    "fact",
    metadata,
    Column("node", _ODS, primary_key=True),
    Column("outbox_id", _ID, primary_key=True),
    Column("seq", _COUNTER, primary_key=True, autoincrement=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body", JSON, nullable=False),
    Column("failure", Text, comment="why its effects were not carried out"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", _COUNTER, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("event", String(40), nullable=False),
    Column("actor", Text, nullable=False),
    Column("study_instance_uid", _UID, index=True),
    Column("read_id", _ID),
    Column("report_id", _ID),
    Column("order_id", _ID),
    Column("node", _ODS),
    Column("detail", JSON, nullable=False),
)

human_queue = Table(
    "human_queue",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", String(40), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("dedupe_key", String(255), nullable=False, unique=True),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("study_instance_uid", _UID),
    Column("read_id", _ID, index=True),
    Column("report_id", _ID, index=True),
    Column("order_id", _ID),
    Column("node", _ODS),
    Column("resend_kind", String(40)),
    Column("resend_key", String(200)),
    Column("resolved_by", Text),
    Column("resolved_at", UtcDateTime),
    Column("note", Text),
)

token = Table(
    "token",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("role", String(12), nullable=False),
    Column("subject", String(100), nullable=False, comment="reader id, ODS code, or a person's name"),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

rule_set = Table(
    "rule_set",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

rule_set_event = Table(
    "rule_set_event",
    metadata,
    Column("id", _COUNTER, primary_key=True),
    Column("version", Integer, ForeignKey("rule_set.version"), nullable=False, index=True),
    Column("event", String(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", JSON, nullable=False),
)

rule_set_head = Table(
    "rule_set_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("active_version", Integer, comment="None: the exam table alone routes"),
)
