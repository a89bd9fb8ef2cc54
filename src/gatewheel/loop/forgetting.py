"""Forgets a document or a user: purges what holds it, and marks as tainted all that has learned of it.

Step by step, each whole before the next begins, and what leads to something goes only after it: killed at any moment,
the same again finds the rest. What was learned cannot be unlearned: adapters stay, and no gate lets them pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, Table, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.data import cards, collecting, datasets
from gatewheel.data import cases as case_files
from gatewheel.data.cases import split_key
from gatewheel.kernel import runs
from gatewheel.kernel.durable import exclusive
from gatewheel.kernel.store import learning, schema
from gatewheel.loop import begun, came_of, client_files, forgotten, freezing, quoted, remains, tainting
from gatewheel.loop.compose import Parts
from gatewheel.loop.forgotten import Forgotten
from gatewheel.loop.remains import Remains, Wanted
from gatewheel.loop.sweeping import sweep

BATCH = 500  # rows in one transaction, so that whoever writes meanwhile waits for milliseconds


def forget(parts: Parts, wanted: Wanted) -> Forgotten:
    """Purge it. Raises UserError while a run is at work in the project, and for suites that cannot be read."""
    with exclusive(parts.config.state), collecting.one_writer(parts.config.root):
        found = remains.find(parts, wanted)
        before = forgotten.told(parts, found, done=True)
        for step in STEPS:
            step(parts, found)
    parts.forget_index()
    return before


def _remember(parts: Parts, found: Remains) -> None:
    """That it was asked for, without its name: the same command again is then no mistake."""
    insert = sqlite.insert if parts.engine.dialect.name == "sqlite" else postgresql.insert
    with parts.engine.begin() as connection:
        row = {"key": forgotten.mark(found.wanted), "value": str(time.time())}
        connection.execute(insert(schema.meta).on_conflict_do_nothing(), row)


def _taint(parts: Parts, found: Remains) -> None:
    """What has learned of it is marked before anything goes, so that it is known whatever happens."""
    with parts.engine.begin() as connection:
        ids = [one.dataset.id for one in found.versions]
        tainting.mark(connection, "dataset", ids, found.wanted.reason)
        tainting.mark(connection, "artifact", found.artifacts, found.wanted.reason)
        tainting.mark(connection, "run", found.begun, found.wanted.reason)


def _freeze(parts: Parts, found: Remains) -> None:
    """The newest version of each name again, without the cases that go."""
    for name in sorted({one.dataset.name for one in found.versions}):
        newest, card = datasets.versions(parts.engine, name)[0], freezing.card_of(parts.config.root, name)
        if any(one.here and one.dataset.id == newest.id for one in found.versions):
            cases = datasets.load(parts.objects, newest.id)
            if rest := [case for case in cases if split_key(case) not in found.cases]:
                freezing.again(parts, newest, rest)
        if card.exists():
            case_files.replace(card, cards.markdown(datasets.find(parts.engine, name)).encode())


def _answers(parts: Parts, found: Remains) -> None:
    """Answers and labels: who asked what is known only while the cases are there."""
    table = schema.answers
    key = tuple_(table.c.variant, table.c.corpus, table.c.case, table.c.repeat)
    answers = found.quotes.answers
    for at in range(0, len(answers), BATCH):
        with parts.engine.begin() as connection:
            connection.execute(delete(table).where(key.in_(answers[at : at + BATCH])))
    _rows(parts.engine, schema.labels, found.quotes.labels)


def _notes(parts: Parts, found: Remains) -> None:
    """Checkpoints and samples of the runs that learned of it, and what adapters hold of these; their logs stay."""
    for run in found.runs:
        runs.change(parts.engine, run.id, progress=_silent(run.progress), result=_silent(run.result))
        begun.leave(parts.config.state, run.id)
    table = learning.artifacts
    with parts.engine.begin() as connection:
        told = connection.execute(select(table.c.id, table.c.meta).where(table.c.id.in_(found.artifacts))).all()
        for id_, meta in told:
            connection.execute(update(table).where(table.c.id == id_).values(meta=_silent(meta)))


def _quotes(parts: Parts, found: Remains) -> None:
    """What quotes it; the reports last, for by them it is known how a case was worded before."""
    quotes, state = found.quotes, parts.config.state
    for id_ in quotes.runs:
        quoted.purge_run(parts.engine, state, id_, quotes.words, user=found.wanted.user)
    quoted.purge_kept(state, quotes.words, quotes.texts)
    for id_ in quotes.reports:
        quoted.purge_report(parts.engine, id_, quotes.asked)


def _objects(parts: Parts, found: Remains) -> None:
    """The frozen cases themselves; their row stays, without its card, so that it is known what learned of them."""
    for one in found.versions:
        with parts.engine.begin() as connection:
            table = learning.datasets
            connection.execute(update(table).where(table.c.id == one.dataset.id).values(card={}))
        parts.objects.path(one.dataset.id).unlink(missing_ok=True)


def _suites(parts: Parts, found: Remains) -> None:
    """The files of the user's: each is rewritten whole or not at all; a suite without cases goes."""
    for one in found.files:
        if one.stay or not one.suite:
            case_files.write(one.path, one.stay)
            continue
        (parts.config.root / "suites" / f"{one.suite}.toml").unlink(missing_ok=True)
        one.path.unlink(missing_ok=True)


