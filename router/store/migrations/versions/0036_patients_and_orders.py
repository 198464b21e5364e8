"""Who a patient is now by the origin's ADT, merged numbers, imaging orders, and origins that the database keeps."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0036"
down_revision = "0035"

KEEPING_THEIR_ORIGIN = ("study", "read", "imaging_order")
_TEXTS = (
    "pathway",
    "clinical_question",
    "referrer_name",
    "referrer_registration",
    "referrer_contact",
    "critical_contact",
)


def upgrade() -> None:
    for name in ("present_issuer", "present_patient_id", "present_nhs_number"):
        op.add_column("study", sa.Column(name, sa.Text()))
    op.add_column("study", sa.Column("present_birth_date", sa.Date()))
    op.add_column("study", sa.Column("order_joined", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_study_present_patient", "study", ["present_patient_id", "present_issuer"], unique=False)
    op.create_table(
        "imaging_order",
        sa.Column("accession_issuer", sa.Text(), nullable=False),
        sa.Column("accession_number", sa.Text(), nullable=False),
        sa.Column(
            "origin", sa.String(length=6), nullable=False, comment="the trust whose node told it; it never changes"
        ),
        sa.Column("study_instance_uid", sa.String(length=64)),
        sa.Column("patient_issuer", sa.Text()),
        sa.Column("patient_id", sa.Text()),
        sa.Column("nhs_number", sa.Text()),
        sa.Column("birth_date", sa.Date()),
        sa.Column("told_at", UtcDateTime(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("urgency", sa.String(length=10)),
        sa.Column("suspected_cancer", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in _TEXTS),
        sa.PrimaryKeyConstraint("accession_issuer", "accession_number"),
    )
    op.create_table(
        "patient_merge",
        sa.Column("origin", sa.String(length=6), nullable=False, comment="the trust whose ADT said it"),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("prior_id", sa.Text(), nullable=False),
        sa.Column("present_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "issuer", "prior_id"),
    )
    for table in KEEPING_THEIR_ORIGIN:
        _keep_the_origin(table)


def _keep_the_origin(table: str) -> None:
    """Where a report goes depends on it: the database itself refuses to change it (HAZARDS 13)."""
    if op.get_bind().dialect.name != "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keeps_its_origin BEFORE UPDATE ON {table} WHEN NEW.origin IS NOT OLD.origin "
            f"BEGIN SELECT RAISE(ABORT, 'the origin of a {table} never changes'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {table}_keeps_its_origin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION 'the origin of a {table} never changes'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps_its_origin BEFORE UPDATE ON {table} FOR EACH ROW "
        f"WHEN (NEW.origin IS DISTINCT FROM OLD.origin) EXECUTE FUNCTION {table}_keeps_its_origin()"
    )
