"""Reads CSV and TSV: each row becomes one line that names its columns, "city: Lima; people: 10,092,000".

A passage is read alone, by the encoder, the model and the user. In a pipe table the column names stand once at the
top, and a passage from row 900 would be bare figures; here every row carries them, and the heading names the table.
Rows stand a blank line apart, so that every chunker takes a row for a unit. Empty cells are left out. A cell's own
line breaks become spaces. Files are streamed: one of many rows gives several documents of bounded size, of which
the first has the name of the file and each other one that name with its first row, "cities.csv#row-5001".
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.nouns import Document
from gatewheel.rag.read.encoding import encoding_of, known
from gatewheel.rag.read.fault import reading, sound, storable
from gatewheel.rag.read.markdown import one_line

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_SAMPLE_CHARS = 1 << 16
_NUMBER = re.compile(r"[-+]?[\d.,\s]*\d[\d.,\s]*%?")
_CELL_LIMIT = 1 << 27  # the csv module's own 131,072 characters refuse long texts in data sets


class Settings(BaseModel):
    """How the file is written, where detection gets it wrong, and how large a document becomes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str = Field(default="", max_length=1, description="One character; empty means to detect it.")
    header: Literal["auto", "yes", "no"] = Field(default="auto", description="Whether row 1 names the columns.")
    encoding: str = Field(default="", description="Encoding of every file; empty means to detect it.")
    max_chars: int = Field(default=1_000_000, ge=1_000, description="Characters after which a new document starts.")


def create(settings: Settings) -> TableReader:
    """A reader for CSV and TSV files."""
    return TableReader(settings)


class TableReader:
    """One document a file, or several for a long one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self, path: Path, *, source: str) -> Iterator[Document]:
        """Documents of at most about `max_chars` characters, in the order of the rows.

        Raises SourceError when the file cannot be opened or holds no text.
        """
        options = self._settings
        with reading("a table", cure="look whether it is CSV; set [reader.table] delimiter or encoding"):
            encoding = known(options.encoding) if options.encoding else encoding_of(path)
            meta = {"kind": path.suffix.lower().lstrip(".") or "csv", "encoding": encoding}
            heading = f"# {one_line(path.stem)}"
            lines, size, first, found = [heading], 0, 1, False
            for number, line in self._rows(path, encoding):
                if size > options.max_chars:
                    yield _document(lines, source, first, meta, path)
                    lines, size, first, found = [heading], 0, number, True
                lines.append(line)
                size += len(line)
            if size or not found:
                yield _document(lines if size else [""], source, first, meta, path)

    def _rows(self, path: Path, encoding: str) -> Iterator[tuple[int, str]]:
        """Number of the row in the file, from 1, and its line; empty rows are passed over."""
        csv.field_size_limit(_CELL_LIMIT)
        with path.open(encoding=encoding, errors="replace", newline="") as file:
            head = file.read(_SAMPLE_CHARS)
            file.seek(0)
            delimiter = self._settings.delimiter or _delimiter(head, tab=path.suffix.lower() in (".tsv", ".tab"))
            rows = csv.reader((line.replace("\0", "\ufffd") for line in file), delimiter=delimiter)
            numbered = ((number, row) for number, row in enumerate(rows, 1) if any(map(str.strip, row)))
            ahead = list(itertools.islice(numbered, 2))
            names: list[str] = []
            if ahead and _is_header([row for _, row in ahead], self._settings.header):
                names = [one_line(name) for name in ahead.pop(0)[1]]
            for number, row in itertools.chain(ahead, numbered):
                yield number, _line(row, names)
            if names and not ahead:
                yield 1, "columns: " + "; ".join(names)


def _line(row: Sequence[str], names: Sequence[str]) -> str:
    cells = []
    for place, cell in enumerate(row):
        value = one_line(cell)
        if value:
            name = names[place] if place < len(names) else ""
            cells.append(f"{name or f'column {place + 1}'}: {value}")
    return "; ".join(cells)


def _document(lines: list[str], source: str, first: int, meta: dict[str, str], path: Path) -> Document:
    name = source if first == 1 else f"{source}#row-{first}"
    text = storable("\n\n".join(lines) + "\n")
    return sound(Document(source=name, text=text, format="markdown", title=path.stem, meta=meta))


def _delimiter(head: str, *, tab: bool) -> str:
    """The character that cuts the first rows into the most columns of one count; csv.Sniffer guesses letters."""
    chosen = expected = "\t" if tab else ","
    best = 0.0
    lines = head.splitlines()[:_SAMPLE_ROWS]
    for candidate in _DELIMITERS:
        counts = [len(row) for row in csv.reader(lines, delimiter=candidate) if row]
        usual = max(set(counts), key=counts.count) if counts else 0
        score = usual * counts.count(usual) / len(counts) if usual > 1 else 0.0
        score *= 1.5 if candidate == expected else 1.0
        if score > best:
            best, chosen = score, candidate
    return chosen


def _is_header(rows: Sequence[Sequence[str]], choice: str) -> bool:
    """Row 1 names the columns when its cells are different, filled, short and not one is a number."""
    if choice != "auto":
        return choice == "yes"
    cells = [cell.strip() for cell in rows[0]]
    named = all(cell and len(cell) <= 80 and not _NUMBER.fullmatch(cell) for cell in cells[: len(rows[-1])])
    return named and len(set(cells)) == len(cells)
