"""A BERT encoder as an OpenVINO graph, built from its tensors without torch. Knows nothing about files or tokens.

The graph goes from token ids to pooled unit vectors: embeddings, post-norm transformer layers (Devlin et al. 2019,
https://arxiv.org/abs/1810.04805), mean or [CLS] pooling (Reimers & Gurevych 2019, https://arxiv.org/abs/1908.10084)
and L2 normalisation. What pooling is made of, the last hidden states, is a second output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatewheel.embeddings.weights import Folder, position_offset
from gatewheel.kernel.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = Mapping[str, NDArray[np.float32]]

PREFIXES = ("", "bert.", "roberta.")
ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}


def build(tensors: Tensors, folder: Folder) -> Any:
    """The `openvino.Model`: inputs `ids` and `mask`, int32 (batch, length); outputs float32 (batch, dimensions) and
    (batch, length, dimensions), the second one not normalised.

    Raises ModelError when the folder holds another architecture.
    """
    import numpy as np
    import openvino as ov
    from openvino import opset13 as op

    prefix = next((p for p in PREFIXES if f"{p}embeddings.word_embeddings.weight" in tensors), None)
    activation = str(folder.config.get("hidden_act", "gelu"))
    if prefix is None or activation not in ACTIVATIONS:
        raise ModelError(
            f"'{folder.path}' is a {folder.config.get('model_type', 'nameless')} model with {activation}",
            cure='use a BERT, RoBERTa or XLM-RoBERTa folder with gelu, or an endpoint with use = "openai"',
        )
    graph = _Graph({name.removeprefix(prefix): tensor for name, tensor in tensors.items()}, folder.config)
    ids = op.parameter([-1, -1], np.int32, name="ids")
    mask = op.parameter([-1, -1], np.int32, name="mask")
    real = op.convert(mask, np.float32)
    hidden = graph.embed(ids)
    # 0 for a token, -10,000 for padding: far below any attention score, and finite in bf16
    shut = op.multiply(op.subtract(real, graph.number(1.0)), graph.number(1e4))
    shut = op.unsqueeze(shut, graph.ints(1, 2))
    for n in range(int(folder.config["num_hidden_layers"])):
        hidden = graph.layer(hidden, shut, f"encoder.layer.{n}.")
    pooled = graph.mean(hidden, real) if folder.pooling == "mean" else op.gather(hidden, graph.ints(0), graph.ints(1))
    unit = op.normalize_l2(op.reshape(pooled, graph.ints(-1, graph.width), False), graph.ints(1), 1e-12, "max")
    return ov.Model([unit, hidden], [ids, mask], "encoder")


@dataclass(frozen=True, slots=True)
class _Graph:
    tensors: Tensors
    config: Mapping[str, Any]

    @property
    def width(self) -> int:
        return int(self.config["hidden_size"])

    def number(self, value: float) -> Any:
        import numpy as np
        from openvino import opset13 as op

        return op.constant(value, np.float32)

    def ints(self, *values: int) -> Any:
        import numpy as np
        from openvino import opset13 as op

        return op.constant(list(values), np.int64)

    def tensor(self, name: str) -> Any:
        from openvino import opset13 as op

        if name not in self.tensors:
            raise ModelError(f"the encoder's weights have no tensor '{name}'", cure="download the folder again")
        return op.constant(self.tensors[name], shared_memory=True)

    def embed(self, ids: Any) -> Any:
        """Word, position and type embeddings, added and normalised. Every token has type 0."""
        import numpy as np
        from openvino import opset13 as op

        table = self.tensors["embeddings.position_embeddings.weight"][position_offset(self.config) :]
        table = table + self.tensors["embeddings.token_type_embeddings.weight"][0]
        length = op.gather(op.shape_of(ids), self.ints(1), self.ints(0))
        places = op.slice(op.constant(np.ascontiguousarray(table)), self.ints(0), length, self.ints(1), self.ints(0))
        words = op.gather(self.tensor("embeddings.word_embeddings.weight"), ids, self.ints(0))
        return self.norm(op.add(words, places), "embeddings.LayerNorm.")

    def norm(self, value: Any, name: str) -> Any:
        from openvino import opset13 as op

        eps = float(self.config.get("layer_norm_eps", 1e-12))
        value = op.mvn(value, self.ints(-1), True, eps, "inside_sqrt")
        return op.add(op.multiply(value, self.tensor(f"{name}weight")), self.tensor(f"{name}bias"))

    def dense(self, value: Any, name: str) -> Any:
        from openvino import opset13 as op

        product = op.matmul(value, self.tensor(f"{name}weight"), False, True)
        return op.add(product, self.tensor(f"{name}bias"))

    def layer(self, hidden: Any, shut: Any, name: str) -> Any:
        """One post-norm transformer layer."""
        from openvino import opset13 as op

        mixed = self.dense(self.attention(hidden, shut, f"{name}attention.self."), f"{name}attention.output.dense.")
        hidden = self.norm(op.add(mixed, hidden), f"{name}attention.output.LayerNorm.")
        inner = self.dense(hidden, f"{name}intermediate.dense.")
        inner = op.gelu(inner, ACTIVATIONS[str(self.config.get("hidden_act", "gelu"))])
        return self.norm(op.add(self.dense(inner, f"{name}output.dense."), hidden), f"{name}output.LayerNorm.")

    def attention(self, hidden: Any, shut: Any, name: str) -> Any:
        from openvino import opset13 as op

        heads = int(self.config["num_attention_heads"])
        split = self.ints(0, 0, heads, self.width // heads)
        query, key, value = (
            op.transpose(op.reshape(self.dense(hidden, f"{name}{part}."), split, True), self.ints(0, 2, 1, 3))
            for part in ("query", "key", "value")
        )
        mixed = op.scaled_dot_product_attention(query, key, value, shut)
        return op.reshape(op.transpose(mixed, self.ints(0, 2, 1, 3)), self.ints(0, 0, self.width), True)

    def mean(self, hidden: Any, real: Any) -> Any:
        """The mean over the real tokens, as one small matrix product."""
        from openvino import opset13 as op

        total = op.matmul(op.unsqueeze(real, self.ints(1)), hidden, False, False)
        # the sum of a row is at least the two special tokens, so the division is safe; L2 follows anyway
        return op.divide(total, op.unsqueeze(op.reduce_sum(real, self.ints(1), True), self.ints(1)))
