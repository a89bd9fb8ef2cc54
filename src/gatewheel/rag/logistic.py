"""A logistic model as a frozen table of coefficients. Learns nothing: benchmarks/calibrate.py does."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

INTERCEPT = ""


def probability(features: Mapping[str, float], coefficients: Mapping[str, float]) -> float:
    """The logistic function of the weighted sum; a feature without coefficient counts nothing.

    >>> probability({"coverage": 1.0}, {"": -1.0, "coverage": 1.0})
    0.5
    """
    total = sum(weight * features.get(name, 0.0) for name, weight in coefficients.items() if name != INTERCEPT)
    total += coefficients.get(INTERCEPT, 0.0)
    return 1 / (1 + exp(-max(-50.0, min(50.0, total))))
