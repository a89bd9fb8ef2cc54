"""Every table of a project. Knows columns, not queries.

`files` is the ledger of ingestion: a file counts as read only when its row says so. `documents` and `passages` are the
truth that every index is derived from. `vectors` are keyed by what was encoded, so a moved or copied text is never
encoded twice. Text search lives beside `passages`: an FTS5 table on SQLite, a tsvector column on PostgreSQL
(see migrations/).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
# SQLite gives row numbers only to INTEGER keys; PostgreSQL needs the larger type
Row = BigInteger().with_variant(Integer, "sqlite")

meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

files = Table(
    "files",
    metadata,
    Column("id", Row, primary_key=True),
    Column("source", Text, nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("recipe", String(64), nullable=False),  # hash of the reader's and the chunker's settings
    Column("named", Boolean, nullable=False),  # given by name on the command line, not found through [sources]
    Column("refusals", JSON, nullable=False),  # [source, reason] of the file, or of records that were left out of it
)

documents = Table(
    "documents",
    metadata,
    Column("id", Row, primary_key=True),
    Column("file_id", Row, ForeignKey("files.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("source", Text, nullable=False, unique=True),
    Column("sha256", String(64), nullable=False),  # of text, title, meta and recipe
    Column("format", String(32), nullable=False),
    Column("title", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("pages", JSON, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("text", LargeBinary, nullable=False),  # zlib of UTF-8
)

passages = Table(
    "passages",
    metadata,
    Column("id", Row, primary_key=True),
    Column("document_id", Row, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("public_id", String(32), nullable=False, index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer),
    Column("heading", Text, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("key", String(32), nullable=False, index=True),  # of heading and text: what the encoder sees
    Column("text", Text, nullable=False),
    # a row number is never used twice, so a derived index can tell an old passage from a new one
    sqlite_autoincrement=True,
)

vectors = Table(
    "vectors",
    metadata,
    Column("id", Row, primary_key=True),
    Column("encoder", String(64), nullable=False),
    Column("key", String(32), nullable=False),
    Column("vector", LargeBinary, nullable=False),  # little-endian float16
    UniqueConstraint("encoder", "key"),
)

variants = Table(
    "variants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created", Float, nullable=False),
    Column("recipe", JSON, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created", Float, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("abstained", Boolean, nullable=False),
    Column("variant", String(64), nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("spans", JSON, nullable=False),
    Column("model", Text, nullable=False, default=""),
    Column("cost", Float),
    Column("key", String(32), nullable=False, default=""),
    Column("error", Text, nullable=False, default=""),
    Column("app", Text, nullable=False, default=""),
)

# a case is for training or held out, never both; found again by what it asks, whatever it expects
splits = Table(
    "splits",
    metadata,
    Column("case", String(64), primary_key=True),
    Column("split", String(8), nullable=False),
    Column("created", Float, nullable=False),
)

# what a variant answered, so that nothing is asked twice; `corpus` is the state of the documents
answers = Table(
    "answers",
    metadata,
    Column("variant", String(64), primary_key=True),
    Column("corpus", String(64), primary_key=True),
    Column("case", String(64), primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("created", Float, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("error", Text, nullable=False),
)

reports = Table(
    "reports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created", Float, nullable=False, index=True),
    Column("suite", Text, nullable=False),
    Column("suite_id", String(64), nullable=False),
    Column("variant", String(64), nullable=False, index=True),
    Column("corpus", String(64), nullable=False),
    Column("run", String(40), nullable=False),
    Column("target", Text, nullable=False, server_default=""),
    Column("cases", Integer, nullable=False, server_default="0"),
    Column("errors", Integer, nullable=False, server_default="0"),
    Column("rows", JSON, nullable=False),
)

# what a rater, who does not know whose they are, said of one answer (rubric) or of two (`better` is a, b or tie)
labels = Table(
    "labels",
    metadata,
    Column("id", String(64), primary_key=True),  # digest of item, rater and criteria: saying it again replaces
    Column("created", Float, nullable=False),
    Column("suite", Text, nullable=False),
    Column("suite_id", String(64), nullable=False),
    Column("case", String(64), nullable=False),
    Column("rater", String(64), nullable=False),
    Column("a", String(64), nullable=False),
    Column("b", String(64), nullable=False),  # empty for a rubric
    Column("a_corpus", String(64), nullable=False),  # the states of the documents at which they answered, as in answers
    Column("b_corpus", String(64), nullable=False),
    Column("better", String(4), nullable=False),
    Column("scores", JSON, nullable=False),
    Column("comment", Text, nullable=False),
)

# what a judge said of an answer, so that nothing is asked twice; a score that is null was no verdict
verdicts = Table(
    "verdicts",
    metadata,
    Column("judge", String(64), primary_key=True),  # digest of model, rubric and all that decides a verdict
    Column("item", String(64), primary_key=True),  # digest of what was put to the judge
    Column("sample", Integer, primary_key=True),
    Column("created", Float, nullable=False),
    Column("score", Float),
    Column("reason", Text, nullable=False),
    Column("fault", Text, nullable=False),
)

# how far a judge agreed with people on a golden set; append-only
probations = Table(
    "probations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created", Float, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("judge", String(64), nullable=False),
    Column("golden", String(64), nullable=False),
    Column("record", JSON, nullable=False),
)

# append-only: `hash` is of the row and of the hash before it
releases = Table(
    "releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("app", Text, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("action", String(16), nullable=False),  # gate, propose, promote, rollback
    Column("variant", String(64), nullable=False),
    Column("reason", JSON, nullable=False),
    Column("author", String(32), nullable=False),
    Column("before", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

# without rows here a document is open to every key
grants = Table(
    "grants",
    metadata,
    Column("document_id", Row, ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True),
    Column("group", String(64), primary_key=True),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("trace", String(32), nullable=False, index=True),
    Column("created", Float, nullable=False, index=True),
    Column("author", String(32), nullable=False),
    Column("thumb", String(4)),
    Column("score", Float),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("wrong_citations", JSON, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256: the secret has 256 random bits of its own
    Column("scopes", JSON, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("requests_per_minute", Integer),
    Column("dollars_per_day", Float),
    Column("created", Float, nullable=False),
    Column("revoked", Float),
)

spending = Table(
    "spending",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("day", String(10), primary_key=True),  # UTC, 2026-11-21
    Column("requests", Integer, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("dollars", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("key", String(32), nullable=False),
    Column("expires", Float, nullable=False),
)

# what /v1/responses may continue by previous_response_id
responses = Table(
    "responses",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created", Float, nullable=False, index=True),
    Column("key", String(32), nullable=False),
    Column("messages", JSON, nullable=False),
    Column("body", JSON, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # queued, running, done, failed, cancelled
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("settings", JSON, nullable=False),
    Column("config", JSON, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("result", JSON),
    Column("error", Text, nullable=False, default=""),
    Column("machine", Text, nullable=False, default=""),
    Column("parent", String(32)),
    Column("process", Integer),
    Column("born", BigInteger),  # when that process began, since its number may be given to another
)
Index("runs_created", runs.c.created)
