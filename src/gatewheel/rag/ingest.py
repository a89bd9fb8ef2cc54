"""Files to passages with vectors. Knows ports only: which reader, chunker, encoder and store is for `loop/` to say.

Killed at any moment it leaves a consistent index, because each batch of documents is one transaction, a file counts
as read only when its ledger row says so, and vectors are kept under the digest of their text before their passages are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from gatewheel.kernel.errors import MissingPart, SourceError
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.kernel.ports import Chunker, Encoder, Entry, FileState, Ledger, Reader
from gatewheel.rag import pages, pieces
from gatewheel.rag.discover import Candidate
from gatewheel.rag.language import detect

PIECE = 1 << 20  # characters that are encoded at a time
BATCH_PASSAGES = 2_048  # written in one transaction: about 2 MB of text
KEPT_REFUSALS = 100  # of one file, to be told again while it stays unchanged
ENCODE_PASSAGES = 512  # between two signs of life; at 50 passages a second a bar moves every ten seconds at the worst


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What ingestion is made of. `recipes` names, by reader, all that decides the passages but not the bytes."""

    ledger: Ledger
    readers: Mapping[str, Reader]
    chunker: Chunker
    encoder: Encoder
    recipes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where an ingestion stands. A file and its bytes count once they are in the index, or need not be."""

    files: int
    total_files: int
    bytes: int
    total_bytes: int
    passages: int
    current: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingested:
    """What an ingestion did. The first six count documents, but for `passages`."""

    documents: int
    passages: int
    added: int
    updated: int
    removed: int
    unchanged: int
    skipped: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class _Closing:
    source: str
    size: int
    sha256: str
    keep: set[str]
    refusals: list[Refusal]


@dataclass
class _Batch:
    entries: list[tuple[int, Entry]] = field(default_factory=list)
    closings: list[_Closing] = field(default_factory=list)
    passages: int = 0

    def drop(self, file_id: int) -> None:
        """Forget what waits of a file."""
        self.entries = [(id_, entry) for id_, entry in self.entries if id_ != file_id]
        self.passages = sum(len(entry.passages) for _, entry in self.entries)


class Ingestion:
    """One pass over candidates. Use once."""

    def __init__(self, parts: Parts, *, on_progress: Callable[[Progress], None] | None = None) -> None:
        self.parts = parts
        self.on_progress = on_progress
        self.known = parts.ledger.files()
        self.added = self.updated = self.removed = self.unchanged = 0
        self.skipped: list[Refusal] = []
        self.seen: set[str] = set()  # a record "a.jsonl#1" and a file of that name are one source
        self.batch = _Batch()
        self.progress = Progress(files=0, total_files=0, bytes=0, total_bytes=0, passages=0, current="")

    def run(self, found: Iterable[Candidate | Refusal], *, gone: Callable[[FileState], bool], named: bool) -> Ingested:
        """Bring the index in line with the files. `gone` says of a ledger file that was not found whether to drop it.

        `named` marks files given on the command line rather than by [sources].
        """
        candidates = []
        for one in found:
            if isinstance(one, Candidate):
                candidates.append(one)
            else:
                self.skipped.append(one)
        total = sum(candidate.size for candidate in candidates)
        self.progress = replace(self.progress, total_files=len(candidates), total_bytes=total)
        for candidate in candidates:
            self._tell(current=candidate.source)
            if not self._waits(candidate, named):
                self._done(candidate.size)
            elif self.batch.passages >= BATCH_PASSAGES:
                self._flush()
        self._flush()
        here = {candidate.source for candidate in candidates}
        for state in self.known.values():
            if state.source not in here and gone(state):
                self.removed += self.parts.ledger.remove_file(state.source)
        self.parts.ledger.tidy()
        documents, passages = self.parts.ledger.totals()
        return Ingested(
            documents=documents,
            passages=passages,
            added=self.added,
            updated=self.updated,
            removed=self.removed,
            unchanged=self.unchanged,
            skipped=tuple(self.skipped),
        )

    def _waits(self, candidate: Candidate, named: bool) -> bool:
        """Read a file when needed. Returns whether it has to be written with its batch before it is done."""
        ledger, source, size = self.parts.ledger, candidate.source, candidate.size
        try:
            sha256, mtime_ns = _digest(candidate.path), candidate.path.stat().st_mtime_ns
        except OSError as error:
            reason = f"cannot be read: {error.strerror}; check its permissions"
            if isinstance(error, FileNotFoundError):
                reason = "it is gone; run ingest again"
            self.skipped.append(Refusal(source=source, reason=reason))
            return False
        state, recipe = self.known.get(source), self.parts.recipes[candidate.format]
        if state and state.sha256 == sha256 and state.recipe == recipe:
            self.unchanged += state.documents
            self.skipped.extend(state.refusals)
            if (state.size, state.mtime_ns, state.named) != (size, mtime_ns, state.named or named):
                ledger.touch_file(source, size=size, mtime_ns=mtime_ns, named=state.named or named)
            return False
        file_id = ledger.open_file(
            source, size=size, mtime_ns=mtime_ns, recipe=recipe, named=named or bool(state and state.named)
        )
        counted, told = (self.added, self.updated, self.unchanged), len(self.skipped)
        try:
            keep = self._documents(candidate, file_id, recipe)
        except (SourceError, MissingPart) as error:
            self.added, self.updated, self.unchanged = counted
            self.removed += state.documents if state else 0
            # what is missing, such as a password, may be here the next time while the bytes stay the same
            self._give_up(candidate, file_id, sha256 if isinstance(error, SourceError) else "", str(error))
            return False
        self.batch.closings.append(_Closing(source, size, sha256, keep, self.skipped[told:]))
        return True

    def _give_up(self, candidate: Candidate, file_id: int, sha256: str, reason: str) -> None:
        """What was already written of a broken file goes with it: a half-read one must not answer questions."""
        self.batch.drop(file_id)
        try:
            sha256 = sha256 if _digest(candidate.path) == sha256 else ""
        except OSError:
            sha256 = ""  # it went away while it was read: its bytes are not at fault and may come back
        refusal = Refusal(source=candidate.source, reason=reason)
        self.parts.ledger.close_file(candidate.source, sha256=sha256, refusals=[refusal])
        self.skipped.append(refusal)

    def _documents(self, candidate: Candidate, file_id: int, recipe: str) -> set[str]:
        before = self.parts.ledger.known_documents(file_id)
        keep: set[str] = set()
        for document in self.parts.readers[candidate.format].read(candidate.path, source=candidate.source):
            if isinstance(document, Refusal):
                self.skipped.append(document)
                continue
            if document.source in self.seen:
                reason = "a second document of this name; rename one"
                self.skipped.append(Refusal(source=document.source, reason=reason))
                continue
            self.seen.add(document.source)
            keep.add(document.source)
            if not document.language:
                document = replace(document, language=detect(document.text))
            digest = _document_digest(document, recipe)
            if before.get(document.source) == digest:
                self.unchanged += 1
                continue
            self.updated += document.source in before
            self.added += document.source not in before
            self.batch.entries.append((file_id, self._entry(document, digest)))
            self.batch.passages += len(self.batch.entries[-1][1].passages)
            if self.batch.passages >= BATCH_PASSAGES:
                self._flush()
        return keep

    def _entry(self, document: Document, digest: str) -> Entry:
        chunks = pages.split(document, self.parts.chunker, tokens=self.parts.encoder)
        return pieces.entry(document, chunks, sha256=digest)

    def _flush(self) -> None:
        batch, self.batch = self.batch, _Batch()
        ledger = self.parts.ledger
        if self.parts.encoder.dimensions:
            self._encode([entry for _, entry in batch.entries])
        ledger.write(batch.entries)
        for closing in batch.closings:
            self.removed += ledger.close_file(
                closing.source, sha256=closing.sha256, keep=closing.keep, refusals=closing.refusals[:KEPT_REFUSALS]
            )
            self._done(closing.size)
        self._tell(passages=self.progress.passages + (batch.passages if not self.parts.encoder.dimensions else 0))

    def _encode(self, entries: Sequence[Entry]) -> None:
        ledger = self.parts.ledger
        passages = ((key, text) for entry in entries for key, text in zip(entry.keys, entry.contexts, strict=True))
        while window := list(islice(passages, BATCH_PASSAGES)):  # of a large document never all at once
            texts = dict(window)
            missing = sorted(ledger.missing_vectors(list(texts)), key=lambda key: len(texts[key]))
            for at in range(0, len(missing), ENCODE_PASSAGES):
                keys = missing[at : at + ENCODE_PASSAGES]
                ledger.add_vectors(keys, self.parts.encoder.encode([texts[key] for key in keys]))
                self._tell(passages=self.progress.passages + len(keys))
            self._tell(passages=self.progress.passages + len(window) - len(missing))

    def _done(self, size: int) -> None:
        self._tell(files=self.progress.files + 1, bytes=self.progress.bytes + size)

    def _tell(self, **changes: int | str) -> None:
        self.progress = replace(self.progress, **changes)  # type: ignore[arg-type]
        if self.on_progress:
            self.on_progress(self.progress)


def _document_digest(document: Document, recipe: str) -> str:
    head = json.dumps([document.title, dict(document.meta), recipe], sort_keys=True, default=str)
    digest = hashlib.sha256(f"{head}\0".encode("utf-8", "surrogatepass"))
    for at in range(0, len(document.text), PIECE):  # whole, a text of 90 MB with one emoji would cost 450 MB more
        digest.update(document.text[at : at + PIECE].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
