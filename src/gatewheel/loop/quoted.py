"""Where words are quoted: in answers, labels and reports, in what failed runs said, in what was kept of leaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, Text, cast, func, or_, select, update

from gatewheel.data import overlap, vectors
from gatewheel.kernel import runs
from gatewheel.kernel.nouns import Case
from gatewheel.kernel.runs import USERS, Run
from gatewheel.kernel.store.schema import (
    answers,
    documents,
    feedback,
    labels,
    passages,
    reports,
    responses,
    traces,
)
from gatewheel.loop import leaks
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import put
from gatewheel.loop.verbatim import Words, words_of

BATCH = 500  # values per IN list
AnswerKey = tuple[str, str, str, int]
GONE = "(forgotten)"
PURGED = "what it said is gone with something that was forgotten"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotes:
    """Where it is quoted: by `words`, by what was put (`asked`, by its keys) and by the `texts` that were encoded.

    `runs` are those of which the error or the log quotes it, `leaks` files of leaks that were found, `vectors` how many
    are kept of the texts.
    """

    words: Words
    asked: frozenset[str]
    texts: frozenset[str]
    answers: tuple[AnswerKey, ...]
    labels: tuple[str, ...]
    reports: tuple[str, ...]
    runs: tuple[str, ...]
    leaks: tuple[str, ...]
    vectors: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """What goes, as far as it may be quoted elsewhere: documents, cases, the ids of traces and of what was `said`.

    `ids` are those of cases in the files of their suites.
    """

    names: frozenset[str]
    meant: Callable[[str], bool]
    cases: Sequence[Case]
    ids: Mapping[str, Collection[str]]
    traces: Sequence[str]
    said: Sequence[str]


def everywhere(parts: Parts, going: Going, *, user: str) -> Quotes:
    """Where that is quoted which goes, also cases as they were worded before. `user` is whose it is, if anybody's."""
    engine, state = parts.engine, parts.config.state
    before = worded(engine, going.ids) if going.ids else {}
    asked = frozenset({*map(put, going.cases), *before})
    questions = {*_column(engine, traces.c.question, traces.c.id, going.traces), *before.values()} - {GONE, ""}
    words = words_of({*questions, *_texts(engine, going)})
    texts = frozenset({*questions, *map(overlap.asked, going.cases)})
    return Quotes(
        words=words,
        asked=asked,
        texts=texts,
        answers=tuple(answers_of(engine, going.names, going.meant, asked)),
        labels=tuple(labels_of(engine, asked)),
        reports=tuple(in_reports(engine, asked)),
        runs=tuple(in_runs(engine, state, words, user=user)),
        leaks=tuple(in_leaks(state, words)),
        vectors=vectors.held(state / vectors.FOLDER, texts),
    )


def responses_of(engine: Engine, user: str, names: Iterable[str]) -> list[str]:
    """The conversations of a user, or those in which a document is named."""
    named = [mentions(responses.c.body, name) for name in names]
    of = select(responses.c.id).where(responses.c.key == user if user else or_(*named))
    with engine.connect() as connection:
        return list(connection.scalars(of))


def answers_of(
    engine: Engine, names: frozenset[str], meant: Callable[[str], bool], asked: Collection[str]
) -> Iterator[AnswerKey]:
    """The answers of evaluations that rest on these documents, or are answers to what was put so."""
    key = (answers.c.variant, answers.c.corpus, answers.c.case, answers.c.repeat)
    with engine.connect() as connection:
        for some in batches(sorted(asked)):
            yield from (row.tuple() for row in connection.execute(select(*key).where(answers.c.case.in_(some))))
        named = [mentions(answers.c.answer, name) for name in sorted(names)]
        rows = connection.execute(select(*key, answers.c.answer).where(or_(*named))) if named else ()
        for *found, answer in rows:
            if found[2] not in asked and isinstance(answer, dict) and any(map(meant, _read(answer))):
                yield (str(found[0]), str(found[1]), str(found[2]), int(found[3]))


def _read(answer: dict[str, Any]) -> Iterator[str]:
    """The documents that an answer cites or was shown."""
    yield from (str(one.get("source")) for one in answer.get("citations") or ())
    yield from (str(one.get("passage", {}).get("source")) for one in answer.get("passages") or ())


def labels_of(engine: Engine, asked: Collection[str]) -> Iterator[str]:
    """What raters said of answers to what was put so, the first time or again."""
    with engine.connect() as connection:
        for some in batches(sorted(asked)):
            of = select(labels.c.id).where(func.substr(labels.c.case, 1, len(some[0])).in_(some))
            yield from connection.scalars(of)


def mentions(column: Any, name: str) -> ColumnElement[bool]:
    """Whether a JSON column has this text in it, escaped as JSON or not."""
    escaped = json.dumps(name)[1:-1]
    return cast(column, Text).contains(escaped, autoescape=True) | cast(column, Text).contains(name, autoescape=True)


