"""Which language a text is in, by py3langid, among those that IFEval's own detector tells apart."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

_LOADING = threading.Lock()
_KNOWN = (
    "af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa pl pt ro "
    "ru sk sl sq sv sw ta te th tl tr uk ur vi zh"
)


def speaks(text: str, code: str) -> bool:
    """Whether the text is in this language (ISO 639-1). A text without a letter is in every language."""
    # small letters: what is written in capitals looks like no language to an identifier that learned from prose
    letters = text.lower()
    return not any(map(str.isalpha, letters)) or _identify(letters) == code.partition("-")[0]


def response_language(text: str, /, *, language: str) -> bool:
    """The whole text is in this language."""
    return speaks(text, language)


def _identify(text: str) -> str:
    with _LOADING:
        identifier = _identifier()
    return str(identifier.classify(text)[0])


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=False)
    found.set_languages(_KNOWN.split())
    return found
