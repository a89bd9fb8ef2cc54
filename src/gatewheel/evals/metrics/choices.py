"""Which choice a model finds likeliest, from the log-probability of each. Knows nothing of what a model writes."""

from __future__ import annotations

from collections.abc import Sequence

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case


def right_choice(case: Case) -> int | None:
    """The place of the right choice; None for a case without choices or label. Raises UserError for another label."""
    if not (case.choices and case.label):
        return None
    if case.label not in case.choices:
        what = f"case {case.id!r}: its label {case.label!r} is none of {', '.join(case.choices)}"
        raise UserError(what, cure="write the label as one of them")
    return case.choices.index(case.label)


def log_probabilities(case: Case, answer: Answer) -> tuple[float, ...] | None:
    """Of the choices in their order; None for an answer that was written, or that tells of something else."""
    if not case.choices or len(answer.likelihoods) != len(case.choices):
        return None
    return tuple(each.logprob for each in answer.likelihoods)


def likeliest(numbers: Sequence[float]) -> int:
    """The place of the greatest; of several the first, as numpy's argmax has it."""
    return max(range(len(numbers)), key=numbers.__getitem__)


def is_nothing(answer: Answer) -> bool:
    """Whether nothing came at all, so that a case counts as wrong; a text is something that does not apply here."""
    return not (answer.likelihoods or answer.answer or answer.abstained)
