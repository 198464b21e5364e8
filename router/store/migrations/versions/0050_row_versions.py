"""How often a read and a reader were changed, so that a planner reads again only what is not as it knows it."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0045"


def upgrade() -> None:
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("read")}
    if "version" in known:  # for a day this stood earlier in the chain
        return
    for table, comment in (("read", "grows with every change"), ("reader", "grows with every change, credentials too")):
        column = sa.Column("version", sa.Integer(), server_default="0", nullable=False, comment=comment)
        op.add_column(table, column)
    # A planner asks for all versions in every round: from the index, not from the rows, which are long.
    op.create_index("ix_read_state_version", "read", ["state", "id", "version"])
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in (*_ON_POSTGRESQL, *_grown("postgresql")) if postgresql else (*_ON_SQLITE, *_grown("sqlite")):
        op.execute(statement)


# Nobody has to remember the version: whatever writes a row, the database makes it grow. Why a read waits is no change
# of it; its past holders (assignments) are a part of it, as a reader's credentials are of the reader.
_READ = (
    "id", "study_instance_uid", "ordinal", "origin", "revision", "state", "entered_at", "created_at", "modalities",
    "subspecialty", "expected_minutes", "priority", "due_at", "epoch", "reader_id", "session_id", "transaction_uid",
    "assigned_at", "lease_until", "claimed_at", "images_delivered_at", "replaces", "exam_code", "exam_group",
    "minimum_level", "pathway", "directives", "second_of", "read_by",
)  # fmt: skip
_READER = (
    "id", "name", "registration", "employer", "modalities", "subspecialties", "workstation_node",
    "workstation_ae_title", "active", "profession", "levels", "exam_scope", "speeds", "max_run",
    "break_after_minutes", "display_valid_until", "delivery", "outsourcer_price_pence", "outsourcer_queue_limit",
)  # fmt: skip
_OWN = (("read", _READ), ("reader", _READER))
_PARTS = (("assignment", "read", "read_id"), ("credential", "reader", "reader_id"))

_ON_SQLITE = tuple(
    f"CREATE TRIGGER {table}_version_grows AFTER UPDATE OF {', '.join(columns)} ON {table} "
    f"WHEN NEW.version = OLD.version BEGIN UPDATE {table} SET version = OLD.version + 1 WHERE id = NEW.id; END"
    for table, columns in _OWN
)
_ON_POSTGRESQL = (
    "CREATE FUNCTION row_version_grows() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF NEW.version = OLD.version THEN NEW.version := OLD.version + 1; END IF; RETURN NEW; END $$",
    *(
        f"CREATE TRIGGER {table}_version_grows BEFORE UPDATE OF {', '.join(columns)} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION row_version_grows()"
        for table, columns in _OWN
    ),
)


def _grown(dialect: str) -> list[str]:
    """Triggers by which a part makes its whole grow."""
    statements = []
    for part, whole, key in _PARTS:
        for action, rows in (("INSERT", ("NEW",)), ("UPDATE", ("NEW", "OLD")), ("DELETE", ("OLD",))):
            named = f"{part}_grows_{whole}_at_{action.lower()}"
            keys = ", ".join(f"{row}.{key}" for row in rows)
            grow = f"UPDATE {whole} SET version = version + 1 WHERE id IN ({keys});"
            if dialect == "sqlite":
                statements.append(f"CREATE TRIGGER {named} AFTER {action} ON {part} BEGIN {grow} END")
                continue
            statements.append(
                f"CREATE FUNCTION {named}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {grow} RETURN NULL; END $$"
            )
            statements.append(
                f"CREATE TRIGGER {named} AFTER {action} ON {part} FOR EACH ROW EXECUTE FUNCTION {named}()"
            )
    return statements
