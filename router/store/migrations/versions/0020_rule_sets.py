"""Versions of the routing rules with their audit, and what the rules said of a read."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0020"
down_revision = "0002"

SAME_ROW = {"rule_set": "version = NEW.version", "rule_set_event": "id = NEW.id"}
"""SQLite: which row an INSERT OR REPLACE would remove, without asking the triggers on DELETE."""


def upgrade() -> None:
    op.create_table(
        "rule_set",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "rule_set_event",
        sa.Column("id", counter, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["rule_set.version"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_rule_set_event_version"), "rule_set_event", ["version"], unique=False)
    op.create_table(
        "rule_set_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("active_version", sa.Integer(), nullable=True, comment="None: the exam table alone routes"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO rule_set_head (id, active_version) VALUES (1, NULL)")
    op.add_column(
        "read", sa.Column("directives", sa.JSON(), nullable=True, comment="what the routing rules say besides")
    )
    op.create_index(op.f("ix_study_revision_settled_at"), "study_revision", ["settled_at"], unique=False)
    for table in SAME_ROW:
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
