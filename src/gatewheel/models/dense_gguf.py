"""Dense over a GGUF file of the llama family: dequantised, in Hugging Face's names and order of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import ModelError
from gatewheel.models.dense import Shape, other_family, refuse_impossible, refuse_unlike, tensor_shapes
from gatewheel.models.ggml_names import ggml_name, halved
from gatewheel.models.gguf import Tensor, read_keys, read_layout
from gatewheel.models.gguf_tensors import meant, rows_of, unreadable

if TYPE_CHECKING:
    from gatewheel.models.dense import Matrix

_FACTORS = "rope_freqs.weight"  # a table of the rotation, not weights
_LONGEST_HEAD = 4096


class GGUFWeights:
    """The weights of one file, mapped into memory; a tensor is dequantised each time that it is read."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError for a file that is damaged or of another family."""
        from gatewheel.models.mapped import MappedFile

        tensors = {tensor.name: tensor for tensor in read_layout(path).tensors}
        self._file = MappedFile(path)
        self.path = path
        factors = self._factors(tensors.pop(_FACTORS, None))
        self.shape = _shape(path, read_keys(path), tensors, factors)
        names = {ggml_name(name): name for name in tensor_shapes(self.shape)}
        self._tensors = {names.get(own, own): tensor for own, tensor in tensors.items()}
        refuse_unlike(path, self.shape, {name: each.shape[::-1] for name, each in self._tensors.items()})

    def names(self) -> tuple[str, ...]:
        return tuple(tensor_shapes(self.shape))

    def read(self, name: str) -> Matrix:
        """As Dense says. Raises ModelError for a type that cannot be read and for a file that was cut short."""
        import numpy as np

        tensor = self._tensors[name]
        weights = meant(rows_of(self._file.bytes, tensor, self.path), tensor, self.path)
        if weights.size != math.prod(tensor.shape):
            raise unreadable(tensor, self.path, "rows that are no whole blocks")
        weights = halved(name, weights.reshape(tensor.shape[::-1]), self.shape)
        found = np.array(weights, dtype=np.float32, order="C")
        self._file.forget()
        return found

    def _factors(self, tensor: Tensor | None) -> tuple[float, ...]:
        if tensor is None:
            return ()
        if math.prod(tensor.shape) > _LONGEST_HEAD:
            raise ModelError(f"{self.path} has {tensor.shape} for {_FACTORS}", cure="fetch it again")
        return tuple(
            float(each) for each in meant(rows_of(self._file.bytes, tensor, self.path), tensor, self.path).ravel()
        )


def _shape(path: Path, said: Mapping[str, Any], tensors: Mapping[str, Tensor], factors: tuple[float, ...]) -> Shape:
    """What the keys say. Raises ModelError where they are silent, contradict themselves, or tell of another family."""
    if (family := said.get("general.architecture")) != "llama":
        raise other_family(path, f"has the architecture '{family}'")

    def number(key: str, otherwise: Any = None, kind: type = int) -> Any:
        if type(value := said.get(f"llama.{key}", otherwise)) is not kind:
            raise ModelError(f"{path} says llama.{key} = {value}", cure="fetch it again, or convert it anew")
        return value

    heads, hidden = number("attention.head_count"), number("embedding_length")
    head_dim = number("attention.key_length", hidden // max(1, heads))
    embedding = tensors.get("token_embd.weight")
    shape = Shape(
        layers=number("block_count"),
        hidden=hidden,
        intermediate=number("feed_forward_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv", heads),
        head_dim=head_dim,
        vocab=embedding.shape[-1] if embedding and embedding.shape else 0,
        context_length=number("context_length"),
        rope_theta=_plain(number("rope.freq_base", 10000.0, float)),
        norm_eps=_plain(number("attention.layer_norm_rms_epsilon", kind=float)),
        tied="output.weight" not in tensors,
        rope_factors=factors,
    )
    refuse_impossible(path, shape)
    strange = {
        "experts": number("expert_count", 0) > 0,
        "values of another length than its keys": number("attention.value_length", head_dim) != head_dim,
        "a rotation of part of each head": number("rope.dimension_count", head_dim) != head_dim,
        "stretched positions": said.get("llama.rope.scaling.type", "none") != "none",
    }
    for what in (what for what, there in strange.items() if there):
        raise other_family(path, f"has {what}")
    return shape


def _plain(value: float) -> float:
    """The number that a float32 was meant to be: 1e-05 for 9.999999747378752e-06."""
    return float(f"{value:.7g}")
