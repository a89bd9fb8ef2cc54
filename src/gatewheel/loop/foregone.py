"""What a gate knows before anybody is asked: a candidate that cannot pass whatever it answers costs no answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gatewheel.loop import probation, unseen
from gatewheel.loop.compose import Parts
from gatewheel.loop.trial import Trial
from gatewheel.ops import gate
from gatewheel.ops.gate import Decision, Reason, Rule, Settings


def foregone(served: Parts, trial: Trial) -> Decision | None:
    """The decision where no answer could change it: a judge may not count, the candidate is shown cases, none is left.

    None where it takes answers.
    """
    against = (*_judges(served, trial.settings), *unseen.shown(served, trial.candidate, trial.suite.cases))
    if not against and (trial.clean or not trial.suite.cases):
        return None
    return gate.decide(trial.settings, None, besides=(*against, *unseen.reasons(trial.leaks, len(trial.suite.cases))))


def _judges(served: Parts, settings: Settings) -> Iterator[Reason]:
    """A line for every rule whose judge is not admitted."""
    rules: Mapping[Rule, Mapping[str, float]] = {
        "better": settings.better,
        "not worse": settings.not_worse,
        "slice": settings.slices,
        "floor": settings.floors,
        "ceiling": settings.ceilings,
    }
    for name in settings.metrics:
        if name not in probation.names(served.config):
            continue
        standing = probation.standing(served, name)
        if standing.state != "admitted":
            text = f"{name} does not count: {standing.text}. Nobody was asked anything."
            for rule, asked in rules.items():
                if name in asked:
                    yield Reason(rule=rule, metric=name, slice="", outcome="reject", text=text)
