"""What a request finds of a model's own tokens: which model it means, and whether its engine tells them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

from gatewheel.kernel.config import Config
from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.ports import Vocabulary
from gatewheel.loop.compose import Parts
from gatewheel.serve.fault import Fault
from gatewheel.serve.v1 import names
from gatewheel.serve.v1.names import Named

USUAL = "chat"  # what `gatewheel init` calls it
LONGEST = 4  # bytes of a character, so tokens that may share one
BROKEN = "\ufffd"


def model(config: Config, name: str | None) -> Named:
    """`[model.<name>]`; without a name `chat`, or the first of the project, since evaluation harnesses send none.

    Raises Fault 404 for an unknown name, 400 for one that is no model.
    """
    own = config.names("model")
    found = names.find(config, name or (USUAL if USUAL in own or not own else own[0]))
    if found.kind != "model":
        cure = "name a model such as 'chat'; GET /v1/models lists them"
        raise Fault(400, f"model: '{found.name}' has no tokens of its own; {cure}", param="model")
    return found


def of(parts: Parts, named: Named) -> Vocabulary:
    """Its vocabulary; weights are loaded when `places` asks them. Raises Fault 400 when its engine tells none."""
    told: object = None
    with suppress(ConfigError):
        told = parts.likelihoods(named.table).vocabulary()
    if not isinstance(told, Vocabulary):
        cure = f'write use = "openvino" or "hf" in [model.{named.table}]'
        message = f"model: the engine of '{named.name}' does not tell how likely given tokens are; {cure}"
        raise Fault(400, message, code="unsupported_parameter", param="model")
    return told


def pieces(words: Vocabulary, tokens: Sequence[int]) -> tuple[list[str], list[int]]:
    """The text of each token, and at which character of the whole text it begins.

    Of a token that is a part of characters the text is U+FFFD, or what there is of whole ones.
    """
    texts = [words.decode([token]) for token in tokens]
    starts = list(accumulate(map(len, texts[:-1]), initial=0))
    if "".join(texts) != words.decode(tokens):
        starts = _starts(words, tokens)
    return [text or BROKEN for text in texts], starts


def _starts(words: Vocabulary, tokens: Sequence[int]) -> list[int]:
    """Where tokens share characters: counted from the last place at which the text falls apart."""
    starts, begin, since = [], 0, 0
    for at in range(len(tokens)):
        before = words.decode(tokens[since:at]) if at > since else ""
        if _falls_apart(words, tokens, at):
            begin, since, before = begin + len(before), at, ""
        starts.append(begin + len(before.rstrip(BROKEN)))
    return starts


def _falls_apart(words: Vocabulary, tokens: Sequence[int], at: int) -> bool:
    before, after = tokens[max(0, at - LONGEST) : at], tokens[at : at + LONGEST]
    return not before or words.decode(before) + words.decode(after) == words.decode([*before, *after])
