"""Text to search terms: fold, split, stem. The same terms on SQLite and PostgreSQL; knows nothing about scoring."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from gatewheel.kernel.errors import ConfigError, did_you_mean
from gatewheel.kernel.scripts import UNSPACED

# The vowel signs of Indic scripts are no \w, yet a word without them is another word.
_RUN = re.compile(rf"[{UNSPACED}]+|(?:[^\W_{UNSPACED}]|[\u0900-\u0963\u0966-\u0dff])+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
MAX_TERM = 64  # longer runs are base64 or hashes; nobody searches for the tail
SOFT_HYPHEN = "\u00ad"  # stands inside a word where it may be broken
VERSION = 2  # part of the index's identity: a change here rebuilds the text index


class Analyser:
    """Cuts text into terms. `language` is a Snowball algorithm (english, german, …) or "none".

    Raises ConfigError for a language that Snowball does not have.
    """

    def __init__(self, language: str = "english") -> None:
        self.language = language
        self.id = f"{VERSION}:{language}"
        self._stem = _stemmer(language)

    def terms(self, text: str) -> list[str]:
        """The terms of a text in order, lower case, letters and digits only."""
        out: list[str] = []
        for run in _RUN.findall(_fold(text)):
            # a script without spaces is cut into overlapping pairs of signs, the usual analysis of Chinese and its like
            if run[0] >= "\u0e00" and re.match(rf"[{UNSPACED}]", run):
                out.extend(run[i : i + 2] for i in range(len(run) - 1)) if len(run) > 1 else out.append(run)
                continue
            run = run[:MAX_TERM]
            word = run.lower()
            out.append(self._stem(word))
            # camelCase is found by its parts too
            if run != word and run.isascii() and len(parts := _CAMEL.findall(run)) > 1:
                out.extend(self._stem(part.lower()) for part in parts)
        return out

    def line(self, text: str) -> str:
        """The terms joined by spaces, as the text index stores them."""
        return " ".join(self.terms(text))


def _fold(text: str) -> str:
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    # accents, Hebrew points and Arabic vowel marks; in the scripts behind them a mark is a letter
    kept = "".join(c for c in decomposed if c != SOFT_HYPHEN and not (c < "\u0900" and unicodedata.combining(c)))
    return unicodedata.normalize("NFC", kept)


@lru_cache(maxsize=8)
def _stemmer(language: str) -> Callable[[str], str]:
    if language == "none":
        return str
    import Stemmer

    if language not in Stemmer.algorithms():
        raise ConfigError(
            f"no stemmer for language '{language}'", cure=did_you_mean(language, [*Stemmer.algorithms(), "none"])
        )
    stem: Callable[[str], str] = Stemmer.Stemmer(language).stemWord
    return lru_cache(maxsize=200_000)(stem)
