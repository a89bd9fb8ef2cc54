"""One question through a variant, recorded as a Trace."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Answer, Caller, Trace
from gatewheel.kernel.store.database import explain
from gatewheel.kernel.trace import Recorder
from gatewheel.loop.compose import Parts
from gatewheel.rag.answer import SILENT, Listener
from gatewheel.rag.question import Question

OWNER = Caller()


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

    With `[trace] store = false` nothing about the question is written anywhere. A trace that cannot be kept costs a
    note, not the answer.
    """
    recorder = recorder or Recorder()
    answer = parts.app(name, groups=caller.groups).answer(question, recorder=recorder, listener=listener)
    # only now is it certain which engine an `auto` model stands for: the fastest may have failed to load
    variant = parts.variant(name)
    answer = replace(answer, variant=variant.id)
    if not parts.config.trace.store:
        return answer
    try:
        parts.keep_variant(name, variant)
        _keep(parts, question, answer, recorder, caller)
    except DBAPIError as error:
        parts.say(f"the trace was not kept: {explain(error)}")
        return answer
    except OSError as error:
        parts.say(f"the trace was not kept: {error.strerror}")
        return answer
    return replace(answer, trace=recorder.id)


def _keep(parts: Parts, question: Question, answer: Answer, recorder: Recorder, caller: Caller) -> None:
    trace.keep(
        parts.engine,
        Trace(
            id=recorder.id,
            created=recorder.created,
            kind="chat" if question.history else "ask",
            question=question.text,
            answer=answer.answer,
            abstained=answer.abstained,
            variant=answer.variant,
            seconds=recorder.seconds(),
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            spans=tuple(recorder.spans),
            cost=answer.usage.cost,
            key=caller.key,
        ),
    )
