"""The nouns of Gatewheel: frozen, serialisable, without behaviour.

A span is a half-open pair of character offsets into the text of its document: `text[start:end]`.
Seconds are wall-clock seconds. Tokens are those of the model or encoder that is named beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Span = tuple[int, int]
Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A source as text. `pages` holds the offset at which each page starts (PDF, PPTX), else it is empty."""

    source: str
    text: str
    format: str
    title: str = ""
    language: str = ""
    pages: tuple[int, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A source, or one record of it, that was left out, and why: what was wrong, then the cure."""

    source: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A span that a chunker cut, with the headings above it, outermost first, and its size in encoder tokens."""

    start: int
    end: int
    headings: tuple[str, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A located piece of a document: `document.text[span[0]:span[1]] == text`. `page` counts from 1."""

    id: str
    source: str
    span: Span
    text: str
    heading: str = ""
    page: int | None = None
    tokens: int = 0
    title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A passage that retrieval returned. `ranks` says at which place each retriever had it, from 1."""

    passage: Passage
    score: float
    ranks: Mapping[str, int] = field(default_factory=dict)
    similarity: float = 0.0  # cosine of question and passage; 0 when no encoder took part


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool that the model asks for; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one call of a model took. `cost` is in US dollars and None when the price is not known."""

    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    seconds_to_first_token: float = 0.0
    cost: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model wrote. `finish` is stop, length, tool_calls or cancelled."""

    text: str
    finish: str
    usage: Usage
    model: str
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """Marker [n] of an answer: the exact words, `quote == document.text[span[0]:span[1]]`, that support it."""

    n: int
    source: str
    span: Span
    quote: str
    page: int | None = None
    passage: str = ""
    support: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One sentence of an answer with the verdict of the check: its support in 0..1 and the marker it carries."""

    text: str
    supported: bool
    support: float
    citation: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What `ask` returns: text with [n] markers, or an abstention; the variant and trace that it came from."""

    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    passages: tuple[Hit, ...]
    sentences: tuple[Sentence, ...]
    usage: Usage
    seconds: float
    variant: str
    trace: str | None
    draft: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A complete recipe for answering, named by the SHA-256 of its canonical JSON."""

    id: str
    recipe: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord:
    """One timed step of a trace; `attributes` use the OpenTelemetry GenAI names."""

    name: str
    start: float
    seconds: float
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One request through a variant, as spans. `created` is a POSIX time stamp."""

    id: str
    created: float
    kind: str
    question: str
    answer: str
    abstained: bool
    variant: str
    seconds: float
    input_tokens: int
    output_tokens: int
    spans: tuple[SpanRecord, ...] = ()
