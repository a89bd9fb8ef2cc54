"""How good are the answers of the embedded model: right words, supported citations, honest abstentions?

    python benchmarks/answers.py
    python benchmarks/answers.py --most 40 --examples answers.jsonl

Half of the questions of a set are answerable and half are not, where it has both. Exact match, F1 and inclusion follow
SQuAD (Rajpurkar et al. 2016) and count an abstention as a wrong answer. A citation supports its sentence when
the quote is in the document word for word, holds all of the sentence's numbers and most of its content words: a check
by words that shares no code with the product's own.
"""

from __future__ import annotations

import argparse
import json
import re
import string
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gatewheel.kernel.nouns import Answer
from gatewheel.loop.project import Project
from intervals import mean
from report import Table, parser, show
from sets import Question, document_of, project, questions, sample

SETS = ("squad", "nq", "clapnq", "mtrag")
COVERED = 0.6  # of a sentence's content words must be in its quote
STOP = frozenset(
    "a about after all also an and any are as at be been but by can did do does for from had has have he her his how i "
    "if in into is it its may more most no not of on one or other our out s she so some such than that the their them "
    "then there these they this to two up was we were what when where which who will with would you your".split()
)
_MARK = re.compile(r"\s*\[\d+\]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what came back."""

    question: Question
    answer: Answer
    supported: bool
    gold: bool

    @property
    def plain(self) -> str:
        """The answer without its markers; nothing for an abstention."""
        return "" if self.answer.abstained else _MARK.sub("", self.answer.answer)


def main() -> None:
    """Print one table for the answers and one for the abstentions."""
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="keep the projects here for another run")
    options.add_argument("--sets", default=",".join(SETS))
    options.add_argument("--most", type=int, default=150, help="questions of a set")
    options.add_argument("--examples", type=Path, help="write every question with its answer here, JSON Lines")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = {
            name: _ask_all(name, given, (given.folder or Path(temporary)) / name) for name in given.sets.split(",")
        }
    show([_answers(found), _abstentions(found)], as_json=given.json)


def _ask_all(name: str, given: argparse.Namespace, folder: Path) -> list[Asked]:
    every = questions(given.data, name)
    yes, no = ([q for q in every if q.answerable == side] for side in (True, False))
    some = sample(yes, given.most - min(len(no), given.most // 2)) + sample(no, given.most // 2)
    out = []
    with project(given.data, name, folder) as opened:
        for number, question in enumerate(some, start=1):
            out.append(_judge(question, opened.ask(question.text), opened))
            if given.examples:
                _write(given.examples, name, out[-1])
            if number % 10 == 0:
                print(f"{name}: {number} of {len(some)}", file=sys.stderr, flush=True)
    return out


def _judge(question: Question, answer: Answer, opened: Project) -> Asked:
    quotes = {citation.n: citation.quote for citation in answer.citations}
    exact = all(
        (document := opened.document(citation.source)) and document.text[slice(*citation.span)] == citation.quote
        for citation in answer.citations
    )
    said = [sentence for sentence in answer.sentences if sentence.supported]
    supported = exact and all(_supports(quotes.get(sentence.citation or 0, ""), sentence.text) for sentence in said)
    gold = bool(answer.citations) and all(document_of(c.source) in question.gold for c in answer.citations)
    return Asked(question, answer, bool(said) and supported, gold)


def _supports(quote: str, sentence: str) -> bool:
    claimed, held = _content(_MARK.sub("", sentence)), _content(quote)
    numbers = {word for word in claimed if word.isdigit()}
    return bool(claimed) and numbers <= held and len(claimed & held) >= COVERED * len(claimed)


def _content(text: str) -> set[str]:
    """Content words, cut to six letters so that most inflections agree."""
    return {word[:6] for word in _WORD.findall(text.lower()) if word not in STOP}


def exact_match(answer: str, golden: Sequence[str]) -> float:
    """SQuAD's exact match."""
    return float(any(normal(answer) == normal(gold) for gold in golden))


def token_f1(answer: str, golden: Sequence[str]) -> float:
    """SQuAD's F1 of words, against the golden answer that fits best."""
    return max((_f1(normal(answer).split(), normal(gold).split()) for gold in golden), default=0.0)


def includes(answer: str, golden: Sequence[str]) -> float:
    """Whether some golden answer stands in the answer as whole words."""
    return float(any(f" {normal(gold)} " in f" {normal(answer)} " for gold in golden))


def normal(text: str) -> str:
    """SQuAD's normal form: lower case, no punctuation, no articles, single spaces."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def _f1(ours: list[str], gold: list[str]) -> float:
    same = sum((Counter(ours) & Counter(gold)).values())
    return 2 * same / (len(ours) + len(gold)) if same else 0.0


def _answers(found: dict[str, list[Asked]]) -> Table:
    columns = ("set", "answerable", "exact match", "F1", "inclusion", "answered", "F1 of answered")
    title = "Answers to answerable questions, with 95 % intervals"
    table = Table(title=title, columns=(*columns, "every citation supports", "every citation is gold", "seconds"))
    for name, rows in found.items():
        open_ = [row for row in rows if row.question.answerable]
        said = [row for row in open_ if not row.answer.abstained]
        table.rows.append(
            [
                name,
                len(open_),
                _mean(open_, lambda row: exact_match(row.plain, row.question.answers)),
                _mean(open_, lambda row: token_f1(row.plain, row.question.answers)),
                _mean(open_, lambda row: includes(row.plain, row.question.answers)),
                _mean(open_, lambda row: float(not row.answer.abstained)),
                _mean(said, lambda row: token_f1(row.plain, row.question.answers)),
                _mean([row for row in rows if not row.answer.abstained], lambda row: float(row.supported)),
                _mean(said, lambda row: float(row.gold)),
                f"{median(row.answer.seconds for row in rows):.1f}",
            ]
        )
    return table


def _abstentions(found: dict[str, list[Asked]]) -> Table:
    columns = ("set", "unanswerable", "recall", "precision", "answerable refused")
    table = Table(title="Abstention, with 95 % intervals", columns=columns)
    for name, rows in found.items():
        closed = [row for row in rows if not row.question.answerable]
        table.rows.append(
            [
                name,
                len(closed),
                _mean(closed, lambda row: float(row.answer.abstained)),
                _mean([r for r in rows if r.answer.abstained], lambda row: float(not row.question.answerable)),
                _mean([r for r in rows if r.question.answerable], lambda row: float(row.answer.abstained)),
            ]
        )
    return table


def _mean(rows: Sequence[Asked], value: Callable[[Asked], float]) -> str:
    return str(mean([value(row) for row in rows], [row.question.group for row in rows])) if rows else "–"


def _write(path: Path, name: str, row: Asked) -> None:
    line = {
        "set": name,
        "question": row.question.text,
        "answers": row.question.answers,
        "answer": row.answer.answer,
        "draft": row.answer.draft,
        "abstained": row.answer.abstained,
        "quotes": [citation.quote for citation in row.answer.citations],
        "supported": row.supported,
        "gold": row.gold,
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
