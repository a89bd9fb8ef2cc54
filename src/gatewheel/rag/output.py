"""Stage three, output processing: each sentence of a draft is checked as soon as it is whole.

A supported sentence carries [n] to the words that support it; an unsupported one is dropped or flagged; when nothing
supported is left, the answer is an abstention.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatewheel.kernel.errors import ModelError
from gatewheel.kernel.nouns import Citation, Passage, Sentence
from gatewheel.kernel.ports import Checker, Support
from gatewheel.rag.sentences import sentence_spans
from gatewheel.rag.wording import echoes

FLAG = "[unsupported]"
_OWN_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")  # markers of the model's own: it guesses, so they go
# Where the draft is looked at: behind each word, and behind a stop that needs no space. Thus pieces of any size give
# the same sentences, and "Inc. The" is not cut off before it turns out to be "Inc. Thermal".
_WIDE = "。！？｡।॥؟۔։።"
_STEP = re.compile(rf"\s(?=\S)|[{_WIDE}](?=[^\W_])")
_LINE_MARKS = re.compile(r"^[ \t]*(?:(?:>|#{1,6}|[-*+])[ \t]+)+", re.MULTILINE)
_CELLS = re.compile(r"[ \t]*\|[ \t]*")
_EMPHASIS = re.compile(r"\*\*|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
_END = re.compile(r"([.!?。！？।…]+[\"'”’)\]]*)\s*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A sentence with its verdict, as it stands in the answer (`shown` is empty when it was dropped)."""

    sentence: Sentence
    shown: str


@dataclass
class Evidence:
    """Judges claims by the passages that the model was shown, and numbers the citations in the order of their use."""

    checker: Checker
    passages: Sequence[Passage]
    citations: list[Citation] = field(default_factory=list)

    def judge(self, claim: str, *, shown: str = "") -> Sentence:
        """The verdict on a claim; a supported one gets a citation. The sentence's text is `shown` when given."""
        support = self.checker.support([claim], self.passages)[0]
        # an empty span is no evidence, even where the threshold is 0
        supported = support.score >= self.checker.support_threshold and support.end > support.start
        number = self._cite(self.passages[support.passage], support) if supported else None
        return Sentence(text=shown or claim, supported=supported, support=support.score, citation=number)

    def find(self, value: str, *, shown: str) -> Sentence:
        """The verdict on a bare value: it is supported where it stands word for word, else judged as a claim."""
        spaced = r"\s+".join(map(re.escape, value.split()))
        words = re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)
        for index, passage in enumerate(self.passages):
            if match := words.search(passage.text):
                start, end = (at + passage.span[0] for at in match.span())
                support = Support(score=1.0, passage=index, start=start, end=end)
                return Sentence(text=shown, supported=True, support=1.0, citation=self._cite(passage, support))
        return self.judge(value, shown=shown)

    def quote(self, passage: Passage, support: Support) -> Sentence:
        """The words of a passage themselves, cited."""
        start, end = (at - passage.span[0] for at in (support.start, support.end))
        text = _plain(passage.text[start:end])
        return Sentence(text=text, supported=True, support=1.0, citation=self._cite(passage, support))

    def _cite(self, passage: Passage, support: Support) -> int:
        span = (support.start, support.end)
        for citation in self.citations:
            if citation.source == passage.source and citation.span == span:
                return citation.n
        start, end = (at - passage.span[0] for at in span)
        citation = Citation(
            n=len(self.citations) + 1,
            source=passage.source,
            span=span,
            quote=passage.text[start:end],
            page=passage.page,
            passage=passage.id,
            support=round(support.score, 4),
        )
        self.citations.append(citation)
        return citation.n


@dataclass(frozen=True)
class Abstained:
    """The output of a question that was refused before any model was asked."""

    text: str
    abstained = True
    citations: tuple[Citation, ...] = ()
    sentences: tuple[Sentence, ...] = ()


