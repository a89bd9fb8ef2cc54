"""Cases from tables, JSON Lines, Parquet, promptfoo and the lm-evaluation-harness. Code in such a file is never run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewheel.data import chat, coding, probes
from gatewheel.data import fields as columns
from gatewheel.data.cases import identity, of_record
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Case, Refusal

FORMATS = ("csv", "tsv", "jsonl", "parquet", "promptfoo", "lm-eval")
_ENDINGS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
Row = tuple[str, Mapping[str, Any] | UserError]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What a file gave. `twins` counts cases that ask and expect what an earlier one does and were joined to it.

    `places` says where each case stands, such as "data.csv, line 3".
    """

    cases: tuple[Case, ...]
    refusals: tuple[Refusal, ...] = ()
    twins: int = 0
    places: tuple[str, ...] = ()


def read_any(path: Path, *, format: str = "", fields: Mapping[str, str] = {}, data: Path | None = None) -> list[Case]:  # noqa: A002
    """The cases of a file or folder. An empty `format` is told by its name and content; `fields` is explained in
    `data/fields.py`; `data` has the rows of a task of the lm-evaluation-harness.

    Raises UserError for the first fault, with file, line and cure, or MissingPart; then nothing is taken.
    """
    gathered = gather(path, format=format, fields=fields, data=data)
    refuse(gathered)
    return list(gathered.cases)


def refuse(gathered: Gathered) -> None:
    """Raises UserError for the first row that is at fault, when there is one."""
    if gathered.refusals:
        first, others = gathered.refusals[0], len(gathered.refusals) - 1
        more = f" ({others} more are at fault)" if others else ""
        raise UserError(f"{first.source}: {first.reason}{more}")


def gather(
    path: Path,
    *,
    format: str = "",  # noqa: A002
    fields: Mapping[str, str] = {},
    data: Path | None = None,
    every_turn: bool = False,
    on_row: Callable[[int], None] = lambda _: None,
) -> Gathered:
    """As `read_any`, but what is at fault is left out with the reason while the rest goes on; `on_row` hears how far.

    `every_turn` makes a case of each answer in a conversation, else only its last question is asked.
    Raises UserError when the file cannot be read at all or holds no case.
    """
    columns.check(fields)
    cases: dict[str, Case] = {}
    places: dict[str, str] = {}
    ids: set[str] = set()
    refusals: list[Refusal] = []
    count = 0
    for number, (place, row) in enumerate(_rows(path, format or guess(path), fields, data, every_turn), 1):
        on_row(number)
        try:
            if isinstance(row, UserError):
                raise row
            case = of_record(row)
        except UserError as error:
            refusals.append(Refusal(source=f"{path.name}, {place}", reason=str(error)))
            continue
        count += 1
        key = identity(case)
        if case.id in ids and key not in cases:
            case = dataclasses.replace(case, id=key)  # an id that does not name one case names none
        ids.add(case.id)
        cases[key] = joined(cases[key], case) if key in cases else case
        places.setdefault(key, f"{path.name}, {place}")
    if not cases and not refusals:
        raise UserError(f"{path.name} holds no cases", cure="name the file with the rows")
    twins = count - len(cases)
    return Gathered(
        cases=tuple(cases.values()), refusals=tuple(refusals), twins=twins, places=tuple(places[key] for key in cases)
    )


def guess(path: Path) -> str:
    """The format of a file. Raises UserError when nothing tells it."""
    from gatewheel.data.formats import borrowed, folder, harness, parquet, promptfoo

    if parquet.is_one(path):
        return "parquet"
    if path.is_dir():
        return _ENDINGS[folder.ending(path)]
    ending = path.suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if path.is_file() and ending in (".yaml", ".yml"):
        value = borrowed.load(path).value
        keys = value if isinstance(value, Mapping) else ()
        if any(key in keys for key in harness.KEYS) or "include" in keys:
            return "lm-eval"
        if any(key in keys for key in promptfoo.KEYS) or isinstance(value, list):
            return "promptfoo"
    if not path.exists():
        raise UserError(f"there is no {path}", cure="correct the path")
    raise UserError(f"what {path.name} is cannot be told", cure=f"say it: --format {', '.join(FORMATS)}")


def joined(first: Case, other: Case) -> Case:
    """A case with what another that asks and expects the same knows besides."""
    return dataclasses.replace(
        first,
        references=_both(first.references, other.references),
        sources=_both(first.sources, other.sources),
        evidence=_both(first.evidence, other.evidence),
        tags=_both(first.tags, other.tags),
        cluster=first.cluster or other.cluster,
        meta={**other.meta, **first.meta},
    )


def _both(first: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *other)))


def _rows(path: Path, format: str, fields: Mapping[str, str], data: Path | None, every: bool) -> Iterator[Row]:  # noqa: A002
    """Records of cases, each with its place in the file."""
    from gatewheel.data.formats import harness, promptfoo

    if format == "promptfoo":
        return promptfoo.rows(path, fields=fields, read=_plain)
    if format == "lm-eval":
        return harness.rows(path, data=data, read=_plain)
    return _mapped(_plain(path, format), fields, cells=format in ("csv", "tsv"), every=every)


def _plain(path: Path, format: str = "") -> Iterator[Row]:  # noqa: A002
    """Rows as they stand in a file of data."""
    from gatewheel.data.formats import folder, jsonl, parquet, table

    name = format or guess(path)
    readers = {"csv": table.rows, "tsv": table.rows, "jsonl": jsonl.rows, "parquet": parquet.rows}
    if name not in readers and name in FORMATS:
        raise UserError(f"{path.name} holds no rows", cure=f"name a file of {', '.join(readers)}")
    if name not in readers:
        raise UserError(f"no format named '{name}'", cure=did_you_mean(name, FORMATS))
    if not path.is_dir() or name == "parquet":
        yield from readers[name](path)
        return
    for file in folder.files(path):
        for place, row in readers[name](file):
            yield f"{file.name}, {place}", row


def _mapped(rows: Iterator[Row], fields: Mapping[str, str], *, cells: bool, every: bool) -> Iterator[Row]:
    for place, row in rows:
        try:
            if isinstance(row, UserError):
                raise row
            known = row if fields else probes.plain(coding.plain(row))
            told = known if {"question", "history"} & fields.keys() else chat.plain(known)
            for one in chat.every(told) if every else [told]:
                yield place, columns.record_of(one, fields, cells=cells)
        except UserError as error:
            yield place, error
