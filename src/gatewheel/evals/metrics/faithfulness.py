"""Faithfulness: the share of an answer's sentences that the passages bear out, or the context of the case.

With a checker every sentence is judged anew, so that a variant cannot raise the figure by a milder checker of its own.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.evidence import Sentences, claims, passages
from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Checker


class Settings(BaseModel):
    """`[metric.<name>] use = "faithfulness"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    draft: bool = Field(
        False, description="Count the sentences as well that the application dropped before anybody saw them."
    )


def create(settings: Settings, *, checker: Checker | None = None, sentences: Sentences | None = None) -> Mean:
    """The metric. It does not apply to abstentions nor where there is nothing to rest on.

    Without a checker the verdicts that came with the answer stand. `sentences` parts the text of a plain model.
    """

    def faithfulness(case: Case, answer: Answer) -> float | None:
        if answer.abstained:
            return None
        drafted = settings.draft and bool(answer.sentences)
        said = [sentence.text for sentence in answer.sentences] if drafted else claims(answer, sentences=sentences)
        if checker is None:
            verdicts = [one.supported for one in answer.sentences if one.text in said]
        else:
            verdicts = _judged(checker, said, case, answer)
        return sum(verdicts) / len(verdicts) if verdicts else None

    return Mean(faithfulness)


def _judged(checker: Checker, said: list[str], case: Case, answer: Answer) -> list[bool]:
    evidence = passages(case, answer)
    if not said or not evidence:
        return []
    least = checker.support_threshold
    return [found.score >= least and found.end > found.start for found in checker.support(said, evidence)]
