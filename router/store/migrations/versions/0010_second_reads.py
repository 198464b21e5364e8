"""Second reads: of which first read they are, and who may not do them because they did that one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("read", sa.Column("second_of", sa.String(length=64), comment="the first read, of a second read"))
    op.add_column("read", sa.Column("read_by", sa.JSON(), comment="reader ids and registrations that read it before"))
