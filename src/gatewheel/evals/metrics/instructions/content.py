"""Instructions about what has to stand in a text: placeholders, a postscript."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\[[^\n\[\]]*\]")
_MARKERS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}


def placeholders(text: str, /, *, num_placeholders: int) -> bool:
    """At least so many [places to be filled in]."""
    return len(_PLACEHOLDER.findall(text)) >= num_placeholders


def postscript(text: str, /, *, postscript_marker: str) -> bool:
    """The marker of a postscript stands in the text; P.S. and P.P.S also with spaces inside."""
    pattern = _MARKERS.get(postscript_marker) or re.escape(postscript_marker)
    return re.search(pattern, text, re.IGNORECASE) is not None
