"""What a gate says besides what it measures, all of it known before anybody is asked: taints, judges, prompts, leaks.

A candidate that cannot pass whatever it answers costs no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from gatewheel.kernel.errors import UserError
from gatewheel.loop import probation, tainting, unseen
from gatewheel.loop.compose import Parts
from gatewheel.loop.correcting import judges
from gatewheel.loop.leaks import Leaks
from gatewheel.loop.trial import Trial
from gatewheel.ops.gate import Reason, Rule, Settings


def reasons(served: Parts, trial: Trial) -> tuple[Reason, ...]:
    """A line for whatever is known beforehand. One that is no promote is the decision: no answer could change it."""
    cases, compares = trial.suite.cases, trial.settings.slices and trial.incumbent
    return (
        *_forgotten(served, trial),
        *_unfit(served, trial.settings),
        *unseen.shown(served, trial.candidate, cases),
        *unseen.unread(trial.leaks),
        *unseen.left_out(trial.leaks, len(cases)),
        *(unseen.lost(cases, trial.clean) if compares else ()),
    )


def refuse(served: Parts, settings: Settings, leaks: Leaks) -> None:
    """Raises UserError where a pass from before holds no more by what is known now, whatever was answered."""
    for one in chain(_unfit(served, settings), unseen.unread(leaks)):
        raise UserError(one.text.rstrip("."), cure="mend it, and run `gatewheel gate` again")


def _forgotten(served: Parts, trial: Trial) -> Iterator[Reason]:
    """A line where the candidate learned of what was forgotten since."""
    if why := tainting.of_variant(served.engine, trial.candidate):
        text = f"It learned of what was forgotten since: {tainting.told(why)}. Tune again on data without it."
        yield Reason(rule="forgotten", metric="", slice="", outcome="reject", text=text)


def _unfit(served: Parts, settings: Settings) -> Iterator[Reason]:
    """A line for every rule whose judge is not admitted."""
    rules: Mapping[Rule, Mapping[str, float]] = {
        "better": settings.better,
        "not worse": settings.not_worse,
        "slice": settings.slices,
        "floor": settings.floors,
        "ceiling": settings.ceilings,
    }
    for name in judges(served, settings):
        standing = probation.standing(served, name)
        if standing.state != "admitted":
            text = f"{name} does not count: {standing.text}."
            for rule, asked in rules.items():
                if name in asked:
                    yield Reason(rule=rule, metric=name, slice="", outcome="reject", text=text)
