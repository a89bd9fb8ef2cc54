"""Which application answered, so that each learns from what was said of itself."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("traces", sa.Column("app", sa.Text, nullable=False, server_default=""))
