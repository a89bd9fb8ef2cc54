"""One question through a variant, recorded as a Trace, whether it ends with an answer or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel.errors import GatewheelError
from gatewheel.kernel.nouns import Answer, Caller, Trace, Variant
from gatewheel.kernel.store.database import explain
from gatewheel.kernel.trace import Recorder
from gatewheel.loop.compose import Parts
from gatewheel.loop.recording import record, told
from gatewheel.rag.answer import SILENT, Listener
from gatewheel.rag.question import Question

OWNER = Caller()
CANCELLED = "cancelled: nobody listened any more"


def ask(
    parts: Parts,
    question: Question,
    *,
    name: str = "main",
    listener: Listener = SILENT,
    recorder: Recorder | None = None,
    caller: Caller = OWNER,
) -> Answer:
    """Answer a question by `[app.<name>]`. Raises UserError, FilterError, ModelError or PromptError.

    A question that fails or is cancelled leaves a trace with its error. With `[trace] store = false` nothing about the
    question is written anywhere. A trace that cannot be kept costs a note, not the answer.
    """
    recorder = recorder or Recorder()
    hearing = _Hearing(listener)
    made = _trace(question, recorder, caller, name)
    try:
        answer = parts.app(name, groups=caller.groups).answer(question, recorder=recorder, listener=hearing.listener)
    except BaseException as error:
        _record(parts, name, _closed(made, recorder, error=told(error)), _variant(parts, name))
        raise
    # only now is it certain which engine an `auto` model stands for: the fastest may have failed to load
    variant = parts.variant(name)
    answer = replace(answer, variant=variant.id)
    made = replace(
        made,
        answer=answer.answer,
        abstained=answer.abstained,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        cost=answer.usage.cost,
    )
    closed = _closed(made, recorder, error=CANCELLED if hearing.left else "")
    return replace(answer, trace=_record(parts, name, closed, variant))


class _Hearing:
    """Hears whether the listener left, for the application only sees that the writing is to stop."""

    def __init__(self, listener: Listener) -> None:
        self.left = False
        self._heard = listener.on_text
        self.listener = replace(listener, on_text=self._hear) if listener.on_text else listener

    def _hear(self, piece: str) -> bool:
        assert self._heard is not None
        self.left = bool(self._heard(piece)) or self.left
        return self.left


def _trace(question: Question, recorder: Recorder, caller: Caller, app: str) -> Trace:
    return Trace(
        id=recorder.id,
        created=recorder.created,
        kind="chat" if question.history else "ask",
        question=question.text,
        answer="",
        abstained=False,
        variant="",
        seconds=0.0,
        input_tokens=0,
        output_tokens=0,
        key=caller.key,
        app=app,
    )


def _closed(made: Trace, recorder: Recorder, *, error: str) -> Trace:
    return replace(made, seconds=recorder.seconds(), spans=tuple(recorder.spans), error=error)


def _variant(parts: Parts, name: str) -> Variant | None:
    """The recipe that failed, unless it is the recipe itself that is wrong."""
    try:
        return parts.variant(name)
    except (GatewheelError, OSError):
        return None


def _record(parts: Parts, name: str, made: Trace, variant: Variant | None) -> str | None:
    if variant is None:
        return record(parts, made, provider="")
    if parts.config.trace.store:
        try:
            parts.keep_variant(name, variant)
        except DBAPIError as error:
            parts.say(f"the variant was not kept: {explain(error)}")
        except OSError as error:
            parts.say(f"the variant was not kept: {error.strerror}")
    model: dict[str, Any] = variant.recipe["model"]
    return record(parts, replace(made, variant=variant.id), provider=str(model.get("engine", model["use"])))