def batches(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    """Values as they fit into an IN list."""
    return (rows[at : at + BATCH] for at in range(0, len(rows), BATCH))


def in_reports(engine: Engine, asked: Collection[str]) -> list[str]:
    """The reports that hold what was put so, by their ids."""
    every = _reports(engine) if asked else ()
    return [id_ for id_, rows in every if any(_quotes(one, asked) for one in rows["cases"].values())]


def purge_report(engine: Engine, id_: str, asked: Collection[str]) -> None:
    """Leave of these cases the ids and the scores."""
    with engine.begin() as connection:
        rows: Any = connection.scalar(select(reports.c.rows).where(reports.c.id == id_))
        silent = {id_ for id_, one in rows["cases"].items() if one["key"] in asked}
        cases = {
            id_: {**one, "question": GONE, "expected": []} if id_ in silent else one
            for id_, one in rows["cases"].items()
        }
        scored = [{**row, "error": row["error"] and GONE} if row["case"] in silent else row for row in rows["scored"]]
        said = {**rows, "cases": cases, "scored": scored}
        connection.execute(update(reports).where(reports.c.id == id_).values(rows=said))


def worded(engine: Engine, ids: Mapping[str, Collection[str]]) -> dict[str, str]:
    """How cases, by their suites and ids, were put when they came into reports: what they asked then, by its key."""
    with engine.connect() as connection:
        of = select(reports.c.id, reports.c.suite).where(reports.c.suite.in_(sorted(ids)))
        suites = {row.id: row.suite for row in connection.execute(of)}
    return {
        one["key"]: one["question"]
        for report, rows in _reports(engine, of=suites)
        for case, one in rows["cases"].items()
        if case in ids[suites[report]]
    }


def in_runs(engine: Engine, state: Path, words: Words, *, user: str = "") -> Iterator[str]:
    """The runs that are not done of which the error or the log quotes these words, or that tuned for this user."""
    for run in runs.recent(engine, limit=None):
        if run.state != "done" and any(_told(state, run, words, user)):
            yield run.id


def purge_run(engine: Engine, state: Path, id_: str, words: Words, *, user: str = "") -> None:
    """Take away the error or the log of a run, or both, as far as they quote."""
    run = runs.get(engine, id_)
    error, log = _told(state, run, words, user)
    if error:
        mark = USERS if run.error.startswith(USERS) else ""
        runs.change(engine, run.id, error=f"{mark}{PURGED}")
    if log:
        _log(state, run).unlink(missing_ok=True)


def in_leaks(state: Path, words: Words) -> Iterator[str]:
    """The files of leaks that were found which quote these words: near cases stand there as they are."""
    for path in sorted((state / leaks.FOLDER).glob("*.json")):
        with suppress(FileNotFoundError):  # a service keeps the newest alone
            if words.within(path.read_text(encoding="utf-8", errors="replace")):
                yield path.name


def purge_kept(state: Path, words: Words, texts: Collection[str]) -> None:
    """What is only kept so that it need not be found again: near cases in these words, vectors of these texts."""
    for name in in_leaks(state, words):
        (state / leaks.FOLDER / name).unlink(missing_ok=True)
    vectors.drop(state / vectors.FOLDER, texts)


def _told(state: Path, run: Run, words: Words, user: str) -> tuple[bool, bool]:
    """Whether its error quotes, and whether its log does.

    What an interrupted run says are words of our own, by which it is known whether it waits for somebody.
    """
    log = _log(state, run)
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    mine = bool(user) and "job" in run.settings and run.settings.get("payer") == user  # it may quote what was sent
    error = run.why if run.state == "failed" and run.why != PURGED else ""
    return bool(error) and (mine or words.within(error)), bool(said) and (mine or words.within(said))


def _log(state: Path, run: Run) -> Path:
    return state / "runs" / run.id / "log.txt"


def _quotes(one: dict[str, Any], asked: Collection[str]) -> bool:
    return one["key"] in asked and one["question"] != GONE


def _reports(engine: Engine, *, of: Collection[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """All reports, or those of these ids."""
    with engine.connect() as connection:
        every = list(connection.scalars(select(reports.c.id).order_by(reports.c.created)))
    for id_ in (one for one in every if of is None or one in of):  # one at a time: that of a large suite has 100 MB
        with engine.connect() as connection:
            rows: Any = connection.scalar(select(reports.c.rows).where(reports.c.id == id_))
        if rows:
            yield id_, rows


def _texts(engine: Engine, going: Going) -> Iterator[str]:
    """What goes, in words: of cases, answers, what was said of them, and passages."""
    for case in going.cases:
        turns = (turn.content for turn in case.history)
        yield from (case.question, *turns, case.context, *case.references, *case.evidence, *case.choices)
    yield from _column(engine, traces.c.answer, traces.c.id, going.traces)
    yield from _column(engine, feedback.c.comment, feedback.c.id, going.said)
    yield from _column(engine, feedback.c.correction, feedback.c.id, going.said)
    yield from _column(engine, passages.c.text, documents.c.source, sorted(going.names))


def _column(engine: Engine, text: Any, key: Any, values: Sequence[str]) -> Iterator[str]:
    """A column of the rows that have one of these values."""
    of = select(text).select_from(passages.join(documents)) if key is documents.c.source else select(text)
    with engine.connect() as connection:
        for some in batches(values):
            yield from connection.scalars(of.where(key.in_(some)))
