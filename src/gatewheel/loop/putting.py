"""How a case is put to an application or to a model: the words, the text that came with it, the schema to follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatewheel.kernel.nouns import Case, Message
from gatewheel.loop.compose import Parts
from gatewheel.loop.given import Given
from gatewheel.prompts import direct
from gatewheel.rag import answer
from gatewheel.rag.question import Question

App = answer.App | direct.App
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def question_of(app: App, case: Case) -> Question:
    """What an application is asked. One without documents gets the text that came with a case above the question."""
    text = worded(case) if isinstance(app, answer.App) else alone(case)
    return Question(text=text, history=case.history, schema=schema_of(case))


def for_case(parts: Parts, app: App, case: Case, *, repeat: int = 0) -> App:
    """The application as it answers a case for the how-manieth time: from the text that came with it, if one did."""
    settings: Any = app.settings.model_copy(update={"seed": app.settings.seed + repeat})
    if isinstance(app, answer.App) and case.context:
        given = Given(case, chunker=parts.chunker, encoder=parts.encoder)
        return replace(app, settings=settings, retriever=given)
    return replace(app, settings=settings)


def messages(parts: Parts, app: App, case: Case) -> list[Message]:
    """What the application would tell its model for a case. Generates nothing."""
    return for_case(parts, app, case).messages(question_of(app, case))


def worded(case: Case) -> str:
    """The question as it is put, with its choices below it, lettered.

    >>> print(worded(Case(id="1", question="Which is a wheel?", choices=("a gate", "a tyre"))))
    Which is a wheel?
    A. a gate
    B. a tyre
    """
    return "\n".join([case.question, *map(_lettered, range(len(case.choices)), case.choices)])


def alone(case: Case) -> str:
    """The question for a model that sees nothing else: below the text that came with it."""
    return "\n\n".join(text for text in (case.context, worded(case)) if text)


def to_model(case: Case) -> list[Message]:
    """What a model by itself is told for a case: the turns before it as they stand, then the question."""
    return [*case.history, Message(role="user", content=alone(case))]


def shots(examples: Sequence[Case]) -> list[Message]:
    """Cases as turns of a conversation: asked, and answered rightly."""
    turns = []
    for case in examples:
        turns += [Message(role="user", content=alone(case)), Message(role="assistant", content=right(case))]
    return turns


def right(case: Case) -> str:
    """The right answer to a case as one would write it; empty where none is known."""
    said = case.label or next(iter(case.references), "")
    return _lettered(case.choices.index(said), said) if said in case.choices else said


def schema_of(case: Case) -> Mapping[str, Any] | None:
    """The JSON Schema that the answer to a case must follow: `meta.schema`."""
    found = case.meta.get("schema")
    return found if isinstance(found, Mapping) else None


def _lettered(at: int, choice: str) -> str:
    return f"{LETTERS[at]}. {choice}" if at < len(LETTERS) else choice
