"""A store with small documents as it takes them, for the tests of the store and of what searches it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Engine, func, select, text

from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel.nouns import Document, Passage
from gatewheel.kernel.ports import Entry
from gatewheel.kernel.store.schema import documents, files, passages

ANALYSER = Analyser("english")


class HashEncoder:
    """Vectors that differ wherever texts do, without a model; counts the texts that it was asked for."""

    id = "hash"
    dimensions = 8
    max_tokens = 32

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.encoded.extend(texts)
        rows = [np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)[:8] for text in texts]
        found = np.array(rows, np.float32).reshape(len(texts), 8) - 127.5
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def starts(self, text: str) -> Any:
        return np.array([match.start() for match in re.finditer(r"\S+", text)], np.int32)


def key_of(heading: str, text: str) -> str:
    """The key of a passage's vector."""
    return hashlib.blake2b(f"{heading}\n{text}".encode(), digest_size=16).hexdigest()


def entry(source: str, bodies: Sequence[str], *, heading: str = "", page: int | None = None, **said: Any) -> Entry:
    """A document whose passages are these bodies, one after another."""
    text = "\n".join(bodies)
    passages, at = [], 0
    for number, body in enumerate(bodies):
        span = (at, at + len(body))
        id_ = hashlib.blake2b(f"{source}{number}{body}".encode(), digest_size=8).hexdigest()
        passages.append(
            Passage(
                id=id_, source=source, span=span, text=body, heading=heading, page=page, title=said.get("title", "")
            )
        )
        at = span[1] + 1
    document = Document(**{"source": source, "text": text, "format": "text", "language": "en", **said})
    contexts = tuple(f"{heading}\n{body}" for body in bodies)
    keys = tuple(key_of(heading, body) for body in bodies)
    digest = hashlib.sha256(f"{heading}{text}{said}".encode()).hexdigest()
    return Entry(document=document, sha256=digest, passages=tuple(passages), contexts=contexts, keys=keys)


def store_of(engine: Engine, encoder_id: str = "hash") -> PassageStore:
    return PassageStore(engine, analyser=ANALYSER, encoder_id=encoder_id)


def encode(store: PassageStore, encoder: HashEncoder, entries: list[Entry]) -> None:
    texts = {key: text for one in entries for key, text in zip(one.keys, one.contexts, strict=True)}
    missing = sorted(store.missing_vectors(list(texts)))
    store.add_vectors(missing, encoder.encode([texts[key] for key in missing]))


def assert_consistent(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            connection.execute(text("INSERT INTO passages_fts(passages_fts) VALUES ('integrity-check')"))
            held = connection.execute(text("SELECT count(*) FROM passages_fts_docsize")).scalar_one()
        else:
            held = connection.execute(text("SELECT count(terms) FROM passages")).scalar_one()
        assert held == connection.execute(select(func.count()).select_from(passages)).scalar_one()
        whole = select(passages.c.id).join(documents).join(files)
        assert len(connection.execute(whole).all()) == held
