"""The text in a message's content, which clients write as a string or as parts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gatewheel.serve.fault import Fault

OPEN = ConfigDict(extra="allow", frozen=True, strict=True)
"""Of every request: clients send fields that are newer than we are."""


def _whole(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


ITEMS = 2_000  # messages of a conversation, or parts of a message
STOPS = 64
TOOLS = 128  # as at OpenAI
INTEGRAL = BeforeValidator(_whole)
"""For an integer as JSON Schema knows it: 3.0 is one."""
Words = Annotated[str, Field(min_length=1)]
_TEXT = ("text", "input_text", "output_text", "refusal")


class Part(BaseModel):
    """A part of a message: text, or why an earlier answer was refused."""

    model_config = OPEN
    type: Literal["text", "input_text", "output_text", "refusal"]
    text: str = ""
    refusal: str = ""


def _only_text(content: Any) -> Any:
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if isinstance(kind, str) and kind not in _TEXT:
            message = f"a part of type '{kind}' cannot be read: the models here take text only; send its text"
            raise Fault(400, message, code="unsupported_content", param="content")
    return content


Content = Annotated[str | Annotated[list[Part], Field(max_length=ITEMS)], BeforeValidator(_only_text)]
Stop = Annotated[list[str], Field(max_length=STOPS)]


def text_of(content: str | list[Part] | None) -> str:
    """The parts as one text."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text or part.refusal for part in content)


def refuse(data: Any, rules: dict[str, tuple[tuple[Any, ...], str]]) -> Any:
    """Raises Fault 400 for a field that would change the answer and cannot be honoured.

    `rules` are name → (values that may stand there besides null, why no other).
    """
    for name, (allowed, why) in rules.items() if isinstance(data, dict) else ():
        if name in data and data[name] is not None and data[name] not in allowed:
            raise Fault(400, f"{name}: {why}", code="unsupported_parameter", param=name)
    return data
