"""What readers may and can do, their rota, mutual aid, exam code maps, pathways and learned times."""

import sqlalchemy as sa
from alembic import op

from dicom_nodes.foundation.database import UtcDateTime

revision = "0002"
down_revision = "0001"

_ID = sa.String(length=64)
_ODS = sa.String(length=6)
_GROUP = sa.String(length=40)


def upgrade() -> None:
    _readers()
    _rota()
    _aid()
    _exams()
    _reads()


def _readers() -> None:
    op.add_column("reader", sa.Column("profession", sa.String(24), nullable=False, server_default="consultant"))
    op.add_column("reader", sa.Column("levels", sa.JSON()))
    op.add_column("reader", sa.Column("exam_scope", sa.JSON()))
    op.add_column("reader", sa.Column("speeds", sa.JSON()))
    op.add_column("reader", sa.Column("max_run", sa.Integer()))
    op.add_column("reader", sa.Column("break_after_minutes", sa.Integer()))
    op.add_column("reader", sa.Column("display_valid_until", UtcDateTime()))
    op.add_column("reader", sa.Column("delivery", sa.String(4), nullable=False, server_default="push"))
    op.add_column("reader", sa.Column("outsourcer_price_pence", sa.Integer()))
    op.add_column("reader", sa.Column("outsourcer_queue_limit", sa.Integer()))


def _rota() -> None:
    op.add_column("session", sa.Column("kind", sa.String(16), nullable=False, server_default="elective"))
    op.add_column("session", sa.Column("place_node", _ODS))
    op.add_column("session", sa.Column("place_ae_title", sa.String(16)))
    op.add_column("session", sa.Column("pattern_id", sa.String(200)))
    op.create_index("ix_session_pattern_id", "session", ["pattern_id"])
    op.create_table(
        "leave",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("reader_id", _ID, sa.ForeignKey("reader.id"), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("ix_leave_reader_id", "leave", ["reader_id"])
    op.create_index("ix_leave_ends_at", "leave", ["ends_at"])
    op.create_table(
        "session_pattern",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("reader_id", _ID, sa.ForeignKey("reader.id"), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
    )
    op.create_index("ix_session_pattern_reader_id", "session_pattern", ["reader_id"])


def _aid() -> None:
    op.create_table(
        "aid_limits",
        sa.Column("trust", _ODS, sa.ForeignKey("trust.ods_code"), primary_key=True),
        sa.Column("reads_for", sa.JSON(), nullable=False),
        sa.Column("minutes_out_per_day", sa.Float()),
        sa.Column("minutes_in_per_day", sa.Float()),
        sa.Column("group_minutes_out", sa.JSON(), nullable=False),
        sa.Column("group_minutes_in", sa.JSON(), nullable=False),
        sa.Column("acute_reserve", sa.Float(), nullable=False),
    )
    op.create_table(
        "aid_entry",
        sa.Column("read_id", _ID, sa.ForeignKey("read.id"), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("employer", _ODS, nullable=False),
        sa.Column("origin", _ODS, nullable=False),
        sa.Column("reader_id", _ID, sa.ForeignKey("reader.id"), nullable=False),
        sa.Column("exam_group", _GROUP),
        sa.Column("minutes", sa.Float(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("acute", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_aid_entry_at", "aid_entry", ["at"])
    op.create_index("ix_assignment_assigned_at", "assignment", ["assigned_at"])


def _exams() -> None:
    op.create_table(
        "exam_code",
        sa.Column("trust", _ODS, sa.ForeignKey("trust.ods_code"), primary_key=True),
        sa.Column("local_code", sa.String(64), primary_key=True),
        sa.Column("scheme", sa.String(64), primary_key=True),
        sa.Column("standard_code", sa.String(64), nullable=False),
        sa.Column("standard_scheme", sa.String(20), nullable=False),
        sa.Column("exam_group", _GROUP, nullable=False),
        sa.Column("modality", sa.String(16), nullable=False),
        sa.Column("body_part", sa.Text()),
        sa.Column("subspecialty", sa.Text(), nullable=False),
        sa.Column("minimum_level", sa.Integer(), nullable=False),
        sa.Column("expected_minutes", sa.Float(), nullable=False),
        sa.Column("sigma", sa.Float(), nullable=False),
        sa.Column("pathway", _GROUP),
    )
    op.create_table(
        "pathway",
        sa.Column("id", _GROUP, primary_key=True),
        sa.Column("target_minutes", sa.Float(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("acute", sa.Boolean(), nullable=False),
        sa.Column("session_kinds", sa.JSON(), nullable=False),
    )
    op.create_table(
        "reading_time",
        sa.Column("read_id", _ID, sa.ForeignKey("read.id"), primary_key=True),
        sa.Column("reader_id", _ID, sa.ForeignKey("reader.id"), nullable=False),
        sa.Column("exam_group", _GROUP, nullable=False),
        sa.Column("log_minutes", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_reading_time_at", "reading_time", ["at"])
    op.create_table(
        "group_time",
        sa.Column("exam_group", _GROUP, primary_key=True),
        sa.Column("prior_minutes", sa.Float(), nullable=False),
        sa.Column("median_minutes", sa.Float(), nullable=False),
        sa.Column("sigma", sa.Float(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("learned_at", UtcDateTime(), nullable=False),
    )


def _reads() -> None:
    op.add_column("read", sa.Column("exam_code", sa.String(64)))
    op.add_column("read", sa.Column("exam_group", _GROUP))
    op.add_column("read", sa.Column("minimum_level", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("read", sa.Column("pathway", _GROUP))