class Prose:
    """Takes a draft in pieces and holds the answer as far as it is known."""

    def __init__(
        self,
        evidence: Evidence,
        *,
        abstention: str,
        question: str = "",
        keep_unsupported: bool = False,
        on_sentence: Callable[[Checked], None] | None = None,
    ) -> None:
        self.evidence = evidence
        self.sentences: list[Sentence] = []
        self._question = question
        self.stuck = False  # the model says what it said before: nothing more will come
        self._abstention = abstention
        self._keep_unsupported = keep_unsupported
        self._on_sentence = on_sentence
        self._shown: list[str] = []
        self._pending = ""
        self._seen = 0  # characters of what is pending that were looked at

    def feed(self, piece: str) -> None:
        """The next piece of the draft; every sentence that it completes is checked at once."""
        self._pending += piece
        while step := _STEP.search(self._pending, self._seen):
            self._seen = step.end()
            self._step()

    def _step(self) -> None:
        known, rest = self._pending[: self._seen], self._pending[self._seen :]
        spans = sentence_spans(known)
        if len(spans) > 1:
            for start, end in spans[:-1]:
                self._check(known[start:end])
            known = known[spans[-1][0] :]
        self._pending, self._seen = known + rest, len(known)

    def finish(self, *, cut: bool = False) -> None:
        """The draft is over; `cut` when its writer was stopped, so that its last words may be half a sentence."""
        pending, self._pending = self._pending, ""
        spans = sentence_spans(pending)
        if cut and spans and not _END.search(pending[slice(*spans[-1])]):
            spans.pop()
        for start, end in spans:
            self._check(pending[start:end])

    @property
    def citations(self) -> list[Citation]:
        """What the markers stand for."""
        return self.evidence.citations

    @property
    def abstained(self) -> bool:
        """Whether nothing supported is left."""
        return not any(sentence.supported for sentence in self.sentences)

    @property
    def text(self) -> str:
        """The answer with its markers, or the abstention."""
        return self._abstention if self.abstained else " ".join(self._shown)

    def quote(self, passage: Passage, support: Support) -> None:
        """Answer in the words of a passage."""
        sentence = self.evidence.quote(passage, support)
        self._take(sentence, _marked(sentence.text, f"[{sentence.citation}]"))

    def _check(self, raw: str) -> None:
        text = _OWN_MARKER.sub("", raw).strip()
        # a small model repeats itself, or the question; neither says anything
        if any(sentence.text == text for sentence in self.sentences):
            self.stuck = True
            return
        if echoes(text, self._question):
            return
        sentence = self.evidence.judge(text)
        if sentence.supported:
            self._take(sentence, _marked(text, f"[{sentence.citation}]"))
        else:
            self._take(sentence, _marked(text, FLAG) if self._keep_unsupported else "")

    def _take(self, sentence: Sentence, shown: str) -> None:
        self.sentences.append(sentence)
        if shown:
            self._shown.append(shown)
        if self._on_sentence:
            self._on_sentence(Checked(sentence=sentence, shown=shown))


class Fields:
    """An answer in JSON: every text and number in it is a claim. Nothing is dropped, since the JSON must validate.

    A yes or no cannot be found in a passage: it stands among the sentences as unsupported.
    """

    def __init__(self, evidence: Evidence, *, abstention: str) -> None:
        self.evidence = evidence
        self.sentences: list[Sentence] = []
        self._abstention = abstention
        self.stuck = False
        self._draft = ""
        self._whole: Any = None

    def feed(self, piece: str) -> None:
        """The next piece of the draft."""
        self._draft += piece

    def finish(self, *, cut: bool = False) -> None:
        """The draft is over. Raises ModelError when it is no whole JSON, as when it was `cut`."""
        try:
            self._whole = json.loads(self._draft)
        except (ValueError, RecursionError):
            why = "ran out of tokens" if cut else "is not whole"
            raise ModelError(
                f"the model's JSON {why}: {self._draft[-60:]!r}", cure="raise [app.main] max_tokens"
            ) from None
        for path, value in _leaves(self._whole):
            shown = f"{path}: {json.dumps(value, ensure_ascii=False)}"
            if isinstance(value, bool):
                self.sentences.append(Sentence(text=shown, supported=False, support=0.0))
            else:
                self.sentences.append(self.evidence.find(str(value), shown=shown))

    @property
    def citations(self) -> list[Citation]:
        """What supports the values."""
        return self.evidence.citations

    @property
    def abstained(self) -> bool:
        """Whether there are values to find in the passages, and none of them was found."""
        values = list(_leaves(self._whole))
        found = any(sentence.supported for sentence in self.sentences)
        return not found and (not values or not all(isinstance(value, bool) for _, value in values))

    @property
    def text(self) -> str:
        """The JSON on one line, or the abstention."""
        return self._abstention if self.abstained else json.dumps(self._whole, ensure_ascii=False)


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, str | float | bool]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    elif isinstance(value, str | int | float) and str(value).strip():
        yield path, value


def _plain(text: str) -> str:
    """A quotation to be read rather than rendered: without the marks of Markdown, on one line."""
    text = _CELLS.sub(", ", _LINE_MARKS.sub("", text).strip("| \t\n"))
    return " ".join(_EMPHASIS.sub("", text).split())


def _marked(text: str, marker: str) -> str:
    match = _END.search(text)
    return f"{text[: match.start()]} {marker}{match.group(1)}" if match else f"{text} {marker}"
