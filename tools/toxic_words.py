"""Writes the word weights of the metric `toxicity` from alt-profanity-check, whose own files are pickles.

    python -m venv /tmp/words && /tmp/words/bin/pip install alt-profanity-check==1.9.1
    /tmp/words/bin/python tools/toxic_words.py

Its classifier is the mean of five linear SVMs over TF-IDF of words, each with a sigmoid. The table holds a word, its
idf and the five weights a line, below one line for each SVM: intercept, slope and offset of its sigmoid.
"""

from __future__ import annotations

import gzip
from importlib import metadata, resources
from pathlib import Path

TO = Path(__file__).parents[1] / "src" / "gatewheel" / "evals" / "metrics" / "toxic_words.tsv.gz"


def main() -> None:
    import joblib
    import numpy as np

    folder = resources.files("profanity_check") / "data"
    vectorizer, model = (joblib.load(folder / f"{name}.joblib") for name in ("vectorizer", "model"))
    svms = [(one.estimator, one.calibrators[0]) for one in model.calibrated_classifiers_]
    lines = [f"# alt-profanity-check {metadata.version('alt-profanity-check')}, MIT"]
    lines += [f"{svm.intercept_[0]:.5f}\t{one.a_:.5f}\t{one.b_:.5f}" for svm, one in svms]
    weights = np.array([svm.coef_[0] for svm, _ in svms]).T
    for word, at in sorted(vectorizer.vocabulary_.items()):
        lines.append("\t".join([word, f"{vectorizer.idf_[at]:.4f}", *(f"{weight:.3f}" for weight in weights[at])]))
    TO.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    print(f"{len(vectorizer.vocabulary_)} words, {TO.stat().st_size} bytes")


if __name__ == "__main__":
    main()
