"""Evidence gain: how much likelier an answer is with its evidence before it than without, in nats a token.

A model that does not know the answer finds it surprising without the evidence, and less so where it stands there. What
anybody says anyway gains nothing, be it borne out or not.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.evidence import passages, worded
from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.metrics.words import words
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Likelihoods

MOST = 10.0  # nats: a token drawn by lot from 50,000 has 10.8, so a mean beyond it is none


class Settings(BaseModel):
    """`[metric.<name>] use = "evidence-gain"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field("chat", description="The [model.*] that finds answers likely, an engine in process.")


def create(_settings: Settings, *, likelihoods: Likelihoods | None = None) -> Mean:
    """The metric. It does not apply to abstentions, without evidence, nor to an empty answer.

    Raises ConfigError without a model that tells how probable a text is.
    """
    if likelihoods is None:
        raise ConfigError(
            "the metric evidence-gain needs a model that tells how probable a text is",
            cure="name one in process as `model`, or take the metric out of the suite",
        )

    def gain(case: Case, answer: Answer) -> float | None:
        said, evidence = words(answer).strip(), passages(case, answer)
        if answer.abstained or not said or not evidence:
            return None
        text, asked = "\n\n".join(map(worded, evidence)), _asked(case)
        [given] = likelihoods.likelihoods(f"{text}\n\n{asked}", [f" {said}"])
        [alone] = likelihoods.likelihoods(asked, [f" {said}"])
        found = given.logprob / max(1, given.tokens) - alone.logprob / max(1, alone.tokens)
        return min(MOST, max(-MOST, found))

    return Mean(gain, bounds=(-MOST, MOST))


def _asked(case: Case) -> str:
    turns = [f"{turn.role}: {turn.content}" for turn in case.history]
    return "\n".join([*turns, f"Question: {case.question}", "Answer:"])
