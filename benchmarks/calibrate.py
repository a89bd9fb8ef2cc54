"""Fits the coefficients of the checker (rag/grounding.py, rag/answerable.py) and shows what they do on held-out groups.

    python benchmarks/calibrate.py --data ../shared/data

Every `group` of the data is on one side: half of the groups fit, the other half report. Nothing here is
read at run time; the printed tables are pasted into the two modules by hand.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fitting import Row, Rows, Score, fit, interval, judge, print_table
from gatewheel.embeddings import openvino
from gatewheel.rag import answerable, grounding
from gatewheel.rag.evidence import Evidence, prepare, weights
from gatewheel.rag.sentences import sentence_spans
from gatewheel.rag.wording import read

SEMANTIC = {"similarity", "margin", "cosine"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=None, help="folder that keeps the vectors of the corpora")
    parser.add_argument("--part", choices=("support", "answerability", "both"), default="both")
    parser.add_argument("--questions", type=int, default=150, help="questions a set and half")
    args = parser.parse_args()
    lab = Lab(args.data, args.cache)
    if args.part in ("support", "both"):
        support(lab)
    if args.part in ("answerability", "both"):
        answerability(lab, args.questions)


class Lab:
    """The data, the encoder, and passages made ready once."""

    def __init__(self, data: Path, cache: Path | None) -> None:
        self.data, self.cache = data, cache
        self.encoder = openvino.create(openvino.Settings())
        self.ready: Callable[[str, str], Evidence] = lru_cache(maxsize=None)(
            lambda text, above: prepare(text, above, self.encoder)
        )

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.data / f"{name}.jsonl").open(encoding="utf-8")]


def reporting(group: object) -> bool:
    return int(hashlib.sha256(str(group).encode()).hexdigest(), 16) % 2 == 1


# --- support ---------------------------------------------------------------------------------------------------------


def support(lab: Lab) -> None:
    rows = [*_human(lab), *_drafts(lab)]
    names = list(rows[0].features)
    held = [row for row in rows if row.reporting]
    for title, used in (("COEFFICIENTS", names), ("WITHOUT_ENCODER", [n for n in names if n not in SEMANTIC])):
        table = fit([row for row in rows if not row.reporting], used)
        print_table(title, table)
        for kind in dict.fromkeys(row.kind for row in held):
            some = [row for row in held if row.kind == kind]
            ours, plain = interval(some, judge(table)), interval(some, lambda row: row.features["coverage"])
            print(f"{kind:10s} n {len(some):4d}  AUROC {ours}  coverage alone {plain}")
            _cuts(some, judge(table))


def _cuts(rows: Rows, score: Score) -> None:
    """What a threshold keeps of the supported, lets pass of the unsupported, and how much of what passes is wrong."""
    for cut in (0.5, 0.6, 0.7, 0.8, 0.9):
        right = [score(row) >= cut for row in rows if row.label]
        wrong = [score(row) >= cut for row in rows if not row.label]
        share = sum(wrong) / max(1, sum(wrong) + sum(right))
        print(f"    cut {cut}: keeps {np.mean(right):.2f}, lets pass {np.mean(wrong):.2f}; {share:.2f} of it is wrong")


def _human(lab: Lab) -> Iterable[Row]:
    """Human labels: dialogue turns, answers to questions, claims about abstracts, whole answers of chat models."""
    for row in lab.rows("faithdial_audit.hallu"):
        if row["meta"]["begin"].lower() not in ("generic", "uncooperative", "entailment,hallucination"):
            yield _row(lab, "faithdial", row["response"], [row["context"]], not row["hallucinated"], row["group"])
    for row in lab.rows("halueval_qa.hallu"):
        yield _row(lab, "halueval", row["response"], [row["context"]], not row["hallucinated"], row["group"])
    abstracts = {row["id"]: row["text"] for row in lab.rows("scifact.docs")}
    for row in lab.rows("scifact.claims"):
        texts = [abstracts[i] for i in row["doc_ids"]]
        yield _row(lab, "scifact", row["question"], texts, row["verdict"] == "SUPPORT", row["group"])
    passages = {row["id"]: row["text"] for row in lab.rows("mtrag.docs")}
    for row in lab.rows("mtrag_human.judge"):
        score = float(np.mean(row["human"]["faithfulness"]))
        texts = [passages[i] for i in row["doc_ids"]]
        if texts and (score >= 3.5 or score < 3):
            yield _row(lab, "mtrag", row["response"], texts, score >= 3.5, row["group"])


def _drafts(lab: Lab) -> Iterable[Row]:
    """Long-form answers against their passage, and made wrong: a number, a name, a negation, another's answer."""
    dice = random.Random(11)
    passages = {row["id"]: row["text"] for row in lab.rows("clapnq.docs")}
    texts = [(row["text"], row["group"]) for row in dice.sample(lab.rows("squad.docs"), 150)]
    pairs = [
        (row["answers"][0], passages[row["doc_ids"][0]], row["group"])
        for row in lab.rows("clapnq.qa")
        if row["answers"]
    ]
    claims = [(answer[a:b], text, group) for answer, text, group in pairs for a, b in sentence_spans(answer)]
    for text, group in texts:
        spans = sentence_spans(text)
        a, b = dice.choice(spans)
        claims.append((_shortened(text[a:b], dice), text, group))
    for claim, text, group in claims:
        if len(read(claim).content) < 3:
            continue
        yield _row(lab, "answers", claim, [text], True, group)
        wrong = [made for made in (_wrong_number(claim, dice), _wrong_name(claim, text, dice), _negated(claim)) if made]
        other = dice.choice(claims)
        wrong += [other[0]] if other[1] != text else []
        if wrong:
            yield _row(lab, "answers", dice.choice(wrong), [text], False, group)


