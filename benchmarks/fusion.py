"""Which fusion of BM25 and dense retrieval, at what weight and depth, and how much should a heading weigh?

    python benchmarks/fusion.py

Half of the groups of every set choose, the other half tell. The measure is nDCG@10 of documents, mean over the sets.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import ir_measures
from ir_measures import nDCG

from gatewheel.embeddings import textsearch
from gatewheel.loop.project import Project
from gatewheel.retrieval.hybrid import Settings, fuse
from intervals import mean_of_sets
from report import Table, parser, show
from sets import SEED, SETS, Question, document_of, project, questions, with_gold

DEPTHS = (20, 50, 100)
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7)
HEADINGS = (0.25, 0.5, 1.0, 2.0, 4.0)
COMMON = (0.25, 1.0)  # 1.0 keeps every term of the question
Ranking = list[tuple[int, float]]
Scores = dict[str, float]


def main() -> None:
    """Print the settings from best to worst on the half that chooses, with what the other half says."""
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="keep the projects here for another run")
    options.add_argument("--sets", default=",".join(SETS))
    options.add_argument("--most", type=int, default=600, help="questions of a set")
    options.add_argument("--show", type=int, default=5, help="settings of each family, best first")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found: dict[str, dict[str, Scores]] = {}
        asked = {name: with_gold(questions(given.data, name, most=given.most)) for name in given.sets.split(",")}
        for name, some in asked.items():
            with project(given.data, name, (given.folder or Path(temporary)) / name) as opened:
                found[name] = dict(_sweep(opened, some))
    show([_table(found, asked, most=given.show)], as_json=given.json)


def _sweep(opened: Project, asked: list[Question]) -> Iterator[tuple[str, Scores]]:
    """Label of a setting → nDCG@10 of each question."""
    deepest = max(DEPTHS)
    search = opened.parts.search
    encoded = opened.parts.encoder.encode([question.text for question in asked])
    dense = {q.id: search.by_vector(row, k=deepest) for q, row in zip(asked, encoded, strict=True)}
    source = {hit: p.source for rows in dense.values() for hit, p in search.fetch([r for r, _ in rows]).items()}
    yield "dense", _score({id_: _documents(dict(found), source) for id_, found in dense.items()}, asked)
    for heading, common in itertools.product(HEADINGS, COMMON):
        textsearch.HEADING_WEIGHT, textsearch.COMMON = heading, common
        terms = {q.id: search.by_terms(q.text, k=deepest) for q in asked}
        source |= {hit: p.source for rows in terms.values() for hit, p in search.fetch([r for r, _ in rows]).items()}
        words = f"heading {heading}, common {common}"
        yield f"bm25, {words}", _score({id_: _documents(dict(found), source) for id_, found in terms.items()}, asked)
        for fusion, depth, weight in itertools.product(("rrf", "minmax"), DEPTHS, WEIGHTS):
            settings = Settings(fusion=fusion, depth=depth, dense_weight=weight)
            fused = {
                id_: _documents(fuse({"bm25": terms[id_][:depth], "dense": dense[id_][:depth]}, settings), source)
                for id_ in terms
            }
            yield f"{fusion}, dense {weight}, depth {depth}, {words}", _score(fused, asked)


def _documents(scores: Mapping[int, float], source: Mapping[int, str]) -> Scores:
    """Documents by their best passage."""
    best: Scores = {}
    for row, score in scores.items():
        name = document_of(source[row])
        best[name] = max(score, best.get(name, score))
    return best


def _score(run: Mapping[str, Scores], asked: list[Question]) -> Scores:
    gold = {question.id: dict.fromkeys(question.gold, 1) for question in asked}
    return {metric.query_id: metric.value for metric in ir_measures.iter_calc([nDCG @ 10], gold, run)}


def _chooses(question: Question) -> bool:
    return hashlib.blake2b(f"{SEED}{question.group}".encode(), digest_size=1).digest()[0] < 128


def _table(found: Mapping[str, Mapping[str, Scores]], asked: Mapping[str, list[Question]], *, most: int) -> Table:
    title = "Fusion: nDCG@10, mean over the sets with its 95 % interval"
    table = Table(title=title, columns=("setting", "chooses", "tells"))
    for label in next(iter(found.values())):
        halves = []
        for half in (True, False):
            some = {name: [q for q in rows if _chooses(q) == half] for name, rows in asked.items()}
            values = {
                name: ([found[name][label].get(q.id, 0.0) for q in rows], [q.group for q in rows])
                for name, rows in some.items()
                if rows
            }
            halves.append(mean_of_sets(values))
        table.rows.append([label, halves[0].mean, str(halves[1])])
    table.rows.sort(key=lambda row: -row[1])
    seen: Counter[str] = Counter()
    for row in list(table.rows):
        family = row[0].partition(",")[0]
        seen[family] += 1
        if seen[family] > most:
            table.rows.remove(row)
    return table


if __name__ == "__main__":
    main()
