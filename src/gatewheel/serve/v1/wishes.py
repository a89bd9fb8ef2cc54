"""How a client wants its text to be written, the same for every endpoint that writes, and what of it can be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatewheel.kernel.config import Config
from gatewheel.kernel.nouns import Message
from gatewheel.kernel.ports import Decoding
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1.names import Named
from gatewheel.serve.v1.writing import WHOLE, Asked

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
    if named.kind == "app":
        _refuse_for_app(config, named, messages, wishes)
        decodings = [Decoding(schema=wishes.schema)]
    else:
        decodings = [_decoding(wishes, number) for number in range(wishes.n)]
    return Asked(
        named=named,
        messages=messages,
        decodings=tuple(decodings),
        must_call=wishes.must_call,
        asked_for=wishes.called("tools" if wishes.tools else "response_format"),
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


def _refuse_for_app(config: Config, named: Named, messages: tuple[Message, ...], wishes: Wishes) -> None:
    """An application writes as its variant says, or the variant in its trace would not be what answered."""
    settings: Any = config.table("app", named.table).settings
    own, table = f"'{named.name}' answers as its variant says", f"[app.{named.table}]"
    for name, wish, has in (("temperature", wishes.temperature, settings.temperature), ("top_p", wishes.top_p, 1.0)):
        if wish is not None and wish != has:
            cure = f"leave it out, or change {table}" if name == "temperature" else "leave it out"
            raise _unsupported(wishes.called(name), f"{own}, with {has:g}; {cure}")
    if wishes.max_tokens is not None and wishes.max_tokens < settings.max_tokens:
        cure = f"leave it out, or change {table}"
        raise _unsupported(wishes.called("max_tokens"), f"{own}, in at most {settings.max_tokens} tokens; {cure}")
    if wishes.seed is not None and settings.temperature > 0 and wishes.seed != settings.seed:
        raise _unsupported("seed", f"{own}, with {settings.seed}; leave it out, or change {table}")
    for name, wished in {
        "stop": wishes.stop,
        "n": wishes.n != 1,
        "logprobs": wishes.logprobs is not None,
        "tools": wishes.tools,
    }.items():
        if wished:
            raise _unsupported(wishes.called(name), f"{own}; leave it out, or ask a model such as 'chat'")
    _refuse_turns(named, messages)


def _refuse_turns(named: Named, messages: tuple[Message, ...]) -> None:
    if any(message.role == "system" for message in messages):
        cure = f"put it into the prompt of [app.{named.table}], or ask a model such as 'chat'"
        raise _unsupported("messages", f"'{named.name}' has a prompt of its own and takes no system message; {cure}")
    if any(message.role == "tool" or message.tool_calls for message in messages):
        raise _unsupported("messages", f"'{named.name}' knows no tools; leave their messages out")
    if not messages or messages[-1].role != "user":
        raise Fault(400, "the last message must be the user's question", code="invalid_value", param="messages")


def _unsupported(name: str, why: str) -> Fault:
    return Fault(400, f"{name}: {why}", code="unsupported_parameter", param=name)
