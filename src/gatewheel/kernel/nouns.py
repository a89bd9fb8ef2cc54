"""The nouns of Gatewheel: frozen, serialisable, without behaviour.

A span is a pair of character offsets into the text of its document, `text[start:end]`; seconds are those of a clock on
the wall, `created` a POSIX time stamp, tokens those of the model or encoder that is named beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gatewheel.kernel.likelihood import Likelihood

Span = tuple[int, int]
Role = Literal["system", "user", "assistant", "tool"]
Scope = Literal["ask", "feedback", "operate"]
Thumb = Literal["up", "down"]


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
class TokenLogprob:
    """A token that was written with its natural log-probability; `top` holds the likeliest tokens at its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model wrote. `finish` is stop, length, tool_calls or cancelled. `logprobs` is empty unless asked for."""

    text: str
    finish: str
    usage: Usage
    model: str
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    id: str = ""  # the endpoint's name of its response, empty for an engine in process


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
    likelihoods: tuple[Likelihood, ...] = ()  # of the choices, or of the question without any; nothing is written then


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A complete recipe for answering, named by the SHA-256 of its canonical JSON."""

    id: str
    recipe: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One input with what is expected of the output; the same Case trains, tests and rewards.

    `references` are right answers, any of them; `answerable` is False where an abstention is right. `sources` hold the
    answer, `evidence` is their wording of it. `choices` with `label`, the right one, make it multiple choice; `label`
    alone is the class. `context` is evidence handed over with the question. Cases of a `cluster` (a document, a
    conversation) are not independent of each other. `tags` name the slices that a case belongs to.
    """

    id: str
    question: str
    references: tuple[str, ...] = ()
    answerable: bool = True
    history: tuple[Message, ...] = ()
    sources: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    label: str = ""
    context: str = ""
    tags: tuple[str, ...] = ()
    cluster: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What the metrics say of one answer to one case. `error` tells why there was no answer.

    `values` has the numbers from which the figure of a metric is made (of one the mean is taken), or None: not for it.
    """

    case: str
    values: Mapping[str, tuple[float, ...] | None]
    cluster: str = ""
    tags: tuple[str, ...] = ()
    repeat: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The scores of a variant on the cases of a suite."""

    id: str
    created: float
    suite: str
    suite_id: str  # changes whenever cases or metrics do; only reports with the same one can be compared
    variant: str
    corpus: str  # the state of the documents, empty where none are used
    rows: tuple[Scored, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRecord:
    """One timed step of a trace; `attributes` use the OpenTelemetry GenAI names."""

    name: str
    start: float
    seconds: float
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One request through a variant, as spans. `cost` is in US dollars; `error` says why there is no answer.

    `kind` is ask or chat for an answer of an application, completion for a plain call of a model; `app` is empty then
    and in older traces. `key` is the id of the API key that asked, empty for the owner of the project.
    """

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
    model: str = ""
    cost: float | None = None
    key: str = ""
    error: str = ""
    app: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """What a person thinks of the answer of a trace. `score` is in 0..1; `wrong_citations` are markers in it."""

    id: str  # the digest of all the rest but `created`, so that saying the same twice is saying it once
    trace: str
    created: float
    author: str = ""  # the id of an API key, empty for the owner
    thumb: Thumb | None = None
    score: float | None = None
    comment: str = ""
    correction: str = ""
    wrong_citations: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """An API key without its secret. `groups` are those whose documents it may see, besides those open to all."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    groups: tuple[str, ...]
    requests_per_minute: int | None
    dollars_per_day: float | None
    created: float
    revoked: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks. `groups` None sees every document: the owner on this machine; `key` is then empty."""

    key: str = ""
    scopes: tuple[Scope, ...] = ("ask", "feedback", "operate")
    groups: frozenset[str] | None = None
