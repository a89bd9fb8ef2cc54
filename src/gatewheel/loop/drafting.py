"""Drafts cases from the project's own documents: a question, the answer and where it stands. A person accepts them.

A sentence is chosen, the model asks what it answers, and a draft is kept only when the way back works: retrieval finds
the passage by the question, and the checker points to that sentence again. What is drafted is easy by construction, so
a suite of drafts alone says less than one of questions that people asked.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from gatewheel.data import drafts
from gatewheel.data.cases import identity
from gatewheel.kernel.errors import Cancelled, ProjectError
from gatewheel.kernel.nouns import Case, Message, Span
from gatewheel.kernel.ports import Decoding
from gatewheel.kernel.store import schema
from gatewheel.loop.compose import Parts
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.progress import Notes, OnProgress
from gatewheel.rag.sentences import sentence_spans

FOUND_AMONG = 3  # best hits among which the passage has to be
SHORTEST, LONGEST = 7, 35  # words of a sentence that is asked about
TRIES = 2  # questions for a sentence, the first without sampling
TOLD = (
    "Write one short question that the sentence answers. Use the words of the sentence and name what it is about. "
    "Write nothing but the question."
)
SHOWN = (
    ("The warranty covers the battery for two years.", "How long does the warranty cover the battery?"),
    ("Marie Curie discovered radium in 1898.", "When did Marie Curie discover radium?"),
    ("A lease ends when either party gives three months' notice.", "How can a party end a lease?"),
)
_WHOLE = re.compile(r"[A-ZÀ-Þ\"“'‘(*`][^|]*[.!]", re.DOTALL)
# what such a sentence is about stands in the one before it
_LEANING = re.compile(
    r"(?:it|this|these|that|they|he|she|then|so|but|and|or|such|those|there|here|its|their|both|neither|each|"
    r"however|therefore|otherwise|also|thus|hence|we|i|you|nothing|everything)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"(?:who|whom|whose|what|when|where|why|how|which|is|are|was|were|do|does|did|can|may|must)\b", re.I)
_ASKING = "what when where which who whom whose why how does did are was were can may must the"
_WORD = re.compile(r"[^\W\d_]{3,}|\d+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A passage to draft from: its id, the document, where it begins in it, and its text."""

    passage: str
    document: str
    start: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """So many drafts for a suite, asked by a `[model.*]`. Another seed begins at other passages."""

    suite: str
    count: int = 20
    model: str = "chat"
    seed: int = 0


def draft(
    parts: Parts,
    wanted: Wanted,
    *,
    run: str = "",
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Case]:
    """Up to so many new drafts, each written to the suite's file as it is made; no passage is drafted from twice.

    A `run` that was stopped goes on: what it drafted counts, and where nothing came of it it does not look again.

    Raises ProjectError when no passage is left or there are no documents, Cancelled (what was drafted stays),
    ConfigError, ModelError.
    """
    root, in_vain = parts.config.root, Notebook(parts.config.state, run, "passages")
    made = [case for case in drafts.read(root, wanted.suite) if run and case.meta.get("run") == run]
    done = drafts.passages(root, wanted.suite)
    sources = [one for one in _sources(parts, wanted.seed) if one.passage not in done and one.passage not in in_vain]
    if not sources and not made:
        raise ProjectError("every passage was drafted from, or there is none", cure="run `gatewheel ingest`")
    notes = Notes("drafting", wanted.count, on_progress)
    for _ in made:
        notes.take(known=True)
    for looked, source in enumerate(sources, 1):
        if len(made) >= wanted.count:
            break
        notes.tell(f"drafting, passage {looked} of {len(sources)}")
        if cancelled():
            raise Cancelled(f"stopped; {len(made)} drafts stay, and the same command goes on from there")
        case = _from(parts, source, wanted)
        if case and run:
            case = replace(case, meta={**case.meta, "run": run})
        if case and drafts.add(root, wanted.suite, case):
            made.append(case)
            notes.take()
        else:
            in_vain.keep(source.passage)
    return made


def candidates(text: str) -> list[Span]:
    """Spans of the sentences of a text that stand by themselves, the most telling first.

    >>> text = "It was late. The gate opened at seven in the morning. Wheels turn."
    >>> [text[start:end] for start, end in candidates(text)]
    ['The gate opened at seven in the morning.']
    """
    found = [(start, end) for start, end in sentence_spans(text) if _stands_alone(text[start:end])]
    return sorted(found, key=lambda span: -_telling(text[slice(*span)]))


