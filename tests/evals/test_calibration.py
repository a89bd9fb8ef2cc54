"""Signals become a probability on people's labels: refused with too few, never flattering, and kept as plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewheel.evals import calibration
from gatewheel.evals.calibration import Calibration, Labelled, auroc, cross_validated, fit, refuse_few, told
from gatewheel.evals.signals import SIGNALS
from gatewheel.evals.statistics.reliability import calibration_error
from gatewheel.kernel.errors import ConfigError, UserError

MADE = Calibration(
    signals=("lexical-grounding",), weights=(4.0,), intercept=-2.0, answers=60, faithful=30, auroc=0.8, ece=0.1
)


def drawn(n: int, *slopes: float, clusters: int = 0, seed: int = 0) -> list[Labelled]:
    """Answers whose chance of being faithful follows a logistic law of uniform signals."""
    dice = np.random.default_rng(seed)
    rows = []
    for at in range(n):
        signals = dice.random(len(slopes))
        chance = 1 / (1 + np.exp(-sum(s * (x - 0.5) for s, x in zip(slopes, signals, strict=True))))
        cluster = f"g{at % clusters}" if clusters else ""
        rows.append(Labelled(signals=tuple(signals.tolist()), faithful=bool(dice.random() < chance), cluster=cluster))
    return rows


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.booleans()), min_size=1, max_size=25))
def test_auroc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, bool]]) -> None:
    pairs = [(a, b) for a, right in rows for b, wrong in rows if right and not wrong]
    found = auroc(np.array([[score, float(right)] for score, right in rows]))
    if not pairs:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]))


def test_calibration_error_is_the_distance_of_said_and_seen() -> None:
    rows = np.array([[0.25, 0.0], [0.25, 1.0], [0.25, 0.0], [0.25, 0.0]])
    assert calibration_error(rows, 10) == pytest.approx(0.0)
    assert calibration_error(np.array([[0.9, 0.0], [0.9, 1.0]]), 10) == pytest.approx(0.4)


def test_the_law_that_made_the_labels_is_found_again() -> None:
    weights, intercept = fit(drawn(5_000, 6.0, 2.0, 0.0))
    assert weights[0] == pytest.approx(6.0, abs=0.5)
    assert weights[1] == pytest.approx(2.0, abs=0.5)
    assert weights[2] < 0.4
    assert intercept == pytest.approx(-4.0, abs=0.5)


def test_no_signal_counts_against_an_answer() -> None:
    weights, _ = fit(drawn(500, 5.0, -5.0))
    assert weights[1] == 0.0


def test_probabilities_of_answers_not_fitted_on_are_sound() -> None:
    rows = drawn(1_000, 6.0, 3.0, clusters=100)
    found = told(cross_validated(rows), rows, probabilities=True)
    assert found.interval.low < found.auroc < found.interval.high
    assert 0.8 < found.auroc < 0.95
    assert found.ece < 0.06
    assert found.brier < 0.18


def test_signals_of_nothing_are_worth_nothing_on_answers_not_fitted_on() -> None:
    """Fitted on the same answers they would seem to be worth something."""
    rows = [Labelled(signals=row.signals, faithful=at % 2 == 0) for at, row in enumerate(drawn(60, *[0.0] * 8, seed=3))]
    weights, intercept = fit(rows)
    seen = auroc(np.array([[intercept + np.dot(weights, row.signals), float(row.faithful)] for row in rows]))
    fair = told(cross_validated(rows), rows)
    assert fair.auroc < seen
    assert fair.interval.low < 0.5


def test_no_cluster_is_scored_by_weights_that_saw_it() -> None:
    """Each cluster is faithful or not as a whole, and a signal names the cluster: by heart it would be perfect."""
    dice = np.random.default_rng(5)
    said = dice.random(30) < 0.5
    rows = [
        Labelled(signals=(float(dice.random()), float(group == 7)), faithful=bool(said[group]), cluster=f"g{group}")
        for group in range(30)
        for _ in range(10)
    ]
    found = cross_validated(rows)
    lonely = [score for score, row in zip(found, rows, strict=True) if row.cluster == "g7"]
    others = [score for score, row in zip(found, rows, strict=True) if row.cluster != "g7"]
    assert np.isfinite(found).all()
    assert abs(np.mean(lonely) - np.mean(others)) < 0.2


@pytest.mark.parametrize(
    ("rows", "signals", "lacks"),
    [
        (drawn(49, 0.0), 1, r"1 more labelled answers \(there are 49\)"),
        (drawn(200, 0.0, clusters=9), 1, r"1 more clusters \(there are 9\)"),
        ([Labelled(signals=(0.5,), faithful=at > 8) for at in range(200)], 1, r"1 more that people call unfaithful"),
        ([Labelled(signals=(0.5,), faithful=at < 15) for at in range(200)], 2, r"5 more that people call faithful"),
    ],
)
def test_too_few_labels_are_refused_and_it_says_how_many_are_missing(
    rows: Sequence[Labelled], signals: int, lacks: str
) -> None:
    with pytest.raises(UserError, match=lacks):
        refuse_few(rows, SIGNALS[:signals])


def test_enough_labels_are_not_refused() -> None:
    refuse_few(drawn(100, 0.0), SIGNALS[:1])


def test_a_calibration_is_a_file_that_comes_back(tmp_path: Path) -> None:
    calibration.write(tmp_path / "grounded.json", MADE)
    assert calibration.read(tmp_path / "grounded.json") == MADE
    assert MADE.probability({"lexical-grounding": 0.5}) == 0.5
    assert MADE.probability({"lexical-grounding": 1.0}) == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_calibration_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grounded.json"
    calibration.write(path, MADE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        calibration.write(path, replace(MADE, intercept=1.0))
    assert calibration.read(path) == MADE
    assert list(tmp_path.iterdir()) == [path]


def test_ranks_without_a_mistake_are_no_proof() -> None:
    rows = [Labelled(signals=(float(good),), faithful=good) for good in [True] * 10 + [False] * 40]
    assert np.isclose(told([row.signals[0] for row in rows], rows).auroc, 1.0)
    assert 0.6 < told([row.signals[0] for row in rows], rows).interval.low < 0.95


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        json.dumps({"signals": ["lexical-grounding"]}),
        json.dumps(
            {"signals": ["charm"], "weights": [1], "intercept": 0, "answers": 1, "faithful": 1, "auroc": 1, "ece": 0}
        ),
        json.dumps(
            {
                "signals": ["faithfulness"],
                "weights": [1, 2],
                "intercept": 0,
                "answers": 1,
                "faithful": 1,
                "auroc": 1,
                "ece": 0,
            }
        ),
    ],
)
def test_what_is_no_calibration_is_told_with_the_cure(tmp_path: Path, text: str) -> None:
    path = tmp_path / "grounded.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"grounded.json is no calibration.*gatewheel evals calibrate"):
        calibration.read(path)
    with pytest.raises(ConfigError, match=r"there is no calibration other\.json"):
        calibration.read(tmp_path / "other.json")
