"""How sure an answer is of itself, and whether it is right: what calibration compares."""

from __future__ import annotations

import json
import math

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.choices import log_probabilities
from gatewheel.evals.metrics.classes import Settings as Classes
from gatewheel.evals.metrics.classes import labels
from gatewheel.evals.metrics.inclusion import inclusion
from gatewheel.kernel.nouns import Answer, Case


class Settings(BaseModel):
    """`[metric.<name>] use = "brier"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stated: str = Field(
        "",
        description="The key under which a JSON answer states its confidence in 0..1. Empty: the mean support of the "
        "sentences that the checker let stand.",
    )


def judged(case: Case, answer: Answer, *, stated: str) -> tuple[float, float] | None:
    """(confidence in 0..1, 1 if right else 0); None for an abstention and where either is not known.

    Right is the right class or choice where the case has a label, else inclusion.
    """
    sure = None if answer.abstained else _stated(answer.answer, stated) if stated else _own(case, answer)
    if sure is None:
        return None
    if (found := labels(case, answer, Classes())) is not None:
        return sure, float(found[0] == found[1])
    right = inclusion(case, answer)
    return None if right is None else (sure, right)


def _own(case: Case, answer: Answer) -> float | None:
    """Of choices that were scored and not written, how probable the likeliest is among them; else the support."""
    found = log_probabilities(case, answer)
    return 1 / sum(math.exp(each - max(found)) for each in found) if found else _support(answer)


def _support(answer: Answer) -> float | None:
    standing = [one.support for one in answer.sentences if one.supported] or [one.support for one in answer.sentences]
    return sum(standing) / len(standing) if standing else None


def _stated(text: str, key: str) -> float | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    sure = value.get(key) if isinstance(value, dict) else None
    # a bool is an int, and says nothing of how sure it is
    return float(sure) if isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1 else None
