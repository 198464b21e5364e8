"""What reports say besides their text, originals, hand matches that wait, and triggers that keep reports."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0030"
down_revision = "0012"

CONTENT = (
    "id", "node", "channel", "accession_number", "accession_issuer", "patient_issuer", "patient_id", "nhs_number",
    "birth_date", "status", "text", "registration", "author_name", "authored_at", "received_at", "original_reference",
    "original_digest", "transaction_uid", "sections", "authors", "addendum", "alert_codes",
)  # fmt: skip
_JSON = {"sections", "authors", "alert_codes", "reasons"}


def upgrade() -> None:
    for name in ("sections", "authors", "alert_codes"):
        op.add_column("report", sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("report", sa.Column("addendum", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "report_original",
        sa.Column("report_id", sa.String(length=64), nullable=False, comment="of a report, or of a refusal"),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the bytes"),
        sa.Column("original", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("report_id"),
    )
    op.create_table(
        "report_match",
        sa.Column("report_id", sa.String(length=64), nullable=False),
        sa.Column("read_id", sa.String(length=64), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contradictions", sa.JSON(), nullable=False, comment="what the second person looks at"),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"]),
        sa.ForeignKeyConstraint(["read_id"], ["read.id"]),
        sa.PrimaryKeyConstraint("report_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _keep_on_postgresql()
    else:
        _keep_on_sqlite()


def _keep_on_postgresql() -> None:
    changed = " OR ".join(_differs(name) for name in CONTENT)
    anything = _changed_once_accepted("IS DISTINCT FROM", "::text")
    op.execute(
        "CREATE FUNCTION report_stays_as_it_came() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' THEN "
        f"IF {changed} THEN RAISE EXCEPTION 'what a report says never changes'; END IF; "
        f"IF OLD.disposition = 'ACCEPTED' AND ({anything}) THEN RAISE EXCEPTION 'an accepted report never changes'; "
        "END IF; RETURN NEW; END IF; "
        "RAISE EXCEPTION 'no report is removed'; END $$"
    )
    for action, level in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER report_stays_{level.lower()} BEFORE {action} ON report "
            f"FOR EACH {level} EXECUTE FUNCTION report_stays_as_it_came()"
        )
    op.execute(
        "CREATE FUNCTION report_original_stays() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'an original is kept as it came'; END $$"
    )
    for action, level in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER report_original_stays_{level.lower()} BEFORE {action} ON report_original "
            f"FOR EACH {level} EXECUTE FUNCTION report_original_stays()"
        )


def _changed_once_accepted(differs: str, cast: str) -> str:
    """What nobody changes of an accepted report. A second reader's has no version until a person sends it home."""
    whose = " OR ".join(f"NEW.{name} {differs} OLD.{name}" for name in ("study_instance_uid", "disposition", "read_id"))
    version = f"OLD.version IS NOT NULL AND NEW.version {differs} OLD.version"
    reasons = f"NEW.reasons{cast} {differs} OLD.reasons{cast} AND (OLD.version IS NOT NULL OR NEW.version IS NULL)"
    return f"{whose} OR ({version}) OR ({reasons})"


def _differs(name: str) -> str:
    cast = "::text" if name in _JSON else ""
    return f"NEW.{name}{cast} IS DISTINCT FROM OLD.{name}{cast}"


def _keep_on_sqlite() -> None:
    """A row that would replace one is left out, as `INSERT … ON CONFLICT DO NOTHING` does."""
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in CONTENT)
    anything = _changed_once_accepted("IS NOT", "")
    op.execute(
        f"CREATE TRIGGER report_says_the_same BEFORE UPDATE ON report WHEN {changed} "
        "BEGIN SELECT RAISE(ABORT, 'what a report says never changes'); END"
    )
    op.execute(
        "CREATE TRIGGER report_once_accepted BEFORE UPDATE ON report "
        f"WHEN OLD.disposition = 'ACCEPTED' AND ({anything}) "
        "BEGIN SELECT RAISE(ABORT, 'an accepted report never changes'); END"
    )
    for table, key in (("report", "id"), ("report_original", "report_id")):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'no {table} is removed'); END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) BEGIN SELECT RAISE(IGNORE); END"
        )
    op.execute(
        "CREATE TRIGGER report_original_refuses_update BEFORE UPDATE ON report_original "
        "BEGIN SELECT RAISE(ABORT, 'an original is kept as it came'); END"
    )