def _shortened(sentence: str, dice: random.Random) -> str:
    parts = sentence.split(", ")
    return sentence if len(parts) < 2 or dice.random() < 0.5 else ", ".join(parts[: max(1, len(parts) - 1)]) + "."


def _wrong_number(claim: str, dice: random.Random) -> str:
    found = list(re.finditer(r"\d+", claim))
    if not found:
        return ""
    at = dice.choice(found)
    return claim[: at.start()] + str(int(at.group()) + dice.choice((1, 2, 5, 10, 100))) + claim[at.end() :]


def _wrong_name(claim: str, text: str, dice: random.Random) -> str:
    names = [m for m in re.finditer(r"(?<=[a-z] )[A-Z][a-z]{3,}", claim)]
    others = sorted({m.group() for m in re.finditer(r"(?<=[a-z] )[A-Z][a-z]{3,}", text)} - set(claim.split()))
    if not names or not others:
        return ""
    at = dice.choice(names)
    return claim[: at.start()] + dice.choice(others) + claim[at.end() :]


def _negated(claim: str) -> str:
    made = re.sub(r"\b(is|are|was|were|can|could|has|have|will|would)\b(?! not)", r"\1 not", claim, count=1)
    return "" if made == claim else made


def _row(lab: Lab, kind: str, claim: str, texts: Sequence[str], label: bool, group: str) -> Row:
    """The best window of each sentence by coverage, run and cosine; a claim is as good as its mean sentence."""
    evidence = [lab.ready(text, "") for text in texts]
    weight = weights(evidence)
    parts = [claim[a:b] for a, b in sentence_spans(claim)]
    seen = []
    for part, vector in zip(parts, lab.encoder.encode(parts), strict=True):
        wording = read(part)
        windows = [
            grounding.features(wording, window, piece, weight, cosine)
            for piece in evidence
            for window, cosine in zip(piece.windows, piece.cosines(vector), strict=True)
        ]
        seen.append(max(windows, key=lambda f: f["coverage"] + f["run"] + f["cosine"] - f["numbers"]))
    mean = {name: float(np.mean([each[name] for each in seen])) for name in seen[0]}
    return Row(kind, bool(label), reporting(group), mean)


# --- answerability ---------------------------------------------------------------------------------------------------

ANSWERED = (("squad", True), ("squad", False), ("clapnq", True), ("clapnq", False), ("nq", True), ("docs_18f", True))
ELSEWHERE = (("squad", "docs_18f"), ("docs_18f", "squad"), ("nq", "docs_kubernetes"), ("nq", "squad"),
             ("docs_18f", "docs_kubernetes"), ("nq", "clapnq"))  # fmt: skip


