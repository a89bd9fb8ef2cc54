"""Reads Jupyter notebooks (nbformat 3 and 4) into Markdown: prose as it is, code fenced, what was printed after it.

Knows nothing about kernels: nothing is executed, and pictures, widgets and HTML outputs are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import SourceError
from gatewheel.kernel.nouns import Document
from gatewheel.rag.read import markdown
from gatewheel.rag.read.encoding import decode
from gatewheel.rag.read.fault import reading, sound, storable

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TITLE = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)


class Settings(BaseModel):
    """What to keep of the outputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_output_chars: int = Field(default=2_000, ge=0, description="Characters kept of one output; 0 drops all.")


def create(settings: Settings) -> NotebookReader:
    """A reader for Jupyter notebooks."""
    return NotebookReader(settings)


class NotebookReader:
    """One document a file, as Markdown."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.max_output_chars

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """Cells in order; title from the notebook's metadata or its first heading.

        Raises SourceError when the file is no JSON, no notebook, or empty.
        """
        with reading("a Jupyter notebook", cure="open it in Jupyter and save it again"):
            notebook = json.loads(decode(path.read_bytes())[0])
            cells = _cells(notebook)
            about = _table(notebook.get("metadata"))
            language = _language(about)
            sheet, title = markdown.Sheet(), _title(about, cells) or path.stem
            for cell in cells:
                self._cell(cell, sheet, language)
            text = sheet.text()
        meta = {"kind": "notebook", "code": language}
        yield sound(Document(source=source, text=text, format="markdown", title=title, meta=meta))

    def _cell(self, cell: Mapping[str, Any], sheet: markdown.Sheet, language: str) -> None:
        kind = cell.get("cell_type")
        words = _joined(cell.get("source", cell.get("input")))
        if kind == "code":
            sheet.add(markdown.fence(words, str(cell.get("language") or language)))
            for output in _list(cell.get("outputs")):
                self._output(_table(output), sheet)
        elif kind == "heading":
            level = cell.get("level")
            sheet.add(markdown.heading(level if isinstance(level, int) else 1, words))
        else:
            sheet.add(words.strip("\n"))

    def _output(self, output: Mapping[str, Any], sheet: markdown.Sheet) -> None:
        """What an output says as text: an error as its name and message, without the stack."""
        data = _table(output.get("data")) or output
        if output.get("output_type") in ("error", "pyerr"):
            text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        elif data.get("text/markdown"):
            sheet.add(self._cut(_joined(data["text/markdown"])))
            return
        else:
            text = _joined(data.get("text/plain") or data.get("text"))
        sheet.add(markdown.fence(self._cut(_ANSI.sub("", text)), "text"))

    def _cut(self, text: str) -> str:
        """The beginning and the end of a long output: a log's last line is often what it was run for."""
        if len(text) <= self._limit:
            return text
        half = self._limit // 2
        if not half:
            return ""
        return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"


def _cells(notebook: Any) -> list[Mapping[str, Any]]:
    """The cells of version 4, or those of all worksheets of version 3.

    Raises SourceError when there are none to be found.
    """
    if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list):
        return [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    if isinstance(notebook, dict) and isinstance(notebook.get("worksheets"), list):
        sheets = [_list(_table(sheet).get("cells")) for sheet in notebook["worksheets"]]
        return [cell for sheet in sheets for cell in sheet if isinstance(cell, dict)]
    raise SourceError("JSON, but no notebook: it has neither cells nor worksheets", cure="save it in Jupyter again")


def _language(about: Mapping[str, Any]) -> str:
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        name = _table(about.get(part)).get(key)
        if isinstance(name, str) and name:
            return storable(name)
    return "python"


def _title(about: Mapping[str, Any], cells: list[Mapping[str, Any]]) -> str:
    if isinstance(about.get("title"), str) and about["title"].strip():
        return str(about["title"])
    for cell in cells:
        words = _joined(cell.get("source"))
        if cell.get("cell_type") == "heading" and words.strip():
            return words
        found = _TITLE.search(words) if cell.get("cell_type") == "markdown" else None
        if found:
            return found[1]
    return ""


def _joined(value: Any) -> str:
    """A text as notebooks keep it: whole, or as a list of lines."""
    if isinstance(value, list):
        return "".join(piece for piece in value if isinstance(piece, str))
    return value if isinstance(value, str) else ""


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
