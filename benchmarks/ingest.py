"""How fast does a folder of files become searchable, here and in LlamaIndex and LangChain, at the same quality?

    python benchmarks/ingest.py                       # a quarter of the files, three rounds
    python benchmarks/ingest.py --share 1 --rounds 1  # all files once

Markdown and text files of documentation and encyclopedia, the same weights, two threads, a new process for each
measurement, the order turned every round. The clock starts after the imports; loading weights is inside it.
The quality is nDCG@10 of files by dense retrieval alone, so that only reading, cutting and encoding differ.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import ir_measures
from ir_measures import nDCG

import gatewheel as gw
import peers
from report import Table, parser, show
from sets import MARKDOWN, documents, questions, sample, with_gold

CORPORA = ("docs_kubernetes", "docs_18f", "squad")
SYSTEMS = ("Gatewheel", "LlamaIndex", "LangChain")
ASKED = 400  # questions of a set


def main() -> None:
    """Print a row for each system."""
    options = parser(__doc__)
    options.add_argument("--share", type=float, default=0.25, help="of the files")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--systems", default=",".join(SYSTEMS))
    options.add_argument("--one", nargs=2, metavar=("SYSTEM", "FOLDER"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.one:
        print(json.dumps(_measure(given.one[0], Path(given.one[1]))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        names = given.systems.split(",")
        found = _rounds(names, given, Path(temporary))
        show([_table(found, names)], as_json=given.json)


def _rounds(names: Sequence[str], given: argparse.Namespace, temporary: Path) -> dict[str, list[dict[str, Any]]]:
    files, asked = _write(given, temporary / "files")
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(given.rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            folder = temporary / f"{number}-{name}"
            shutil.copytree(files, folder / "files")
            (folder / "questions.json").write_text(json.dumps(asked))
            environment = os.environ | {"OMP_NUM_THREADS": str(peers.THREADS)}
            command = [sys.executable, __file__, "--one", name, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if done.returncode:
                raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{name}: {found[name][-1]['seconds']:.0f} s", file=sys.stderr, flush=True)
    return found


def _write(given: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The files and {"questions": {id: text}, "gold": {id: [file]}}."""
    folder.mkdir()
    text: dict[str, str] = {}
    gold: dict[str, list[str]] = {}
    for name in CORPORA:
        rows = documents(given.data, name)
        kept = {row["id"]: row for row in rows[:: round(1 / given.share)]}
        for row in kept.values():
            path = folder / _file(name, row["id"])
            path.write_text(f"{'# ' if name in MARKDOWN else ''}{row['title']}\n\n{row['text']}\n", encoding="utf-8")
        asked = [q for q in with_gold(questions(given.data, name)) if set(q.gold) <= kept.keys()]
        for question in sample(asked, ASKED):
            text[question.id] = question.text
            gold[question.id] = [_file(name, one) for one in question.gold]
    return folder, {"questions": text, "gold": gold}


def _file(name: str, id_: str) -> str:
    return id_.replace("/", "_").removesuffix(".md") + (".md" if name in MARKDOWN else ".txt")


def _measure(name: str, folder: Path) -> dict[str, Any]:
    """Ingest with one system in this process, then ask it."""
    files = sorted((folder / "files").iterdir())
    for module in IMPORTS[name]:
        importlib.import_module(module)
    start, used = time.perf_counter(), time.process_time()
    passages, find = INGEST[name](folder / "files", folder / "state")
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    return {
        "seconds": seconds,
        "cpu": cpu,
        "passages": passages,
        "documents": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "ndcg": _quality(json.loads((folder / "questions.json").read_text()), find),
    }


def _gatewheel(files: Path, state: Path) -> tuple[int, peers.Find]:
    settings = (
        f'[sources]\npaths = ["{files.name}"]\n[retriever.dense]\nuse = "dense"\n[encoder.main]\nuse = "openvino"\n'
    )
    (state.parent / "gatewheel.toml").write_text(f"{settings}threads = {peers.THREADS}\n", encoding="utf-8")
    project = gw.open(state.parent)
    done = project.ingest()
    retriever = project.parts.retriever("dense")

    def find(question: str) -> Iterable[str]:
        return (Path(hit.passage.source).name for hit in retriever.retrieve(question, k=50))

    return done.passages, find


def _quality(asked: dict[str, Any], find: peers.Find) -> float:
    gold = {id_: dict.fromkeys(files, 1) for id_, files in asked["gold"].items()}
    run = {
        id_: {name: 1 / place for place, name in enumerate(dict.fromkeys(find(text)), 1)}
        for id_, text in asked["questions"].items()
    }
    return float(ir_measures.calc_aggregate([nDCG @ 10], gold, run)[nDCG @ 10])


def _table(found: dict[str, list[dict[str, Any]]], names: Sequence[str]) -> Table:
    one = found[names[0]][0]
    size = f"{one['documents']} files, {one['bytes'] / 1e6:.2f} MB"
    title = f"Ingest of {size}, {peers.THREADS} threads, median (range) of {len(found[names[0]])}"
    columns = (
        "system",
        "seconds",
        "CPU-seconds",
        "documents/s",
        "MB/s",
        "passages/s",
        "passages",
        "peak MB",
        "nDCG@10",
    )
    table = Table(title=title, columns=(*columns, "time ÷ ours", "CPU ÷ ours"))
    ours = {key: median(row[key] for row in found[names[0]]) for key in ("seconds", "cpu")}
    for name in names:
        row = {key: median(each[key] for each in found[name]) for key in one}
        spread = "–".join(f"{pick(each['seconds'] for each in found[name]):.1f}" for pick in (min, max))
        rates = [f"{row[key] / row['seconds']:.{digits}f}" for key, digits in (("documents", 1), ("passages", 0))]
        table.rows.append(
            [
                name,
                f"{row['seconds']:.1f} ({spread})",
                f"{row['cpu']:.1f}",
                rates[0],
                f"{row['bytes'] / 1e6 / row['seconds']:.3f}",
                rates[1],
                f"{row['passages']:.0f}",
                f"{row['peak_mb']:.0f}",
                f"{row['ndcg']:.3f}",
                f"{row['seconds'] / ours['seconds']:.1f}×",
                f"{row['cpu'] / ours['cpu']:.1f}×",
            ]
        )
    return table


INGEST: dict[str, Callable[[Path, Path], tuple[int, peers.Find]]] = {
    "Gatewheel": _gatewheel,
    "LlamaIndex": peers.ingest_llamaindex,
    "LangChain": peers.ingest_langchain,
}
# imported before the clock starts
IMPORTS = {
    "Gatewheel": ("gatewheel.loop.ingest", "gatewheel.embeddings.store", "openvino"),
    "LlamaIndex": ("llama_index.core", "llama_index.embeddings.huggingface", "sentence_transformers"),
    "LangChain": ("langchain_community.vectorstores", "langchain_huggingface", "sentence_transformers", "faiss"),
}

if __name__ == "__main__":
    main()
