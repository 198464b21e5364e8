"""The aid account only grows, as the ledger does: what was credited and debited cannot be changed afterwards."""

from alembic import op

revision = "0012"
down_revision = "0011"

TABLE = "aid_entry"
SAME_ROW = "read_id = NEW.read_id"
"""SQLite: which row an INSERT OR REPLACE would remove, without asking the triggers on DELETE."""


def upgrade() -> None:
    refusal = f"SELECT RAISE(ABORT, '{TABLE} only grows')"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {TABLE}_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{TABLE} only grows'; END $$"
        )
        for action, level in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {TABLE}_refuses_{level.lower()} BEFORE {action} ON {TABLE} "
                f"FOR EACH {level} EXECUTE FUNCTION {TABLE}_only_grows()"
            )
        return
    for action in ("UPDATE", "DELETE"):
        op.execute(f"CREATE TRIGGER {TABLE}_refuses_{action.lower()} BEFORE {action} ON {TABLE} BEGIN {refusal}; END")
    op.execute(
        f"CREATE TRIGGER {TABLE}_refuses_replace BEFORE INSERT ON {TABLE} "
        f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE {SAME_ROW}) BEGIN {refusal}; END"
    )