def asks(question: str, sentence: str) -> bool:
    """Whether a text is one question, in the words of the sentence but not the sentence itself."""
    words, known = _words(question), _words(sentence)
    if not (question.endswith("?") and question.count("?") == 1 and _ASKS.match(question)):
        return False
    if not 4 <= len(question.split()) <= 25 or "sentence" in question.casefold():
        return False
    about = words - _words(_ASKING)
    return bool(about) and len(about & known) >= 0.6 * len(about) and len(known - words) >= 2


def _sources(parts: Parts, seed: int) -> list[Source]:
    """Every passage, those of one document far from each other: as many documents as possible come first."""
    passages, documents = schema.passages, schema.documents
    columns = (passages.c.public_id, documents.c.source, passages.c.start, passages.c.text)
    query = select(*columns).join(documents).order_by(documents.c.source, passages.c.start)
    by_document: dict[str, list[Source]] = {}
    with parts.engine.connect() as connection:
        for passage, document, start, text in connection.execute(query):
            source = Source(passage=passage, document=document, start=start, text=text)
            by_document.setdefault(document, []).append(source)
    draw = random.Random(seed)
    for group in by_document.values():
        draw.shuffle(group)
    turns = [(turn, draw.random(), source) for group in by_document.values() for turn, source in enumerate(group)]
    return [source for *_, source in sorted(turns, key=lambda turn: turn[:2])]


def _from(parts: Parts, source: Source, wanted: Wanted) -> Case | None:
    for span in candidates(source.text)[:2]:
        for question in _questions(parts, source.text[slice(*span)], wanted):
            if case := _sound(parts, source, span, question):
                return replace(case, meta={**case.meta, "model": parts.model(wanted.model).name})
    return None


def _questions(parts: Parts, sentence: str, wanted: Wanted) -> Iterator[str]:
    turns = [Message(role="system", content=TOLD)]
    for shown, asked in SHOWN:
        turns += [Message(role="user", content=f"Sentence: {shown}"), Message(role="assistant", content=asked)]
    turns.append(Message(role="user", content=f"Sentence: {' '.join(sentence.split())}"))
    for attempt in range(TRIES):
        decoding = Decoding(
            max_tokens=48, stop=("\n",), temperature=0.7 if attempt else 0.0, seed=wanted.seed + attempt
        )
        question = parts.model(wanted.model).chat(turns, decoding=decoding).text.strip()
        if asks(question, sentence):
            yield question


def _sound(parts: Parts, source: Source, span: Span, question: str) -> Case | None:
    """The draft, when the way back from the question leads to its sentence."""
    hits = parts.retriever().retrieve(question, k=FOUND_AMONG)
    checker = parts.checker("main")
    quoted = checker.quote(question, hits)
    if quoted.end <= quoted.start or checker.answerable(question, hits) < checker.threshold:
        return None
    passage = hits[quoted.passage].passage
    start, end = source.start + span[0], source.start + span[1]
    if passage.source != source.document or quoted.start >= end or quoted.end <= start:
        return None
    sentence = source.text[slice(*span)]
    made = Case(
        id="",
        question=question,
        references=(" ".join(sentence.split()),),
        sources=(source.document,),
        evidence=(sentence,),
        cluster=source.document,
        meta={"passage": source.passage, "span": [start, end]},
    )
    return replace(made, id=identity(made))


def _stands_alone(sentence: str) -> bool:
    words = sentence.split()
    if not SHORTEST <= len(words) <= LONGEST or not _WHOLE.fullmatch(sentence) or _LEANING.match(sentence):
        return False
    return sum(map(str.isalpha, sentence)) > 0.6 * len(sentence)


def _telling(sentence: str) -> float:
    """Numbers and names are what is asked for; a long sentence says several things."""
    names: Sequence[str] = re.findall(r"(?<!^)\b[A-Z][\w-]+", sentence)
    return len(re.findall(r"\d+", sentence)) + len(names) - 0.1 * len(sentence.split())


def _words(text: str) -> set[str]:
    return {word[:4] for word in _WORD.findall(text.casefold())}  # so that "open" is "opened"
