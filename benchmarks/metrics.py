"""Proves the metrics equal to their references on the development sets, times them, and shows what grounding tells.

python benchmarks/metrics.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import string
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibrate import reporting
from fitting import over_groups
from gatewheel.embeddings import openvino
from gatewheel.evals import resolve
from gatewheel.kernel.config import Config, validate
from gatewheel.kernel.nouns import Answer, Case, Hit, Passage, Usage
from gatewheel.kernel.ports import Metric
from gatewheel.rag import grounding

SEED = 7
Pairs = list[tuple[Case, Answer]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    encoder = openvino.create(openvino.Settings())
    checker = grounding.create(grounding.Settings(), encoder=encoder)
    config = validate({}, Path("gatewheel.toml"))
    parts = {"encoder": encoder, "checker": checker}
    squad = list(_questions(data))
    _equality(config, squad, list(_long(data)))
    _speed(config, squad[:500], parts)
    _signals(config, data, parts)


def _rows(data: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / f"{name}.jsonl").open(encoding="utf-8")]


def _answer(text: str, sources: Sequence[str] = (), texts: Sequence[str] = (), *, abstained: bool = False) -> Answer:
    passages = tuple(
        Hit(passage=Passage(id=source, source=source, span=(0, len(words)), text=words), score=1.0)
        for source, words in zip(sources, texts or [""] * len(sources), strict=True)
    )
    return Answer(
        answer=text,
        abstained=abstained,
        citations=(),
        passages=passages,
        sentences=(),
        usage=Usage(),
        seconds=0.0,
        variant="",
        trace=None,
    )


def _questions(data: Path) -> Iterator[tuple[Case, Answer]]:
    """SQuAD's questions with answers of every kind: right, dressed up, of another question, a sentence, silence."""
    dice = random.Random(SEED)
    texts = {row["id"]: row["text"] for row in _rows(data, "squad.docs")}
    rows = _rows(data, "squad.qa")
    golds = [row["answers"][0] for row in rows if row["answers"]]
    names = sorted(texts)
    for row in rows:
        gold = (row["answers"] or [dice.choice(golds)])[-1]
        sentence = texts[row["doc_ids"][0]].split(". ")[0]
        kinds = [gold, f"The {gold.upper()}!", dice.choice(golds), sentence, f"It was {gold}.", ""]
        found = dice.sample(names, 20)
        if dice.random() < 0.7:
            found.insert(dice.randrange(20), row["doc_ids"][0])
        case = Case(
            id=row["id"],
            question=row["question"],
            references=tuple(row["answers"]),
            answerable=row["answerable"],
            sources=tuple(row["doc_ids"]),
        )
        yield case, _answer(dice.choice(kinds), found, [texts[name] for name in found])


def _long(data: Path) -> Iterator[tuple[Case, Answer]]:
    """CLAP NQ's long answers, with its passages' words or parts of the answer itself for answers."""
    dice = random.Random(SEED)
    texts = {row["id"]: row["text"] for row in _rows(data, "clapnq.docs")}
    for row in _rows(data, "clapnq.qa"):
        if row["answers"]:
            kinds = [texts[row["doc_ids"][0]][:300], row["answers"][0], row["answers"][0][: dice.randrange(200)], ""]
            yield (
                Case(id=row["id"], question=row["question"], references=tuple(row["answers"])),
                _answer(dice.choice(kinds)),
            )


# --- equality ---


def _equality(config: Config, squad: Pairs, long: Pairs) -> None:
    """The greatest difference from each reference."""
    print(f"{len(squad)} questions of SQuAD, {len(long)} long answers of CLAP NQ: greatest difference")
    for name, compare in (("exact-match", _exact), ("token-f1", _f1)):
        ours, theirs = resolve.metric(config, name), []
        for case, answer in squad:
            golds = [text for text in case.references if _normal(text)] if case.answerable else []
            theirs.append(max(compare(gold, answer.answer) for gold in golds or [""]))
        _difference(name, [_one(ours, *pair) for pair in squad], theirs)
    _summaries(config, long)
    _rankings(config, squad)


def _summaries(config: Config, long: Pairs) -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    for name, kind in (("rouge-1", "rouge1"), ("rouge-2", "rouge2"), ("rouge-l", "rougeL")):
        scorer, ours = RougeScorer([kind]), resolve.metric(config, name)
        theirs = [max(scorer.score(ref, a.answer)[kind].fmeasure for ref in c.references) for c, a in long]
        _difference(name, [_one(ours, *pair) for pair in long], theirs)
    most = max(len(case.references) for case, _ in long)
    streams = [[(*case.references, *[None] * most)[at] for case, _ in long] for at in range(most)]
    for name, reference in (("bleu", BLEU()), ("chrf", CHRF())):
        ours = resolve.metric(config, name)
        figure = ours.figure(np.array([ours.score(*pair) for pair in long], np.float64))
        score = reference.corpus_score([answer.answer for _, answer in long], streams).score  # type: ignore[arg-type]
        _difference(name, [figure], [score])


