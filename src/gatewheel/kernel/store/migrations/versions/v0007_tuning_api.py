"""What clients of the tuning API sent, and the models that it made for them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_files",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(32), nullable=False, index=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("object", sa.String(64), nullable=False, index=True),
    )
    op.create_table(
        "tuned_models",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("adapter", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
    )
