"""What do signals of faithfulness tell on answers that people judged, and how far did these people agree?

    python benchmarks/faithful.py [--signals …] [--most N] [--threads 2] [--keep FILE]

AUROC with its 95 % interval over groups (BCa). The checker was fitted on half of the groups (benchmarks/calibrate.py),
so its figures are those of the other half. A combination is a logistic regression as `gatewheel evals calibrate` makes
it, each answer scored by weights that were fitted without its fold.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibrate import reporting
from gatewheel.embeddings import openvino
from gatewheel.evals import resolve
from gatewheel.evals.calibration import Labelled, auroc, cross_validated, told
from gatewheel.evals.statistics.agreement import krippendorff, krippendorff_interval
from gatewheel.evals.statistics.intervals import Interval, bootstrap
from gatewheel.kernel.config import validate
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.models import openvino as engine
from gatewheel.rag import grounding
from gatewheel.rag.sentences import sentence_spans
from metrics import SEED, _labelled
from report import Table, parser, show

NAMES = ("lexical-grounding", "token-precision", "evidence-gain", "faithfulness")
FITTED = "faithfulness"  # on half of the groups
EVERY = 4  # answers, after which the numbers are kept
Rows = list[tuple[str, bool, tuple[Case, Answer]]]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--signals", default=",".join(NAMES), help="names of metrics with commas between them")
    options.add_argument("--most", type=int, default=0, help="so many answers of a set, drawn by lot; 0: all")
    options.add_argument("--threads", type=int, default=0, help="of the models; 0: every core")
    options.add_argument("--keep", type=Path, default=None, help="file that keeps the numbers of the signals")
    args = options.parse_args()
    names = args.signals.split(",")
    sets = {title: _drawn(rows, args.most) for title, rows in _labelled(args.data).items()}
    scores = _scores(sets, names, args.threads, args.keep)
    tables = [_agreement(args.data), _single(sets, scores, names), _together(sets, scores, names), _cost(scores, names)]
    show(tables, as_json=args.json)


def _drawn(rows: Rows, most: int) -> Rows:
    """All in an order of chance, or the first ones of it: fewer are among more."""
    order = random.Random(SEED).sample(range(len(rows)), len(rows))
    return [rows[at] for at in order[: most or None]]


def _scores(sets: Mapping[str, Rows], names: Sequence[str], threads: int, keep: Path | None) -> dict[str, Any]:
    """{set: {signal: [number or None]}}, and CPU seconds an answer under "seconds". Goes on with what is kept."""
    kept: dict[str, Any] = json.loads(keep.read_text()) if keep and keep.exists() else {"seconds": {}}
    encoder = openvino.create(openvino.Settings(threads=threads))
    parts = {
        "encoder": encoder,
        "checker": grounding.create(grounding.Settings(), encoder=encoder),
        "sentences": sentence_spans,
        "likelihoods": engine.text_likelihoods(engine.Settings(threads=threads)),
    }
    config = validate({}, Path("gatewheel.toml"))
    for name in names:
        metric = resolve.metric(config, name, **parts)
        for title, rows in sets.items():
            done = kept.setdefault(title, {}).setdefault(name, [])
            began, before = time.process_time(), len(done)
            for _, _, pair in rows[before:]:
                done.append(metric.score(*pair))
                if keep and len(done) % EVERY == 0:
                    keep.write_text(json.dumps(kept))
            if len(done) > before:
                kept["seconds"].setdefault(name, {})[title] = (time.process_time() - began) / (len(done) - before)
    if keep:
        keep.write_text(json.dumps(kept))
    return kept


def _rows(rows: Rows, scores: Mapping[str, Sequence[float | None]], names: Sequence[str]) -> list[Labelled]:
    """An answer on which a signal has nothing to say claims nothing: it counts as the most faithful one.

    With a signal that was fitted, those of groups that it was not fitted on.
    """
    columns = []
    for name in names:
        most = max(one for one in scores[name] if one is not None)
        columns.append([most if one is None else one for one in scores[name][: len(rows)]])
    labels = [(str(group), bool(faithful)) for group, faithful, _ in rows]
    made = [
        Labelled(signals=signals, faithful=faithful, cluster=group)
        for (group, faithful), signals in zip(labels, zip(*columns, strict=True), strict=True)
    ]
    return [row for row in made if reporting(row.cluster)] if FITTED in names else made


def _single(sets: Mapping[str, Rows], scores: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table(
        title="AUROC of each signal alone, and of the control, minus the length of the answer",
        columns=("set, signal", "answers", "unfaithful", "AUROC"),
    )
    for title, rows in sets.items():
        for name in names:
            made = _rows(rows, scores[title], [name])
            cell = _told([row.signals[0] for row in made], made)
            table.rows.append([f"{title}: {name}", len(made), sum(not row.faithful for row in made), cell])
        made = _rows(rows, {"short": [-float(len(answer.answer)) for _, _, (_, answer) in rows]}, ["short"])
        cell = _told([row.signals[0] for row in made], made)
        table.rows.append([f"{title}: control, shortness", len(made), sum(not row.faithful for row in made), cell])
    return table


def _together(sets: Mapping[str, Rows], scores: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table(
        title="Signals together, cross-validated over groups",
        columns=("set: signals", "answers", "AUROC", "− lexical alone", "ECE", "Brier", "Brier of the share"),
    )
    for title, rows in sets.items():
        for some in (names[:count] for count in range(2, len(names) + 1)):
            made = _rows(rows, scores[title], some)
            made_of = cross_validated(made)
            found = told(made_of, made, probabilities=True)
            rate = float(np.mean([row.faithful for row in made]))
            gain = _gain(made_of.tolist(), [row.signals[0] for row in made], made)
            worth = [round(found.ece, 3), round(found.brier, 3), round(rate * (1 - rate), 3)]
            label = f"{title}: {', '.join(some)}"
            table.rows.append([label, len(made), _text(found.auroc, found.interval), gain, *worth])
    return table


def _gain(ours: Sequence[float], alone: Sequence[float], rows: Sequence[Labelled]) -> str:
    values = np.column_stack([ours, alone, [float(row.faithful) for row in rows]])

    def apart(some: Any) -> float:
        return auroc(some[:, [0, 2]]) - auroc(some[:, [1, 2]])

    found = bootstrap(values, apart, clusters=[row.cluster for row in rows])
    return f"{apart(values):+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def _cost(scores: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table(title="CPU milliseconds of one answer", columns=("signal", *scores["seconds"][names[0]]))
    for name in names:
        table.rows.append([name, *(round(1_000 * each, 1) for each in scores["seconds"].get(name, {}).values())])
    return table


def _agreement(data: Path) -> Table:
    """Of the annotators of MTRAG; alpha by ours and by the package krippendorff."""
    import krippendorff as reference

    table = Table(
        title="Agreement of MTRAG's annotators on grades of 1 to 4: Krippendorff's alpha, ours and the package's",
        columns=("dimension", "answers", "raters", "ordinal", "nominal", "interval scale", "greatest distance"),
    )
    with (data / "mtrag_human.judge.jsonl").open(encoding="utf-8") as file:
        judged = [json.loads(line) for line in file]
    for name in judged[0]["human"]:
        units = [(row["group"], row["human"][name]) for row in judged if len(row["human"][name]) > 1]
        most = max(len(grades) for _, grades in units)
        ratings = np.array([[*grades, *[np.nan] * (most - len(grades))] for _, grades in units], np.float64)
        cells, apart = [], 0.0
        for scale in ("ordinal", "nominal", "interval"):
            ours = krippendorff(ratings, scale=scale)
            theirs = reference.alpha(reliability_data=ratings.T, level_of_measurement=scale)
            sure = krippendorff_interval(ratings, scale=scale, clusters=[group for group, _ in units])
            cells.append(_text(ours, sure))
            apart = max(apart, abs(ours - float(theirs)))
        table.rows.append([name, len(units), most, *cells, f"{apart:.0e}"])
    return table


def _told(scores: Sequence[float], rows: Sequence[Labelled]) -> str:
    found = told(scores, rows)
    return _text(found.auroc, found.interval)


def _text(value: float, sure: Interval) -> str:
    return f"{value:.3f} [{sure.low:.3f}, {sure.high:.3f}]"


if __name__ == "__main__":
    main()
