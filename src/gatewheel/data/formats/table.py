"""CSV and TSV: the first row names the columns, each other one is a row."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewheel.data.lines import numbered
from gatewheel.kernel.errors import UserError

_CELL_LIMIT = 1 << 27  # the csv module's own 131,072 characters refuse long texts in data sets
_DELIMITERS = ",;\t|"


def rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | UserError]]:
    """Each row with the line where it begins; a UserError in the place of one that does not fit its columns.

    Raises UserError when the file cannot be read on.
    """
    csv.field_size_limit(_CELL_LIMIT)
    try:
        with path.open(encoding=_encoding(path), newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else max(_DELIMITERS, key=head.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            names = next(reader, [])
            if len(names) > 1 and not names[0]:
                names[0] = "row"  # pandas writes the number of a row below no name
            _check(names, path)
            yield from _each(reader, names)
    except csv.Error as error:
        what = f"{path.name}, line {reader.line_num}: {error}"
        raise UserError(what, cure='close the quotes; a quote inside of a cell is written ""') from None
    except UnicodeDecodeError:
        for _ in numbered(path):
            pass  # it raises at the line that is at fault
        raise UserError(f"{path.name} is not UTF-8", cure="save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", cure="check the path and its permissions") from None


def _each(reader: Any, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | UserError]]:
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        if not any(map(str.strip, cells)):
            continue
        if len(cells) > len(names):
            what = f"{len(cells)} cells, but {len(names)} columns"
            yield place, UserError(what, cure="put a cell that holds the delimiter in quotes")
        else:
            yield place, dict(itertools.zip_longest(names, cells, fillvalue=""))


def _check(names: list[str], path: Path) -> None:
    if not names:
        raise UserError(f"{path.name} is empty", cure="write the names of the columns and a row for each case")
    for name in names:
        if not name.strip() or names.count(name) > 1:
            what = f"{path.name}, line 1: a column is named '{name}'"
            raise UserError(what, cure="give each column a name of its own in the first row")


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"  # as Excel saves Unicode
