"""Bring a project's index in line with its files, as a Run or at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Refusal
from gatewheel.kernel.ports import FileState
from gatewheel.loop.compose import Parts
from gatewheel.rag.discover import Candidate, discover
from gatewheel.rag.ingest import Ingested, Ingestion, Progress
from gatewheel.rag.ingest import Parts as IngestParts


def ingest(
    parts: Parts,
    paths: Sequence[str] = (),
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Ingested:
    """Read `paths`, or what [sources] names, and drop what is gone.

    Without paths the index follows [sources]: files that were named on an earlier command line stay while they exist.
    With paths only files at or below them are looked at.
    """
    sources = parts.config.sources
    root = parts.config.root
    found = list(discover(paths or sources.paths, root=root, exclude=sources.exclude, max_file_mb=sources.max_file_mb))
    if paths and not any(isinstance(one, Candidate) for one in found):
        raise SourceError("; ".join(f"{one.source}: {one.reason}" for one in found if isinstance(one, Refusal)))
    parts.store.use_terms_of(parts.store.analyser)
    ingestion = Ingestion(
        IngestParts(
            ledger=parts.store,
            readers=parts.readers,
            chunker=parts.chunker,
            encoder=parts.encoder,
            recipes=parts.reading_recipes(),
        ),
        on_progress=on_progress,
    )
    result = ingestion.run(found, gone=_gone(root, paths, found), named=bool(paths))
    if parts.encoder.dimensions:
        parts.open_index()  # derived here, so that the first question need not wait for it
    return result


def _gone(root: Path, paths: Sequence[str], found: Sequence[object]) -> Callable[[FileState], bool]:
    refused = {one.source for one in found if isinstance(one, Refusal)}

    def gone(state: FileState) -> bool:
        path = root / state.source
        if not path.is_file() or state.source in refused:
            return True
        return not paths and not state.named

    return gone