class Corpus:
    """Passages of a document set with a plain hybrid search: BM25 and cosine, each scaled to 0..1, added."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        docs = lab.rows(f"{name}.docs")
        cut = name.startswith("docs_")
        self.passages = [(d["id"], d["title"], t) for d in docs for t in (_chunks(d["text"]) if cut else [d["text"]])]
        kept = lab.cache / f"emb_{name}.npy" if lab.cache else None
        if kept and kept.exists():
            self.vectors = np.load(kept)
        else:
            self.vectors = lab.encoder.encode([f"{title}\n{text}" for _, title, text in self.passages])
            if kept:
                np.save(kept, self.vectors)
        self.postings: dict[str, dict[int, int]] = {}
        for row, (_, title, text) in enumerate(self.passages):
            for stem, count in Counter(read(f"{title} {text}").content).items():
                self.postings.setdefault(stem, {})[row] = count
        length = np.zeros(len(self.passages))
        for held in self.postings.values():
            length[list(held)] += list(held.values())
        self.norm = 0.25 + 0.75 * length / length.mean()

    def search(self, question: str, vector: np.ndarray, k: int = 5) -> list[tuple[int, float]]:
        words = np.zeros(len(self.passages))
        for held in (self.postings[s] for s in read(question).content if s in self.postings):
            rows, counts = np.array(list(held)), np.array(list(held.values()))
            idf = np.log(1 + (len(words) - len(held) + 0.5) / (len(held) + 0.5))
            words[rows] += idf * counts * 2.2 / (counts + 1.2 * self.norm[rows])
        cosine = self.vectors @ vector
        both = words / (words.max() or 1) + (cosine - cosine.min()) / np.ptp(cosine)
        return [(int(row), float(cosine[row])) for row in np.argsort(-both)[:k]]


def _chunks(text: str, size: int = 900) -> list[str]:
    out: list[str] = []
    held = ""
    for paragraph in re.split(r"\n\s*\n", text):
        while len(paragraph) > 1400:
            at = paragraph.rfind(" ", 0, 1200)
            at = at if at > 0 else 1200
            out.append((held + "\n\n" + paragraph[:at]).strip())
            held, paragraph = "", paragraph[at:]
        if held and len(held) + len(paragraph) > size:
            out.append(held)
            held = paragraph
        else:
            held = (held + "\n\n" + paragraph).strip()
    return [*out, held] if held else out


def answerability(lab: Lab, count: int) -> None:
    corpora = {n: Corpus(lab, n) for n in ("squad", "clapnq", "nq", "docs_18f", "docs_kubernetes")}
    jobs = [(f"{n}{'+' if y else '-'}", n, n, y) for n, y in ANSWERED]
    jobs += [(f"{a}>{b}", a, b, False) for a, b in ELSEWHERE]
    rows: Rows = []
    missed: Counter[str] = Counter()
    for kind, asked, corpus, label in jobs:
        wanted = label or ">" in kind
        pool = [r for r in lab.rows(f"{asked}.qa") if r["answerable"] == wanted]
        random.Random(3).shuffle(pool)
        for half in (False, True):
            for row in [r for r in pool if reporting(r["group"]) == half][:count]:
                found, seen = _asked(lab, corpora[corpus], row)
                if label and not found:
                    missed[kind] += 1
                else:
                    rows.append(Row(kind, label, half, seen))
    print("answerable but the document was not among the five passages (left out):", dict(missed))
    names = list(rows[0].features)
    for title, used in (("COEFFICIENTS", names), ("WITHOUT_ENCODER", [n for n in names if n not in SEMANTIC])):
        table = fit([row for row in rows if not row.reporting], used)
        print_table(title, table)
        held = [row for row in rows if row.reporting]
        for name in ("squad", "clapnq"):
            some = [row for row in held if row.kind in (f"{name}+", f"{name}-")]
            print(f"{name} answerable or not: n {len(some)} AUROC {interval(some, judge(table))}")
        for cut in (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5):
            shares = {kind: np.mean([judge(table)(r) < cut for r in held if r.kind == kind]) for kind, *_ in jobs}
            print(f"refused below {cut}:", "  ".join(f"{kind} {share:.2f}" for kind, share in shares.items()))
    print("n reporting:", dict(Counter(row.kind for row in rows if row.reporting)))


def _asked(lab: Lab, corpus: Corpus, row: dict[str, Any]) -> tuple[bool, dict[str, float]]:
    vector = lab.encoder.encode([row["question"]])[0]
    hits = corpus.search(row["question"], vector)
    evidence = [lab.ready(corpus.passages[i][2], corpus.passages[i][1]) for i, _ in hits]
    found = any(corpus.passages[i][0] in row["doc_ids"] for i, _ in hits)
    return found, answerable.features(row["question"], vector, evidence, [cosine for _, cosine in hits])


if __name__ == "__main__":
    main()
