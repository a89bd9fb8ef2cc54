"""The tables of what was learned from what: frozen cases, where they came from, what runs made of them, what is
tainted, and what clients of the tuning API sent and got.

The rest are in schema.py, whose metadata has these too.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from gatewheel.kernel.store.schema import metadata

# a frozen version of the cases to learn from: its id is the SHA-256 of the object that holds them
datasets = Table(
    "datasets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("card", JSON, nullable=False),
)

dataset_cases = Table(
    "dataset_cases",
    metadata,
    Column("dataset", String(64), ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("case", String(64), primary_key=True, index=True),  # by what it asks, as in splits
)

# what a case was made of: a trace with what people said of it, a span of a document, a file
origins = Table(
    "origins",
    metadata,
    Column("case", String(64), primary_key=True),  # by what it asks, as in splits
    Column("kind", String(16), primary_key=True),  # trace, feedback, document, file
    Column("ref", Text, primary_key=True),
    Column("created", Float, nullable=False),
    Column("detail", JSON, nullable=False),
)
Index("origins_ref", origins.c.kind, origins.c.ref)

# what a run made: an object, by its SHA-256
artifacts = Table(
    "artifacts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),  # adapter, gguf, lora-gguf
    Column("created", Float, nullable=False),
    Column("run", String(32), nullable=False, index=True),
    Column("bytes", BigInteger, nullable=False),
    Column("meta", JSON, nullable=False),
)

# what learned of something that was forgotten since; a gate refuses it
taints = Table(
    "taints",
    metadata,
    Column("kind", String(16), primary_key=True),  # dataset, artifact, run
    Column("ref", String(64), primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("created", Float, nullable=False),
)

# what clients of the tuning API sent, and the figures of a tuning for them: an object, by its SHA-256
client_files = Table(
    "client_files",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key", String(32), nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("object", String(64), nullable=False, index=True),
)

# what a job of the tuning API made: an adapter that is served by a name of its own
tuned_models = Table(
    "tuned_models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", String(32), nullable=False),
    Column("open", Boolean, nullable=False),  # whether whoever may ask may ask it
    Column("created", Float, nullable=False),
    Column("run", String(32), nullable=False),
    Column("adapter", String(64), nullable=False),
    Column("model", Text, nullable=False),  # the [model.*] that was tuned
    Column("kind", String(8), nullable=False),  # as what it is served: beside its base, or merged
)
