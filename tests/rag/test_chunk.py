"""Chunkers: what a reader of passages would miss if it went wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewheel.kernel.catalog import load
from gatewheel.kernel.nouns import Chunk, Document
from gatewheel.rag.chunk import blocks

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Offsets


class Words:
    """Tokens of a simple kind: every run of word characters and every other visible character is one."""

    def starts(self, text: str) -> Offsets:
        return np.array([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int32)


def split(text: str, *, use: str = "structure", kind: str = "markdown", **sizes: int) -> Sequence[Chunk]:
    module = load("chunker", use)
    document = Document(source="a", text=text, format=kind)
    return module.create(module.Settings(**sizes)).split(document, tokens=Words())  # type: ignore[no-any-return]


def texts(text: str, **options: object) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in split(text, **options)]  # type: ignore[arg-type]


def words(number: int, word: str = "word") -> str:
    return " ".join([word] * number)


def test_a_passage_stays_inside_its_section_and_begins_with_its_heading() -> None:
    text = f"# Guide\n\n## Install\n\n{words(20)}\n\n## Use\n\n{words(20)}\n\n### Deep\n\n{words(20)}\n"
    chunks = split(text, tokens=30)
    assert [text[chunk.start :].split("\n")[0] for chunk in chunks] == ["# Guide", "## Use", "### Deep"]
    assert [chunk.headings for chunk in chunks] == [
        ("Guide", "Install"),
        ("Guide", "Use"),
        ("Guide", "Use", "Deep"),
    ]


def test_small_sections_with_the_same_parent_share_a_passage() -> None:
    text = "# FAQ\n\n## One\n\nA a.\n\n## Two\n\nB b.\n\n# Other\n\nC c.\n"
    chunks = split(text, tokens=40)
    assert [chunk.headings for chunk in chunks] == [("FAQ",), ("Other",)]
    assert [text[chunk.start : chunk.end].count("##") // 2 * 2 for chunk in chunks] == [2, 0]


def test_a_heading_is_never_left_alone_at_the_end_of_a_passage() -> None:
    text = f"## One\n\n{words(28)}.\n\n## Two\n\n{words(29)}.\n"
    for passage in texts(text, tokens=30):
        assert not re.search(r"#+ \w+\s*\Z", passage)


def test_a_line_that_introduces_a_list_goes_with_the_list() -> None:
    text = f"{words(20)}.\n\nDo this:\n\n- one {words(8)}\n- two {words(8)}\n"
    assert texts(text, tokens=26)[1].startswith("Do this:\n\n- one")


def test_setext_headings_count_and_those_in_code_do_not() -> None:
    text = f"Title\n=====\n\n```sh\n# not a heading\n```\n\nSub\n---\n\n{words(20)}\n"
    assert [chunk.headings for chunk in split(text, tokens=20)] == [("Title",), ("Title", "Sub"), ("Title", "Sub")]


FRAGMENTS = (
    *(
        "# a\n",
        "b\n",
        "===\n",
        "---\n",
        "\n",
        "\r\n",
        "- c\n",
        "  d\n",
        "    e\n",
        "1. f\n",
        "> g\n",
        "```\n",
        "```a`b\n",
    ),
    *("| h | i |\n", "|---|---|\n", "<div>\n", "</div>\n", "<!-- j\n", "-->\n", "[k]: l\n", "***\n", "\t"),
)


@settings(max_examples=200, deadline=None)
@given(text=st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), more=st.integers(0, 9))
def test_a_page_of_any_length_has_the_blocks_that_a_whole_parse_finds(text: str, more: int) -> None:
    def found() -> list[tuple[str, str, int, str]]:
        return [
            (text[block.start : block.end].rstrip(), block.kind, block.level, block.title)
            for block in blocks.markdown_blocks(text)
        ]

    whole = found()
    longest = max((len(block) for block, *_ in whole), default=1)
    with mock.patch.object(blocks, "WINDOW", longest + more):
        assert found() == whole


def test_heading_titles_come_without_markup() -> None:
    assert split("## The [`open`](http://x.y) **call** {#open}\n\ntext\n")[0].headings == ("The open call",)


@pytest.mark.parametrize(
    ("block", "begins"),
    [
        ("\n".join(f"- item {n} {words(6)}" for n in range(9)), r"- item \d"),
        ("\n".join(f"{n}. {words(6)}\n   - inner {words(4)}" for n in range(1, 9)), r"(\d\.|- inner) "),
        ("| k | v |\n|---|---|\n" + "\n".join(f"| k{n} | {words(4)} |" for n in range(9)), r"\| k"),
        ("```\n" + "\n\n".join(f"def f{n}():\n    {words(8)}" for n in range(9)) + "\n```", r"(```|def )"),
        (" ".join(f"Sentence {n} has {words(6)}." for n in range(9)), r"Sentence \d"),
    ],
)
def test_a_block_that_is_too_long_is_cut_where_its_kind_allows(block: str, begins: str) -> None:
    passages = texts(block, tokens=24)
    assert len(passages) > 2
    assert all(re.match(begins, passage) for passage in passages)


def test_rows_behind_the_first_passage_of_a_table_keep_its_header_in_their_headings() -> None:
    table = "# Limits\n\n| Name | Size |\n|---|---|\n" + "\n".join(f"| n{n} | {n} |" for n in range(20))
    headings = [chunk.headings for chunk in split(table, tokens=30)]
    assert headings[0] == ("Limits",)
    assert set(headings[1:]) == {("Limits", "Name | Size")}


CODE = {
    "python": "import a, e\n\n@b\ndef one():\n    c = 1\n\n    return c\n\n\nclass Two:\n    def x(s):\n        d()\n",
    "javascript": "let a = 1;\n\n// one\nfunction one() {\n  return 1;\n}\nexport class Two {\n  x() {\n  }\n}\n",
    "go": "package p\n\n// one does.\nfunc one() int {\n\treturn 1\n}\n\ntype Two struct {\n\tA int\n}\n",
    "rust": "use a::b;\n\n/// One.\n#[inline]\npub fn one() -> u8 {\n    1\n}\n\npub struct Two {\n    a: u8,\n}\n",
    "shell": "set -e\n\n# one does\none() {\n  if x; then\n    y\n  fi\n}\n\ntwo() {\n  z\n}\n",
}


@pytest.mark.parametrize("language", CODE)
def test_code_is_cut_between_definitions_with_what_stands_above_them(language: str) -> None:
    text = CODE[language]
    found = texts(text, kind="code", tokens=14)
    begins = [passage.splitlines()[0] for passage in found]
    assert [line for line in begins if line.startswith(("@b", "// ", "/// ", "# "))]
    assert any(re.match(r"(export |pub )?(class|type|struct) ?Two|two\(\)", line) for line in begins)
    assert not any(re.match(r"[})]|return", line) for line in begins)


def test_pieces_of_a_long_definition_carry_its_first_line() -> None:
    text = "# about\nclass Big(Base):\n" + "\n\n".join(f"    def m{n}(self):\n        {words(9)}" for n in range(6))
    chunks = split(text, kind="code", tokens=24)
    assert len(chunks) > 3
    assert {chunk.headings for chunk in chunks} == {("class Big(Base)",)}
    assert all(text[chunk.start :].startswith(("# about", "def m")) for chunk in chunks)


def test_plain_text_is_cut_between_paragraphs_before_sentences() -> None:
    first, second = f"{words(10, 'a')}. {words(8, 'b')}.", f"{words(10, 'c')}. {words(8, 'd')}."
    text = f"{first}\n\n{second}\n\n{words(30, 'e')}. {words(5, 'f')}."
    assert [passage[0] for passage in texts(text, kind="text", tokens=32)] == ["a", "c", "e", "f"]


def test_recursive_prefers_blank_lines_to_lines_to_sentences() -> None:
    text = "a a a.\n\nb b b\nc c c. d d d d d d d d d d"
    assert texts(text, use="recursive", tokens=8) == ["a a a.\n\nb b b", "c c c.", "d d d d d d d d", "d d"]


def test_sentence_packs_whole_sentences() -> None:
    text = "One two three. Four five six. Seven eight nine ten eleven. Twelve."
    assert texts(text, use="sentence", tokens=8) == [
        "One two three. Four five six.",
        "Seven eight nine ten eleven. Twelve.",
    ]


def test_fixed_windows_repeat_exactly_the_overlap() -> None:
    text = " ".join(f"w{n}" for n in range(100))
    chunks = split(text, use="fixed", tokens=20, overlap=5)
    assert [chunk.tokens for chunk in chunks[:-1]] == [20] * (len(chunks) - 1)
    for before, after in pairwise(chunks):
        assert text[after.start : before.end].split() == text[: before.end].split()[-5:]


def test_overlap_is_whole_sentences_within_the_limit() -> None:
    text = "One two three. Four five. Six seven eight. Nine ten. Eleven twelve."
    assert texts(text, use="sentence", tokens=11, overlap=4) == [
        "One two three. Four five. Six seven eight.",
        "Six seven eight. Nine ten. Eleven twelve.",
    ]


def test_a_word_without_end_is_cut_into_passages_of_bounded_length() -> None:
    passages = texts("x" * 100_000, tokens=100)
    assert "".join(passages) == "x" * 100_000
    assert max(map(len, passages)) <= 400


def test_character_clusters_and_line_ends_stay_whole() -> None:
    unit = "\U0001f469\u200d\U0001f680\U0001f44d\U0001f3fd\U0001f1e9\U0001f1eae\u0301\r\n"
    for use in ("structure", "recursive", "sentence", "fixed"):
        for passage in texts(unit.rstrip() * 2000, use=use, tokens=9, kind="text"):
            assert not re.match("[\u200d\ufe0f\u0301\U0001f3fb-\U0001f3ff\U0001f680\n]", passage)


@pytest.mark.parametrize("use", ["structure", "recursive", "sentence", "fixed"])
def test_settings_that_cannot_be_met_are_refused_with_the_cure(use: str) -> None:
    settings = load("chunker", use).Settings
    with pytest.raises(ValueError, match=r"must be smaller than tokens \(64\), got 64; lower overlap or raise tokens"):
        settings(tokens=64, overlap=64)
    with pytest.raises(ValueError, match="greater than or equal to 8"):
        settings(tokens=0)
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        settings(size=64)
