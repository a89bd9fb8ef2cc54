"""Whom a suite asks: an application of the project, or a model alone. Nothing here is recorded as a trace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, select

from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.nouns import Answer, Case, Variant
from gatewheel.kernel.ports import Decoding, OnText
from gatewheel.kernel.store.schema import documents
from gatewheel.kernel.trace import Recorder
from gatewheel.loop import variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.putting import for_case, question_of, schema_of, shots, to_model
from gatewheel.loop.recipes import digest, reads_documents
from gatewheel.rag.answer import Listener

if TYPE_CHECKING:
    from gatewheel.data.suites import Suite

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
    reads = reads_documents(settings)
    if reads and parts.store.totals()[0] == 0 and not all(case.context for case in cases):
        raise ProjectError("no documents are ingested yet", cure="run `gatewheel ingest`")
    app = parts.app(name)
    quotes = getattr(settings, "mode", "") == "quote"
    parallel = parts.config.serve.slots if quotes else parts.model(settings.model).parallel
    variant = parts.keep_variant(name)

    def ask(case: Case, repeat: int, on_text: OnText) -> Answer:
        here = for_case(parts, app, case, repeat=repeat)
        answer = here.answer(question_of(app, case), recorder=Recorder(), listener=Listener(on_text=on_text))
        return replace(answer, variant=variant.id)

    return Target(
        name=f"app {name}",
        variant=variant.id,
        corpus=corpus_of(parts, name),
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
        said = engine.chat([*shown, *to_model(case)], decoding=decoding, on_text=on_text)
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


def corpus_of(parts: Parts, name: str) -> str:
    """The state of the documents that the answers of `[app.<name>]` depend on: none, where it reads no documents."""
    return corpus(parts.engine) if reads_documents(parts.config.table("app", name).settings) else ""


def corpus(engine: Engine) -> str:
    """The state of the documents: the digest of each one's name and content, and of how it was cut into passages."""
    query = select(documents.c.source, documents.c.sha256).order_by(documents.c.source)
    read = hashlib.sha256()
    with engine.connect() as connection:
        for source, sha256 in connection.execute(query):
            read.update(f"{source}\0{sha256}\n".encode())
    return read.hexdigest()
