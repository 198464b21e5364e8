"""The first schema, with the triggers that make three tables append-only."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0001"
down_revision = None

APPEND_ONLY = ("ledger", "fact", "node_order")
SAME_ROW = {
    "ledger": "id = NEW.id",
    "fact": "node = NEW.node AND outbox_id = NEW.outbox_id AND seq = NEW.seq",
    "node_order": "order_id = NEW.order_id OR (node = NEW.node AND seq = NEW.seq)",
}
"""SQLite: which row an INSERT OR REPLACE would remove, without asking the triggers on DELETE."""


def upgrade() -> None:
    _tables_of_the_network()
    _tables_of_the_work()
    for table in APPEND_ONLY:
        _append_only(table)


def _append_only(table: str) -> None:
    """The database itself refuses to change or remove a row."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} only grows'; END $$"
        )
        for action, level in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{level.lower()} BEFORE {action} ON {table} "
                f"FOR EACH {level} EXECUTE FUNCTION {table}_only_grows()"
            )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
        )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {SAME_ROW[table]}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} only grows'); END"
    )


def _tables_of_the_network() -> None:
    op.create_table(
        "seed",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False, comment="reader id, ODS code, or a person's name"),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "trust",
        sa.Column("ods_code", sa.String(length=6), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ods_code"),
    )
    op.create_table(
        "node",
        sa.Column("ods_code", sa.String(length=6), nullable=False),
        sa.Column("ae_title", sa.String(length=16), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("last_traffic_at", UtcDateTime(), nullable=True),
        sa.Column("health", sa.JSON(), nullable=True),
        sa.Column("health_at", UtcDateTime(), nullable=True),
        sa.Column(
            "expected_since",
            UtcDateTime(),
            nullable=True,
            comment="since when the router waits for its first traffic",
        ),
        sa.ForeignKeyConstraint(
            ["ods_code"],
            ["trust.ods_code"],
        ),
        sa.PrimaryKeyConstraint("ods_code"),
    )
    op.create_table(
        "reader",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("registration", sa.String(length=20), nullable=False),
        sa.Column("employer", sa.String(length=6), nullable=False),
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("subspecialties", sa.JSON(), nullable=False),
        sa.Column("workstation_node", sa.String(length=6), nullable=False),
        sa.Column("workstation_ae_title", sa.String(length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["employer"],
            ["trust.ods_code"],
        ),
        sa.ForeignKeyConstraint(
            ["workstation_node"],
            ["node.ods_code"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("registration"),
    )
    op.create_table(
        "credential",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("trust", sa.String(length=6), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["reader.id"],
        ),
        sa.ForeignKeyConstraint(
            ["trust"],
            ["trust.ods_code"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_credential_reader_id"), "credential", ["reader_id"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("capacity_reads", sa.Integer(), nullable=True),
        sa.Column("capacity_minutes", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["reader.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_session_reader_id"), "session", ["reader_id"], unique=False)


def _tables_of_the_work() -> None:
    op.create_table(
        "fact",
        sa.Column("node", sa.String(length=6), nullable=False),
        sa.Column("outbox_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True, comment="why its effects were not carried out"),
        sa.PrimaryKeyConstraint("node", "outbox_id", "seq"),
    )
    op.create_table(
        "fact_source",
        sa.Column("node", sa.String(length=6), nullable=False),
        sa.Column("outbox_id", sa.String(length=64), nullable=False),
        sa.Column("last_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("node", "outbox_id"),
    )
    op.create_table(
        "human_queue",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=255), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=True),
        sa.Column("read_id", sa.String(length=64), nullable=True),
        sa.Column("report_id", sa.String(length=64), nullable=True),
        sa.Column("order_id", sa.String(length=64), nullable=True),
        sa.Column("node", sa.String(length=6), nullable=True),
        sa.Column("resend_kind", sa.String(length=40), nullable=True),
        sa.Column("resend_key", sa.String(length=200), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dedupe_key"),
    )
    op.create_index(op.f("ix_human_queue_kind"), "human_queue", ["kind"], unique=False)
    op.create_index(op.f("ix_human_queue_read_id"), "human_queue", ["read_id"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=True),
        sa.Column("read_id", sa.String(length=64), nullable=True),
        sa.Column("report_id", sa.String(length=64), nullable=True),
        sa.Column("order_id", sa.String(length=64), nullable=True),
        sa.Column("node", sa.String(length=6), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ledger_study_instance_uid"), "ledger", ["study_instance_uid"], unique=False)
    op.create_table(
        "node_order",
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=6), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("read_id", sa.String(length=64), nullable=True),
        sa.Column("report_id", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("order_id"),
        sa.UniqueConstraint("node", "seq", name="uq_node_order_node_seq"),
    )
    op.create_index(op.f("ix_node_order_read_id"), "node_order", ["read_id"], unique=False)
    op.create_table(
        "order_head",
        sa.Column("node", sa.String(length=6), nullable=False),
        sa.Column("last_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "log_id",
            sa.String(length=64),
            nullable=True,
            comment="the name of this node's log, where it is not that of all logs",
        ),
        sa.PrimaryKeyConstraint("node"),
    )
    op.create_table(
        "planner_round",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "order_log",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("log_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "study",
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=6), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("accession_issuer", sa.Text(), nullable=True),
        sa.Column("patient_issuer", sa.Text(), nullable=True),
        sa.Column("patient_id", sa.Text(), nullable=True),
        sa.Column("nhs_number", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("exam_code", sa.JSON(), nullable=True),
        sa.Column("body_part", sa.Text(), nullable=True),
        sa.Column("study_time", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("study_instance_uid"),
    )
    op.create_index("ix_study_accession", "study", ["accession_number", "accession_issuer"], unique=False)
    op.create_table(
        "order_outcome",
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["node_order.order_id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_table(
        "study_revision",
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("manifest_digest", sa.String(length=64), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
        ),
        sa.PrimaryKeyConstraint("study_instance_uid", "revision"),
    )
    op.create_table(
        "read",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=6), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("entered_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("modalities", sa.JSON(), nullable=False),
        sa.Column("subspecialty", sa.Text(), nullable=True),
        sa.Column("expected_minutes", sa.Float(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=True),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.Column("assigned_at", UtcDateTime(), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("images_delivered_at", UtcDateTime(), nullable=True),
        sa.Column("replaces", sa.String(length=64), nullable=True),
        sa.Column("waiting", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["reader.id"],
        ),
        sa.ForeignKeyConstraint(
            ["study_instance_uid"],
            ["study.study_instance_uid"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("study_instance_uid", "ordinal", name="uq_read_study_ordinal"),
    )
    op.create_index(op.f("ix_read_origin"), "read", ["origin"], unique=False)
    op.create_index(op.f("ix_read_reader_id"), "read", ["reader_id"], unique=False)
    op.create_index(op.f("ix_read_state"), "read", ["state"], unique=False)
    op.create_table(
        "assignment",
        sa.Column("read_id", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reader_id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("expected_minutes", sa.Float(), nullable=False),
        sa.Column("assigned_at", UtcDateTime(), nullable=False),
        sa.Column("explanation", sa.JSON(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["read_id"],
            ["read.id"],
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"],
            ["reader.id"],
        ),
        sa.PrimaryKeyConstraint("read_id", "epoch"),
        sa.UniqueConstraint("transaction_uid"),
    )
    op.create_index(op.f("ix_assignment_session_id"), "assignment", ["session_id"], unique=False)
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("node", sa.String(length=6), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column(
            "study_instance_uid",
            sa.String(length=64),
            nullable=True,
            comment="as the report gives it, or as it was matched",
        ),
        sa.Column("accession_number", sa.Text(), nullable=True),
        sa.Column("accession_issuer", sa.Text(), nullable=True),
        sa.Column("patient_issuer", sa.Text(), nullable=True),
        sa.Column("patient_id", sa.Text(), nullable=True),
        sa.Column("nhs_number", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("status", sa.String(length=1), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("registration", sa.Text(), nullable=True),
        sa.Column("author_name", sa.Text(), nullable=True),
        sa.Column("authored_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("original_reference", sa.Text(), nullable=True),
        sa.Column("original_digest", sa.String(length=64), nullable=True),
        sa.Column("transaction_uid", sa.String(length=64), nullable=True),
        sa.Column("disposition", sa.String(length=10), nullable=False),
        sa.Column("read_id", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["read_id"],
            ["read.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_report_study_instance_uid"), "report", ["study_instance_uid"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("code", sa.String(length=10), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["report.id"],
        ),
        sa.PrimaryKeyConstraint("report_id", "channel"),
    )
    op.create_index(op.f("ix_delivery_order_id"), "delivery", ["order_id"], unique=False)
    # ### end Alembic commands ###
