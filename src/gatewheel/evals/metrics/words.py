"""The words of an answer as they are compared: without the markers that we set."""

from __future__ import annotations

import re

from gatewheel.kernel.nouns import Answer

_BEFORE = r"(?<!\s)\s*+"  # begun only where the spaces begin, so that a long run of them is read once
_FLAG = re.compile(rf"{_BEFORE}\[unsupported\]")


def words(answer: Answer) -> str:
    """The text without [n] and [unsupported]; empty for an abstention. A marker that cites nothing is the model's text.

    JSON comes back as it is, since [1] is an array there.
    """
    if answer.abstained:
        return ""
    text = answer.answer
    if text.startswith(("{", "[")):
        return text
    if answer.citations:
        numbers = "|".join(str(citation.n) for citation in answer.citations)
        text = re.sub(rf"{_BEFORE}\[(?:{numbers})\]", "", text)
    if not all(sentence.supported for sentence in answer.sentences):
        text = _FLAG.sub("", text)
    return text