def _rankings(config: Config, squad: Pairs) -> None:
    import ir_measures
    from ir_measures import AP, RR, R, Success, nDCG

    judged = {case.id: dict.fromkeys(case.sources, 1) for case, _ in squad}
    run: dict[str, dict[str, float]] = {}
    for case, answer in squad:
        sources = dict.fromkeys(hit.passage.source for hit in answer.passages)
        run[case.id] = {source: -float(at) for at, source in enumerate(sources)}
    for name, measure in (
        ("hit", Success @ 10),
        ("recall", R @ 10),
        ("mrr", RR @ 10),
        ("ndcg", nDCG @ 10),
        ("map", AP @ 10),
    ):
        theirs = {one.query_id: one.value for one in ir_measures.iter_calc([measure], judged, run)}
        ours = resolve.metric(config, name)
        _difference(name, [_one(ours, *pair) for pair in squad], [theirs[case.id] for case, _ in squad])


def _difference(name: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
    apart = np.abs(np.array(ours) - np.array(theirs))
    print(f"{name:12s} {apart.max():.1e}   (figure {np.mean(ours):.4f})")


def _one(metric: Metric, case: Case, answer: Answer) -> float:
    found = metric.score(case, answer)
    assert isinstance(found, float), (case.id, found)
    return found


# the rules of evaluate-v2.0.py, once more and apart from ours
def _normal(text: str) -> str:
    lower = "".join(sign for sign in text.lower() if sign not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", lower).split())


def _exact(gold: str, said: str) -> float:
    return float(_normal(gold) == _normal(said))


def _f1(gold: str, said: str) -> float:
    right, given = _normal(gold).split(), _normal(said).split()
    same = sum((collections.Counter(right) & collections.Counter(given)).values())
    if not right or not given:
        return float(right == given)
    if same == 0:
        return 0.0
    precision, recall = same / len(given), same / len(right)
    return 2 * precision * recall / (precision + recall)


# --- speed ---


def _speed(config: Config, pairs: Pairs, parts: dict[str, Any]) -> None:
    names = (
        "exact-match token-f1 inclusion rouge-1 rouge-l bleu chrf ndcg lexical-grounding faithfulness answer-relevance"
    )
    print("\nmilliseconds a case (21 passages), and to make the metric")
    for name in names.split():
        start = time.perf_counter()
        metric = resolve.metric(config, name, **parts)
        made = time.perf_counter() - start
        some = pairs[:30] if name == "faithfulness" else pairs
        start = time.perf_counter()
        for case, answer in some:
            metric.score(case, answer)
        print(f"{name:18s} {1000 * (time.perf_counter() - start) / len(some):8.3f}   {made:.2f} s")


# --- what grounding tells ---


def _signals(config: Config, data: Path, parts: dict[str, Any]) -> None:
    """AUROC against people's labels, with the length of the answer as a control: the shorter, the righter."""
    print("\nAUROC [95 % over groups] of: all lexical grounding, length; held out: lexical grounding, faithfulness")
    lexical = resolve.metric(config, "lexical-grounding")
    faithful = resolve.metric(config, "faithfulness", **parts)
    for name, rows in _labelled(data).items():
        groups = [group for group, _, _ in rows]
        labels = np.array([label for _, label, _ in rows])
        held = np.array([reporting(group) for group in groups])
        scores = {
            "lexical": _filled([lexical.score(*pair) for _, _, pair in rows]),
            "shortness": np.array([-float(len(answer.answer)) for _, _, (_, answer) in rows]),
        }
        print(f"{name:10s} n {len(rows)}, {labels.sum()} supported")
        for signal, numbers in scores.items():
            print(f"    {signal:12s} {over_groups(numbers, labels, groups)}")
        kept = [row for row, keep in zip(rows, held, strict=True) if keep]
        some = [group for group, _, _ in kept]
        for signal, metric in (("lexical", lexical), ("faithfulness", faithful)):
            score = [metric.score(*pair) for _, _, pair in kept]
            print(f"    held out, {signal:12s} n {len(kept)} {over_groups(_filled(score), labels[held], some)}")


def _labelled(data: Path) -> dict[str, list[tuple[str, bool, tuple[Case, Answer]]]]:
    found: dict[str, list[tuple[str, bool, tuple[Case, Answer]]]] = {"faithdial": [], "halueval": [], "mtrag": []}
    for name, file in (("faithdial", "faithdial_audit.hallu"), ("halueval", "halueval_qa.hallu")):
        for row in _rows(data, file):
            if str(row["meta"].get("begin")).lower() in ("generic", "uncooperative", "entailment,hallucination"):
                continue
            case = Case(id=row["id"], question=row["question"], context=row["context"])
            found[name].append((str(row["group"]), not row["hallucinated"], (case, _answer(row["response"]))))
    texts = {row["id"]: row["text"] for row in _rows(data, "mtrag.docs")}
    for row in _rows(data, "mtrag_human.judge"):
        score = float(np.mean(row["human"]["faithfulness"]))
        if row["doc_ids"] and (score >= 3.5 or score < 3):
            answer = _answer(row["response"], row["doc_ids"], [texts[doc] for doc in row["doc_ids"]])
            case = Case(id=row["id"], question=row["messages"][-1]["content"])
            found["mtrag"].append((row["group"], score >= 3.5, (case, answer)))
    return found


def _filled(scores: Sequence[float | tuple[float, ...] | None]) -> np.ndarray:
    """An answer without a content word claims nothing: it counts as grounded."""
    return np.array([1.0 if score is None else score for score in scores], np.float64)


if __name__ == "__main__":
    main()
