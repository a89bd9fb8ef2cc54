"""The text that came with a case, as what an application finds: it answers from that instead of from the documents."""

from __future__ import annotations

from collections.abc import Callable

from gatewheel.kernel.nouns import Case, Document, Hit, Passage
from gatewheel.kernel.ports import Chunker, Encoder
from gatewheel.rag import pieces

NAME = "context"  # what the text is called where a case names no source, or several


class Given:
    """Fulfils the port Retriever over one text. `where` is about documents and says nothing here."""

    def __init__(self, case: Case, *, chunker: Chunker, encoder: Encoder) -> None:
        source = case.sources[0] if len(case.sources) == 1 else NAME
        document = Document(source=source, text=case.context, format="text")
        self._encoder = encoder
        self._chunks = chunker.split(document, tokens=encoder)
        self._passage: Callable[[int], Passage] = lambda at: pieces.passage(document, self._chunks[at])

    def retrieve(self, question: str, *, k: int, where: str = "") -> list[Hit]:
        """The k passages nearest in meaning; in their order where the encoder makes no vectors."""
        del where
        passages = [self._passage(at) for at in range(len(self._chunks))]
        vectors = self._encoder.encode([question, *(passage.text for passage in passages)])
        cosines = (vectors[1:] @ vectors[0]).tolist()
        best = sorted(range(len(passages)), key=lambda at: -cosines[at])[:k]
        return [Hit(passage=passages[at], score=cosines[at], similarity=cosines[at]) for at in best]
