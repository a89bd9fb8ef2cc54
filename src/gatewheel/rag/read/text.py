"""Reads Markdown, plain text, source code and configuration files as they stand.

The text of the Document is the text of the file, so a span is an offset into the file itself. Front matter goes to
`meta` and `title`; in the text it is overwritten with spaces, not cut out: it would compete with the prose as a
passage, and cutting it would move every offset behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Document
from gatewheel.rag.read.encoding import decode
from gatewheel.rag.read.fault import reading, sound, storable
from gatewheel.rag.read.kinds import kind_of_text

_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?\n)?(\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FRONT_MATTER_LIMIT = 1 << 14
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$|^(\S.*)\n(?:=+|-{3,})[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_TITLE_LIMIT = 1 << 14


class Settings(BaseModel):
    """`encoding` overrides detection."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoding: str = Field(default="", description="Encoding of every file; empty means to detect it.")


def create(settings: Settings) -> TextReader:
    """A reader for Markdown, plain text and source code."""
    return TextReader(settings)


class TextReader:
    """One document a file."""

    def __init__(self, settings: Settings) -> None:
        self._encoding = settings.encoding

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """The file as one document with `meta` kind and encoding.

        Raises SourceError when it cannot be opened or holds no text.
        """
        with reading("a text", cure="look whether it is one"):
            text, encoding = decode(path.read_bytes(), encoding=self._encoding)
        form, kind = kind_of_text(path.name)
        fields: Mapping[str, Any] = {}
        if form == "markdown":
            text, fields = split_front_matter(text)
        title = str(fields.get("title") or "") or _title(text, kind) or (path.name if form == "code" else path.stem)
        meta = {**fields, "kind": kind, "encoding": encoding}
        yield sound(Document(source=source, text=text, format=form, title=title, meta=meta))


def split_front_matter(text: str) -> tuple[str, dict[str, Any]]:
    """The text with its front matter blanked, and the fields: texts, and lists of texts. Nested fields are dropped.

    Between --- is YAML, between +++ TOML; what does not parse as a table is prose and stays.
    """
    match = _FRONT_MATTER.match(text, 0, _FRONT_MATTER_LIMIT)
    if not match or not match[2]:
        return text, {}
    fields = _parse(match[2], toml=match[1] == "+++")
    if fields is None:
        return text, {}
    return re.sub(r"[^\n]", " ", match[0]) + text[match.end() :], fields


def _parse(block: str, *, toml: bool) -> dict[str, Any] | None:
    import tomllib

    import yaml

    try:
        # BaseLoader makes texts of all scalars: no dates, no surprises such as no → False, nothing to construct.
        loaded = (
            tomllib.loads(block) if toml else yaml.load(block, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        )
    except (yaml.YAMLError, tomllib.TOMLDecodeError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    plain: dict[str, Any] = {}
    if isinstance(loaded.get("groups"), dict):
        loaded["groups"] = str(loaded["groups"])  # who may see it: dropped, it would be open to all
    for key, value in loaded.items():
        if isinstance(value, list):
            flat = [storable(str(entry)) for entry in value if key == "groups" or not isinstance(entry, list | dict)]
            if flat:
                plain[storable(str(key))] = flat
        elif not isinstance(value, dict):
            plain[storable(str(key))] = storable(str(value))
    return plain


def _title(text: str, kind: str) -> str:
    """The first heading outside a code fence, in Markdown and reStructuredText."""
    if kind not in ("markdown", "rst"):
        return ""
    for match in _HEADING.finditer(text, 0, _TITLE_LIMIT):
        found: str = match[1] or match[2]
        hidden = kind == "markdown" and len(_FENCE.findall(text, 0, match.start())) % 2
        if not hidden and (kind == "markdown" or match[2]):
            return found.strip()
    return ""
