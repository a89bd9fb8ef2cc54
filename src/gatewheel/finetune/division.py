"""Which groups of examples are kept to validate on, drawn by the seed. Knows nothing of tokens, and loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from gatewheel.finetune.settings import Settings

_MOST = 1 / 3  # of the examples, where groups are larger than what is wanted


def kept(groups: Iterable[str], settings: Settings) -> set[str]:
    """Of the groups, one said for each example, those of about the share that is kept; a group is never parted.

    Where all are larger than that the smallest is, unless too much of what can be learned would go with it. Which they
    are follows from each by itself, so that what was kept stays kept when the data grow.
    """
    sizes = Counter(groups)
    every = sizes.total()
    wanted = round(every * settings.validation)
    most = max(wanted, every * _MOST)
    order = sorted(sizes, key=lambda group: sha256(f"{settings.seed} {group}".encode()).digest())
    found: set[str] = set()
    count = 0
    for group in order:
        # with it the count comes no further from what is wanted
        if sizes[group] <= 2 * (wanted - count) and count + sizes[group] <= most:
            found.add(group)
            count += sizes[group]
    if wanted and not found and sizes[least := min(order, key=lambda one: sizes[one])] <= most:
        found.add(least)
    return found
