"""Priors are looked up by who the patient is."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_study_patient", "study", ["patient_issuer", "patient_id"], unique=False)
    op.create_index("ix_study_nhs_number", "study", ["nhs_number"], unique=False)
