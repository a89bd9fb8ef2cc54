"""Reports: kept once, found again by the beginning of their id. The same scores are the same report.

A row of the table holds the report with what one needs to read it when the suite has changed: the questions, what was
expected, and which answers were scored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Answer, Report, Scored
from gatewheel.kernel.store.schema import reports
from gatewheel.loop import answers
from gatewheel.loop.answers import Key
from gatewheel.loop.evaluated import Head

LOOK_BACK = 50  # reports among which a target is sought by its name


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A case of a report as people read it. `key` and `corpus` lead to its answers."""

    question: str
    expected: tuple[str, ...]
    key: str
    corpus: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A report with the name of its target, such as "app main", the run that made it, and its cases by id."""

    report: Report
    target: str
    run: str
    cases: Mapping[str, Asked]

    @property
    def errors(self) -> int:
        """How many rows have no answer, or a metric that broke."""
        return sum(bool(row.error) for row in self.report.rows)


def identity(report: Report) -> str:
    """The id of a report: 32 hexadecimal digits of the SHA-256 of all but when it was made."""
    rows = [asdict(row) for row in report.rows]
    said = [report.suite, report.suite_id, report.variant, report.corpus, rows]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def keep(engine: Engine, kept: Kept) -> Kept:
    """Keep a report. The same scores again are no other report: it counts as made now, and is returned as it was."""
    report = kept.report
    values = {
        "id": report.id,
        "created": report.created,
        "suite": report.suite,
        "suite_id": report.suite_id,
        "variant": report.variant,
        "corpus": report.corpus,
        "run": kept.run,
        "target": kept.target,
        "cases": len(kept.cases),
        "errors": kept.errors,
        "rows": {
            "cases": {id_: asdict(asked) for id_, asked in kept.cases.items()},
            "scored": [asdict(row) for row in report.rows],
        },
    }
    try:
        with engine.begin() as connection:
            connection.execute(insert(reports).values(**values))
    except IntegrityError:
        before = get(engine, report.id)
        with engine.begin() as connection:
            connection.execute(update(reports).where(reports.c.id == report.id).values(created=report.created))
        return before
    return kept


def recent(engine: Engine, *, limit: int = 20, suite: str = "", suite_id: str = "", variant: str = "") -> list[Kept]:
    """The newest reports first, of a suite, of one state of it, of a variant, or all. Each is read whole."""
    with engine.connect() as connection:
        return [_kept(row) for row in connection.execute(_newest(select(reports), limit, suite, suite_id, variant))]


def heads(engine: Engine, *, limit: int = 20, suite: str = "", suite_id: str = "", variant: str = "") -> list[Head]:
    """The same without their scores, of which a report of a large suite has 100 MB."""
    named = [column for column in reports.c if column is not reports.c.rows]
    with engine.connect() as connection:
        rows = connection.execute(_newest(select(*named), limit, suite, suite_id, variant))
        return [Head(**row._mapping) for row in rows]


def get(engine: Engine, prefix: str) -> Kept:
    """A report by the beginning of its id. Raises UserError when there is none or more than one."""
    id_ = whole(engine, prefix)
    with engine.connect() as connection:
        return _kept(connection.execute(select(reports).where(reports.c.id == id_)).one())


def whole(engine: Engine, prefix: str) -> str:
    """The id of a report by its beginning, without reading its scores. Raises UserError as `get`."""
    query = select(reports.c.id).where(reports.c.id.startswith(prefix, autoescape=True)).limit(5)
    with engine.connect() as connection:
        found = list(connection.execute(query).scalars()) if prefix else []
    if len(found) != 1:
        what = f"no report '{prefix}'" if not found else f"'{prefix}' begins {len(found)} reports"
        raise UserError(what, cure=did_you_mean(prefix, [one.id[:12] for one in heads(engine, limit=5)]))
    only: str = found[0]
    return only


def find(engine: Engine, text: str) -> Kept:
    """A report by the beginning of its id, or the last one of a target by its name, such as main. Raises UserError."""
    known = heads(engine, limit=LOOK_BACK)
    named = (one.id for one in known if text in (one.target, one.target.partition(" ")[2]))
    return get(engine, next(named, text))


def answer(engine: Engine, kept: Kept, case: str, *, repeat: int = 0) -> Answer | None:
    """What the variant of a report said to one of its cases; None where there was an error."""
    asked = kept.cases[case]
    return answers.get(engine, Key(variant=kept.report.variant, corpus=asked.corpus, case=asked.key, repeat=repeat))


def head(kept: Kept) -> Head:
    """A report without its scores."""
    report = kept.report
    return Head(
        id=report.id,
        created=report.created,
        suite=report.suite,
        suite_id=report.suite_id,
        target=kept.target,
        variant=report.variant,
        corpus=report.corpus,
        run=kept.run,
        cases=len(kept.cases),
        errors=kept.errors,
    )


def _newest(query: Select[Any], limit: int, suite: str, suite_id: str, variant: str) -> Select[Any]:
    for column, wanted in ((reports.c.suite, suite), (reports.c.suite_id, suite_id), (reports.c.variant, variant)):
        query = query.where(column == wanted) if wanted else query
    return query.order_by(reports.c.created.desc()).limit(limit)


def _kept(row: Any) -> Kept:
    held: Mapping[str, Any] = row.rows
    report = Report(
        id=row.id,
        created=row.created,
        suite=row.suite,
        suite_id=row.suite_id,
        variant=row.variant,
        corpus=row.corpus,
        rows=_rows(held["scored"]),
    )
    cases = {id_: Asked(**{**asked, "expected": tuple(asked["expected"])}) for id_, asked in held["cases"].items()}
    return Kept(report=report, target=row.target, run=row.run, cases=cases)


def _rows(plain: Sequence[Mapping[str, Any]]) -> tuple[Scored, ...]:
    return tuple(
        Scored(
            case=row["case"],
            values={name: None if found is None else tuple(found) for name, found in row["values"].items()},
            cluster=row["cluster"],
            tags=tuple(row["tags"]),
            repeat=row["repeat"],
            error=row["error"],
        )
        for row in plain
    )
