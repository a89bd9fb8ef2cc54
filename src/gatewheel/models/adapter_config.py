"""What PEFT's adapter_config.json says of a LoRA adapter, and which of it cannot be kept. Reads no tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import MissingPart, ModelError

if TYPE_CHECKING:
    from gatewheel.models.adapters import Adapter

_LONGEST = 2**20  # bytes

# What makes an adapter more than pairs that are added to linears, and what such a setting is called in words
_MORE = {
    "modules_to_save": "whole trained modules",
    "trainable_token_indices": "trained token embeddings",
    "target_parameters": "pairs for parameters outside of linears",
    "layer_replication": "replicated layers",
    "alora_invocation_tokens": "tokens that invoke it",
    "lora_bias": "biases",
    "use_qalora": "grouped inputs",
    "use_bdlora": "block-diagonal pairs",
    "fan_in_fan_out": "transposed matrices",
    "arrow_config": "routing between adapters",
    "monteclora_config": "sampled pairs",
}
# The other ways to begin change the matrices of the model itself, so the pairs fit only what they have been changed to
_INITS = (True, False, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """`alphas` holds those of modules with an alpha of their own, by the end of the module's name."""

    rank: int
    alpha: float
    rslora: bool
    dora: bool
    base: str
    alphas: Mapping[str, float]

    def alpha_of(self, module: str) -> float:
        return next((own for end, own in self.alphas.items() if f".{module}".endswith(f".{end}")), self.alpha)


def read_config(path: Path | None, metadata: str | None, weights: Path) -> Told:
    """What the file at `path` says, or where there is none the `metadata` of the file `weights`.

    Raises MissingPart without either, ModelError for a text that is damaged or asks for more than low-rank pairs.
    """
    source = path if path is not None and path.is_file() else weights
    try:
        if source == path:
            if source.stat().st_size > _LONGEST:
                raise ValueError(f"{source.stat().st_size} bytes")
            metadata = source.read_text(encoding="utf-8")
        if metadata is None:
            cure = "name the folder that holds it beside adapter_config.json"
            raise MissingPart(f"{weights} does not say how its pairs are scaled", cure=cure)
        config = json.loads(metadata)
        refuse_more(config, source)
        told = _told(config)
    except OSError as error:
        raise ModelError(f"cannot read {source}: {error.strerror or error}", cure="check its rights") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"the configuration of the adapter in {source} is damaged ({error!r})"
        raise ModelError(what, cure="save the adapter again") from error
    alphas = (told.alpha, *told.alphas.values())
    if told.rank < 1 or not all(math.isfinite(alpha) and alpha > 0 for alpha in alphas):
        what = f"the adapter in {source} has rank {told.rank} and alpha {told.alpha}"
        raise ModelError(what, cure="save the adapter again")
    return told


def refuse_more(config: Mapping[str, Any], source: Path) -> None:
    """Raises ModelError for a configuration that asks for more than low-rank pairs."""
    if (kind := config["peft_type"]) != "LORA":
        raise ModelError(f"the adapter in {source} is of the kind {kind}", cure="train one with LoRA, rsLoRA or DoRA")
    if strange := [words for key, words in _MORE.items() if config.get(key)]:
        what = f"the adapter in {source} has {strange[0]} besides low-rank pairs"
        raise ModelError(what, cure="train it without, or merge it with PEFT and use the folder that comes of it")
    if (bias := config.get("bias") or "none") != "none":
        raise ModelError(f"the adapter in {source} has bias = '{bias}'", cure="train it with bias = 'none'")
    if (begin := config.get("init_lora_weights", True)) not in _INITS:
        what = f"the adapter in {source} began as '{begin}', which changes the model's own matrices"
        raise ModelError(what, cure="let PEFT save it with path_initial_model_for_weight_conversion")


def written_config(adapter: Adapter) -> dict[str, Any]:
    """The configuration with which PEFT adds what `adapter` adds."""
    ranks = {module: len(a) for module, (a, _) in adapter.pairs.items() if len(a) != adapter.rank}
    power = 0.5 if adapter.rslora else 1.0
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base or None,
        "inference_mode": True,
        "r": adapter.rank,
        "lora_alpha": _short(adapter.alpha),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "use_rslora": adapter.rslora,
        "use_dora": adapter.dora,
        "modules_to_save": None,
        "target_modules": _targets(adapter),
        "rank_pattern": ranks,
        "alpha_pattern": {module: _short(adapter.scale * rank**power) for module, rank in ranks.items()},
    }


def _told(config: Mapping[str, Any]) -> Told:
    alphas = {str(end).removeprefix("^"): float(alpha) for end, alpha in (config.get("alpha_pattern") or {}).items()}
    if strange := [end for end in alphas if not end.replace(".", "").replace("_", "").isalnum()]:
        raise ValueError(f"alpha_pattern has the expression {strange[0]}, not the name of a module")
    return Told(
        rank=int(config["r"]),
        alpha=float(config["lora_alpha"]),
        rslora=bool(config.get("use_rslora", False)),
        dora=bool(config.get("use_dora", False)),
        base=str(config.get("base_model_name_or_path") or ""),
        alphas=alphas,
    )


def _targets(adapter: Adapter) -> list[str]:
    """The ends of the modules' names, or the whole names where some layers have no pair for one of them."""
    layers = {module.split(".")[2] for module in adapter.pairs}
    even = len(adapter.pairs) == len(layers) * len(adapter.targets)
    from_first = {str(layer) for layer in range(len(layers))} == layers
    return sorted(adapter.targets) if even and from_first else sorted(adapter.pairs)


def _short(value: float) -> float:
    return int(value) if value == int(value) else value
