"""People label what variants answered: which pair comes next, what was said of it, and what all of it comes to.

A label is of two answers, each known by variant, state of the documents and what was put. So it stays true when metrics
are added to the suite, and when the documents change, the new answers are to be labelled anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatewheel.evals import people
from gatewheel.evals.people import Blind, Item, Label, Side
from gatewheel.evals.statistics.ranking import Ranked
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Answer
from gatewheel.kernel.store.schema import labels as table
from gatewheel.kernel.store.schema import reports as kept_reports
from gatewheel.loop import answers, reports
from gatewheel.loop.answers import Key
from gatewheel.loop.reports import LOOK_BACK, Kept

TIMES = "#"  # between a case and the how-manieth time from 0 in the table, where it is not the first


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A case as people read it, with its id in the suite and what it is not independent of."""

    id: str
    question: str
    expected: tuple[str, ...]
    cluster: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the reports of a suite know: its cases by what was put, and what variants are called."""

    kept: tuple[Kept, ...]
    cases: Mapping[str, Asked]
    names: Mapping[str, str]

    @property
    def clusters(self) -> dict[str, str]:
        """From what was put to the cluster."""
        return {key: asked.cluster for key, asked in self.cases.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """All that a rater is asked to label, in their order. `alike` pairs said the same and are left out."""

    suite: str
    rater: str
    criteria: tuple[str, ...]
    items: tuple[Blind, ...]
    alike: int


def known(engine: Engine, suite: str) -> Known:
    """What the newest reports of a suite know. Raises UserError when there are none."""
    kept = tuple(reports.recent(engine, suite=suite, limit=LOOK_BACK))
    if not kept:
        raise UserError(f"nobody answered the suite '{suite}' yet", cure=f"run `gatewheel evals run {suite}`")
    found: dict[str, Asked] = {}
    for one in kept:
        clusters = {row.case: row.cluster for row in one.report.rows}
        for id_, asked in one.cases.items():
            cluster = clusters.get(id_, "") or asked.key
            made = Asked(id=id_, question=asked.question, expected=asked.expected, cluster=cluster)
            found.setdefault(asked.key, made)
    names = {one.report.variant: one.target for one in reversed(kept)}
    return Known(kept=kept, cases=found, names=names)


def sheet(
    engine: Engine,
    suite: str,
    rater: str,
    variants: Sequence[str],
    *,
    criteria: Sequence[str] = (),
    repeats: bool = False,
) -> Sheet:
    """What a rater is to label: pairs of two, or with criteria each answer of those of `variants`.

    They are named as a target, as the beginning of a variant's id or of a report's; the newest report counts. Cases
    that one of them did not answer are left out. Raises UserError.
    """
    rater = named(rater)
    these = known(engine, suite)
    return sheet_of(engine, rater, [report(these, text) for text in variants], criteria=criteria, repeats=repeats)


def sheet_of(
    engine: Engine, rater: str, found: Sequence[Kept], *, criteria: Sequence[str] = (), repeats: bool = False
) -> Sheet:
    """The same of reports of one suite. With `repeats` each time that a case was asked is an item, else the first."""
    rater = named(rater)
    if not found:
        raise UserError("no variant is named", cure="name one for a rubric, two to compare")
    if len(found) != 2 and not criteria:
        raise UserError(f"{len(found)} variants make no pair", cure="name two, or a rubric")
    suite = found[0].report.suite
    if other := next((one.report.suite for one in found if one.report.suite != suite), ""):
        raise UserError(f"the reports are of different suites, {suite} and {other}", cure="name two of one suite")
    if criteria:
        items = [Item(case=at[0], a=side, repeat=at[1]) for one in found for at, side in _asked(one, repeats).items()]
        items = [item for item in items if answer(engine, item.case, item.a, repeat=item.repeat)]
        alike = 0
    else:
        items, alike = _pairs(engine, _asked(found[0], repeats), _asked(found[1], repeats))
    if not items:
        what = f"there is nothing to label: of {alike} cases both said the same" if alike else "nothing was answered"
        raise UserError(what, cure=f"name two that differ, or run `gatewheel evals run {suite}` for them")
    drawn = people.lots(dict.fromkeys(items), suite=suite, rater=rater)
    return Sheet(suite=suite, rater=rater, criteria=tuple(criteria), items=tuple(drawn), alike=alike)


def waiting(engine: Engine, of: Sheet) -> list[Blind]:
    """What of a sheet is still to be labelled, the next one first."""
    return people.waiting(of.items, labels(engine, of.suite, rater=of.rater), rater=of.rater, criteria=of.criteria)


def answer(engine: Engine, case: str, side: Side, *, repeat: int = 0) -> Answer | None:
    """What was said; None where that failed."""
    return answers.get(engine, Key(variant=side.variant, corpus=side.corpus, case=case, repeat=repeat))


def give(engine: Engine, suite: str, *said: Label) -> list[str]:
    """Keep labels, all or none, and return their ids. The same again changes nothing, something else replaces it."""
    newest = select(kept_reports.c.suite_id).where(kept_reports.c.suite == suite)
    with engine.connect() as connection:
        suite_id = connection.execute(newest.order_by(kept_reports.c.created.desc()).limit(1)).scalar() or ""
    rows = [_row(suite, one) | {"suite_id": suite_id} for one in said]
    try:
        _write(engine, rows)
    except IntegrityError:
        _write(engine, rows)  # the same was said in another process at this moment, and is now there to be replaced
    return [row["id"] for row in rows]


def take_back(engine: Engine, id_: str) -> None:
    """As if a label had never been given."""
    with engine.begin() as connection:
        connection.execute(delete(table).where(table.c.id == id_))


def labels(engine: Engine, suite: str, *, rater: str = "") -> list[Label]:
    """All labels of a suite, or those of one rater, the oldest first."""
    query = select(table).where(table.c.suite == suite).order_by(table.c.created, table.c.id)
    query = query.where(table.c.rater == rater) if rater else query
    with engine.connect() as connection:
        return [_label(row) for row in connection.execute(query)]


def agreement(engine: Engine, suite: str) -> tuple[people.Agreed, ...]:
    """How far the raters of a suite agree. Raises UserError when nobody answered it yet."""
    return people.agreement(labels(engine, suite), known(engine, suite).clusters)


def ranking(engine: Engine, suite: str) -> tuple[Ranked, ...]:
    """Variants that were compared, the strongest first. Raises UserError when nobody answered the suite yet."""
    return people.ranking(labels(engine, suite), known(engine, suite).clusters)


def report(these: Known, text: str) -> Kept:
    """The newest report of a target, or of a variant or a report by the beginning of its id. Raises UserError."""
    for fits in _ways(text):
        for one in these.kept:
            if fits(one):
                return one
    suite = these.kept[0].report.suite
    cure = did_you_mean(text, {one.target.partition(" ")[2] for one in these.kept})
    raise UserError(f"nobody named '{text}' answered the suite '{suite}'", cure=cure)


def sides(kept: Kept) -> dict[str, Side]:
    """Who answered each case of a report, by what was put."""
    return {asked.key: Side(kept.report.variant, asked.corpus) for asked in kept.cases.values()}


def named(rater: str) -> str:
    """The name of a rater. Raises UserError for what is none."""
    if not rater.strip() or len(rater) > 64 or not rater.isprintable():
        raise UserError(f"'{rater[:80]}' is no name of a rater", cure="write at most 64 signs that can be printed")
    return rater.strip()


def _ways(text: str) -> tuple[Callable[[Kept], bool], ...]:
    return (
        lambda one: text in (one.target, one.target.partition(" ")[2]),
        lambda one: bool(text) and one.report.variant.startswith(text),
        lambda one: bool(text) and one.report.id.startswith(text),
    )


_Answered = Mapping[tuple[str, int], Side]


def _asked(kept: Kept, repeats: bool) -> _Answered:
    """Who answered what was put, the how-manieth time."""
    found = sides(kept)
    times = [(kept.cases[row.case].key, row.repeat) for row in kept.report.rows if repeats or not row.repeat]
    return {at: found[at[0]] for at in times}


def _pairs(engine: Engine, first: _Answered, second: _Answered) -> tuple[list[Item], int]:
    items, alike = [], 0
    for at in (at for at in first if at in second):
        key, repeat = at
        one, other = (answer(engine, key, side[at], repeat=repeat) for side in (first, second))
        if one is None or other is None:
            continue
        if one.answer.split() == other.answer.split():
            alike += 1
        else:
            items.append(people.pair(key, first[at], second[at], repeat=repeat).item)
    return items, alike


def _row(suite: str, label: Label) -> dict[str, Any]:
    label = replace(label, comment=answers.storable(label.comment))
    item = label.item
    return {
        "id": people.identity(suite, label),
        "created": label.created or time.time(),
        "suite": suite,
        "case": f"{item.case}{TIMES}{item.repeat}" if item.repeat else item.case,
        "rater": named(label.rater),
        "a": item.a.variant,
        "b": item.b.variant if item.b else "",
        "a_corpus": item.a.corpus,
        "b_corpus": item.b.corpus if item.b else "",
        "better": label.better,
        "scores": dict(label.scores),
        "comment": label.comment,
    }


def _write(engine: Engine, rows: Sequence[Mapping[str, Any]]) -> None:
    with engine.begin() as connection:
        for row in rows:
            if not connection.execute(update(table).where(table.c.id == row["id"]).values(**row)).rowcount:
                connection.execute(insert(table).values(**row))


def _label(row: Any) -> Label:
    case, _, repeat = row.case.partition(TIMES)
    second = Side(row.b, row.b_corpus) if row.b else None
    return Label(
        item=Item(case=case, a=Side(row.a, row.a_corpus), b=second, repeat=int(repeat or 0)),
        rater=row.rater,
        better=row.better,
        scores=row.scores,
        comment=row.comment,
        created=row.created,
    )
