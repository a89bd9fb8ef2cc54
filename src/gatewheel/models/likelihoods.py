"""How probable given texts are, by the conventions of the lm-evaluation-harness (HFLM), whichever engine reads them.

Knows tokens and windows, no weights. The harness: Gao et al., https://github.com/EleutherAI/lm-evaluation-harness,
`lm_eval/api/model.py` (pairs, rolling windows) and `lm_eval/models/huggingface.py` (truncation, the prefix token).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from gatewheel.kernel.errors import ModelError, PromptTooLong
from gatewheel.kernel.likelihood import Likelihood

Tokens = Sequence[int]
Pair = tuple[tuple[int, ...], tuple[int, ...]]
"""A context that is read and what is scored after it."""


class Reader(Protocol):
    """An engine that scores tokens after tokens. `length` tokens are read at most.

    `prefix` is the token that begins a text, or where there is none the one that ends it. `begun` says that prompts
    have it before them always, because the tokenizer of the model puts it there.
    """

    @property
    def prefix(self) -> int: ...
    @property
    def begun(self) -> bool: ...
    @property
    def length(self) -> int: ...
    @property
    def parallel(self) -> int: ...
    def encode(self, text: str) -> list[int]:
        """Tokens of `text` without special tokens of the engine's own."""

    def score(self, context: Tokens, continuations: Sequence[Tokens]) -> list[Likelihood]:
        """Of each continuation after the context, each of at least one token; all but its last fit the length."""

    def close(self) -> None: ...


class TextLikelihoods:
    """Fulfils the port Likelihoods for a reader of tokens."""

    def __init__(self, reader: Reader, *, load: Callable[[], object] = lambda: None) -> None:
        self._reader = reader
        self._load = load

    @property
    def parallel(self) -> int:
        return self._reader.parallel

    def likelihoods(self, prompt: str, continuations: Sequence[str]) -> list[Likelihood]:
        """Of each continuation after the prompt, of which the beginning goes where both are longer than the context.

        Spaces at the end of the prompt count to the continuation, as they do in its tokens. Raises PromptTooLong for a
        continuation that is longer than the context by itself, ModelError for one without a token.
        """
        reader = self._reader
        # only where it is needed, since an endpoint may not tell it
        prefix = reader.prefix if reader.begun or not prompt.strip() else None
        pairs = [pair(prompt, text, encode=reader.encode, prefix=prefix) for text in continuations]
        return self._scored([fitting(each, length=reader.length) for each in pairs])

    def rolling(self, text: str) -> Likelihood:
        """Of a whole text after the token that begins one, in windows of the context length where it is longer.

        Each token is scored once, after as many as fit before it. A text without a token has the log-probability 0.
        """
        reader = self._reader
        found = self._scored(list(windows(reader.encode(text), prefix=reader.prefix, length=reader.length)))
        return Likelihood(
            logprob=sum(each.logprob for each in found),
            tokens=sum(each.tokens for each in found),
            greedy=all(each.greedy for each in found),
        )

    def load(self) -> None:
        """Have the weights at hand, where the reader has none before they are asked. Raises ModelError."""
        self._load()

    @property
    def reader(self) -> Reader:
        """The engine, which may fulfil the port Vocabulary."""
        return self._reader

    def close(self) -> None:
        self._reader.close()

    def _scored(self, pairs: Sequence[Pair]) -> list[Likelihood]:
        """In the order of the pairs; a context that several have is read once."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for at, (context, _) in enumerate(pairs):
            alike.setdefault(context, []).append(at)
        found: dict[int, Likelihood] = {}
        for context, places in alike.items():
            scored = self._reader.score(context, [pairs[at][1] for at in places])
            found |= dict(zip(places, scored, strict=True))
        return [found[at] for at in range(len(pairs))]


def pair(prompt: str, continuation: str, *, encode: Callable[[str], list[int]], prefix: int | None) -> Pair:
    """Prompt and continuation as tokens: those of the whole text beyond as many as the prompt has by itself.

    `prefix` stands before the whole, unless the text begins with it already; None for no such token, which a prompt of
    nothing but white space must have. Raises ModelError when nothing is left for the continuation.
    """
    said = prompt.rstrip()
    context = encode(said) if said else []
    whole = encode(prompt + continuation)
    if prefix is not None:
        begin = [] if whole[:1] == [prefix] else [prefix]
        context, whole = begin + context or [prefix], begin + whole
    rest = whole[len(context) :]
    if not rest:
        what = f"the continuation {continuation[:80]!r} has no token of its own"
        raise ModelError(what, cure="score a text that adds something to its prompt")
    return tuple(context), tuple(rest)


def fitting(whole: Pair, *, length: int) -> Pair:
    """The pair without the beginning of a context that is too long: the last token is scored, not read.

    Raises PromptTooLong when the continuation leaves no room for any of the context.
    """
    context, continuation = whole
    if len(continuation) > length:
        what = f"a continuation has {len(continuation)} tokens and the context holds {length}"
        raise PromptTooLong(what, cure="shorten it, or raise context_length in [model.<name>]")
    return context[-(length + 1 - len(continuation)) :], continuation


def windows(tokens: Tokens, *, prefix: int, length: int) -> Iterator[Pair]:
    """Windows that score each token once: `get_rolling_token_windows` with context_len = 1, made disjoint.

    >>> list(windows([1, 2, 3, 4, 5], prefix=0, length=3))
    [((0,), (1, 2, 3)), ((2, 3), (4, 5))]
    """
    for begin in range(0, len(tokens), length):
        scored = tuple(tokens[begin : begin + length])
        end = begin + len(scored)
        # the last window is as long as the others: it reads again what fills it
        context = (prefix,) if not begin else tuple(tokens[end - length - 1 : begin])
        yield context, scored
