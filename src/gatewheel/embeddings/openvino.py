"""The encoder in process: a sentence-transformers folder on OpenVINO, by default the all-MiniLM-L6-v2 of a package.

No torch and no network. Knows nothing about passages or stores.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.embeddings import weights
from gatewheel.kernel.errors import ModelError
from gatewheel.models.cores import available_cores
from gatewheel.models.openvino_arrays import meet_numpy

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets, Vectors

# Batches of 512 to 8,192 padded tokens encode alike within 5 % of CPU time; a small one holds a question up for less.
BATCH_TOKENS = 2048
# Lengths are padded to a multiple of this: OpenVINO keeps something for each shape that it has seen, and 6,000 texts
# of every length made it grow by 116 MB, those of eight times fewer lengths by 7, in 4 % less CPU time.
STEP = 8
STREAMS = 4  # batches under way at once; two of one thread each do 10 % more for a CPU second than one of two threads
WINDOW = 1024  # texts that are tokenised and sorted by length at a time
OVERLAP = 32  # tokens that two windows of a long text share, so that none of them lacks what stands before it
PIECE = 65_536  # characters that are tokenised at a time when only offsets are wanted
PIECES = 8
# Where a text may be cut without changing a token: before a run of blanks. Rarer white space (U+0085, U+001C) will
# not do, because BERT's normaliser removes it and so joins what stands around it.
CUT = re.compile(r"(?<=\S)[ \t\r\n]")


class Settings(BaseModel):
    """`[encoder.<name>] use = "openvino"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    weights: str = Field(
        "", description="A sentence-transformers folder (BERT family); empty: the carried all-MiniLM-L6-v2."
    )
    precision: Literal["auto", "f32", "bf16"] = Field(
        "auto", description="Of the arithmetic; auto takes bf16 where the CPU computes it natively."
    )
    threads: int = Field(0, ge=0, description="0: every core that this process may use.")
    max_tokens: int = Field(0, ge=0, description="Longer texts are cut; 0: what the model was made for.")


def create(settings: Settings) -> OpenVINOEncoder:
    """The encoder; weights are found at once and loaded at first use.

    Raises MissingPart when they are not there and ModelError for a model of another family.
    """
    return OpenVINOEncoder(settings, weights.describe(weights.find(settings.weights)))


class OpenVINOEncoder:
    """Texts to unit vectors. Safe to call from several threads, whose batches share the streams."""

    def __init__(self, settings: Settings, folder: weights.Folder) -> None:
        if settings.max_tokens > folder.positions:
            raise ModelError(
                f"max_tokens is {settings.max_tokens}, but '{folder.path.name}' has {folder.positions} positions",
                cure="lower max_tokens",
            )
        self.max_tokens = settings.max_tokens or folder.max_tokens
        self.dimensions = int(folder.config["hidden_size"])
        self._settings = settings
        self._folder = folder
        self._threads = settings.threads or available_cores()
        self._streams = min(STREAMS, self._threads)
        self._loading = threading.Lock()

    @cached_property
    def id(self) -> str:
        """Of what decides the vectors: weights, tokenizer, pooling, length.

        f32 and bf16 share it: their vectors agree to a cosine above 0.9999, so a project may move between machines.
        """
        return weights.identity(self._folder, max_tokens=self.max_tokens)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, float32, shape (len(texts), dimensions); longer texts are cut at `max_tokens`."""
        import numpy as np

        out = np.zeros((len(texts), self.dimensions), np.float32)
        with ThreadPoolExecutor(self._streams) as pool:
            for start in range(0, len(texts), WINDOW):
                window = self._tokenizer.encode_batch(list(texts[start : start + WINDOW]))
                batches = _batches([encoding.ids for encoding in window])
                for rows, vectors in pool.map(self._pooled, batches):
                    out[[start + row for row in rows]] = vectors
        return out

    def token_vectors(self, texts: Sequence[str]) -> list[tuple[Offsets, Vectors]]:
        """For each text the spans of its tokens, int32 (tokens, 2), and their unit rows, float32 (tokens, dimensions).

        They are the last hidden states. A longer text is read in windows that overlap by OVERLAP tokens.
        """
        windows = [
            (text, window)
            for text, first in enumerate(self._windower.encode_batch(list(texts)))
            for window in (first, *first.overflowing)
        ]
        hidden: dict[int, Vectors] = {}
        with ThreadPoolExecutor(self._streams) as pool:
            batches = _batches([window.ids for _, window in windows])
            for rows, states in pool.map(self._hidden, batches):
                hidden.update(zip(rows, states, strict=True))
        parts: list[list[tuple[Any, Any]]] = [[] for _ in texts]
        for row, (text, window) in enumerate(windows):
            parts[text].append(_tokens(window, hidden[row], after=parts[text][-1][0] if parts[text] else None))
        return [_joined(pieces, self.dimensions) for pieces in parts]

    def starts(self, text: str) -> Offsets:
        """Character offset at which each token starts, ascending, shape (tokens,).

        Works piece by piece, so that a text of 100 MB costs little more memory than its offsets.
        """
        import numpy as np

        found = [np.zeros(0, np.int32)]
        pieces = _pieces(text)
        while batch := list(islice(pieces, PIECES)):
            encodings = self._counter.encode_batch([text[a:b] for a, b in batch], add_special_tokens=False)
            for (begin, _), encoding in zip(batch, encodings, strict=True):
                offsets = np.fromiter((start for start, _ in encoding.offsets), np.int32, len(encoding.offsets))
                found.append(offsets + np.int32(begin))
        return np.concatenate(found)

    @cached_property
    def _counter(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder.tokenizer))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder.tokenizer))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer

    @cached_property
    def _windower(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder.tokenizer))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens, stride=min(OVERLAP, self.max_tokens // 4))
        return tokenizer

    def _pooled(self, batch: _Batch) -> tuple[Sequence[int], Vectors]:
        return batch.rows, self._infer(batch, 0)

    def _hidden(self, batch: _Batch) -> tuple[Sequence[int], Vectors]:
        return batch.rows, self._infer(batch, 1)

    def _infer(self, batch: _Batch, output: int) -> Vectors:
        with self._loading:
            free = self._requests
        request = free.get()
        try:
            # shared, so that the other output is not copied for nothing
            made: Vectors = request.infer({0: batch.ids, 1: batch.mask}, share_outputs=True)[output].copy()
            return made
        finally:
            free.put(request)

    @cached_property
    def _requests(self) -> SimpleQueue[Any]:
        """As many free requests as streams, on a graph built from the safetensors.

        That takes 0.25 s. A compiled copy of 90 MB on disk would save 0.1 s of it, so none is kept.
        """
        import numpy as np
        import openvino as ov

        from gatewheel.embeddings import bert

        meet_numpy()
        core = ov.Core()
        precision = self._settings.precision
        if precision == "auto":
            native = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if native else "f32"
        tensors = weights.read_tensors(self._folder.weights)
        graph = bert.build(tensors, self._folder)
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._streams,
        }
        compiled = core.compile_model(graph, "CPU", options)
        free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._streams):
            free.put(compiled.create_infer_request())
        first = free.get()
        first.infer({0: np.ones((1, 2), np.int32), 1: np.ones((1, 2), np.int32)})
        free.put(first)
        weights.let_go(tensors)  # the first inference copied what it wants of their 90 MB
        return free


@dataclass(frozen=True, slots=True)
class _Batch:
    """Which texts, with their padded ids and mask, int32 (texts, longest)."""

    rows: Sequence[int]
    ids: Any
    mask: Any


def _batches(texts: Sequence[Sequence[int]]) -> Iterator[_Batch]:
    """Texts of like length together, so that little is padding."""
    import numpy as np

    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    while order:
        size = 1
        while size < len(order) and (size + 1) * _padded(texts[order[size]]) <= BATCH_TOKENS:
            size += 1
        rows, order = order[:size], order[size:]
        ids = np.zeros((size, _padded(texts[rows[-1]])), np.int32)
        mask = np.zeros_like(ids)
        for line, row in enumerate(rows):
            ids[line, : len(texts[row])] = texts[row]
            mask[line, : len(texts[row])] = 1
        yield _Batch(rows, ids, mask)


def _tokens(window: Any, hidden: Any, *, after: Any) -> tuple[Any, Any]:
    """Spans and unit rows of the tokens of a window that no window before it had; special tokens are none."""
    import numpy as np

    spans = np.array(window.offsets, np.int32).reshape(-1, 2)
    real = np.array(window.special_tokens_mask) == 0
    if after is not None and len(after):
        real &= spans[:, 0] >= after[-1, 1]
    rows = hidden[: len(spans)][real]
    return spans[real], rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _joined(pieces: Sequence[tuple[Any, Any]], dimensions: int) -> tuple[Offsets, Vectors]:
    import numpy as np

    none = (np.zeros((0, 2), np.int32), np.zeros((0, dimensions), np.float32))
    spans, rows = zip(none, *pieces, strict=True)
    return np.concatenate(spans), np.concatenate(rows)


def _padded(text: Sequence[int]) -> int:
    return -(-len(text) // STEP) * STEP


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        cut = CUT.search(text, start + PIECE)
        end = cut.start() if cut else len(text)
        yield start, end
        start = end
