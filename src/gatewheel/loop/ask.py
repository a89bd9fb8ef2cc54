"""One question through a variant, recorded as a Trace."""

from __future__ import annotations

from dataclasses import replace

from gatewheel.kernel import trace
from gatewheel.kernel.nouns import Answer, Trace
from gatewheel.kernel.trace import Recorder
from gatewheel.loop.compose import Parts
from gatewheel.rag.answer import SILENT, Listener
from gatewheel.rag.question import Question


def ask(
    parts: Parts,
    question: Question,
    *,
    name: str = "main",
    listener: Listener = SILENT,
    recorder: Recorder | None = None,
) -> Answer:
    """Answer a question by `[app.<name>]`. Raises UserError, FilterError, ModelError or PromptError.

    With `[trace] store = false` nothing about the question is written anywhere.
    """
    recorder = recorder or Recorder()
    answer = parts.app(name).answer(question, recorder=recorder, listener=listener)
    if not parts.config.trace.store:
        return answer
    parts.keep_variant(name)
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
        ),
    )
    return replace(answer, trace=recorder.id)
