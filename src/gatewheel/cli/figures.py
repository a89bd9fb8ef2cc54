"""Figures as they stand on a terminal."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Three digits behind the point, fewer of what is large; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1_000 else f"{value:,.0f}"


def interval(low: float | None, high: float | None) -> str:
    """Both ends; "?" where it has none."""
    return f"[{', '.join('?' if end is None else number(end) for end in (low, high))}]"
