"""How sure an answer is of itself, and whether it is right: what calibration compares."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from gatewheel.evals.metrics.choices import log_probabilities
from gatewheel.evals.metrics.classes import Settings as Classes
from gatewheel.evals.metrics.classes import labels
from gatewheel.evals.metrics.inclusion import inclusion
from gatewheel.kernel.nouns import Answer, Case

Stated = Annotated[
    str,
    Field(
        description="The key under which a JSON answer states its confidence in 0..1. Empty: the mean support of the "
        "sentences that the checker let stand."
    ),
]
Key = Annotated[
    str, Field(description="The key under which such a JSON answer has what is judged; without it, it is judged whole.")
]


def judged(case: Case, answer: Answer, *, stated: str, key: str, classes: Sequence[str]) -> tuple[float, float] | None:
    """(confidence in 0..1, 1 if right else 0); None for an abstention and where either is not known.

    Right is what accuracy with these classes says where the case has a label, else what inclusion says.
    """
    if answer.abstained:
        return None
    if stated:
        plain = _object(answer.answer)
        sure = _share(plain.get(stated))
        if key in plain:
            said = plain[key]
            answer = replace(answer, answer=said if isinstance(said, str) else json.dumps(said))
    else:
        sure = _own(case, answer)
    if sure is None:
        return None
    if (found := labels(case, answer, Classes(classes=tuple(classes)))) is not None:
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


def _object(text: str) -> dict[str, Any]:
    """The object of a text in JSON; an empty one for all else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _share(sure: Any) -> float | None:
    # a bool is an int, and says nothing of how sure it is
    return float(sure) if isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1 else None
