"""Likelihoods of texts: tokens, windows and truncation as in the lm-evaluation-harness, and the sums over logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.kernel.errors import ModelError, PromptTooLong
from gatewheel.kernel.likelihood import Likelihood
from gatewheel.models import logits
from gatewheel.models.likelihoods import TextLikelihoods, fitting, pair, windows

PREFIX = 0


def encode(text: str) -> list[int]:
    """A vocabulary of bytes in which "ab" and " a" are one token each."""
    tokens, at = [], 0
    while at < len(text):
        merged = {"ab": 300, " a": 301}.get(text[at : at + 2])
        tokens.append(merged or ord(text[at]))
        at += 2 if merged else 1
    return tokens


@pytest.mark.parametrize(
    ("prompt", "continuation", "context", "rest"),
    [
        ("x", " y", [120], [32, 121]),
        ("x ", "y", [120], [32, 121]),  # a space at the end of the prompt belongs to the continuation
        ("x\n ", "a", [120], [10, 301]),
        ("xa", "b", [120, 97], []),  # one token with the prompt's last letter: as many as the prompt has are left out
        ("", "xy", [PREFIX], [120, 121]),
        ("  ", "x", [PREFIX], [32, 32, 120]),
        ("", "\0x", [PREFIX], [120]),  # it begins with the token that begins a text
    ],
)
def test_a_continuation_has_the_tokens_beyond_those_of_the_prompt(
    prompt: str, continuation: str, context: list[int], rest: list[int]
) -> None:
    prefix = None if prompt.strip() else PREFIX
    if not rest:
        with pytest.raises(ModelError, match="has no token of its own"):
            pair(prompt, continuation, encode=encode, prefix=prefix)
        return
    assert pair(prompt, continuation, encode=encode, prefix=prefix) == (tuple(context), tuple(rest))


def test_a_tokenizer_that_begins_every_text_begins_it_once() -> None:
    assert pair("x ", "y", encode=encode, prefix=PREFIX) == ((PREFIX, 120), (32, 121))
    assert pair("\0x", "y", encode=encode, prefix=PREFIX) == ((PREFIX, 120), (121,))


def test_what_is_too_long_loses_its_beginning_and_its_last_token_is_not_read() -> None:
    assert fitting(((1, 2, 3), (4, 5)), length=10) == ((1, 2, 3), (4, 5))
    assert fitting(((1, 2, 3), (4, 5)), length=4) == ((1, 2, 3), (4, 5))
    assert fitting(((1, 2, 3), (4, 5)), length=3) == ((2, 3), (4, 5))
    assert fitting(((1, 2, 3), (4, 5)), length=2) == ((3,), (4, 5))
    with pytest.raises(PromptTooLong, match="has 2 tokens and the context holds 1"):
        fitting(((1, 2, 3), (4, 5)), length=1)


@given(count=st.integers(0, 60), length=st.integers(1, 20))
def test_windows_score_each_token_once_after_as_many_as_fit(count: int, length: int) -> None:
    tokens = list(range(1, count + 1))
    found = list(windows(tokens, prefix=PREFIX, length=length))
    assert [token for _, scored in found for token in scored] == tokens
    everything = [PREFIX, *tokens]
    for context, scored in found:
        whole = [*context, *scored]
        begin = everything.index(whole[0])
        assert everything[begin : begin + len(whole)] == whole  # nothing is left out between the two
        assert len(whole) - 1 <= length
        assert begin == 0 or len(whole) - 1 == length  # and nothing that would have fitted is forgotten


def test_windows_are_those_of_the_harness() -> None:
    # lm_eval.utils.get_rolling_token_windows([1..8], 0, 3, 1), each through make_disjoint_window
    assert list(windows(range(1, 9), prefix=0, length=3)) == [
        ((0,), (1, 2, 3)),
        ((3,), (4, 5, 6)),
        ((5, 6), (7, 8)),
    ]


class Remembering:
    """Logits that depend on everything read before, so that a wrong state shows. Fulfils Forward."""

    vocabulary = 11

    def __init__(self) -> None:
        self.states: list[list[int]] = []
        self.read_tokens = 0

    def read(self, tokens: logits.Tokens) -> logits.Logits:
        self.states = [list(tokens)]
        self.read_tokens += len(tokens)
        return after(self.states[0])

    def follow(self, rows: logits.Rows) -> logits.Logits:
        if len(self.states) == 1:
            self.states = [list(self.states[0]) for _ in rows]
        assert len(self.states) == len(rows)
        found = np.zeros((*rows.shape, self.vocabulary), np.float32)
        for at, row in enumerate(rows.tolist()):
            for place, token in enumerate(row):
                self.states[at].append(token)
                found[at, place] = after(self.states[at])
        self.read_tokens += rows.size
        return found


def after(tokens: list[int]) -> logits.Logits:
    return np.random.default_rng(tokens).normal(scale=8, size=Remembering.vocabulary).astype(np.float32)


def by_hand(context: list[int], continuation: list[int]) -> Likelihood:
    total, greedy = 0.0, True
    for at, token in enumerate(continuation):
        row = after([*context, *continuation[:at]]).astype(np.float64)
        total += row[token] - np.logaddexp.reduce(row)
        greedy &= bool(row.argmax() == token)
    return Likelihood(logprob=total, tokens=len(continuation), greedy=greedy)


TOKENS = st.lists(st.integers(0, Remembering.vocabulary - 1), min_size=1, max_size=9)


@given(context=TOKENS, continuations=st.lists(TOKENS, min_size=1, max_size=6), most=st.integers(1, 40))
def test_side_by_side_and_in_pieces_gives_what_each_gives_alone(
    context: list[int], continuations: list[list[int]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logits, "BYTES", 4 * Remembering.vocabulary * most)
        found = logits.score(Remembering(), context, continuations)
    for continuation, told in zip(continuations, found, strict=True):
        expected = by_hand(context, continuation)
        assert told.logprob == pytest.approx(expected.logprob, abs=1e-5)
        assert (told.tokens, told.greedy) == (expected.tokens, expected.greedy)


def test_a_prompt_is_read_once_for_all_of_its_continuations() -> None:
    forward = Remembering()
    logits.score(forward, list(range(9)), [[1, 2], [3], [4, 5, 6]])
    assert forward.read_tokens == 9 + 3 * 2  # the last token of a continuation is never read


class OfLogits:
    """Fulfils Reader, by the toy vocabulary and the toy logits."""

    prefix, begun, length, parallel = PREFIX, False, 6, 1

    def encode(self, text: str) -> list[int]:
        return [ord(letter) % Remembering.vocabulary for letter in text]

    def score(self, context: logits.Tokens, continuations: Sequence[logits.Tokens]) -> list[Likelihood]:
        assert all(len(context) + len(each) - 1 <= self.length for each in continuations)
        return logits.score(Remembering(), context, continuations)

    def close(self) -> None: ...


def test_a_long_text_is_the_sum_of_its_windows_and_an_empty_one_is_certain() -> None:
    teller = TextLikelihoods(OfLogits())
    tokens = OfLogits().encode("abcdefghijklmnop")
    parts = [by_hand(list(context), list(scored)) for context, scored in windows(tokens, prefix=PREFIX, length=6)]
    told = teller.rolling("abcdefghijklmnop")
    assert told.logprob == pytest.approx(sum(part.logprob for part in parts), abs=1e-4)
    assert told.tokens == 16
    assert teller.rolling("") == Likelihood(logprob=0, tokens=0, greedy=True)


def test_choices_of_different_lengths_after_a_prompt_that_is_too_long() -> None:
    found = TextLikelihoods(OfLogits()).likelihoods("abcdefgh", ["x", "xyz"])
    tokens = OfLogits().encode("abcdefghxyz")
    assert found[0].logprob == pytest.approx(by_hand(tokens[2:8], tokens[8:9]).logprob, abs=1e-5)
    assert found[1].logprob == pytest.approx(by_hand(tokens[4:8], tokens[8:11]).logprob, abs=1e-5)


def test_rare_tokens_keep_their_digits() -> None:
    row = np.array([[30.0, 29.0, -70.0, 0.0]], np.float32)
    told, likeliest = logits.log_probabilities(row, [2])
    assert told[0] == pytest.approx(-70 - np.logaddexp.reduce(row[0].astype(np.float64)), abs=1e-7)
    assert not likeliest[0]
