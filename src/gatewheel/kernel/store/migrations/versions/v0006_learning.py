"""What was learned from what: frozen cases, where they came from, what runs made of them, and what is tainted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("cases", sa.Integer, nullable=False),
        sa.Column("card", sa.JSON, nullable=False),
    )
    op.create_table(
        "dataset_cases",
        sa.Column("dataset", sa.String(64), sa.ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("case", sa.String(64), primary_key=True, index=True),
    )
    op.create_table(
        "origins",
        sa.Column("case", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("origins_ref", "origins", ["kind", "ref"])
    op.create_table(
        "artifacts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("run", sa.String(32), nullable=False, index=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("meta", sa.JSON, nullable=False),
    )
    op.create_table(
        "taints",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("ref", sa.String(64), primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
    )
