"""Reads JSON Lines, one document a line. A bad line is refused by its number and the others go on.

Files are streamed. The source of a document is "file.jsonl#<id>", or its line number where there is no id; an id
that comes again gets its line number added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document, Refusal
from gatewheel.rag.read.encoding import encoding_of, known
from gatewheel.rag.read.fault import reading, sound, storable
from gatewheel.rag.read.markdown import one_line


class Settings(BaseModel):
    """Which field is what. `text_field` empty: "text" where a line has it, else its longest text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text_field: str = Field(default="", description="Field with the text; empty means 'text' or the longest one.")
    title_field: str = Field(default="title", description="Field with the title.")
    id_field: str = Field(default="id", description="Field that names the document inside its file.")
    meta_fields: tuple[str, ...] = Field(
        default=(), description="Fields to keep for filters (--where); empty means every short one that is left."
    )
    format: Literal["text", "markdown", "code"] = Field(default="text", description="How the text is written.")
    encoding: str = Field(default="", description="Encoding of every file; empty means to detect it.")


_SHORT = 200  # characters of a field and its name; a longer one is text, and no filter wants it


def create(settings: Settings) -> JsonlReader:
    """A reader for JSON Lines."""
    return JsonlReader(settings)


class JsonlReader:
    """One document a line."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self, path: Path, *, source: str) -> Iterator[Document | Refusal]:
        """A document for each good line and a Refusal for each bad one, in the order of the lines.

        Raises SourceError when the file cannot be opened or has no line that is not blank.
        """
        seen: set[int] = set()
        some = False
        with reading("JSON Lines", cure="look whether it is a text file with one JSON object a line"):
            encoding = known(self._settings.encoding) if self._settings.encoding else encoding_of(path)
            with path.open(encoding=encoding, errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if line.isspace():
                        continue
                    some = True
                    try:
                        yield self._document(line, number, path.stem, source=source, seen=seen)
                    except SourceError as error:
                        yield Refusal(source=f"{source}#{number}", reason=f"line {number}: {error}")
        if not some:
            raise SourceError("there is no line in it that is not blank", cure="exclude it")

    def _document(self, line: str, number: int, stem: str, *, source: str, seen: set[int]) -> Document:
        """Raises SourceError when the line is no JSON object or has no text."""
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SourceError(f"no JSON: {error.msg} at character {error.pos + 1}", cure="mend the line") from None
        except (RecursionError, ValueError) as error:  # nested too deep; a number of too many digits
            raise SourceError(f"no JSON that can be read: {error}", cure="mend the line") from None
        if not isinstance(record, dict):
            raise SourceError(f"a JSON {type(record).__name__}, not an object", cure="put the text in a field")
        options = self._settings
        name = storable(one_line(_plain(record.get(options.id_field)))) or str(number)
        if hash(name) in seen:
            name = f"{name}:{number}"
        seen.add(hash(name))
        return sound(
            Document(
                source=f"{source}#{name}",
                text=self._text(record),
                format=options.format,
                title=_plain(record.get(options.title_field)) or stem,
                meta={
                    **{field: _meta(record[field]) for field in self._kept(record) if field in record},
                    "kind": "jsonl",
                },
            )
        )

    def _kept(self, record: Mapping[str, Any]) -> Sequence[str]:
        options = self._settings
        if options.meta_fields:
            return (*options.meta_fields, "groups")
        read = {options.text_field or "text", options.title_field, options.id_field}
        short = [key for key, value in record.items() if key not in read and len(key) + len(str(value)) <= _SHORT]
        return [*short, "groups"]  # who may see it, however long: left out, it would be open to all

    def _text(self, record: Mapping[str, Any]) -> str:
        wanted = self._settings.text_field
        if wanted and wanted not in record:
            fields = ", ".join(storable(key) for key in list(record)[:12])
            raise SourceError(
                f"no field '{wanted}'", cure=f"set [reader.jsonl] text_field to one of: {fields or 'none'}"
            )
        value = record[wanted] if wanted else record.get("text")
        if not wanted and not isinstance(value, str):
            texts = [each for each in record.values() if isinstance(each, str)]
            value = max(texts, key=len, default="")
        if not isinstance(value, str):
            raise SourceError(f"field '{wanted}' holds no text but a {type(value).__name__}", cure="name another field")
        return value.replace("\r\n", "\n").replace("\r", "\n")


def _plain(value: Any) -> str:
    """A text or a number as text; anything else names nothing."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


_LARGEST = 1e300


def _meta(value: Any) -> Any:
    """A value as the store keeps it: texts and flat lists of texts and numbers; deeper values as JSON."""
    if isinstance(value, list) and all(isinstance(entry, str | int | float | bool) for entry in value):
        return [_meta(entry) for entry in value]
    if isinstance(value, int | float) and not abs(value) < _LARGEST:
        return str(value)  # NaN, infinity and numbers beyond a float are no JSON that databases take
    if isinstance(value, dict | list):
        return storable(json.dumps(value, ensure_ascii=False))
    return storable(value) if isinstance(value, str) else value
