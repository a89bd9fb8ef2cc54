"""Evaluating: the split of cases, cached answers, reports, and releases."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "splits",
        sa.Column("case", sa.String(64), primary_key=True),
        sa.Column("split", sa.String(8), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("variant", sa.String(64), primary_key=True),
        sa.Column("corpus", sa.String(64), primary_key=True),
        sa.Column("case", sa.String(64), primary_key=True),
        sa.Column("repeat", sa.Integer, primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created", sa.Float, nullable=False, index=True),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("suite_id", sa.String(64), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False, index=True),
        sa.Column("corpus", sa.String(64), nullable=False),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("rows", sa.JSON, nullable=False),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("suite", sa.Text, nullable=False),
        sa.Column("suite_id", sa.String(64), nullable=False),
        sa.Column("case", sa.String(64), nullable=False),
        sa.Column("rater", sa.String(64), nullable=False),
        sa.Column("a", sa.String(64), nullable=False),
        sa.Column("b", sa.String(64), nullable=False),
        sa.Column("a_corpus", sa.String(64), nullable=False),
        sa.Column("b_corpus", sa.String(64), nullable=False),
        sa.Column("better", sa.String(4), nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
    )
    op.create_table(
        "releases",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("app", sa.Text, nullable=False, index=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("reason", sa.JSON, nullable=False),
        sa.Column("author", sa.String(32), nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
