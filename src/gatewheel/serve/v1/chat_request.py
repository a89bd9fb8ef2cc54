"""The body of POST /v1/chat/completions, and what it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from gatewheel.kernel.nouns import Message, ToolCall
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1.content import INTEGRAL, ITEMS, OPEN, TOOLS, Content, Stop, refuse, text_of
from gatewheel.serve.v1.wishes import Wishes

TOOL_NAME = r"^[A-Za-z0-9_-]{1,64}$"
_NO_REASONING = "the models here do not reason apart from their answer; leave it out"
_OWN_SAMPLING = "no engine of Gatewheel has it; leave it out"
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "frequency_penalty": ((0,), "must be 0, no engine of Gatewheel has it; leave it out"),
    "presence_penalty": ((0,), "must be 0, no engine of Gatewheel has it; leave it out"),
    "logit_bias": (({},), "must be empty, no engine of Gatewheel has it; leave it out"),
    "functions": ((), "is what 'tools' is called today; send tools"),
    "function_call": (("none", "auto"), "is what 'tool_choice' is called today; send tool_choice"),
    "modalities": ((["text"],), "must be ['text']: the models here write text only"),
    "audio": ((), "the models here write text only; leave it out"),
    "reasoning_effort": (("none",), _NO_REASONING),
    "verbosity": (("medium",), "the models here know no verbosity; ask for it in the prompt"),
    "web_search_options": ((), "the models here search no web; leave it out"),
    # of vLLM and of llama.cpp's server
    **{name: ((0, 1, -1), _OWN_SAMPLING) for name in ("top_k", "best_of", "repetition_penalty", "min_tokens")},
    **{name: ((0,), _OWN_SAMPLING) for name in ("min_p", "ignore_eos", "echo")},
    **{name: ((), "send response_format") for name in ("guided_json", "guided_regex", "guided_choice", "grammar")},
}


class Function(BaseModel):
    """A function that a tool calls."""

    model_config = OPEN
    name: str = Field(pattern=TOOL_NAME)
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    """A tool."""

    model_config = OPEN
    type: Literal["function"]
    function: Function


class FunctionName(BaseModel):
    """Which function."""

    model_config = OPEN
    name: str


class NamedTool(BaseModel):
    """The one tool that has to be called."""

    model_config = OPEN
    type: Literal["function"]
    function: FunctionName


class CalledFunction(BaseModel):
    """A call as the model wrote it."""

    model_config = OPEN
    name: str
    arguments: str


class Call(BaseModel):
    """A call of an earlier turn."""

    model_config = OPEN
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """A turn. `content` may be null only where the assistant called tools."""

    model_config = OPEN
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    tool_calls: list[Call] | None = Field(None, max_length=TOOLS)
    tool_call_id: str | None = None


class JSONSchema(BaseModel):
    """A named JSON Schema; it is followed strictly, whatever `strict` says."""

    model_config = OPEN
    name: str
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """text, any JSON object, or JSON that validates."""

    model_config = OPEN
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchema | None = None


class StreamOptions(BaseModel):
    """`include_usage`: a last chunk with the tokens of the whole request."""

    model_config = OPEN
    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """The body. What is not listed is tolerated; what would change the answer and cannot be honoured is refused."""

    model_config = OPEN
    model: str = Field(description="`app`, `app/<name>`, or a model of the project: see GET /v1/models.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=ITEMS)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2, description="1 when absent.")
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: Annotated[int, Field(ge=1), INTEGRAL] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1), INTEGRAL] | None = None
    n: Annotated[int, Field(ge=1, le=8), INTEGRAL] | None = Field(
        None, description="Choice i is written with seed + i."
    )
    seed: Annotated[int, INTEGRAL] | None = None
    stop: str | Stop | None = None
    logprobs: bool | None = Field(None, description="In streams they come with the last chunk of a choice.")
    top_logprobs: Annotated[int, Field(ge=0, le=20), INTEGRAL] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(None, max_length=TOOLS)
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = Field(None, description="Accepted: a turn calls one tool at most.")
    frequency_penalty: float | None = Field(None, ge=0, le=0)
    presence_penalty: float | None = Field(None, ge=0, le=0)
    logit_bias: dict[str, float] | None = Field(None, max_length=0)
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = Field(None, description="Accepted: [trace] of the project says what is kept.")

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, data: Any) -> Any:
        return refuse(data, REFUSED)


def turns(messages: list[ChatMessage]) -> tuple[Message, ...]:
    """The conversation as nouns. Raises Fault 400 for a turn without content."""
    return tuple(_turn(message, at) for at, message in enumerate(messages))


def _turn(message: ChatMessage, at: int) -> Message:
    if message.content is None and not message.tool_calls:
        raise Fault(400, f"messages.{at}.content: is missing", code="invalid_value", param=f"messages.{at}.content")
    calls = [ToolCall(id=c.id, name=c.function.name, arguments=c.function.arguments) for c in message.tool_calls or ()]
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=text_of(message.content),
        tool_calls=tuple(calls),
        tool_call_id=message.tool_call_id or "",
    )


def wishes(body: ChatRequest) -> Wishes:
    """How it is to be written. Raises Fault 400 for what contradicts itself."""
    longest = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    given = [tool.model_dump(exclude_none=True) for tool in body.tools or ()]
    named = body.tool_choice.function.name if isinstance(body.tool_choice, NamedTool) else ""
    tools, must = choose(given, "required" if named else str(body.tool_choice or "auto"), name=named)
    if body.top_logprobs is not None and not body.logprobs:
        raise Fault(400, "top_logprobs: needs logprobs: true", code="invalid_value", param="top_logprobs")
    return Wishes(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=longest,
        seed=body.seed,
        stop=tuple(filter(None, [body.stop] if isinstance(body.stop, str) else body.stop or ())),
        n=body.n or 1,
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        schema=_schema(body.response_format),
        tools=tuple(tools),
        must_call=must,
        fields={"max_tokens": "max_completion_tokens"} if body.max_completion_tokens is not None else {},
    )


def choose(tools: list[dict[str, Any]], choice: str, *, name: str = "") -> tuple[list[dict[str, Any]], bool]:
    """The tools that may be called and whether one must be; `name` is the one that must.

    Raises Fault 400 for a choice among tools that are not there.
    """
    if choice == "none":
        return [], False
    if choice == "auto":
        return tools, False
    wanted = [tool for tool in tools if name in ("", tool["function"]["name"])]
    if not wanted:
        what = f"tool_choice: no tool named '{name}' is in tools" if name else "tool_choice: needs tools"
        raise Fault(400, what, code="invalid_value", param="tool_choice")
    return wanted, True


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.json_schema is None or wanted.json_schema.schema_ is None:
        message = "response_format.json_schema.schema: is missing"
        raise Fault(400, message, code="invalid_value", param="response_format")
    return wanted.json_schema.schema_
