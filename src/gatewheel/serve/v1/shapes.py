"""The shapes of what /v1 answers: OpenAI's, with Gatewheel's extension fields `gatewheel` and `type`.

TypedDicts, so that a reply is a plain dict for the event loop and a schema for OpenAPI.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Cited(TypedDict):
    """Marker [n]: the exact words, at character offsets of the document; `page` counts from 1."""

    n: int
    source: str
    span: tuple[int, int]
    quote: str
    page: int | None


class Retrieved(TypedDict):
    """A passage that was found, cited or not."""

    id: str
    source: str
    span: tuple[int, int]
    page: int | None
    score: float
    text: str


class Grounding(TypedDict):
    """What lies behind an answer: for a plain model only its trace. `ignored`: fields that an app left aside."""

    citations: list[Cited]
    abstained: bool
    variant: str | None
    trace: str | None
    passages: list[Retrieved]
    ignored: list[str]


class Likely(TypedDict):
    """A token that could have stood there. `bytes` is null where the token is no whole UTF-8."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenShape(TypedDict):
    """A token that was written."""

    token: str
    logprob: float
    bytes: list[int] | None
    top_logprobs: list[Likely]


class Logprobs(TypedDict):
    """Of every token of a choice."""

    content: list[TokenShape]
    refusal: None


class CalledShape(TypedDict):
    """Which function, with its arguments as JSON text."""

    name: str
    arguments: str


class CallShape(TypedDict):
    """A tool that the model calls."""

    id: str
    type: Literal["function"]
    function: CalledShape


class MessageShape(TypedDict):
    """The answer. `refusal`: JSON was asked for and the documents do not say."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: NotRequired[list[CallShape]]
    gatewheel: Grounding


Finish = Literal["stop", "length", "tool_calls"]


class ChoiceShape(TypedDict):
    """One of n."""

    index: int
    message: MessageShape
    logprobs: Logprobs | None
    finish_reason: Finish


class UsageShape(TypedDict):
    """Tokens of the model."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatShape(TypedDict):
    """What POST /v1/chat/completions answers. `system_fingerprint` is the beginning of the variant's id."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChoiceShape]
    usage: UsageShape
    system_fingerprint: str | None


class TextLogprobs(TypedDict):
    """Of every token, in the older form. With `echo` the first of a prompt has none, since nothing comes before it."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(TypedDict):
    """One of n for each prompt."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Finish
    gatewheel: Grounding


class TextShape(TypedDict):
    """What POST /v1/completions answers."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: UsageShape
    system_fingerprint: str | None


class ModelShape(TypedDict):
    """A model's name; `type` says what it is."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["app", "model", "encoder"]


class ModelsShape(TypedDict):
    """Every name."""

    object: Literal["list"]
    data: list[ModelShape]


class ModelDeletedShape(TypedDict):
    """A model that is no more."""

    id: str
    object: Literal["model"]
    deleted: bool


class EmbeddingShape(TypedDict):
    """A unit vector: numbers, or base64 of little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Tokens of the encoder."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsShape(TypedDict):
    """What POST /v1/embeddings answers."""

    object: Literal["list"]
    model: str
    data: list[EmbeddingShape]
    usage: EmbeddingUsage


class RankedText(TypedDict):
    """A document as it was sent."""

    text: str


class RankedShape(TypedDict):
    """A document's place: `index` in the request, `relevance_score` in 0..1."""

    index: int
    relevance_score: float
    document: NotRequired[RankedText]


class RerankShape(TypedDict):
    """What POST /v1/rerank answers, best first."""

    id: str
    model: str
    results: list[RankedShape]
    usage: EmbeddingUsage


class TokenizedShape(TypedDict):
    """What POST /tokenize answers, as at vLLM. `max_model_len`: tokens of the context."""

    count: int
    max_model_len: int
    tokens: list[int]


class DetokenizedShape(TypedDict):
    """What POST /detokenize answers."""

    prompt: str


class TokenizerShape(TypedDict):
    """What GET /tokenizer_info answers; null where the model has none."""

    tokenizer_class: str
    model_max_length: int
    bos_token: str | None
    eos_token: str | None
    chat_template: str | None
