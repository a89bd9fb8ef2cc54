"""How a client wants its text to be written, the same for every endpoint that writes, and what of it can be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatewheel.kernel.config import Config, references
from gatewheel.kernel.config import named as named_by
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1.names import Named
from gatewheel.serve.v1.writing import WHOLE, Asked

CHARACTERS = 16  # to a token: no text of a language comes near, and no prompt with more fits
SEED_BITS = 0x7FFF_FFFF  # engines take 31 bits, and -1 means any to some


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What was said of the writing; None is nothing. `fields` are the endpoint's names where they differ from ours."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: int | None = None
    schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    must_call: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)

    def called(self, name: str) -> str:
        """A field as the client knows it."""
        return self.fields.get(name, name)


def plan(config: Config, named: Named, messages: tuple[Message, ...], wishes: Wishes) -> Asked:
    """What is to be written. Raises Fault 400 for wishes that contradict one another or cannot be honoured."""
    _contradictions(wishes)
    refuse_long(config, named, _characters(messages), field=wishes.called("messages"))
    ignored: tuple[str, ...] = ()
    if named.kind == "app":
        _refuse_for_app(named, wishes)
        ignored = _ignored(config, named, messages, wishes)
        messages = tuple(message for message in messages if message.role != "system")
        _refuse_turns(named, messages)
        decodings = [Decoding(schema=wishes.schema)]
    else:
        decodings = [_decoding(wishes, number) for number in range(wishes.n)]
    return Asked(
        named=named,
        messages=messages,
        decodings=tuple(decodings),
        must_call=wishes.must_call,
        asked_for=wishes.called("tools" if wishes.tools else "response_format"),
        ignored=ignored,
    )


def _decoding(wishes: Wishes, number: int) -> Decoding:
    return Decoding(
        max_tokens=wishes.max_tokens or WHOLE,
        temperature=1.0 if wishes.temperature is None else wishes.temperature,
        top_p=1.0 if wishes.top_p is None else wishes.top_p,
        seed=None if wishes.seed is None else (wishes.seed + number) & SEED_BITS,
        stop=wishes.stop,
        schema=wishes.schema,
        tools=wishes.tools,
        logprobs=wishes.logprobs,
    )


def _contradictions(wishes: Wishes) -> None:
    structured = wishes.schema is not None or wishes.tools
    what = wishes.called("tools" if wishes.tools else "response_format")
    if wishes.tools and wishes.schema is not None:
        other = wishes.called("response_format")
        raise _unsupported(what, f"not together with {other}; send one of them")
    if structured and wishes.stop:
        raise _unsupported(wishes.called("stop"), f"not together with {what}: the JSON ends by itself; leave it out")
    if wishes.tools and wishes.logprobs is not None:
        raise _unsupported(wishes.called("logprobs"), "not together with tools; leave it out")


def refuse_long(config: Config, named: Named, characters: int, *, field: str) -> None:
    """Before it takes a place: what is far beyond the context would keep an engine busy to find that out.

    Raises Fault 400.
    """
    settings: Any = config.table(named.kind, named.table).settings
    most = CHARACTERS * _context(config, settings.model if named.kind == "app" else named.table)
    if characters > most > 0:
        holds = f"the context of '{named.name}' holds {most} at the very most"
        message = f"{field}: {characters} characters, and {holds}; send less"
        raise Fault(400, message, code="context_length_exceeded", param=field)


def _characters(messages: tuple[Message, ...]) -> int:
    return sum(len(one.content) + sum(len(call.arguments) for call in one.tool_calls) for one in messages)


def _context(config: Config, model: str) -> int:
    """Tokens that a model has room for, as its table says, without loading it; 0 for one that is made of none."""
    settings: Any = config.table("model", model).settings
    if own := getattr(settings, "context_length", 0):
        return int(own)
    behind = [name for key in references(settings) for name in named_by(settings, key)]
    return max((_context(config, name) for name in behind), default=0)


def _refuse_for_app(named: Named, wishes: Wishes) -> None:
    """What would change the shape of its answer, or its text without a word in the answer."""
    for name, wished in {
        "stop": wishes.stop,
        "n": wishes.n != 1,
        "logprobs": wishes.logprobs is not None,
        "tools": wishes.tools,
    }.items():
        if wished:
            cure = "leave it out, or ask a model such as 'chat'"
            raise _unsupported(wishes.called(name), f"'{named.name}' answers as its variant says; {cure}")


def _ignored(config: Config, named: Named, messages: tuple[Message, ...], wishes: Wishes) -> tuple[str, ...]:
    """What ordinary chat windows send along and an application leaves aside, by its names in the request.

    An application writes as its variant says, or the variant in its trace would not be what answered.
    """
    settings: Any = config.table("app", named.table).settings
    other_seed = wishes.seed is not None and settings.temperature > 0 and wishes.seed != settings.seed
    left = {
        "temperature": wishes.temperature not in (None, settings.temperature),
        "top_p": wishes.top_p not in (None, 1.0),
        "max_tokens": wishes.max_tokens is not None and wishes.max_tokens < settings.max_tokens,
        "seed": other_seed,
        "system": any(message.role == "system" for message in messages),
    }
    return tuple(wishes.called(name) for name, so in left.items() if so)


def _refuse_turns(named: Named, messages: tuple[Message, ...]) -> None:
    if any(message.role == "tool" or message.tool_calls for message in messages):
        raise _unsupported("messages", f"'{named.name}' knows no tools; leave their messages out")
    if not messages or messages[-1].role != "user":
        raise Fault(400, "the last message must be the user's question", code="invalid_value", param="messages")


def _unsupported(name: str, why: str) -> Fault:
    return Fault(400, f"{name}: {why}", code="unsupported_parameter", param=name)
