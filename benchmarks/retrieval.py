"""How well are the right documents found by BM25, by dense retrieval and by both, and by peers on the same documents?

    python benchmarks/retrieval.py
    python benchmarks/retrieval.py --peers       # adds LangChain with rank-bm25 and sentence-transformers: minutes

hit@5 and nDCG@10 of documents, each scored by its best passage. The peer cuts, embeds and fuses the way its own
documentation does: RecursiveCharacterTextSplitter, HuggingFaceEmbeddings, FAISS, BM25Retriever, EnsembleRetriever.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import ir_measures
from ir_measures import Success, nDCG

import peers
from gatewheel.loop.project import Project
from intervals import Interval, mean, mean_of_sets
from report import Table, parser, show
from sets import SETS, Question, document_of, documents, project, questions, with_gold

DEEP = 50  # passages looked at for ten documents
MEASURES = {"hit@5": Success @ 5, "nDCG@10": nDCG @ 10}
TABLES = """
[retriever.bm25]
use = "bm25"
[retriever.dense]
use = "dense"
[retriever.rrf]
use = "hybrid"
fusion = "rrf"
depth = 100
[retriever.minmax]
use = "hybrid"
fusion = "minmax"
depth = 100
"""
OURS = {"bm25": "BM25", "dense": "dense", "rrf": "hybrid (rrf)", "minmax": "hybrid (minmax)"}
Values = dict[str, list[float]]  # measure → a value for each question
Found = Mapping[str, Mapping[str, Values]]  # set → system → values
Find = Callable[[str], Iterable[str]]


def main() -> None:
    """Print a table per measure, and the paired differences."""
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="keep the projects here for another run")
    options.add_argument("--sets", default=",".join(SETS))
    options.add_argument("--most", type=int, default=600, help="questions of a set")
    options.add_argument("--peers", action="store_true", help="LangChain and sentence-transformers as well")
    given = options.parse_args()
    asked = {name: with_gold(questions(given.data, name, most=given.most)) for name in given.sets.split(",")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        found = {name: _measure_all(name, some, given, folder) for name, some in asked.items()}
    groups = {name: [question.group for question in some] for name, some in asked.items()}
    tables = [_table(measure, found, groups) for measure in MEASURES]
    show([*tables, _differences(found, groups)], as_json=given.json)


def _measure_all(name: str, asked: list[Question], given: argparse.Namespace, folder: Path) -> dict[str, Values]:
    with project(given.data, name, folder / name, tables=TABLES) as opened:
        out = {label: _measure(asked, _finder(opened, retriever)) for retriever, label in OURS.items()}
    if given.peers:
        theirs = peers.langchain_retrievers(documents(given.data, name), k=DEEP, cache=folder / name / "peer.npy")
        out |= {label: _measure(asked, find) for label, find in theirs.items()}
    return out


def _finder(opened: Project, retriever: str) -> Find:
    found = opened.parts.retriever(retriever)
    return lambda question: (document_of(hit.passage.source) for hit in found.retrieve(question, k=DEEP))


def _measure(asked: Sequence[Question], find: Find) -> Values:
    gold = {question.id: dict.fromkeys(question.gold, 1) for question in asked}
    run = {question.id: _falling(find(question.text)) for question in asked}
    values = {
        (metric.query_id, str(metric.measure)): float(metric.value)
        for metric in ir_measures.iter_calc(list(MEASURES.values()), gold, run)
    }
    return {
        name: [values.get((question.id, str(measure)), 0.0) for question in asked] for name, measure in MEASURES.items()
    }


def _falling(found: Iterable[str]) -> dict[str, float]:
    names = dict.fromkeys(found)
    return {name: 1 / place for place, name in enumerate(names, start=1)}


def _table(measure: str, found: Found, groups: Mapping[str, list[str]]) -> Table:
    labels = list(next(iter(found.values())))
    table = Table(title=f"{measure} of documents, with 95 % intervals", columns=("set", "questions", *labels))
    for name, systems in found.items():
        cells = [str(mean(systems[label][measure], groups[name])) for label in labels]
        table.rows.append([name, len(groups[name]), *cells])
    means = [str(_mean(found, groups, measure, label)) for label in labels]
    table.rows.append(["**mean of the sets**", sum(map(len, groups.values())), *means])
    return table


def _differences(found: Found, groups: Mapping[str, list[str]]) -> Table:
    """Each hybrid minus each other system, on the same questions."""
    table = Table(title="Difference on the same questions, mean of the sets", columns=("pair", *MEASURES))
    for ours, other in itertools.product(("hybrid (minmax)", "hybrid (rrf)"), next(iter(found.values()))):
        if other != ours:
            cells = [_signed(_mean(found, groups, measure, ours, minus=other)) for measure in MEASURES]
            table.rows.append([f"{ours} − {other}", *cells])
    return table


def _mean(found: Found, groups: Mapping[str, list[str]], measure: str, label: str, *, minus: str = "") -> Interval:
    values = {}
    for name, systems in found.items():
        theirs = systems[minus][measure] if minus else [0.0] * len(groups[name])
        values[name] = [a - b for a, b in zip(systems[label][measure], theirs, strict=True)], groups[name]
    return mean_of_sets(values)


def _signed(interval: Interval) -> str:
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


if __name__ == "__main__":
    main()
