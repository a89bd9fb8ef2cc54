"""Glob patterns over /-separated paths: `*` and `?` inside a name, `**` over folders, `[a-z]`. Knows no file system."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MAGIC = re.compile(r"[*?\[]")


class Globs:
    """Any of several patterns. Not `anchored`, one without a slash matches a name anywhere, and a matched folder
    takes all below it.

    >>> Globs(["drafts/", "*.tmp"]).match("a/drafts/b.md"), Globs(["a/**/*.md"], anchored=True).match("a/b.md")
    (True, True)
    """

    def __init__(self, patterns: Sequence[str], *, anchored: bool = False) -> None:
        sources = [_regex(pattern, anchored=anchored) for pattern in patterns if pattern.strip("/")]
        self._regex = re.compile("|".join(sources)) if sources else None

    def match(self, path: str) -> bool:
        """Whether a pattern takes the whole path."""
        return self._regex is not None and self._regex.fullmatch(path) is not None


def split_glob(pattern: str) -> tuple[str, str]:
    """The folder before the first magic part, and the rest, which is empty when there is no magic.

    >>> split_glob("docs/**/*.md"), split_glob("docs/a.md")
    (('docs', '**/*.md'), ('docs/a.md', ''))
    """
    parts = pattern.split("/")
    first = next((place for place, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    folder = "/".join(parts[:first]) or ("/" if pattern.startswith("/") else "")
    return folder, "/".join(parts[first:])


def _regex(pattern: str, *, anchored: bool) -> str:
    body = pattern.removeprefix("./").rstrip("/")
    parts = body.lstrip("/").split("/")
    pieces = []
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            pieces.append(".*" if last else "(?:[^/]+/)*")
        else:
            pieces.append(_name(part) + ("" if last else "/"))
    whole = "".join(pieces)
    if anchored:
        return f"(?:{whole})"
    return f"(?:{'(?:.*/)?' if '/' not in body else ''}{whole}(?:/.*)?)"


def _name(part: str) -> str:
    """The regex of one name; a bracket that is not closed stands for itself."""

    def of(match: re.Match[str]) -> str:
        token = match[0]
        if token == "*":
            return "[^/]*"
        if token == "?":
            return "[^/]"
        if len(token) > 2 and token[0] == "[":
            inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            return f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
        return re.escape(token)

    return re.sub(r"\[[!^]?\]?[^\]/]*\]|.", of, part, flags=re.DOTALL)
