"""How far does the embedded model agree with people as a judge, and what do corrected judgements save?

python benchmarks/judges.py --data ../shared/data

The answers are those of MTRAG that two or three people graded from 1 to 4. Whole questions are drawn for the intervals,
since the answers to one share its difficulty; six conversations are too few to draw.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gatewheel.evals import judge_agreement, resolve
from gatewheel.evals.judge import Judge, Preferred
from gatewheel.evals.judge_agreement import Agreement, Rated
from gatewheel.evals.metrics.judge import Settings
from gatewheel.evals.statistics import ppi
from gatewheel.evals.statistics.intervals import interval
from gatewheel.kernel.config import validate
from gatewheel.kernel.nouns import Answer, Case, Message
from gatewheel.loop.plain_answer import plain_answer
from gatewheel.models import openvino
from report import Table, parser, show

SEED = 7
AT_ONCE = 16
EVIDENCE = 2000  # characters, so that a small machine is done within the hour
RUBRICS = {
    "faithfulness": "Is every claim of the answer borne out by the evidence? "
    "4: every claim. 3: nearly all. 2: some are not. 1: most are not, or it contradicts the evidence.",
    "appropriateness": "Does the answer fit the question and the conversation? "
    "4: it does what was asked. 3: mostly. 2: partly. 1: it answers something else.",
    "completeness": "Does the answer hold all that the question asks for? "
    "4: all of it. 3: nearly. 2: something important is missing. 1: most is missing.",
}
Judged = tuple[Case, Answer, dict[str, list[float]]]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--most", type=int, default=0, help="judge the answers to so many questions only; 0: all")
    options.add_argument("--reason", type=int, default=160, help="characters of reason that the judge writes first")
    options.add_argument("--criteria", nargs="+", choices=RUBRICS, default=list(RUBRICS), help="which rubrics")
    options.add_argument("--no-model", action="store_true", help="only what needs no language model")
    given = options.parse_args()
    rows = _rows(given.data)
    tables = [] if given.no_model else _agreement(_some(rows, given.most), given.criteria, given.reason)
    tables.append(_widths(rows))
    show(tables, as_json=given.json)


def _rows(data: Path) -> list[Judged]:
    lines = (data / "mtrag.docs.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {row["id"]: row["text"] for row in map(json.loads, lines)}
    made = []
    for line in (data / "mtrag_human.judge.jsonl").read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        *before, last = row["messages"]
        case = Case(
            id=row["id"],
            question=last["content"],
            history=tuple(Message(role=turn["role"], content=turn["content"]) for turn in before[-2:]),
            context="\n\n".join(texts[name] for name in row["doc_ids"])[:6000],
            cluster=f"{row['group']} {len(before)}",
        )
        made.append((case, plain_answer(row["response"]), row["human"]))
    return made


def _some(rows: Sequence[Judged], most: int) -> list[Judged]:
    """All answers to so many questions, chosen by lot."""
    questions = sorted({case.cluster for case, _, _ in rows})
    lot = random.Random(SEED).sample(questions, most) if 0 < most < len(questions) else questions
    return [row for row in rows if row[0].cluster in set(lot)]


def _agreement(rows: Sequence[Judged], criteria: Sequence[str], reason: int) -> list[Table]:
    """SmolLM2-135M-Instruct before each rubric, and before pairs of answers to one question."""
    model = openvino.create(openvino.Settings(parallel=AT_ONCE, exact=True))
    columns = ("criterion", "answers", "no verdict", "kappa", "Spearman", "person", "people, alpha", "s an answer")
    table = Table(title="SmolLM2-135M-Instruct as a judge on MTRAG, one verdict each", columns=columns)
    places = Table(
        title="Two answers to one question, asked in both orders",
        columns=("criterion", "pairs", "the same in both orders", "first place taken"),
    )
    for criterion in criteria:
        evidence = criterion == "faithfulness"
        settings = Settings(
            rubric=criterion, golden="mtrag", scale="1-4", samples=1, reason=reason, max_tokens=120, evidence=evidence
        )
        judge = Judge(settings, rubric=RUBRICS[criterion], models=lambda _: model, verdicts=_Forgetful())
        began = time.monotonic()
        some = [row for row in rows if row[2].get(criterion)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rated = list(pool.map(lambda row, judge=judge, criterion=criterion: _rated(judge, row, criterion), some))
        found = judge_agreement.agreement(rated, yes_no=False)
        table.rows.append(_row(criterion, found, (time.monotonic() - began) / max(1, len(some))))
        print(criterion, table.rows[-1], flush=True)
        if criterion == "appropriateness":
            places.rows.append([criterion, *_places(judge, some)])
            print(criterion, places.rows[-1], flush=True)
    model.close()
    return [table, places]


def _rated(judge: Judge, row: Judged, criterion: str) -> Rated:
    case, answer, human = row
    case = replace(case, context=case.context[:EVIDENCE])
    people = {str(at): grade for at, grade in enumerate(human[criterion])}
    return Rated(item=case.id, cluster=case.cluster, people=people, judged=judge.judge(case, answer).score)


def _row(criterion: str, found: Agreement, seconds: float) -> list[Any]:
    kappa = f"{found.kappa:.3f} [{found.interval.low:.3f}, {found.interval.high:.3f}]"
    alpha = f"{found.alpha:.3f} [{found.alpha_interval.low:.3f}, {found.alpha_interval.high:.3f}]"
    return [criterion, found.answers, found.silent, kappa, found.spearman, found.person, alpha, f"{seconds:.1f}"]


def _places(judge: Judge, rows: Sequence[Judged]) -> list[Any]:
    by_question: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        by_question[row[0].cluster].append(row)
    pairs: list[tuple[Case, Answer, Answer]] = []
    for answers in by_question.values():
        if len(answers) > 1:
            (case, one, _), (_, other, _) = answers[:2]
            pairs.append((case, one, other))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said: list[Preferred] = list(pool.map(lambda pair: judge.prefer(*pair), pairs))
    picks = [pick for one in said for pick in one.picks if pick in ("1", "2")]
    same = sum(bool(one.better) for one in said) / max(1, len(said))
    return [len(said), f"{same:.0%}", f"{picks.count('1') / max(1, len(picks)):.0%}"]


def _widths(rows: Sequence[Judged]) -> Table:
    """Mean faithfulness by the labels of some answers, alone and with a signal that costs nothing."""
    lexical = resolve.metric(validate({}, Path("gatewheel.toml")), "lexical-grounding")
    graded = [row for row in rows if row[0].context and row[2].get("faithfulness")]
    people = np.array([float(np.mean(human["faithfulness"])) for _, _, human in graded])
    found = [lexical.score(case, answer) for case, answer, _ in graded]
    judged = np.array([1 + 3 * float(score) if isinstance(score, float) else 4.0 for score in found])
    clusters = [case.cluster for case, _, _ in graded]
    dice, truth = np.random.default_rng(SEED), float(people.mean())
    correlation = float(np.corrcoef(people, judged)[0, 1])
    columns = ("answers labelled", "of", "labels alone", "PPI++", "width left", "judge counts", "holds the mean of all")
    title = f"Mean faithfulness, width of the 95 % interval; lexical grounding correlates {correlation:.2f} with people"
    table = Table(title=title, columns=columns)
    for n in (20, 30, 45, 60):
        widths, held = [], 0
        for _ in range(300):
            labels = np.full(len(people), np.nan)
            some = dice.choice(len(people), n, replace=False)
            labels[some] = people[some]
            names = [clusters[at] for at in some]
            alone = interval(people[some][:, None], lambda r: float(r.mean()), clusters=names, bounds=(1.0, 4.0))
            both = ppi.mean(labels, judged, clusters=clusters, bounds=(1.0, 4.0))
            widths.append([alone.high - alone.low, both.interval.high - both.interval.low, both.weight])
            held += both.interval.low <= truth <= both.interval.high
        one, other, weight = np.mean(widths, axis=0).tolist()
        table.rows.append([n, len(people), one, other, f"{other / one:.0%}", weight, f"{held / 300:.1%}"])
    return table


class _Forgetful:
    def get(self, item: str, sample: int) -> None:
        del item, sample

    def keep(self, item: str, sample: int, verdict: Any) -> None: ...


if __name__ == "__main__":
    main()
