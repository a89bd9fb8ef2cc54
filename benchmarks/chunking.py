"""Compares the chunkers with each other and with LangChain's recursive splitter, by what retrieval finds with them.

    python benchmarks/chunking.py --data ../shared/data --sizes 96,128,160,200,256 --overlaps 0,0.15

The encoder is the project's own and search is exact, so only the cutting differs; a passage is embedded with its
heading path in front where its chunker gives one. On `chunking` the gold answers are
exact spans: recall, precision and intersection over union of characters in the first 5 passages, after Smith &
Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024), and recall within a budget of tokens, which
larger passages cannot win by being larger. On the other sets: the share of questions whose page is found.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatewheel.kernel.catalog import load, names
from gatewheel.kernel.nouns import Chunk, Document
from gatewheel.kernel.ports import Chunker, Encoder, Tokens

K = 5
BUDGET = 800
Split = Callable[[Document, Tokens], Sequence[Chunk]]


@dataclass(frozen=True, slots=True)
class Cut:
    """Every passage of a set of documents: the document's number, the chunk, and the vectors of all."""

    documents: list[int]
    chunks: list[Chunk]
    vectors: Any
    seconds: float


def main() -> None:
    """Print one Markdown table per data set."""
    options = _options()
    encoder: Encoder = load("encoder", "openvino").create(load("encoder", "openvino").Settings())
    for name in options.sets.split(","):
        documents, questions = _read(options.data, name)
        print(f"\n{name}: {len(documents)} documents, {len(questions)} questions\n", flush=True)
        _print_table(documents, questions, encoder=encoder, options=options)


def _print_table(
    documents: list[Document],
    questions: list[dict[str, Any]],
    *,
    encoder: Encoder,
    options: argparse.Namespace,
) -> None:
    spans = "spans" in questions[0]
    measures = (
        [f"recall@{K}", f"precision@{K}", f"IoU@{K}", f"recall in {BUDGET} tokens"]
        if spans
        else ["hit@1", f"hit@{K}", "MRR@10", f"hit in {BUDGET} tokens"]
    )
    print("| chunker | tokens | overlap | passages | mean tokens | " + " | ".join(measures) + " | s to cut |")
    print("|---|" + "---:|" * (5 + len(measures)))
    asked = encoder.encode([question["question"] for question in questions])
    for label, size, overlap, split in _splits(options):
        cut = _cut(documents, split, encoder)
        order = np.argsort(-(asked @ cut.vectors.T), axis=1, kind="stable")[:, :100]
        judge = _judge_spans if spans else _judge_pages
        scores = np.mean(
            [judge(question, ranks, cut, documents) for question, ranks in zip(questions, order, strict=True)], axis=0
        )
        mean = np.mean([chunk.tokens for chunk in cut.chunks])
        cells = " | ".join(f"{score:.3f}" for score in scores)
        print(
            f"| {label} | {size} | {overlap} | {len(cut.chunks)} | {mean:.0f} | {cells} | {cut.seconds:.2f} |",
            flush=True,
        )


def _splits(options: argparse.Namespace) -> Iterator[tuple[str, int, int, Split]]:
    for label in options.chunkers.split(","):
        for size in map(int, options.sizes.split(",")):
            for share in map(float, options.overlaps.split(",")):
                overlap = round(size * share)
                if label == "langchain":
                    if importlib.util.find_spec("langchain_text_splitters"):
                        yield label, size, overlap, _langchain(size, overlap)
                    continue
                yield label, size, overlap, _ours(label, size, overlap)


def _ours(label: str, size: int, overlap: int) -> Split:
    module = load("chunker", label)
    chunker: Chunker = module.create(module.Settings(tokens=size, overlap=overlap))
    return lambda document, tokens: chunker.split(document, tokens=tokens)


def _langchain(size: int, overlap: int) -> Split:
    """LangChain's default splitter, given the same tokens as a measure of length."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    def split(document: Document, tokens: Tokens) -> Sequence[Chunk]:
        splitter = RecursiveCharacterTextSplitter(
            chunk_size=size, chunk_overlap=overlap, length_function=lambda text: len(tokens.starts(text))
        )
        chunks, start = [], -1
        for text in splitter.split_text(document.text):
            # add_start_index loses a passage wherever length is not counted in characters, so it is found here.
            start = document.text.index(text, start + 1)
            chunks.append(Chunk(start=start, end=start + len(text), tokens=len(tokens.starts(text))))
        return chunks

    return split


def _cut(documents: list[Document], split: Split, encoder: Encoder) -> Cut:
    begun = time.process_time()
    found = [(place, chunk) for place, document in enumerate(documents) for chunk in split(document, encoder)]
    seconds = time.process_time() - begun
    texts = [
        "\n".join(
            [*([" > ".join(chunk.headings)] if chunk.headings else []), documents[place].text[chunk.start : chunk.end]]
        )
        for place, chunk in found
    ]
    vectors = encoder.encode(texts)
    return Cut([place for place, _ in found], [chunk for _, chunk in found], vectors, seconds)


def _judge_spans(
    question: dict[str, Any], ranks: Sequence[int], cut: Cut, documents: list[Document]
) -> tuple[float, ...]:
    source = question["doc_ids"][0]
    gold = {place for start, end in question["spans"] for place in range(start, end)}

    def found(rows: Sequence[int]) -> set[int]:
        mine = (cut.chunks[row] for row in rows if documents[cut.documents[row]].source == source)
        return {place for chunk in mine for place in range(chunk.start, chunk.end)}

    first = ranks[:K]
    shared = len(gold & found(first))
    shown = sum(cut.chunks[row].end - cut.chunks[row].start for row in first)
    within = len(gold & found(_in_budget(ranks, cut)))
    return shared / len(gold), shared / shown, shared / (shown + len(gold) - shared), within / len(gold)


def _judge_pages(
    question: dict[str, Any], ranks: Sequence[int], cut: Cut, documents: list[Document]
) -> tuple[float, ...]:
    gold = set(question["doc_ids"])
    pages = [documents[cut.documents[row]].source for row in ranks]
    first = next((1 / (rank + 1) for rank, page in enumerate(dict.fromkeys(pages)) if page in gold and rank < 10), 0.0)
    within = any(page in gold for page in pages[: len(_in_budget(ranks, cut))])
    return float(pages[0] in gold), float(bool(gold & set(pages[:K]))), first, float(within)


def _in_budget(ranks: Sequence[int], cut: Cut) -> Sequence[int]:
    """The first passages that together hold at most BUDGET tokens."""
    total = np.cumsum([cut.chunks[row].tokens for row in ranks])
    return ranks[: max(1, int((total <= BUDGET).sum()))]


def _read(folder: Path, name: str) -> tuple[list[Document], list[dict[str, Any]]]:
    def rows(kind: str) -> list[dict[str, Any]]:
        with (folder / f"{name}.{kind}.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    kind = "markdown" if name.startswith("docs_") else "text"
    documents = [Document(source=row["id"], text=row["text"], format=kind, title=row["title"]) for row in rows("docs")]
    return documents, [row for row in rows("qa") if row["answerable"]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", default="chunking,docs_18f,docs_kubernetes")
    parser.add_argument("--chunkers", default=",".join([*names("chunker"), "langchain"]))
    parser.add_argument("--sizes", default="96,128,160,200,256")
    parser.add_argument("--overlaps", default="0,0.15", help="as shares of the size")
    return parser.parse_args()


if __name__ == "__main__":
    main()
