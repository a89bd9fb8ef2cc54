"""A large text is cut slice by slice: nothing is lost at an edge, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.nouns import Document
from gatewheel.rag import pages
from gatewheel.rag.chunk import recursive, structure
from storing import HashEncoder

CHUNKERS = [module.create(module.Settings(tokens=16)) for module in (structure, recursive)]
TEXT = st.lists(st.sampled_from(["word", "東京", "a.", " ", "\n", "\n\n", "é"]), max_size=200).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXT, st.integers(1, 50), st.sampled_from(CHUNKERS), st.sampled_from(["text", "code", "markdown"]))
def test_slices_cover_all_that_is_not_white_space(text: str, size: int, chunker: object, form: str) -> None:
    document = Document(source="a", text=text, format=form)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "SLICE", size)
        chunks = pages.split(document, chunker, tokens=HashEncoder())  # type: ignore[arg-type]
    covered = {at for chunk in chunks for at in range(chunk.start, chunk.end)}
    assert {at for at, letter in enumerate(text) if not letter.isspace()} <= covered
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert all(text[chunk.start : chunk.end].strip() for chunk in chunks)


def test_a_large_text_is_parted_between_its_paragraphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SLICE", 60)
    paragraphs = [f"Paragraph {number} has a few words in it." for number in range(20)]
    document = Document(source="a", text="\n\n".join(paragraphs), format="text")
    chunks = pages.split(document, CHUNKERS[0], tokens=HashEncoder())
    assert [document.text[chunk.start : chunk.end] for chunk in chunks] == paragraphs


def test_markdown_keeps_the_headings_above_every_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SLICE", 60)
    text = "# Valve\n\n" + "\n\n".join(f"Sentence {number} of the valve is as long as this." for number in range(20))
    document = Document(source="a.md", text=text, format="markdown")
    assert {chunk.headings for chunk in pages.split(document, CHUNKERS[0], tokens=HashEncoder())} == {("Valve",)}
