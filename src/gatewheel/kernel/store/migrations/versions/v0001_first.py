"""The first schema: documents, passages, vectors, text search, variants, traces and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Row = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "meta", sa.Column("key", sa.String(64), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    _documents()
    _ledger()
    _text_search()


def _documents() -> None:
    op.create_table(
        "files",
        sa.Column("id", Row, primary_key=True),
        sa.Column("source", sa.Text, nullable=False, unique=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("named", sa.Boolean, nullable=False),
        sa.Column("refusals", sa.JSON, nullable=False),
    )
    op.create_table(
        "documents",
        sa.Column("id", Row, primary_key=True),
        sa.Column("file_id", Row, sa.ForeignKey("files.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("source", sa.Text, nullable=False, unique=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("format", sa.String(32), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("pages", sa.JSON, nullable=False),
        sa.Column("meta", sa.JSON, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "passages",
        sa.Column("id", Row, primary_key=True),
        sa.Column("document_id", Row, sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("public_id", sa.String(32), nullable=False, index=True),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("heading", sa.Text, nullable=False),
        sa.Column("tokens", sa.Integer, nullable=False),
        sa.Column("key", sa.String(32), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vectors",
        sa.Column("id", Row, primary_key=True),
        sa.Column("encoder", sa.String(64), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("encoder", "key"),
    )


def _ledger() -> None:
    op.create_table(
        "variants",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
    )
    op.create_table(
        "traces",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created", sa.Float, nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("abstained", sa.Boolean, nullable=False),
        sa.Column("variant", sa.String(64), nullable=False, index=True),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("spans", sa.JSON, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("parent", sa.String(32)),
        sa.Column("process", sa.Integer),
        sa.Column("born", sa.BigInteger),
    )
    op.create_index("runs_created", "runs", ["created"])


def _text_search() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE passages ADD COLUMN terms tsvector, ADD COLUMN terms_length integer")
        op.execute("CREATE INDEX passages_terms ON passages USING gin (terms)")
        op.execute("CREATE INDEX passages_terms_length ON passages (terms_length)")  # their mean without the table
        return
    # contentless: the terms are derived from passages.text, keeping them would double the file.
    # The analyser has cut and stemmed already, so FTS5 only splits at spaces: `ascii` keeps every other script whole.
    op.execute("CREATE VIRTUAL TABLE passages_fts USING fts5(heading, body, content='', tokenize='ascii')")


def downgrade() -> None:
    raise RuntimeError("the first schema has nothing before it; delete .gatewheel/gatewheel.db to start again")
