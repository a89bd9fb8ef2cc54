"""A language model that grades answers by a rubric. A gate counts it only while it agrees with people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.judge import Judge, Verdict, VerdictStore, recipe
from gatewheel.kernel.errors import ConfigError, did_you_mean
from gatewheel.kernel.ports import Model


class Settings(BaseModel):
    """`[metric.<name>] use = "judge"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = Field("chat", json_schema_extra={"names": "model"}, description="Which [model.*] judges.")
    rubric: str = Field(min_length=1, description="A text file of the project that says what is judged, and how.")
    golden: str = Field(min_length=1, description="The suite on whose answers people gave the right grades.")
    criterion: str = Field("", description="What people's labels call it; empty: as this table is called.")
    scale: str = Field("1-5", pattern=r"^(yes/no|[0-9]-[0-9])$", description='Such as "1-4", or "yes/no".')
    better: Literal["higher", "lower"] = Field("higher", description="Which end of the scale is the good one.")
    bar: float = Field(0.6, gt=0, le=1, description="What the lower end of its agreement with people has to reach.")
    samples: int = Field(3, ge=1, le=15, description="Verdicts of each answer, of which the median or majority counts.")
    temperature: float = Field(0.7, ge=0, le=2, description="Of the verdicts; a single one is given at 0.")
    seed: int = Field(0, ge=0, description="Of the first verdict; the others have the following ones.")
    reason: int = Field(600, ge=0, le=4000, description="Characters of reason before the score; 0: none.")
    max_tokens: int = Field(400, ge=8, description="Tokens of a verdict.")
    evidence: bool = Field(False, description="Show it the passages, or the context, that the answer rests on.")
    references: bool = Field(False, description="Show it the right answers of the case.")
    valid_days: float = Field(90.0, gt=0, description="After so many days its agreement has to be measured again.")

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the scale; no is 0 and yes is 1."""
        return (0.0, 1.0) if self.scale == "yes/no" else (float(self.scale[0]), float(self.scale[2]))

    @property
    def grades(self) -> tuple[int | str, ...]:
        """What a verdict may say."""
        return ("yes", "no") if self.scale == "yes/no" else tuple(range(int(self.scale[0]), int(self.scale[2]) + 1))

    @property
    def said(self) -> str:
        """The scale in words."""
        if self.scale == "yes/no":
            return '"yes" or "no"'
        return f"a whole number from {self.scale[0]} to {self.scale[2]}, as the rubric has them"

    @property
    def example(self) -> str:
        """A score as JSON."""
        return '"yes"' if self.scale == "yes/no" else str(self.grades[len(self.grades) // 2])

    def number(self, grade: Any) -> float:
        """The number of a grade. Raises ValueError for what is none."""
        if grade not in self.grades:
            raise ValueError(f"{grade!r} is not on the scale {self.scale}")
        return float(grade == "yes") if self.scale == "yes/no" else float(grade)


def create(
    settings: Settings,
    *,
    models: Callable[[str], Model] | None = None,
    verdicts: VerdictStore | None = None,
    root: Path | None = None,
) -> Judge:
    """The judge. Raises ConfigError when it has no rubric, no scale or no model.

    `models` gives a model by the name of its table, when it is needed; `verdicts` remembers what was judged before.
    """
    low, high = settings.bounds
    if not low < high:
        raise ConfigError(f"the scale {settings.scale} of a judge has no ends", cure='write e.g. scale = "1-4"')
    if models is None:
        raise ConfigError("a judge needs the models of the project", cure="hand in `models`")
    rubric = read(settings, root)
    kept = verdicts.of(settings.model, recipe(settings, rubric)) if verdicts else _Forgetful()
    return Judge(settings, rubric=rubric, models=models, verdicts=kept)


def read(settings: Settings, root: Path | None) -> str:
    """The text of the rubric. Raises ConfigError when it is not there, or lies outside of the project."""
    folder = (root or Path()).resolve()
    path = (folder / settings.rubric).resolve()
    if not path.is_relative_to(folder):
        raise ConfigError(f"the rubric {settings.rubric} lies outside of the project", cure="copy it into rubrics/")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        known = [found.relative_to(folder).as_posix() for found in path.parent.glob("*.md")]
        raise ConfigError(f"no rubric {settings.rubric}", cure=did_you_mean(settings.rubric, known)) from None


def files(settings: Settings, *, root: Path | None = None) -> tuple[Path, ...]:
    """The rubric, which decides the score as much as the settings do; none while there is none."""
    path = (root or Path()) / settings.rubric
    return (path,) if path.is_file() else ()


class _Forgetful:
    """Remembers nothing."""

    def get(self, item: str, sample: int) -> Verdict | None:
        del item, sample
        return None

    def keep(self, item: str, sample: int, verdict: Verdict) -> None: ...
