"""A model that says how probable the choices of a case are, or a whole text, and writes nothing.

What is read is plain text, never a chat: examples with their right answers, then the case, with an empty line between.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import TYPE_CHECKING

from gatewheel.kernel.likelihood import Likelihood
from gatewheel.kernel.nouns import Answer, Case, Usage, Variant
from gatewheel.kernel.ports import OnText
from gatewheel.loop import variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.recipes import digest
from gatewheel.loop.targets import Target

if TYPE_CHECKING:
    from gatewheel.data.suites import Suite

_FIELD = re.compile(r"\{(question|context)\}")


def target(parts: Parts, name: str, suite: Suite) -> Target:
    """`[model.<name>]` as the suite puts its cases to it. Loads the model, so that what is wrong is told at once.

    Raises ConfigError for an engine that tells no likelihoods, MissingPart, ModelError.
    """
    model, variant = parts.likelihoods(name), variant_of(parts, name, suite)
    variants.keep(parts.engine, parts.objects, variant, prompt=_prompt(suite))

    def ask(case: Case, _repeat: int, _on_text: OnText) -> Answer:
        began = time.perf_counter()
        if case.choices:
            found = model.likelihoods(prompted(suite, case), [suite.delimiter + choice for choice in case.choices])
        else:
            found = [model.rolling(case.question)]
        return _answer(case, found, seconds=time.perf_counter() - began, variant=variant.id)

    parallel = model.loaded().parallel
    return Target(name=f"model {name}", variant=variant.id, corpus="", parallel=parallel, sampled=False, ask=ask)


def variant_of(parts: Parts, name: str, suite: Suite) -> Variant:
    """Who answers when a suite asks `[model.<name>]` for likelihoods. Loads nothing. As `targets.variant_of_model`."""
    recipe = {
        "model": parts.likelihood_shelf.recipe(parts.written, name),
        "prompt": hashlib.sha256(_prompt(suite).encode("utf-8")).hexdigest(),
        "answer": suite.answer,
    }
    return Variant(id=digest(recipe), recipe=recipe)


def _prompt(suite: Suite) -> str:
    return json.dumps([suite.prompt, suite.delimiter, _shown(suite)], ensure_ascii=False)


def prompted(suite: Suite, case: Case) -> str:
    """What stands before the choices of a case: the examples of the suite, then the case by its template."""
    return "\n\n".join(text for text in (*_shown(suite), _put(suite.prompt, case)) if text)


def _shown(suite: Suite) -> list[str]:
    return [_put(suite.prompt, case) + suite.delimiter + (case.label or case.references[0]) for case in suite.few_shot]


def _put(template: str, case: Case) -> str:
    """The template with question and context; turns before the question, and a context that the template does not
    name, stand above it.

    >>> _put("Q: {question}\\nA:", Case(id="1", question="Why?", context="Because."))
    'Because.\\n\\nQ: Why?\\nA:'
    """
    own = {"question": case.question, "context": case.context}
    above = [] if "{context}" in template else [case.context]
    filled = _FIELD.sub(lambda found: own[found[1]], template)
    return "\n\n".join(text for text in (*above, *(turn.content for turn in case.history), filled) if text)


def _answer(case: Case, found: list[Likelihood], *, seconds: float, variant: str) -> Answer:
    likeliest = max(range(len(found)), key=lambda at: found[at].logprob)  # of several the first, as argmax has it
    return Answer(
        answer=case.choices[likeliest] if case.choices else "",
        abstained=False,
        citations=(),
        passages=(),
        sentences=(),
        usage=Usage(input_tokens=sum(each.tokens for each in found), seconds=seconds),
        seconds=seconds,
        variant=variant,
        trace=None,
        likelihoods=tuple(found),
    )
