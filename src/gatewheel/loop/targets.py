"""Whom a suite asks: an application of the project, or a model alone. Nothing here is recorded as a trace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select

from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.nouns import Answer, Case, Message, Variant
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.kernel.store.schema import documents
from gatewheel.kernel.trace import Recorder
from gatewheel.loop import variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.given import Given
from gatewheel.loop.recipes import digest
from gatewheel.rag.answer import App, Listener
from gatewheel.rag.question import Question

if TYPE_CHECKING:
    from gatewheel.data.suites import Suite

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Ask = Callable[[Case, int, OnText], Answer]
"""A case, the how-manieth time it is asked from 0, and what is asked with each piece of text whether to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One that answers. `name` is as people say it, such as "app main"; `corpus` the state of the documents.

    `parallel` questions may be asked at once. Where nothing is `sampled`, asking again would give the same words.
    """

    name: str
    variant: str
    corpus: str
    parallel: int
    sampled: bool
    ask: Ask

    def state_for(self, case: Case) -> str:
        """The state of the documents that the answer to a case depends on: none, where the case brings its text."""
        return "" if case.context else self.corpus


def application(parts: Parts, name: str, cases: Sequence[Case]) -> Target:
    """`[app.<name>]`, as `parts` makes it. Loads its model, so that what cannot be loaded is told before any case.

    Raises ProjectError when the cases need documents and there are none, ConfigError, MissingPart, ModelError.
    """
    settings: Any = parts.config.table("app", name).settings
    if parts.store.totals()[0] == 0 and not all(case.context for case in cases):
        raise ProjectError("no documents are ingested yet", cure="run `gatewheel ingest`")
    app = parts.app(name)
    parallel = parts.config.serve.slots if settings.mode == "quote" else parts.model(settings.model).parallel
    variant = parts.keep_variant(name)

    def ask(case: Case, repeat: int, on_text: OnText) -> Answer:
        here = _for_case(app, case, parts)
        here = replace(here, settings=here.settings.model_copy(update={"seed": settings.seed + repeat}))
        question = Question(text=worded(case), history=case.history, schema=schema_of(case))
        answer = here.answer(question, recorder=Recorder(), listener=Listener(on_text=on_text))
        return replace(answer, variant=variant.id)

    return Target(
        name=f"app {name}",
        variant=variant.id,
        corpus=corpus(parts.engine),
        parallel=parallel,
        sampled=settings.temperature > 0,
        ask=ask,
    )


def model(parts: Parts, name: str, suite: Suite) -> Target:
    """`[model.<name>]` by itself, which sees the few-shot examples of the suite before each case.

    Raises ConfigError, MissingPart, ModelError.
    """
    engine = parts.model(name)
    shown = shots(suite.few_shot)
    variant = variant_of_model(parts, name, suite)
    variants.keep(parts.engine, parts.objects, variant, prompt=_prompt(suite))

    def ask(case: Case, repeat: int, on_text: OnText) -> Answer:
        recorder = Recorder()
        decoding = Decoding(
            max_tokens=suite.max_tokens, temperature=suite.temperature, seed=repeat, schema=schema_of(case)
        )
        asked = [*shown, *case.history, Message(role="user", content=alone(case))]
        said = engine.chat(asked, decoding=decoding, on_text=on_text)
        return Answer(
            answer=said.text.strip(),
            abstained=False,
            citations=(),
            passages=(),
            sentences=(),
            usage=said.usage,
            seconds=recorder.seconds(),
            variant=variant.id,
            trace=None,
            draft=said.text,
        )

    return Target(
        name=f"model {name}",
        variant=variant.id,
        corpus="",
        parallel=engine.parallel,
        sampled=suite.temperature > 0,
        ask=ask,
    )


def variant_of_model(parts: Parts, name: str, suite: Suite) -> Variant:
    """Who answers when a suite asks `[model.<name>]`. Loads nothing. Raises ConfigError, MissingPart."""
    recipe = {
        "model": parts.model_recipe(parts.config.table("model", name)),
        "prompt": hashlib.sha256(_prompt(suite).encode("utf-8")).hexdigest(),
        "max_tokens": suite.max_tokens,
    }
    if suite.temperature:
        recipe["temperature"] = suite.temperature
    return Variant(id=digest(recipe), recipe=recipe)


def _prompt(suite: Suite) -> str:
    return json.dumps([[message.role, message.content] for message in shots(suite.few_shot)], ensure_ascii=False)


def corpus(engine: Engine) -> str:
    """The state of the documents: the digest of each one's name and content, and of how it was cut into passages."""
    query = select(documents.c.source, documents.c.sha256).order_by(documents.c.source)
    read = hashlib.sha256()
    with engine.connect() as connection:
        for source, sha256 in connection.execute(query):
            read.update(f"{source}\0{sha256}\n".encode())
    return read.hexdigest()


def worded(case: Case) -> str:
    """The question as it is put, with its choices below it, lettered.

    >>> print(worded(Case(id="1", question="Which is a wheel?", choices=("a gate", "a tyre"))))
    Which is a wheel?
    A. a gate
    B. a tyre
    """
    return "\n".join([case.question, *map(_lettered, range(len(case.choices)), case.choices)])


def _lettered(at: int, choice: str) -> str:
    return f"{LETTERS[at]}. {choice}" if at < len(LETTERS) else choice


def alone(case: Case) -> str:
    """The question for a model that sees nothing else: below the text that came with it."""
    return "\n\n".join(text for text in (case.context, worded(case)) if text)


def shots(examples: Sequence[Case]) -> list[Message]:
    """Cases as turns of a conversation: asked, and answered rightly."""
    turns = []
    for case in examples:
        right = case.label or case.references[0]
        if right in case.choices:
            right = _lettered(case.choices.index(right), right)
        turns += [Message(role="user", content=alone(case)), Message(role="assistant", content=right)]
    return turns


def schema_of(case: Case) -> Mapping[str, Any] | None:
    """The JSON Schema that the answer to a case must follow: `meta.schema`."""
    found = case.meta.get("schema")
    return found if isinstance(found, Mapping) else None


def _for_case(app: App, case: Case, parts: Parts) -> App:
    if not case.context:
        return app
    return replace(app, retriever=Given(case, chunker=parts.chunker, encoder=parts.encoder))
