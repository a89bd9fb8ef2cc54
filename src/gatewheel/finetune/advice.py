"""One line that says what to do about the curves of a tuning."""

from __future__ import annotations

from collections.abc import Sequence

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
    if last > best * 1.02:
        ended = "stopped at" if early else "the adapter is that of"
        return (
            f"the validation loss rises since step {best_step} while the training loss falls, which is memorising: "
            f"{ended} the best step; more examples or a lower rank would carry further"
        )
    if len(looks) > 3 and looks[-2][1] - last > 0.05 * (first - last):
        return "the validation loss still falls: raise epochs (or steps) to go on"
    return "the validation loss has levelled off: more epochs would change little, more examples might"
