"""Serving: access groups, feedback, API keys with their spending, studio sessions, responses, and who asked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Row = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("traces", sa.Column("model", sa.Text, nullable=False, server_default=""))
    op.add_column("traces", sa.Column("cost", sa.Float))
    op.add_column("traces", sa.Column("key", sa.String(32), nullable=False, server_default=""))
    op.add_column("traces", sa.Column("error", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "grants",
        sa.Column("document_id", Row, sa.ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("group", sa.String(64), primary_key=True),
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("trace", sa.String(32), nullable=False, index=True),
        sa.Column("created", sa.Float, nullable=False, index=True),
        sa.Column("author", sa.String(32), nullable=False),
        sa.Column("thumb", sa.String(4)),
        sa.Column("score", sa.Float),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("correction", sa.Text, nullable=False),
        sa.Column("wrong_citations", sa.JSON, nullable=False),
    )
    _access()


def _access() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("dollars_per_day", sa.Float),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("revoked", sa.Float),
    )
    op.create_table(
        "spending",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("dollars", sa.Float, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", sa.Float, nullable=False, index=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("messages", sa.JSON, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
