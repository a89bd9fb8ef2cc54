"""What a file would become: read and cut as an ingestion would, written nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Message, Passage, Refusal
from gatewheel.loop.compose import Parts
from gatewheel.rag import pages, pieces
from gatewheel.rag.discover import Candidate, discover
from gatewheel.rag.question import Question


def preview(parts: Parts, path: Path, *, chunker: str = "") -> list[Passage]:
    """The passages of a file by the project's chunker, or by a strategy of the catalog.

    Raises SourceError when the file cannot be read, ConfigError for an unknown strategy.
    """
    cut = parts.chunker
    if chunker:
        module = catalog.load("chunker", chunker)
        cut = module.create(module.Settings())
    found: list[Passage] = []
    refused: list[Refusal] = []
    for candidate in discover([str(path)], root=parts.config.root, max_file_mb=parts.config.sources.max_file_mb):
        if not isinstance(candidate, Candidate):
            raise SourceError(f"{candidate.source}: {candidate.reason}")
        for document in parts.readers[candidate.format].read(candidate.path, source=candidate.source):
            if isinstance(document, Refusal):
                refused.append(document)
            else:
                chunks = pages.split(document, cut, tokens=parts.encoder)
                found += [pieces.passage(document, chunk) for chunk in chunks]
    if refused and not found:
        raise SourceError("; ".join(f"{one.source}: {one.reason}" for one in refused))
    return found


def messages(parts: Parts, name: str, question: str) -> list[Message]:
    """What the model would be sent for a question by prompts/<name>.md. Generates nothing."""
    return replace(parts.app(), prompt=parts.prompt(name)).messages(Question(text=question))
