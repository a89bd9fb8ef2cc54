"""The types of ggml that gguf-py reads and cannot make (Q4_K, Q5_K, Q6_K), made by the llama.cpp inside of xllamacpp.

`ggml_quantize_chunk` is a function of ggml's public header (ggml.h), which the library of the module exports.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import MissingPart, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 256  # weights that share their scales; a row is cut into whole blocks
KINDS = ("Q4_K", "Q5_K", "Q6_K")
# what llama.cpp takes for rows that are cut into whole blocks of 32 only (`tensor_type_fallback` of llama-quant.cpp)
INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def kind_for(name: str, kind: str, layers: int) -> str:
    """The type of a matrix in a file of the kind Q4_K_M, Q5_K_M or Q6_K, by llama.cpp's mixture for this family.

    The output, or the embedding that stands for it, has six bits, and so have half of the values and of the matrices
    down, in the first and the last eighth of the layers and every third of the others (`use_more_bits`).
    """
    if "layers" not in name:
        return "Q6_K"
    layer = int(name.split(".")[2])
    more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    return "Q6_K" if more and ("v_proj" in name or "down_proj" in name) else kind[:4]


def quantised(rows: NDArray[np.float32], kind: str) -> NDArray[np.uint8]:
    """Rows of whole blocks as bytes. Raises MissingPart without the function, ModelError for what is not finite."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if not np.isfinite(rows).all():  # ggml would end the process, or write noise
        raise ModelError("some weights are not finite", cure="tune anew with a lower learning rate")
    source = np.ascontiguousarray(rows, dtype=np.float32)
    number = GGMLQuantizationType[kind]
    made = np.empty((len(rows), rows.shape[1] // BLOCK * GGML_QUANT_SIZES[number][1]), np.uint8)
    written = function()(number, source.ctypes.data, made.ctypes.data, 0, len(rows), rows.shape[1], None)
    if written != made.nbytes:
        raise ModelError(f"llama.cpp made {written} bytes of {kind} where {made.nbytes} were due", cure="write F16")
    return made


@functools.cache
def function() -> Any:
    """`ggml_quantize_chunk`. Raises MissingPart where xllamacpp is missing or does not export it."""
    try:
        from xllamacpp import xllamacpp

        found = ctypes.CDLL(xllamacpp.__file__).ggml_quantize_chunk
    except (ImportError, OSError, AttributeError) as error:
        what = f"the xllamacpp that is installed here makes no K-quants ({error})"
        raise MissingPart(what, cure="write Q8_0, or use llama.cpp's llama-quantize on a file of F16") from error
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    found.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]
    found.restype = ctypes.c_size_t
    return found
