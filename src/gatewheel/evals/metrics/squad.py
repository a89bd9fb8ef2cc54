"""The rules of SQuAD for comparing short answers: articles, punctuation, case and spaces do not count.

Rajpurkar, Jia & Liang (2018), the official evaluation script of SQuAD 2.0: the best of several references counts,
references without a word are left out, and where nothing can be answered the empty answer is the right one.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

from gatewheel.evals.metrics.words import words
from gatewheel.kernel.nouns import Answer, Case

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """The text as SQuAD compares it.

    >>> normalise("The  U.S. Senate, an elected body!")
    'us senate elected body'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def expected(case: Case) -> tuple[str, ...]:
    """The right answers, normalised; one empty text where nothing can be answered; none where nothing is known."""
    if not case.answerable:
        return ("",)
    if not case.references:
        return ()
    return tuple(filter(None, map(normalise, case.references))) or ("",)


def best(case: Case, answer: Answer, compare: Callable[[str, str], float]) -> float | None:
    """The greatest `compare(reference, answer)` of normalised texts; None without references.

    An abstention is 0 where there is an answer, even if the words of every reference fall away.
    """
    right = expected(case)
    if not right:
        return None
    if case.answerable and answer.abstained:
        return 0.0
    said = normalise(words(answer))
    return max(compare(reference, said) for reference in right)
