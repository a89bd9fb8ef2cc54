"""Choice accuracy: 1 when the right choice is the likeliest, by its log-probability as it is.

The `acc` of the lm-evaluation-harness for multiple choice.
"""

from __future__ import annotations

from gatewheel.evals.metrics.choices import is_nothing, likeliest, log_probabilities, right_choice
from gatewheel.evals.metrics.mean import Mean, Settings
from gatewheel.kernel.nouns import Answer, Case


def create(_settings: Settings) -> Mean:
    """The metric. It does not apply to cases without choices and label, nor to answers without likelihoods."""

    def choice_accuracy(case: Case, answer: Answer) -> float | None:
        right = right_choice(case)
        if right is None:
            return None
        found = log_probabilities(case, answer)
        if found is None:
            return 0.0 if is_nothing(answer) else None
        return float(likeliest(found) == right)

    return Mean(choice_accuracy)
