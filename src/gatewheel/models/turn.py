"""One turn with a local engine: everything about it that is the same whichever engine does the writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gatewheel.kernel.errors import ModelError, PromptTooLong
from gatewheel.kernel.nouns import Completion, Message, TokenLogprob, Usage
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.models import logprobs, schema, tools
from gatewheel.models.stream import Emit, Writer, drive


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What an engine reports in the end: its counts, and whether it ended by itself (stop) or at a limit (length)."""

    input_tokens: int
    output_tokens: int
    finish: str
    logprobs: tuple[TokenLogprob, ...] = ()


Write = Callable[[list[dict[str, str]], Decoding, Emit], Written]
"""An engine: plain messages and decoding in, text through emit, counts out. Raises ModelError."""


def take_turn(
    write: Write,
    messages: Sequence[Message],
    *,
    decoding: Decoding,
    on_text: OnText | None,
    model: str,
    control_tokens: Sequence[str] = (),
) -> Completion:
    """Let the engine answer `messages`, in which `control_tokens` of the template lose their power.

    With tools the text is a call under a schema, so nothing is streamed until it is known to be prose. With a schema
    stop strings are not looked for: the grammar ends the text.
    """
    if decoding.tools and decoding.schema is not None:
        raise ModelError("both tools and a schema were given", cure="give one of them")
    if decoding.tools:
        asked = replace(decoding, tools=(), schema=tools.call_schema(decoding.tools))
        told = tools.with_instruction(messages, decoding.tools)
        hushed = hush(on_text)
        completion = take_turn(write, told, decoding=asked, on_text=hushed, model=model, control_tokens=control_tokens)
        return _as_call(completion, on_text)
    if decoding.schema is not None:
        schema.check_schema(decoding.schema)
    started = time.perf_counter()
    writer = Writer(on_text=on_text, stop=() if decoding.schema is not None else decoding.stop)
    plain = [disarm(tools.as_plain(message), control_tokens) for message in messages]
    written = drive(lambda emit: write(plain, decoding, emit), receive=writer.feed)
    writer.finish()
    finish = writer.stopped_by or written.finish
    if decoding.schema is not None and finish != "cancelled":
        schema.require(writer.text, decoding.schema, finish=finish, max_tokens=decoding.max_tokens)
    usage = Usage(
        input_tokens=written.input_tokens,
        output_tokens=written.output_tokens,
        seconds=time.perf_counter() - started,
        seconds_to_first_token=writer.seconds_to_first,
    )
    kept = logprobs.cut(written.logprobs, writer.text)
    return Completion(text=writer.text, finish=finish, usage=usage, model=model, logprobs=kept)


class Hushed:
    """Keeps the pieces to itself and only asks the caller whether to go on. An engine need not stream to it."""

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text

    def __call__(self, _: str) -> bool | None:
        return self._on_text("")


def hush(on_text: OnText | None) -> OnText | None:
    """The same without the pieces, for they may yet turn out otherwise."""
    return on_text and Hushed(on_text)


def _as_call(completion: Completion, on_text: OnText | None) -> Completion:
    completion = replace(completion, logprobs=())  # of the JSON around the call or the prose, which nobody sees
    if completion.finish == "cancelled":
        return replace(completion, text="")
    text, calls = tools.read_call(completion.text)
    if text and on_text is not None:
        on_text(text)
    return replace(completion, text=text, tool_calls=calls, finish="tool_calls" if calls else completion.finish)


def disarm(message: dict[str, str], control_tokens: Sequence[str]) -> dict[str, str]:
    """The message with a space inside every control token: a document may not end its turn and speak as the system."""
    content = message["content"]
    for token in control_tokens:
        if len(token) > 1:
            content = content.replace(token, f"{token[0]} {token[1:]}")
    return message | {"content": content}


def refuse_long_prompt(tokens: int, *, context_length: int) -> None:
    """Raises PromptTooLong unless a prompt of so many tokens leaves room for at least one token of answer."""
    if tokens >= context_length:
        what = f"the prompt has {tokens} tokens and the context holds {context_length}"
        raise PromptTooLong(what, cure="shorten the prompt, or raise context_length in [model.<name>]")
