"""A folder of files with a store, ingested by real parts that count what they were asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from gatewheel.embeddings import openvino
from gatewheel.embeddings.analyse import Analyser
from gatewheel.embeddings.search import PassageSearch
from gatewheel.embeddings.store import PassageStore
from gatewheel.kernel import catalog
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.rag.discover import discover
from gatewheel.rag.ingest import Ingested, Ingestion, Parts, Progress

ENCODER = openvino.create(openvino.Settings())


class CountingEncoder:
    """The embedded encoder; keeps the texts that it was asked for."""

    id, dimensions, max_tokens = ENCODER.id, ENCODER.dimensions, ENCODER.max_tokens
    starts = staticmethod(ENCODER.starts)

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Any) -> Any:
        self.texts.extend(texts)
        return ENCODER.encode(texts)


class CountingReader:
    """A reader of the catalog; keeps the sources that it read."""

    def __init__(self, name: str, read: list[str], settings: dict[str, Any]) -> None:
        module = catalog.load("reader", name)
        self.inner = module.create(module.Settings(**settings))
        self.sources = read

    def read(self, path: Path, *, source: str) -> Iterable[Document | Refusal]:
        self.sources.append(source)
        yield from self.inner.read(path, source=source)


@dataclass
class Project:
    """A folder with its store."""

    root: Path
    engine: Engine
    encoder: CountingEncoder = field(default_factory=CountingEncoder)
    read: list[str] = field(default_factory=list)
    recipe: str = "1"
    chunker: str = "structure"
    jsonl: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = PassageStore(self.engine, analyser=Analyser(), encoder_id=self.encoder.id)
        self.search = PassageSearch(self.engine, analyser=Analyser(), open_index=lambda: None)  # type: ignore[arg-type, return-value]

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(
        self,
        *,
        after_discovery: Callable[[], object] = lambda: None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Ingested:
        """Everything in the folder; what is no longer found is dropped."""
        self.read.clear()
        self.encoder.texts.clear()
        found = list(discover(["."], root=self.root))
        after_discovery()
        chunker = catalog.load("chunker", self.chunker)
        parts = Parts(
            ledger=self.store,
            readers={
                name: CountingReader(name, self.read, self.jsonl if name == "jsonl" else {})
                for name in catalog.CATALOG["reader"]
            },
            chunker=chunker.create(chunker.Settings()),
            encoder=self.encoder,
            recipes=dict.fromkeys(catalog.CATALOG["reader"], self.recipe),
        )
        result = Ingestion(parts, on_progress=on_progress).run(found, gone=lambda _: True, named=False)
        documents, passages = self.store.totals()
        assert (result.documents, result.passages) == (documents, passages)
        assert len(self.store.rows()) == passages
        return result

    def sources(self) -> set[str]:
        return {name for state in self.store.files().values() for name in self.store.known_documents(state.id)}

    def finds(self, words: str) -> set[str]:
        rows = [row for row, _ in self.search.by_terms(words, k=10)]
        return {passage.source for passage in self.search.fetch(rows).values()}
