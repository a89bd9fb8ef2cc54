"""Logits of a kept conversion (conversion.py), which the pipeline of OpenVINO GenAI does not hand out.

The graph is the pipeline's own; only the positions that are asked for go through its last matrix, which is a fifth of
the work for SmolLM2. Everything is computed in float32 and activations are not quantised.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewheel.kernel.errors import ModelError
from gatewheel.models.conversion import properties
from gatewheel.models.logits import beginning
from gatewheel.models.openvino_arrays import meet_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Logits = NDArray[np.float32]
    Rows = NDArray[np.int64]

_WANTED = "wanted_positions"
_SEQUENCE = 2  # axis of a state of keys or values: (rows, heads, tokens, width)


class OpenVinoForward:
    """Fulfils Forward of logits.py. One request with its state of keys and values."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """Compile the model in `folder`: 2–10 s the first time, 0.5 s then. Raises ModelError when it cannot."""
        self._request, self.vocabulary = _compiled(folder, threads)
        self._read: list[int] = []  # the context that `_kept` holds the keys and values of
        self._kept: list[Any] = []
        self._rows, self._past = 1, 0

    def read(self, tokens: Sequence[int]) -> Logits:
        """The logits of what follows these tokens; what the last context began with too is not read again."""
        tokens = list(tokens)
        alike = beginning(self._read, tokens[:-1])  # the last is always read, for its logits
        if alike:
            for state, kept in zip(self._request.query_state(), self._kept, strict=True):
                state.state = _tensor(kept[:, :, :alike])
        else:
            self._request.reset_state()
        self._rows, self._past = 1, alike
        logits = self._infer(np.array([tokens[alike:]], np.int64), wanted=[len(tokens) - alike - 1])
        self._read, self._kept = tokens, [state.state.data.copy() for state in self._request.query_state()]
        first: Logits = logits[0, 0]
        return first

    def follow(self, rows: Rows) -> Logits:
        """The logits after each token of the rows."""
        return self._infer(rows, wanted=range(rows.shape[1]))

    def _infer(self, rows: Rows, *, wanted: Sequence[int]) -> Logits:
        count, new = rows.shape
        # where there was one row and now are several, each of them goes on from that one
        source = np.arange(count) if self._rows == count else np.zeros(count)
        place = np.arange(self._past, self._past + new)
        try:
            self._request.infer(
                {
                    "input_ids": rows,
                    "attention_mask": np.ones((count, self._past + new), np.int64),
                    "position_ids": np.ascontiguousarray(np.broadcast_to(place, rows.shape)),
                    "beam_idx": source.astype(np.int32),
                    _WANTED: np.asarray(wanted, np.int64),
                }
            )
        except RuntimeError as error:
            self._read = []
            raise ModelError(f"OpenVINO refused to read {count} × {new} tokens: {error}") from error
        self._rows, self._past = count, self._past + new
        logits: Logits = self._request.get_tensor("logits").data.copy()
        return logits


def vocabulary(folder: Path) -> int:
    """How many tokens the model in `folder` has, by its graph: no weights are read. Raises ModelError."""
    from openvino import Core

    try:
        return _width(Core().read_model(folder / "openvino_model.xml"))
    except RuntimeError as error:
        raise _no_logits(folder, error) from error


def _compiled(folder: Path, threads: int) -> tuple[Any, int]:
    from openvino import Core

    meet_numpy()
    core = Core()
    try:
        model = core.read_model(folder / "openvino_model.xml")
        _only_wanted(model)
        compiled = core.compile_model(model, "CPU", properties(folder, threads=threads, precise=True))
        return compiled.create_infer_request(), _width(model)
    except RuntimeError as error:
        raise _no_logits(folder, error) from error


def _width(model: Any) -> int:
    return int(model.output("logits").partial_shape[2].get_length())


def _no_logits(folder: Path, error: RuntimeError) -> ModelError:
    cure = 'score with use = "llama.cpp" or "hf" in [model.<name>]'
    return ModelError(f"OpenVINO cannot give the logits of {folder}: {error}", cure=cure)


def _only_wanted(model: Any) -> None:
    """Put a choice of positions before the matrix that makes logits of states."""
    from openvino import opset13 as ops

    last = model.output("logits").get_node().input_value(0).get_node()
    if last.get_type_name() != "MatMul":
        raise RuntimeError(f"its logits come from {last.get_type_name()}, and a MatMul is known")
    positions = ops.parameter([-1], np.int64, name=_WANTED)
    positions.output(0).set_names({_WANTED})
    chosen = ops.gather(last.input_value(0), positions, ops.constant(np.int64(1)))
    last.input(0).replace_source_output(chosen.output(0))
    model.add_parameters([positions])
    model.validate_nodes_and_infer_types()


def _tensor(array: Any) -> Any:
    from openvino import Tensor

    return Tensor(np.ascontiguousarray(array))
