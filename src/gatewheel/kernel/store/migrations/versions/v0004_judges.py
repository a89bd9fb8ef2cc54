"""Judges: what they said, and how far they agreed with people."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verdicts",
        sa.Column("judge", sa.String(64), primary_key=True),
        sa.Column("item", sa.String(64), primary_key=True),
        sa.Column("sample", sa.Integer, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
    )
    op.create_table(
        "probations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created", sa.Float, nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("judge", sa.String(64), nullable=False),
        sa.Column("golden", sa.String(64), nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
    )
