"""How much perplexity weights lose by the way they are written: both versions read the same tokens.

The forward pass of the llama family in numpy and float32, without torch, and with one layer of weights in memory: so it
tells of the weights as they lie in the file, read exactly, whatever an engine rounds besides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewheel.kernel.errors import UserError
from gatewheel.models.byte_bpe import tokenizer_of
from gatewheel.models.dense import Dense, Shape, parameters
from gatewheel.models.logits import BYTES, log_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

WINDOW = 512  # tokens of a text that are read after one another
MOST, FEWEST = 1_500, 256
_WORK = 8.1e11  # operations of both readings: 1,500 tokens for 135M parameters, 11 s of processor time on one core
_TWO_SIDED = 1.96  # of a normal distribution, 95 %


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The perplexities of the same `tokens` by the weights as they are, `exact`, and as they were `written`.

    `share` is by how much the second exceeds the first, as a share of it, `margin` half of its 95 % interval: from
    the differences token by token, which vary far less than the tokens do.
    """

    share: float
    margin: float
    exact: float
    written: float
    tokens: int


def difference(exact: Dense, written: Dense, rows: Sequence[Sequence[int]]) -> Difference:
    """Of weights as they are and as they were written, on rows of at least two tokens. Raises UserError without any."""
    if not rows:
        raise UserError("there is no text to measure perplexity on", cure="name one of at least two tokens")
    before, after = surprises(exact, rows), surprises(written, rows)
    apart = after - before
    share = math.expm1(float(apart.mean()))
    spread = float(apart.std(ddof=1)) / math.sqrt(len(apart)) if len(apart) > 1 else 0.0
    return Difference(
        share=share,
        margin=_TWO_SIDED * spread * (1 + share),
        exact=math.exp(float(before.mean())),
        written=math.exp(float(after.mean())),
        tokens=len(before),
    )


def affordable(shape: Shape) -> int:
    """How many tokens are measured on: 1,500 for a small model, fewer for larger ones, and never less than 256."""
    return max(FEWEST, min(MOST, int(_WORK / (4 * parameters(shape)))))


def windows(path: Path, text: str, *, most: int) -> list[tuple[int, ...]]:
    """The first tokens of a text in rows, by the tokenizer of a GGUF file or a Hugging Face folder.

    Raises MissingPart for a tokenizer that only transformers reads, where that is not installed.
    """
    tokens = _encoded(path, text)[:most]
    rows = [tuple(tokens[at : at + WINDOW]) for at in range(0, len(tokens), WINDOW)]
    return [row for row in rows if len(row) > 1]


