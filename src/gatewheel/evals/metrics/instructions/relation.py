"""How a count is to stand to the number that was asked for."""

from __future__ import annotations

from typing import Literal

Relation = Literal["less than", "at least"]


def holds(count: int, relation: Relation, number: int) -> bool:
    """Whether so many are what was asked for.

    >>> holds(3, "at least", 3), holds(3, "less than", 3)
    (True, False)
    """
    return count < number if relation == "less than" else count >= number