def _origins(parts: Parts, found: Remains) -> None:
    """No case of them is left anywhere, so nothing has to lead to them any more."""
    every = sorted(found.cases)
    with parts.engine.begin() as connection:
        for at in range(0, len(every), BATCH):
            table = learning.origins
            connection.execute(delete(table).where(table.c.case.in_(every[at : at + BATCH])))


def _sent(parts: Parts, found: Remains) -> None:
    """What a user sent to the tuning API."""
    for id_ in found.sent:
        client_files.remove(parts.engine, parts.objects, id_, key=found.wanted.user)


def _traces(parts: Parts, found: Remains) -> None:
    """Conversations, what was said, and the traces that it was said of."""
    _rows(parts.engine, schema.responses, found.responses)
    _rows(parts.engine, schema.feedback, found.feedback)
    _rows(parts.engine, schema.traces, found.traces)


def _index(parts: Parts, found: Remains) -> None:
    """The document as ingestion removes one: passages, terms and vectors; last, for all else was found by it."""
    if not found.sources:
        return
    shown = remains.shown(parts.engine, found.sources)
    ledger = parts.store.files()
    for file in sorted({remains.file_of(parts.engine, source) for source in found.sources} - {""}):
        state = ledger[file]
        known = set(parts.store.known_documents(state.id))
        if keep := known - set(found.sources):
            # other records of the same file stay, and it still counts as read
            parts.store.close_file(file, sha256=state.sha256, refusals=state.refusals, keep=keep)
        else:
            parts.store.remove_file(file)
    parts.store.tidy()
    # a service may have answered from it while it was forgotten
    for late in list(came_of.naming(parts.engine, shown, found.wanted.means)):
        with parts.engine.begin() as connection:
            connection.execute(delete(schema.feedback).where(schema.feedback.c.trace == late))
            connection.execute(delete(schema.traces).where(schema.traces.c.id == late))
    if parts.encoder.dimensions:
        parts.open_index()


def _sweep(parts: Parts, found: Remains) -> None:
    """What is kept only to save time, which a service may have kept anew meanwhile, and free pages of the database."""
    quoted.purge_kept(parts.config.state, found.quotes.words, found.quotes.texts)
    sweep(parts.engine, parts.say)


STEPS: tuple[Callable[[Parts, Remains], None], ...] = (
    _remember,
    _taint,
    _freeze,
    _answers,
    _notes,
    _quotes,
    _objects,
    _suites,
    _origins,
    _sent,
    _traces,
    _index,
    _sweep,
)


def _rows(engine: Engine, table: Table, ids: Sequence[str]) -> None:
    for at in range(0, len(ids), BATCH):
        with engine.begin() as connection:
            connection.execute(delete(table).where(table.c.id.in_(ids[at : at + BATCH])))


def _silent(told: Any) -> Any:
    """What a run tells, without the samples of what its model wrote."""
    if isinstance(told, dict):
        return {key: [] if key == "samples" else _silent(value) for key, value in told.items()}
    return told
