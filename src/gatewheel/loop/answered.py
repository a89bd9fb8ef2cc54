"""A variant that cannot be made again beside the present documents, by all that it answered before. Asks nobody."""

from __future__ import annotations

from typing import NoReturn

from gatewheel.data.suites import Suite
from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.nouns import Variant
from gatewheel.loop import answers
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import jobs_of
from gatewheel.loop.targets import Target


def target(parts: Parts, name: str, variant: Variant, suite: Suite) -> Target:
    """`[app.<name>]` as it answered every case of a suite, in the newest state of the documents in which it did.

    Raises ProjectError where there is none.
    """
    sampled = float(variant.recipe["app"].get("temperature", 0)) > 0
    known = answers.known(parts.engine, variant.id)
    for corpus in answers.corpora(parts.engine, variant.id):
        found = Target(name=f"app {name}", variant=variant.id, corpus=corpus, parallel=1, sampled=sampled, ask=_nobody)
        jobs = jobs_of(found, suite.cases, suite.repeat if sampled else 1)
        if known.issuperset(job.key for job in jobs):
            return found
    what = f"variant {variant.id[:12]} read the documents by other settings and did not answer all of {suite.name} then"
    raise ProjectError(what, cure="restore them, run `gatewheel evals run` on it, and change them again")


def _nobody(*_: object) -> NoReturn:
    raise AssertionError("everything was answered")
