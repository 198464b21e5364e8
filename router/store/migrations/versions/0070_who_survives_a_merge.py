"""What a merge says of the surviving patient, for studies that come later; merges of before say nothing of it.

`present_of` is the number that it is said of: a router of before that overwrites `present_id` leaves the others alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0061"


def upgrade() -> None:
    op.add_column("patient_merge", sa.Column("present_nhs_number", sa.Text(), nullable=True))
    op.add_column("patient_merge", sa.Column("present_birth_date", sa.Date(), nullable=True))
    op.add_column("patient_merge", sa.Column("present_of", sa.Text(), nullable=True))
