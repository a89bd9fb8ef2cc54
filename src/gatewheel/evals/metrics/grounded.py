"""Grounded: the probability that people would call an answer faithful, from signals as their own labels weigh them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.evidence import Sentences
from gatewheel.evals.metrics.mean import Mean
from gatewheel.evals.signals import PARTS
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.ports import Checker, Contextual, Likelihoods, Metric

if TYPE_CHECKING:
    from gatewheel.evals.calibration import Calibration


class Settings(BaseModel):
    """`[metric.<name>] use = "grounded"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    calibration: str = Field(
        "grounded.json", description="What `gatewheel evals calibrate` made of labels, from the folder of the project."
    )
    model: str = Field("chat", description="The [model.*] of the signal evidence-gain, where it is one of them.")


def create(
    settings: Settings,
    *,
    root: Path | None = None,
    encoder: Contextual | None = None,
    checker: Checker | None = None,
    sentences: Sentences | None = None,
    likelihoods: Likelihoods | None = None,
) -> Mean:
    """The metric. It does not apply where one of its signals does not.

    Raises ConfigError without a calibration, and for one that was made with another encoder or model by its name.
    """
    made = _read(settings, root)
    if "token-precision" in made.signals and encoder is not None and encoder.id != made.encoder:
        what = f"{settings.calibration} was made with the encoder {made.encoder}, and this one is {encoder.id}"
        raise ConfigError(what, cure="run `gatewheel evals calibrate` again")
    if "evidence-gain" in made.signals and settings.model != made.model:
        what = f"{settings.calibration} was made with [model.{made.model}], and [model.{settings.model}] is set"
        raise ConfigError(what, cure="set it as `model`, or run `gatewheel evals calibrate` again")
    parts = {"encoder": encoder, "checker": checker, "sentences": sentences, "likelihoods": likelihoods}
    signals = {name: signal(name, parts).score for name in made.signals}

    def grounded(case: Case, answer: Answer) -> float | None:
        found: dict[str, float] = {}
        for name, score in signals.items():
            value = score(case, answer)
            if not isinstance(value, float):
                return None
            found[name] = value
        return made.probability(found)

    return Mean(grounded)


def signal(name: str, parts: Mapping[str, object]) -> Metric:
    """A signal with its default settings, from those of the parts that it takes."""
    from gatewheel.kernel import catalog

    module = catalog.load("metric", name)
    create: Callable[..., Metric] = module.create
    return create(module.Settings(), **{part: parts[part] for part in PARTS[name]})


def wants(settings: Settings, *, root: Path | None = None) -> set[str]:
    """The parts that its signals take: no model is loaded for one that is not asked."""
    return {part for name in _read(settings, root).signals for part in PARTS[name]}


def made_with(settings: Settings, *, root: Path | None = None) -> dict[str, str]:
    """The digests of the parts that its signals were made by, where a name does not say which they are."""
    made = _read(settings, root)
    digests = {"likelihoods": made.likelihoods, "checker": made.checker}
    return {part: digests[part] for part in sorted(wants(settings, root=root) & digests.keys())}


def files(settings: Settings, *, root: Path | None = None) -> tuple[Path, ...]:
    """The calibration, which decides the score as much as the settings do."""
    path = (root or Path()) / settings.calibration
    return (path,) if path.is_file() else ()


def _read(settings: Settings, root: Path | None) -> Calibration:
    from gatewheel.evals.calibration import read

    return read((root or Path()) / settings.calibration)
