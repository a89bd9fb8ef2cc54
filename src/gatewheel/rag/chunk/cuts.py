"""The places at which a text may be cut: paragraphs, sentences, lines, list items. Knows nothing about tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatewheel.rag.chunk.pack import Cut
from gatewheel.rag.sentences import sentence_spans


def behind(pattern: str) -> Cut:
    """A cut behind every match of a regular expression (multiline)."""
    find = re.compile(pattern, re.MULTILINE).finditer
    return lambda text, start, end: (match.end() for match in find(text, start, end))


def _sentences(text: str, start: int, end: int) -> Iterable[int]:
    return (start + span[0] for span in sentence_spans(text[start:end]))


_NEWLINE = r"(?:\r\n?|\n)"
PARAGRAPHS: Cut = behind(rf"{_NEWLINE}[ \t]*+{_NEWLINE}(?:[ \t]*+{_NEWLINE})*+")
LINES: Cut = behind(r"(?:\r\n?|[\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029])+")
LIST_ITEMS: Cut = behind(rf"{_NEWLINE}(?=[ \t]*+(?:[-*+]|\d{{1,9}}[.)])[ \t])")
DEFINITIONS: Cut = behind(
    rf"^(?:[ \t]++[^\r\n]*+|(?:[}})\]]|end\b)[^\r\n]*+)?{_NEWLINE}"
    r"(?=[^\s{}()\[\]])(?!(?:end|else|elif|elsif|except|rescue|ensure|finally|catch|then|do|done|fi|esac)\b)"
)
"""In source code: a line at the margin behind a blank, an indented or a closing line. Holds for most languages."""
INNER: Cut = behind(rf"^[ \t]*+{_NEWLINE}(?=(?:[ ]{{1,4}}|\t)?[^\s{{}}()\[\]])")
"""Behind a blank line, before a line indented by one step at most: the methods of a class."""
SENTENCES: Cut = _sentences
