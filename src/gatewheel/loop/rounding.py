"""What writing tuned weights in fewer bits costs: the perplexity of the file against that of the weights as trained.

Measured on the examples that the tuning kept to validate on, worded as they were learned; for an adapter that came
without any, on Gatewheel's own documentation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gatewheel.data import datasets
from gatewheel.kernel import catalog
from gatewheel.kernel.errors import GatewheelError, UserError
from gatewheel.kernel.nouns import Case
from gatewheel.loop import starting, validating
from gatewheel.loop.artifacts import Artifact
from gatewheel.loop.compose import Parts
from gatewheel.loop.serving import as_served
from gatewheel.loop.wording import examples_of, group_of

if TYPE_CHECKING:
    from gatewheel.models.dense import Dense

    Rows = list[tuple[int, ...]]

EXACT = ("F32", "F16", "lora")  # 11 bits of precision are more than the training's own
BEARABLE = 0.02  # half of what writing in six bits cost SmolLM2, which is small and suffers most
FINER = ("Q4_0", "Q4_1", "Q4_K_M", "Q5_0", "Q5_1", "Q5_K_M", "Q6_K", "Q8_0", "F16")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounding:
    """By how much the perplexity of a file exceeds that of the weights as trained: `difference`, a share, ± `margin`.

    The margin is half of a 95 % interval. `of` names the text, of so many `tokens`; without a difference it says why
    nothing was measured. What rounds nothing has the difference 0 on no tokens.
    """

    difference: float | None
    margin: float = 0.0
    tokens: int = 0
    of: str = ""


def measure(parts: Parts, adapter: Artifact, exact: Dense, written: Path, *, kind: str) -> Rounding:
    """Of a file or folder that was written of the weights `exact`, an adapter merged into its base."""
    from gatewheel.models import perplexity
    from gatewheel.models.dense import open_dense

    if kind in EXACT:
        return Rounding(difference=0.0, of="the same weights")
    most = perplexity.affordable(exact.shape)
    try:
        rows, of = _examples(parts, adapter, exact, most) or _documentation(exact.path, most)
    except GatewheelError as error:
        return Rounding(difference=None, of=str(error))
    found = perplexity.difference(exact, open_dense(written), rows)
    return Rounding(difference=round(found.share, 6), margin=round(found.margin, 6), tokens=found.tokens, of=of)


def read(meta: Mapping[str, Any]) -> Rounding | None:
    """What the `meta` of an artifact says of it; None for one that was made before it was measured."""
    said = meta.get("perplexity")
    return Rounding(**said) if isinstance(said, Mapping) else None


def plain(rounding: Rounding) -> dict[str, Any]:
    """As an artifact keeps it."""
    return asdict(rounding)


def told(rounding: Rounding) -> str:
    """It in words, such as `perplexity +0.2 % ± 0.1 on 1,400 tokens of …`."""
    if rounding.difference is None:
        return f"perplexity not measured: {rounding.of}"
    if not rounding.tokens:
        return f"perplexity as trained: {rounding.of}"
    share, margin = 100 * rounding.difference, 100 * rounding.margin
    return f"perplexity {share:+.1f} % ± {margin:.1f} on {rounding.tokens:,} tokens of {rounding.of}"


def advice(rounding: Rounding, kind: str) -> str:
    """What to do about it: nothing, or the finer kinds that there are."""
    if rounding.difference is None or rounding.difference - rounding.margin <= BEARABLE:
        return ""
    finer = FINER[FINER.index(kind) + 1 :] if kind in FINER else ("F16",)
    others = " or ".join(one for one in finer if one in ("Q6_K", "Q8_0", "F16"))
    return (
        f"{kind} costs this model more than {BEARABLE:.0%}: write {others}, or lora beside its base, which costs none"
    )


def _examples(parts: Parts, adapter: Artifact, exact: Dense, most: int) -> tuple[Rows, str] | None:
    """Rows of what the tuning kept; None for an adapter of elsewhere, and where its data cannot be worded any more."""
    meta = adapter.meta
    named = str(meta.get("validation") or meta.get("dataset") or "")
    try:
        cases = _kept(meta, datasets.load(parts.objects, named)) if named else []
        rows = [*_rows(parts, meta, exact, cases, most)] if cases else []
    except (GatewheelError, ValidationError, ImportError, KeyError):
        return None  # forgotten since, an application that is no more, a machine that does not tune
    return (rows, f"{_kind(meta)} of dataset {named[:12]}") if rows else None


def _kind(meta: Mapping[str, Any]) -> str:
    """What is measured on. An adapter that does not tell what it was shown was made before groups were drawn as now.

    It may have learned some of these examples.
    """
    return "validation examples" if meta.get("validation") or "shown" in meta else "examples"


def _kept(meta: Mapping[str, Any], cases: Sequence[Case]) -> list[Case]:
    """The cases that were kept to validate on: those of the other version, or of the groups that were drawn."""
    if meta.get("validation"):
        return list(cases)
    drawn = validating.drawn(cases, _settings(meta))
    return [case for case in cases if group_of(case) in drawn]


def _rows(
    parts: Parts, meta: Mapping[str, Any], exact: Dense, cases: Sequence[Case], most: int
) -> Iterator[tuple[int, ...]]:
    """Prompts and replies as they were learned, one case worded after another until there are enough tokens."""
    from gatewheel.finetune import tokens

    speller, settings, length = tokens.open_speller(exact.path), _settings(meta), exact.shape.context_length
    with as_served(parts) as served:
        for case in cases:
            if most < 2:
                return
            examples = examples_of(served, str(meta["app"]), [case])
            with suppress(UserError):  # too long to be learned, so it was not looked at either
                for row in tokens.read(examples, speller, settings, length=length).rows:
                    cut = row.tokens[-max(2, most) :]
                    most -= len(cut)
                    yield cut


def _settings(meta: Mapping[str, Any]) -> Any:
    made: Any = catalog.load("finetune", str(meta["method"])).Settings
    return made.model_validate(meta["settings"])


def _documentation(path: Path, most: int) -> tuple[Rows, str]:
    from gatewheel.models import perplexity

    text = "\n\n".join(page.read_text(encoding="utf-8") for page in starting.documentation())
    return perplexity.windows(path, text, most=most), "Gatewheel's documentation"
