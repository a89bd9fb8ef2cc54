"""What scores of cases allow one to say: intervals, comparisons, power, sequential looks, conclusions. Only arithmetic.

Rows are float64 of shape (cases, numbers a case); `figure(rows)` makes the metric of them. Everything is seeded: the
same rows and the same seed give the same numbers. docs/statistics.md explains each method and its assumptions.
"""
