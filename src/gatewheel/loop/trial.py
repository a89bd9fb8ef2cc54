"""Who stands before which gate, on which cases, scored by what: all of it known before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gatewheel.data import suites
from gatewheel.data.suites import Suite
from gatewheel.kernel import catalog
from gatewheel.kernel.config import Config
from gatewheel.kernel.errors import ConfigError, did_you_mean
from gatewheel.kernel.nouns import Case, Variant
from gatewheel.loop import correcting, probation, targets, unseen
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import Yardstick, yardstick
from gatewheel.loop.leaks import Leaks, of_cases
from gatewheel.loop.leaks import learned as known_by
from gatewheel.loop.releasing import as_variant, find, incumbent_of, refuse_other_documents
from gatewheel.ops import releases
from gatewheel.ops.gate import Gate, Settings

SLICES = 200  # more are no parts of a suite that anybody reads, and each of them is compared at every look


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Who stands before which gate. `official` says that the incumbent is what answers now, or that nothing does.

    Both are scored by one `yardstick`, that of the project's file, and asked about one state of the documents. A
    decision holds while what it `rests` on is the same.
    """

    name: str
    gate: Gate
    suite: Suite
    candidate: Variant
    incumbent: Variant | None
    released: str
    official: bool
    yardstick: Yardstick
    corpus: str
    leaks: Leaks
    rests: Mapping[str, Any]

    @property
    def settings(self) -> Settings:
        """What the gate asks for."""
        return self.gate.settings

    @property
    def clean(self) -> tuple[Case, ...]:
        """The cases that count: nobody learned them."""
        return tuple(case for case in self.suite.cases if case.id not in self.leaks.cases)


def opened(config: Config, name: str) -> tuple[Gate, Suite]:
    """A gate with its suite. Raises ConfigError for a gate that is not there, or whose suite is not fit for it."""
    table = config.table("gate", name)
    made = cast(Gate, catalog.load("gate", table.use).create(table.settings))
    suite = suites.load(config.root, made.settings.suite)
    _refuse_unfit(config, name, made.settings, suite)
    return made, suite


def trial_of(served: Parts, name: str, candidate: str, *, against: str = "") -> Trial:
    """A candidate before a gate. Raises what `opened` raises, UserError for unknown variants, and ProjectError for one
    that was made with other settings of the documents.
    """
    gate, suite = opened(served.config, name)
    app = gate.settings.app
    released = releases.current(served.engine, app)
    challenger = find(served, candidate)
    refuse_other_documents(served, app, challenger)
    present = incumbent_of(served, app, challenger)
    incumbent = find(served, against) if against else present
    learned = of_cases(served, suite.name, suite.cases, more=known_by(served, [challenger], beside=incumbent))
    both = [one.id for one in (challenger, incumbent) if one]
    return Trial(
        name=name,
        gate=gate,
        suite=suite,
        candidate=challenger,
        incumbent=incumbent,
        released=released,
        official=incumbent == present,
        yardstick=yardstick(served, suite),
        corpus=targets.corpus_of(as_variant(served, app, challenger), app),
        leaks=unseen.with_prompt(learned, served, suite.cases, incumbent),
        rests={**unseen.state(learned), **correcting.rests(served, gate.settings, both)},
    )


def _refuse_unfit(config: Config, name: str, settings: Settings, suite: Suite) -> None:
    """Raises ConfigError for a suite that does not measure what is asked for, or whose cases are to be learned from."""
    where = f"{config.path.name}: [gate.{name}]"
    if suite.split == "train":
        what = f"{where} asks suite {suite.name}, whose cases are for training"
        raise ConfigError(what, cure=f'name a suite with split = "holdout"; {suite.path.name} says "train"')
    tags = len(unseen.tags(suite.cases)) if settings.slices else 0
    if tags > SLICES:
        what = f"{where} compares on every slice of suite {suite.name}, which has {tags:,} tags; {SLICES} are allowed"
        raise ConfigError(what, cure="leave tags to what many cases share; what names one case belongs into its meta")
    for metric in settings.metrics:
        if metric not in suite.metrics:
            what = f"{where} asks for {metric}, which suite {suite.name} does not measure"
            raise ConfigError(
                what, cure=f"add it to metrics of {suite.path.name}, or {did_you_mean(metric, suite.metrics)}"
            )
        if metric in probation.names(config) and probation.settings_of(config, metric).golden == suite.name:
            # the gate asks people to grade its answers, and each grade there would end what was measured of the judge
            what = f"{where} asks suite {suite.name} for {metric}, a judge whose golden set is the same suite"
            raise ConfigError(what, cure=f"keep golden answers in a suite of their own: [metric.{metric}] golden = …")