def surprises(dense: Dense, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """In nats, of every token of each row but its first, one row after another. Rows do not see each other."""
    shape = dense.shape
    ends = np.cumsum([len(row) for row in rows])
    spans = [slice(int(end) - len(row), int(end)) for row, end in zip(rows, ends, strict=True)]
    tokens = np.concatenate([np.asarray(row, np.int64) for row in rows])
    embedding = dense.read("model.embed_tokens.weight")
    states = embedding[tokens]
    head = embedding if shape.tied else None
    del embedding  # of a large model it is as much as several layers
    turns = _rotations(shape, max(len(row) for row in rows))
    for layer in range(shape.layers):
        _read_layer(dense, f"model.layers.{layer}.", states, spans, turns)
    states = _normed(states, dense.read("model.norm.weight"), shape)
    head = dense.read("lm_head.weight") if head is None else head
    reads = np.concatenate([np.arange(span.start, span.stop - 1) for span in spans])
    return -np.concatenate([*_log_probabilities(states, head, reads, tokens)])


def _log_probabilities(
    states: Matrix, head: Matrix, reads: NDArray[np.int64], tokens: NDArray[np.int64]
) -> Iterator[NDArray[np.float64]]:
    """Of the token after each place of `reads`; in pieces, since logits of all at once would be gigabytes."""
    step = max(1, BYTES // (4 * len(head)))
    for at in range(0, len(reads), step):
        places = reads[at : at + step]
        yield log_probabilities(states[places] @ head.T, tokens[places + 1].tolist())[0]


def _read_layer(dense: Dense, at: str, states: Matrix, spans: Sequence[slice], turns: tuple[Matrix, Matrix]) -> None:
    """Adds to the states what a layer adds."""
    shape = dense.shape

    def through(inputs: Matrix, name: str) -> Matrix:
        made: Matrix = inputs @ dense.read(f"{at}{name}.weight").T
        return made

    inputs = _normed(states, dense.read(f"{at}input_layernorm.weight"), shape)
    query, key, value = [through(inputs, f"self_attn.{name}_proj") for name in "qkv"]
    mixed = np.concatenate([_attended(query[span], key[span], value[span], turns, shape) for span in spans])
    states += through(mixed, "self_attn.o_proj")
    inputs = _normed(states, dense.read(f"{at}post_attention_layernorm.weight"), shape)
    gate = through(inputs, "mlp.gate_proj")
    with np.errstate(over="ignore"):  # e to much is infinite, and what is divided by it nothing
        gate /= 1 + np.exp(-gate)
    gate *= through(inputs, "mlp.up_proj")
    states += through(gate, "mlp.down_proj")


def _attended(query: Matrix, key: Matrix, value: Matrix, turns: tuple[Matrix, Matrix], shape: Shape) -> Matrix:
    """Each token of one row looks at itself and those before it; several heads of queries share one of keys."""
    length, groups = len(query), shape.heads // shape.kv_heads
    q = _turned(query.reshape(length, shape.heads, shape.head_dim), turns)
    k = _turned(key.reshape(length, shape.kv_heads, shape.head_dim), turns)
    v = value.reshape(length, shape.kv_heads, shape.head_dim).transpose(1, 0, 2)[:, None]
    q = q.transpose(1, 0, 2).reshape(shape.kv_heads, groups, length, shape.head_dim)
    scores = q @ k.transpose(1, 2, 0)[:, None] / np.float32(math.sqrt(shape.head_dim))
    scores += np.triu(np.full((length, length), -np.inf, np.float32), 1)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed: Matrix = (scores @ v).reshape(shape.heads, length, shape.head_dim).transpose(1, 0, 2)
    return mixed.reshape(length, -1)


def _rotations(shape: Shape, length: int) -> tuple[Matrix, Matrix]:
    """Cosines and sines for each place and each pair of a head, shape (length, 1, head_dim / 2)."""
    pairs = np.arange(0, shape.head_dim, 2, dtype=np.float64) / shape.head_dim
    frequencies = shape.rope_theta**-pairs / np.asarray(shape.rope_factors or 1.0)
    angles = np.outer(np.arange(length), frequencies)[:, None]
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _turned(heads: Matrix, turns: tuple[Matrix, Matrix]) -> Matrix:
    """Pairs are a number and the one half a head further, as Hugging Face has them."""
    cosine, sine = (each[: len(heads)] for each in turns)
    left, right = np.split(heads, 2, axis=-1)
    return np.concatenate([left * cosine - right * sine, right * cosine + left * sine], axis=-1)


def _normed(states: Matrix, weight: Matrix, shape: Shape) -> Matrix:
    scale = np.sqrt(np.square(states).mean(axis=1, keepdims=True) + np.float32(shape.norm_eps))
    made: Matrix = states / scale * weight
    return made


def _encoded(path: Path, text: str) -> list[int]:
    from tokenizers import Tokenizer

    whole: Any
    if path.is_dir() and (path / "tokenizer.json").is_file():
        whole = Tokenizer.from_file(str(path / "tokenizer.json"))
    elif path.is_file() and (exact := tokenizer_of(path)):
        import json

        whole = Tokenizer.from_str(json.dumps(exact[0]))
    else:
        return _by_transformers(path, text)
    return list(whole.encode(text, add_special_tokens=False).ids)


def _by_transformers(path: Path, text: str) -> list[int]:
    from gatewheel.kernel.errors import MissingPart

    try:
        from gatewheel.models.hf import tokenizer_at

        return list(tokenizer_at(path).encode(text, add_special_tokens=False))
    except (ImportError, OSError, ValueError, KeyError) as error:
        what = f"the tokenizer of {path.name} is one that only transformers reads, which says: {error}"
        raise MissingPart(what, cure="pip install 'gatewheel[train]'") from None
