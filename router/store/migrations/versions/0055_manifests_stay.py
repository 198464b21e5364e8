"""A revision and its manifest stay as they were: orders already issued are read through them."""

from alembic import op

revision = "0055"
down_revision = "0050"

TABLE = "study_revision"
SAME_ROW = "study_instance_uid = NEW.study_instance_uid AND revision = NEW.revision"
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
