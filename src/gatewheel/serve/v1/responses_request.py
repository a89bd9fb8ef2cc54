"""The body of POST /v1/responses, and what it asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from gatewheel.kernel.nouns import Message, ToolCall
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1.chat_request import TOOL_NAME, choose
from gatewheel.serve.v1.content import INTEGRAL, ITEMS, OPEN, TOOLS, Content, Words, refuse, text_of
from gatewheel.serve.v1.wishes import Wishes

LOGPROBS = "message.output_text.logprobs"
_KINDS = ("message", "function_call", "function_call_output", "reasoning")
REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "background": ((False,), "must be false: an answer is made while its client waits; leave it out"),
    "conversation": ((), "Gatewheel keeps no conversations; send previous_response_id"),
    "prompt": ((), "Gatewheel knows no stored prompts; send instructions and input"),
    "truncation": (("disabled",), "must be disabled: nothing is cut off silently; send a shorter input"),
    "reasoning": (({}, {"effort": None}, {"effort": "none"}), "the models here do not reason apart; leave it out"),
    "context_management": (([],), "nothing is cut off or summed up silently; leave it out"),
}


class Turn(BaseModel):
    """A message."""

    model_config = OPEN
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Content


class CallItem(BaseModel):
    """A call that the model made."""

    model_config = OPEN
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class OutputItem(BaseModel):
    """What a called function gave."""

    model_config = OPEN
    type: Literal["function_call_output"]
    call_id: str
    output: Content


class ReasoningItem(BaseModel):
    """What another model thought; it is left out."""

    model_config = OPEN
    type: Literal["reasoning"]


def _known_items(items: Any) -> Any:
    for item in items if isinstance(items, list) else ():
        kind = item.get("type") if isinstance(item, dict) else None
        if isinstance(kind, str) and kind not in _KINDS:
            message = f"input: an item of type '{kind}' cannot be read; known: {', '.join(_KINDS)}"
            raise Fault(400, message, code="unsupported_content", param="input")
    return items


Item = Turn | CallItem | OutputItem | ReasoningItem
Input = Annotated[Words | Annotated[list[Item], Field(min_length=1, max_length=ITEMS)], BeforeValidator(_known_items)]


class FunctionTool(BaseModel):
    """A function that the model may call."""

    model_config = OPEN
    type: Literal["function"]
    name: str = Field(pattern=TOOL_NAME)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedFunction(BaseModel):
    """The one function that has to be called."""

    model_config = OPEN
    type: Literal["function"]
    name: str


class Format(BaseModel):
    """text, any JSON object, or JSON that validates."""

    model_config = OPEN
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class Text(BaseModel):
    """The form of the text."""

    model_config = OPEN
    format: Format | None = None
    verbosity: Literal["medium"] | None = None


class ResponsesRequest(BaseModel):
    """The body. What is not listed is tolerated; what would change the answer and cannot be honoured is refused."""

    model_config = OPEN
    model: str = Field(description="`app`, `app/<name>`, or a model of the project: see GET /v1/models.")
    input: Input
    instructions: str | None = Field(None, description="For this response only: the next one has its own.")
    previous_response_id: str | None = None
    store: bool | None = Field(None, description="true when absent; never when [trace] store is false.")
    stream: bool | None = None
    temperature: float | None = Field(None, ge=0, le=2, description="1 when absent.")
    top_p: float | None = Field(None, ge=0, le=1)
    max_output_tokens: Annotated[int, Field(ge=1), INTEGRAL] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20), INTEGRAL] | None = None
    include: list[str] | None = Field(None, description=f"`{LOGPROBS}`; others bring nothing.")
    text: Text | None = None
    tools: list[FunctionTool] | None = Field(None, max_length=TOOLS)
    tool_choice: Literal["none", "auto", "required"] | NamedFunction | None = None
    parallel_tool_calls: bool | None = Field(None, description="Accepted: a turn calls one tool at most.")
    truncation: Literal["disabled"] | None = None
    background: bool | None = Field(None, json_schema_extra={"enum": [False, None]})
    metadata: dict[str, str] | None = None
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, data: Any) -> Any:
        for tool in (data.get("tools") if isinstance(data, dict) else None) or ():
            kind = tool.get("type") if isinstance(tool, dict) else None
            if isinstance(kind, str) and kind != "function":
                message = f"tools: Gatewheel runs no tool of type '{kind}'; send functions, which your program runs"
                raise Fault(400, message, code="unsupported_parameter", param="tools")
        return refuse(data, REFUSED)


def turns(given: str | list[Item]) -> tuple[Message, ...]:
    """The input as nouns."""
    if isinstance(given, str):
        return (Message(role="user", content=given),)
    return tuple(_turn(item) for item in given if not isinstance(item, ReasoningItem))


def _turn(item: Turn | CallItem | OutputItem) -> Message:
    match item:
        case Turn():
            role = "system" if item.role == "developer" else item.role
            return Message(role=role, content=text_of(item.content))
        case CallItem():
            call = ToolCall(id=item.call_id, name=item.name, arguments=item.arguments)
            return Message(role="assistant", content="", tool_calls=(call,))
        case OutputItem():
            return Message(role="tool", content=text_of(item.output), tool_call_id=item.call_id)


def wishes(body: ResponsesRequest) -> Wishes:
    """How it is to be written. Raises Fault 400 for what contradicts itself."""
    named = body.tool_choice.name if isinstance(body.tool_choice, NamedFunction) else ""
    choice = "required" if named else str(body.tool_choice or "auto")
    tools, must = choose([_tool(tool) for tool in body.tools or ()], choice, name=named)
    logprobs = body.top_logprobs is not None or LOGPROBS in (body.include or ())
    return Wishes(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        logprobs=(body.top_logprobs or 0) if logprobs else None,
        schema=_schema(body.text.format if body.text else None),
        tools=tuple(tools),
        must_call=must,
        fields={
            "max_tokens": "max_output_tokens",
            "response_format": "text.format",
            "logprobs": "top_logprobs",
            "messages": "input",
            "system": "instructions" if body.instructions else "system",
        },
    )


def _tool(tool: FunctionTool) -> dict[str, Any]:
    function = tool.model_dump(exclude_none=True, include={"name", "description", "parameters"})
    return {"type": "function", "function": function}


def _schema(wanted: Format | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.schema_ is None:
        raise Fault(400, "text.format.schema: is missing", code="invalid_value", param="text.format.schema")
    return wanted.schema_
