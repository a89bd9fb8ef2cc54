"""Whether a calibration still holds: under the names that it was made by may stand another checker or other weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewheel.evals import resolve
from gatewheel.kernel.errors import ConfigError, MissingPart
from gatewheel.loop.recipes import digest, words

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts


def identity(parts: Parts, part: str, model: str) -> str:
    """The digest of what decides the signals of a part: the `checker`, or the `likelihoods` of a `[model.*]`.

    Raises ConfigError for a model that tells no likelihoods, MissingPart without its weights.
    """
    if part == "checker":  # it may compare by vectors
        return digest([words(parts.config.table("checker", "main")), parts.encoder.id])
    return digest(parts.likelihood_shelf.recipe(parts.written, model))


def refuse_others(parts: Parts, metric: str) -> None:
    """Raises ConfigError for a metric that was calibrated on the signals of another checker or model."""
    for part, before in resolve.made_with(parts.config, metric).items():
        model = resolve.likelihood_model(parts.config, metric)
        try:
            now = identity(parts, part, model)
        except MissingPart:  # then nothing is scored either; an earlier report can still be read
            continue
        if now != before:
            other = "checker or encoder" if part == "checker" else f"[model.{model}]"
            what = f"the calibration of metric {metric} was made with another {other} than there is now"
            raise ConfigError(what, cure="run `gatewheel evals calibrate` again")
