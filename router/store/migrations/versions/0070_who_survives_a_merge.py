"""What a merge says of the surviving patient, for studies that come later; merges of before say nothing of it."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0061"


def upgrade() -> None:
    op.add_column("patient_merge", sa.Column("present_nhs_number", sa.Text(), nullable=True))
    op.add_column("patient_merge", sa.Column("present_birth_date", sa.Date(), nullable=True))
