"""One line that says what to do about the curves of a tuning."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from gatewheel.finetune.method import Point


def advise(points: Sequence[Point], *, early: bool) -> str:
    """What the losses so far ask for. Needs two looks at validation examples to say more than that."""
    looks = [(point.step, point.validation) for point in points if point.validation is not None]
    losses = [point.loss for point in points if point.loss is not None]
    if len(looks) < 2 or not losses:
        return "no validation examples: keep some back (validation) to see when learning turns into memorising"
    first, last = looks[0][1], looks[-1][1]
    best_step, best = min(looks, key=lambda look: look[1])
    if best >= first:
        return (
            "the validation loss never fell below that of the base: lower learning_rate, or check that the examples "
            "are told as the application tells them"
        )
    if _risen(first, best, last) and not _falls(points, best_step):
        return f"both losses rise since step {best_step}, which is unsteady: lower learning_rate; {_kept(early)}"
    if _risen(first, best, last):
        return (
            f"the validation loss rises since step {best_step} while the training loss falls, which is memorising: "
            f"{_kept(early)}; more examples or a lower rank would carry further"
        )
    if len(looks) > 3 and looks[-2][1] - last > 0.05 * (first - last):
        if early:
            return f"the validation loss falls again after it rose since step {best_step}: raise patience to go on"
        return "the validation loss still falls: raise epochs (or steps) to go on"
    middle = next(loss for step, loss in looks if 2 * step >= looks[-1][0])
    rates = [point.learning_rate for point in points if point.loss is not None]
    falling = middle - last > 0.05 * (first - last)  # and the last steps were small ones
    if len(looks) > 3 and not early and falling and rates[-1] < max(rates) / 2:
        return "the validation loss fell until the learning rate did: raise epochs (or steps) to go on"
    return "the validation loss has levelled off: more epochs would change little, more examples might"


def meanwhile(points: Sequence[Point]) -> str:
    """What the losses ask of who watches a tuning that goes on; empty while there are fewer than two looks."""
    looks = [(point.step, point.validation) for point in points if point.validation is not None]
    if len(looks) < 2:
        return ""
    first, before, last = looks[0][1], looks[-2][1], looks[-1][1]
    best_step, best = min(looks, key=lambda look: look[1])
    if best >= first:
        return "the validation loss has not fallen yet: if the next look is no better, cancel and lower learning_rate"
    if _risen(first, best, last) and not _falls(points, best_step):
        return f"both losses rise since step {best_step}, which is unsteady: cancel and lower learning_rate"
    if _risen(first, best, last):
        return (
            f"the validation loss rises since step {best_step} while the training loss falls, which is memorising: "
            f"stop and keep gives the adapter of step {best_step}, and so does letting it run"
        )
    if before - last > 0.05 * (first - last):
        return "the validation loss still falls: let it run"
    return "the validation loss has levelled off: stop and keep loses little"


def _risen(first: float, best: float, last: float) -> bool:
    """By more than a fiftieth, and by more than a trifle of what was learned: a loss near 0 is never quite still."""
    return last > best * 1.02 and last - best > 0.005 * (first - best)


def _falls(points: Sequence[Point], step: int) -> bool:
    """Whether the training loss is lower after a step than it was on the way there, by medians."""
    before = [point.loss for point in points if point.loss is not None and point.step <= step]
    after = [point.loss for point in points if point.loss is not None and point.step > step]
    some = before[-len(after) :] if after else before
    return not after or not some or median(after) < median(some)


def _kept(early: bool) -> str:
    return "stopped at the best step" if early else "the adapter is that of the best step"
