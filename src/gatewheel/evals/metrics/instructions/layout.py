"""Instructions about the form of a text: bullets, highlights, sections, titles, JSON."""

from __future__ import annotations

import json
import re

# white space of one line, so that a thousand blank lines are read once
_STAR = re.compile(r"^[^\S\n]*+\*[^*].*$", re.MULTILINE)
_DASH = re.compile(r"^[^\S\n]*+-.*$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"\*([^\n*]*)\*")
_BOLD = re.compile(r"\*\*([^\n*]*)\*\*")
_FENCES = ("```json", "```Json", "```JSON", "```")
ANSWERS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def bullets(text: str, /, *, num_bullets: int) -> bool:
    """Exactly so many bullets of Markdown, with * or -."""
    return len(_STAR.findall(text)) + len(_DASH.findall(text)) == num_bullets


def constrained(text: str, /) -> bool:
    """One of the three answers that are offered stands in the text."""
    return any(answer in text for answer in ANSWERS)


def highlights(text: str, /, *, num_highlights: int) -> bool:
    """At least so many *highlighted* or **highlighted** places that hold something."""
    found = [*_HIGHLIGHT.findall(text), *_BOLD.findall(text)]
    return sum(map(bool, map(str.strip, found))) >= num_highlights


def sections(text: str, /, *, section_spliter: str, num_sections: int) -> bool:
    """At least so many sections, each begun by the word and a number."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?\d", text)) >= num_sections


def as_json(text: str, /) -> bool:
    """The whole text is JSON, in a fence or not."""
    bare = text.strip()
    for fence in _FENCES:
        bare = bare.removeprefix(fence)
    try:
        json.loads(bare.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str, /) -> bool:
    """A title in <<double angular brackets>> that holds something."""
    return any(map(_titled, text.split("\n")))


def _titled(line: str) -> bool:
    """From the first << of a line to its last >>."""
    start, end = line.find("<<"), line.rfind(">>")
    return start >= 0 and end - start > 2 and bool(line[start:end].lstrip("<").rstrip(">").strip())
