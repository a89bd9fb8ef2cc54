"""Sentences of a text as spans, by punctuation, layout and a list of abbreviations. Knows nothing about tokens.

A full stop is judged by what stands around it, as in Kiss & Strunk (2006) but without training: an abbreviation,
an initial or a number in front, a small letter behind. A blank line, a heading, a list item and a table row end a
sentence whatever stands in them. The stops of CJK, Devanagari, Arabic, Armenian and Ethiopic need no space behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatewheel.kernel.nouns import Span


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Something always follows these, so their stop never ends a sentence.
_NEVER_LAST = _words(
    "Dr Mr Mrs Ms Mx Prof Rev Hon Gen Col Maj Capt Lt Sgt Cpl Cmdr Gov Sen Rep Pres Supt St Messrs Mme Mlle Hr Fr",
    "dr mr mrs ms prof vs cf e.g i.e eg viz al approx resp esp incl bzw vgl z.B d.h u.a",
    "Fig Figs Eq Eqs Ref Refs fig figs eq eqs",
)
# These wait for a number: No. 5, Jan. 12, p. 7. Without one they are words like "no", "art" and "max".
_NUMBERED = _words(
    "No Nos no nos Nr nr p pp Sec Secs sec Ch ch Chap chap Vol Vols vol Art Arts art Abs Para para Tab tab max min",
    "ca c Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Wed Thu Fri Sat Sun",
)
# Often the last word as well: then only a word that rarely continues a name begins a new sentence.
_OFTEN_LAST = _words("Inc Ltd Co Corp Bros Jr Sr Esq etc a.m p.m Ph.D M.Sc B.Sc Ave Blvd Rd Dept Univ")
_STARTERS = _words(
    "the a an this that these those it its he she they we you i his her their our my in on at for from to as by with",
    "but and or so if when while after before since because however there here what who how why where most some many",
    "all not no each both such although though then thus once during under over also",
)

_OPENERS = "\"'“‘«([{*_`"
_CLOSERS = r"[\"'”’»›)\]}）」』】〉》*_`]"
_NEWLINE = r"(?:\r\n?|[\n\u2028\u2029\x0c])"
# Possessive, and a run of stops is entered only at its first: ten million dots are read once.
_END = re.compile(
    rf"(?P<heading>^[ ]{{0,3}}\#{{1,6}}[ \t][^\r\n]*+\s*+)"
    rf"|(?P<wide>[。！？｡।॥؟۔։።]++{_CLOSERS}*+\s*+)"
    rf"|(?<![.!?…])(?P<stop>[.!?…]++){_CLOSERS}*+(?:\[\d{{1,3}}\]){{0,8}}\s++"
    rf"|(?P<layout>{_NEWLINE}[ \t]*+(?:{_NEWLINE}\s*+"
    r"|(?=(?:[-*+•‣◦]|\d{1,3}[.)]|[a-z]\))[ \t]|\#{1,6}[ \t]|>|\||```|~~~)))",
    re.MULTILINE,
)
_LONGEST_WORD = 40
_LONGEST_LINE = 1_000
_NEXT_WORD = re.compile(r"[^\W\d_]*")


def sentence_spans(text: str) -> list[Span]:
    """Spans of the sentences, in order, without white space at their ends; together they hold everything else.

    >>> text = "Dr. No paid $3.50 on Jan. 5. Why? “Ask him!” he said."
    >>> [text[start:end] for start, end in sentence_spans(text)]
    ['Dr. No paid $3.50 on Jan. 5.', 'Why?', '“Ask him!” he said.']
    """
    spans: list[Span] = []
    start = 0
    for end in (*_ends(text), len(text)):
        piece = text[start:end]
        if words := piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, left + len(words)))
        start = end
    return spans


def _ends(text: str) -> Iterator[int]:
    """Offsets behind each sentence and the white space that follows it."""
    no_capitals = text.islower()
    for match in _END.finditer(text):
        if (match["stop"] is None and not _is_wrapped_quote(text, match)) or (
            match["stop"] is not None and _ends_here(text, match, no_capitals=no_capitals)
        ):
            yield match.end()


def _is_wrapped_quote(text: str, match: re.Match[str]) -> bool:
    """A line break between two lines of one Markdown quotation."""
    if text[match.end() : match.end() + 1] != ">":
        return False
    line = text[max(0, match.start() - _LONGEST_LINE) : match.start()].rsplit("\n", 1)[-1]
    return line.startswith(">") and line.strip("> \t") != ""


def _ends_here(text: str, match: re.Match[str], *, no_capitals: bool) -> bool:
    """Whether the stop that was found ends a sentence."""
    stop, after = match["stop"], text[match.end() : match.end() + 1]
    word = _word_before(text, match.start())
    if stop == ".":
        if word in _NEVER_LAST or (word in _NUMBERED and after.isdigit()) or _is_marker(text, match.start(), word):
            return False
        if word in _OFTEN_LAST or _is_initials(word):
            return not after.isalnum() or _next_word(text, match.end()) in _STARTERS
    return no_capitals or not after.islower()


def _word_before(text: str, place: int) -> str:
    window = text[max(0, place - _LONGEST_WORD) : place]
    return "" if not window or window[-1].isspace() else window.rsplit(None, 1)[-1].lstrip(_OPENERS)


def _is_marker(text: str, place: int, word: str) -> bool:
    """The number or letter of a list item: the first thing on its line."""
    if len(word) > 3 or not (word.isdigit() or (len(word) == 1 and word.isalpha())):
        return False
    before = text[max(0, place - _LONGEST_WORD) : place - len(word)].rstrip(" \t>")
    return (not before and place <= _LONGEST_WORD) or before.endswith(("\n", "\r"))


def _is_initials(word: str) -> bool:
    """J, U.S, J.R.R: capital letters one by one with stops between them; the word I is none."""
    return word != "I" and all(len(part) == 1 and part.isupper() for part in word.split("."))


def _next_word(text: str, place: int) -> str:
    match = _NEXT_WORD.match(text, place, place + _LONGEST_WORD)
    return match[0].lower() if match else ""
