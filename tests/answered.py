"""Reports of a suite with answers in these words, without asking anybody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Engine

from answering import answer
from gatewheel.evals.people import Side
from gatewheel.kernel.nouns import Answer, Case, Report, Scored
from gatewheel.loop import answers, reports
from gatewheel.loop.answers import Key
from gatewheel.loop.evaluate import put
from gatewheel.loop.reports import Asked, Kept


def variant(target: str) -> str:
    """The id of the variant that a target has here."""
    return hashlib.sha256(target.encode()).hexdigest()


def side(target: str, corpus: str = "") -> Side:
    return Side(variant(target), corpus)


def key(question: str) -> str:
    """What is put with a case that is nothing but a question."""
    return put(Case(id="", question=question))


def answered(
    engine: Engine,
    target: str,
    said: Mapping[str, str | Answer | None],
    *,
    corpus: str = "",
    cluster: str = "",
    created: float = 1.0,
    cases: Mapping[str, Case] = MappingProxyType({}),
) -> Kept:
    """A report of the suite exam: `said` to each question, None for a failure. The case of question q has the id q.

    `cases` are those that are more than a question.
    """
    keys = {q: put(cases[q]) if q in cases else key(q) for q in said}
    rows = []
    for question, words in said.items():
        made = answer(words) if isinstance(words, str) else words
        where = Key(variant=variant(target), corpus=corpus, case=keys[question])
        answers.keep(engine, where, made, error="" if made else "refused")
        rows.append(Scored(case=question, values={}, cluster=cluster, error="" if made else "refused"))
    report = Report(
        id=hashlib.sha256(f"{target}{corpus}{created}".encode()).hexdigest()[:32],
        created=created,
        suite="exam",
        suite_id="s" * 64,
        variant=variant(target),
        corpus=corpus,
        rows=tuple(rows),
    )
    asked = {q: Asked(question=q, expected=(f"right {q}",), key=keys[q], corpus=corpus) for q in said}
    return reports.keep(engine, Kept(report=report, target=target, run="", cases=asked))
