"""How OpenVINO is to write one answer, in plain values that another process can be told."""

from __future__ import annotations

import json
import random
import re
from typing import Any, TypedDict

from gatewheel.kernel.ports import Decoding

_PLACE = re.compile(r"^\[[0-9:]+\] \S+:\d+: (Check failed: .* is false: )?")  # as xgrammar begins its messages


class Wish(TypedDict):
    """Decoding with everything decided. `schema` is JSON text."""

    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    repetition_penalty: float
    schema: str | None


def wish(decoding: Decoding, *, max_tokens: int) -> Wish:
    """What `decoding` asks for, of at most so many tokens; a seed by chance where it names none."""
    return Wish(
        max_tokens=max_tokens,
        temperature=decoding.temperature,
        top_p=decoding.top_p,
        seed=random.getrandbits(31) if decoding.seed is None else decoding.seed & 0x7FFF_FFFF,
        repetition_penalty=decoding.repetition_penalty,
        schema=None if decoding.schema is None else json.dumps(dict(decoding.schema)),
    )


def configuration(own: Any, wished: Wish) -> Any:
    """A `GenerationConfig`, made of the pipeline's own, which carries the model's end-of-turn tokens."""
    from openvino_genai import StructuredOutputConfig

    own.max_new_tokens = wished["max_tokens"]
    own.apply_chat_template = False
    own.do_sample = wished["temperature"] > 0
    own.repetition_penalty = wished["repetition_penalty"]
    if own.do_sample:
        own.temperature, own.top_p, own.rng_seed = wished["temperature"], wished["top_p"], wished["seed"]
    if wished["schema"] is not None:
        own.structured_output_config = StructuredOutputConfig(json_schema=wished["schema"])
    return own


def first_line(error: Exception) -> str:
    """The reason of an error of OpenVINO, without the C++ source lines that its messages begin with.

    >>> first_line(RuntimeError("[08:31:59] /src/converter.cc:12: Check failed: (a <= b) is false: min exceeds max"))
    'min exceeds max'
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    return _PLACE.sub("", lines[-1].strip()) if lines else type(error).__name__
