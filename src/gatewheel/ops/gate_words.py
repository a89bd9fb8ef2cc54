"""Numbers as a gate says them."""

from __future__ import annotations


def counted(number: int) -> str:
    """1 case, 2 cases."""
    return "1 case" if number == 1 else f"{number} cases"


def plain(value: float) -> str:
    """Three leading digits: 0.0571, 12.3, 1,230."""
    value += 0.0  # no -0.0
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    """The same with its sign."""
    return f"+{plain(value)}" if value > 0 else plain(value)
