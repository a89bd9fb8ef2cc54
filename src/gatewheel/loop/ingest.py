"""Bring a project's index in line with its files, as a Run or at once."""

from __future__ import annotations

import errno
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from gatewheel.embeddings import grants
from gatewheel.kernel.errors import ConfigError, SourceError
from gatewheel.kernel.nouns import Refusal
from gatewheel.kernel.ports import FileState
from gatewheel.loop.compose import Parts
from gatewheel.rag.discover import LOOP, NO_MATCH, at_or_below, discover
from gatewheel.rag.ingest import Ingested, Ingestion, Progress
from gatewheel.rag.ingest import Parts as IngestParts

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # any other fault, and nobody knows whether the file is there


def ingest(
    parts: Parts,
    paths: Sequence[str] = (),
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Ingested:
    """Read `paths`, or what [sources] names, and drop what is gone.

    Without paths the index follows [sources]: files that were named on an earlier command line stay while they exist.
    With paths only files at or below them are looked at. Raises ConfigError when a path of [sources] names nothing,
    SourceError when no path leads to a file that can be read; either way nothing was changed.
    """
    sources = parts.config.sources
    root = parts.config.root
    found = list(discover(paths or sources.paths, root=root, exclude=sources.exclude, max_file_mb=sources.max_file_mb))
    refusals = [one for one in found if isinstance(one, Refusal)]
    if not paths and (missing := unmatched((one.source, one.reason) for one in refusals)):
        # one letter amiss must not empty the index
        raise ConfigError(
            f"{parts.config.path.name}: [sources] paths: no file matches {', '.join(map(repr, missing))}; "
            "nothing was changed",
            cure="check the spelling, or take it out; paths are relative to the project",
        )
    if paths and refusals and len(refusals) == len(found):
        raise SourceError("; ".join(f"{one.source}: {one.reason}" for one in refusals))
    parts.store.use_terms_of(parts.store.analyser)
    grants.bring_up(parts.engine, parts.store.rules)
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
    result = ingestion.run(found, gone=_gone(root, paths, refusals), named=bool(paths))
    if parts.encoder.dimensions:
        parts.open_index()  # derived here, so that the first question need not wait for it
        _drop_others(parts.index_folder)
    return result


def unmatched(refused: Iterable[tuple[str, str]]) -> list[str]:
    """Of (source, reason) pairs the sources that were named and lead to nothing."""
    return [source for source, reason in refused if reason.startswith(NO_MATCH)]


def _gone(root: Path, paths: Sequence[str], refusals: Sequence[Refusal]) -> Callable[[FileState], bool]:
    refused = {one.source for one in refusals}
    # a folder that cannot be listed says nothing about what is in it
    closed = {one.source for one in refusals if one.reason != LOOP and not one.reason.startswith(NO_MATCH)}
    looked_at = at_or_below(paths, root=root) if paths else None

    def gone(state: FileState) -> bool:
        if looked_at and not looked_at(state.source):
            return False
        if any(folder.as_posix() in closed for folder in PurePosixPath(state.source).parents):
            return False
        try:
            regular = stat.S_ISREG((root / state.source).stat().st_mode)
        except OSError as error:
            return error.errno in _GONE
        return not regular or state.source in refused or not (paths or state.named)

    return gone


def _drop_others(folder: Path) -> None:
    """Indexes by another encoder, of another kind or of another database: derived, and made again when needed."""
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
