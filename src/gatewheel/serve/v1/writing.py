"""One request to an application or a model, as every endpoint that writes makes it. Sync; runs in a thread."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatewheel.kernel.errors import ModelError, PromptTooLong
from gatewheel.kernel.nouns import Answer, Message, TokenLogprob, ToolCall, Usage
from gatewheel.kernel.ports import Decoding
from gatewheel.loop.complete import complete
from gatewheel.loop.compose import Parts
from gatewheel.loop.project import Project
from gatewheel.models import schema, tools
from gatewheel.models.turn import hush
from gatewheel.rag.answer import Listener
from gatewheel.rag.output import Checked
from gatewheel.rag.question import Question
from gatewheel.serve.fault import Fault
from gatewheel.serve.speaking import Say
from gatewheel.serve.v1.names import Named

WHOLE = 0  # as max_tokens: whatever the context has room for
LEAST = 16
_MARKER = re.compile(r"\s*\[\d+\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is wanted: a conversation, and a decoding for each choice. `must_call`: one of the tools has to be called.

    `asked_for` names the fields behind schema and tools, for the message when the model does not manage; `ignored`
    are those that were left aside. `whole`: nobody hears the pieces.
    """

    named: Named
    messages: tuple[Message, ...]
    decodings: tuple[Decoding, ...]
    must_call: bool = False
    asked_for: str = "response_format"
    ignored: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Text of a choice."""

    index: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A choice that is complete. `refused`: JSON was asked for and `text` says why there is none."""

    index: int
    text: str
    finish: str
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    trace: str | None = None
    answer: Answer | None = None
    refused: bool = False
    ignored: tuple[str, ...] = ()


def write(project: Project, asked: Asked, *, say: Say) -> list[Written]:
    """Every choice, one after the other; `say` hears each Piece and each Written. Raises Fault, GatewheelError."""
    out: list[Written] = []
    one = ground if asked.named.kind == "app" else call
    for index, decoding in enumerate(asked.decodings):
        _check(decoding, asked)
        try:
            written = one(project, asked, decoding, index=index, say=say)
        except ModelError as error:
            if fault := _fault(error, asked, decoding):
                raise fault from error
            raise
        out.append(written)
        if say(written) or written.finish == "cancelled":
            break
    return out


def call(project: Project, asked: Asked, decoding: Decoding, *, index: int, say: Say) -> Written:
    """A plain call of a model."""
    messages: Sequence[Message] = asked.messages
    wanted = decoding
    if asked.must_call:
        messages, wanted = _must_call(messages, decoding)

    def on_text(piece: str) -> bool:
        return say(None if asked.must_call or not piece else Piece(index=index, text=piece))

    with project.having(asked.named.table) as parts:
        done = complete(
            parts,
            messages,
            model=asked.named.table,
            decoding=replace(wanted, max_tokens=_room(parts, asked, wanted)),
            on_text=hush(on_text) if asked.whole else on_text,
            caller=project.caller,
        )
    said, calls, finish = done.completion.text, done.completion.tool_calls, done.completion.finish
    if asked.must_call and finish != "cancelled":
        (said, calls), finish = tools.read_call(said), "tool_calls"
    if decoding.logprobs is not None and said and not done.completion.logprobs:
        raise Fault(400, f"logprobs: the engine of '{asked.named.name}' tells none; leave it out", param="logprobs")
    return Written(
        index=index,
        text=said,
        finish=finish,
        usage=done.completion.usage,
        tool_calls=calls,
        logprobs=done.completion.logprobs,
        trace=done.trace,
    )


def ground(project: Project, asked: Asked, decoding: Decoding, *, index: int, say: Say) -> Written:
    """An answer from the documents, of which only sentences that passed the check are said."""
    history, question = asked.messages[:-1], asked.messages[-1]
    spoken = Spoken(index, say)
    answer = project.ask(
        Question(text=question.content, history=_heard(project, asked, history), schema=decoding.schema),
        app=asked.named.table,
        listener=Listener(on_text=lambda _: say(None), on_sentence=None if decoding.schema else spoken.hear),
    )
    refused = answer.abstained and decoding.schema is not None
    if not refused:
        spoken.finish(answer.answer)
    return Written(
        index=index,
        text=answer.answer,
        finish="stop",
        usage=answer.usage,
        trace=answer.trace,
        answer=answer,
        refused=refused,
        ignored=asked.ignored,
    )


class Spoken:
    """Says the sentences of an answer as they pass, so that they add up to its text.

    A sentence that is only flagged waits for one that is supported: without any, the answer is an abstention.
    """

    def __init__(self, index: int, say: Say) -> None:
        self._index = index
        self._say = say
        self._text = ""
        self._said = 0
        self._supported = False

    def hear(self, checked: Checked) -> None:
        """The next sentence."""
        self._supported = self._supported or checked.sentence.supported
        if checked.shown:
            self._text += f" {checked.shown}" if self._text else checked.shown
        if self._supported:
            self._speak(self._text)

    def finish(self, whole: str) -> None:
        """What is still unsaid of the whole answer."""
        self._speak(whole)

    def _speak(self, text: str) -> None:
        if new := text[self._said :]:
            self._said = len(text)
            self._say(Piece(index=self._index, text=new))


def _heard(project: Project, asked: Asked, history: Sequence[Message]) -> tuple[Message, ...]:
    """The turns before, as `Chat` remembers them: without markers, without what was no answer."""
    with project.answering(asked.named.table) as parts:
        settings: Any = parts.config.table("app", asked.named.table).settings
    said = [message for message in history if message.content != getattr(settings, "abstention", None)]
    return tuple(
        replace(message, content=_MARKER.sub("", message.content)) if message.role == "assistant" else message
        for message in said
    )


def _must_call(messages: Sequence[Message], decoding: Decoding) -> tuple[list[Message], Decoding]:
    either: Mapping[str, Any] = tools.call_schema(decoding.tools)
    calls = either["anyOf"][:-1]  # the last one is the reply in prose
    told = tools.with_instruction(messages, decoding.tools)
    return told, replace(decoding, tools=(), schema={**either, "anyOf": calls})


def _room(parts: Parts, asked: Asked, decoding: Decoding) -> int:
    """Tokens to write at most: without a wish, what the context has beside a prompt of a token to three bytes."""
    length = parts.model(asked.named.table).context_length
    if decoding.max_tokens != WHOLE:
        return min(decoding.max_tokens, length)
    prompt = sum(len(message.content.encode()) // 3 + 8 for message in asked.messages)
    return max(LEAST, length - prompt)


def _check(decoding: Decoding, asked: Asked) -> None:
    given = [decoding.schema] if decoding.schema is not None else []
    try:
        for one in [*given, *(tool["function"].get("parameters") or {} for tool in decoding.tools)]:
            schema.check_schema(one)
    except ModelError as error:
        raise Fault(400, str(error), code="invalid_json_schema", param=asked.asked_for) from error


def _fault(error: ModelError, asked: Asked, decoding: Decoding) -> Fault | None:
    if isinstance(error, PromptTooLong):
        return Fault(400, str(error), code="context_length_exceeded", param="messages")
    # what an endpoint did wrong has its error as the cause; without one, this model could not do what was asked
    if error.__cause__ is None and (decoding.schema is not None or decoding.tools):
        return Fault(400, str(error), code="model_error", param=asked.asked_for)
    return None
