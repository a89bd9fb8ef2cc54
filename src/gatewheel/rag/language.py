"""Tells which language a text is in, from its first two thousand characters. Knows nothing about code or formats."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

_SAMPLE = 2_000
_FEWEST_LETTERS = 24
_SURE = 0.5  # of the identifier's normalised posterior; see tests/rag/test_read_language.py for what it lets through
_LOADING = threading.Lock()


def detect(text: str) -> str:
    """ISO 639-1 code of the language, or an empty text where there are too few letters or too little certainty.

    py3langid (Lui and Baldwin 2012, langid.py). The first call loads its model; it is safe in several threads.
    """
    sample = text[: 16 * _SAMPLE].lstrip()[:_SAMPLE]  # front matter is read as blanks
    if sum(map(str.isalpha, sample)) < _FEWEST_LETTERS and not _dense(sample):
        return ""
    with _LOADING:
        identifier = _identifier()
    code, confidence = identifier.classify(sample)
    return str(code) if confidence >= _SURE and len(code) == 2 else ""


def _dense(sample: str) -> bool:
    """Whether the letters are of scripts that say in eight signs what Latin says in twenty-four."""
    return sum("\u3040" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3" for sign in sample) >= 8


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
