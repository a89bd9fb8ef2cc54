"""What tells cases that are nearly the same: words, and vectors of a project's encoder where it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatewheel.data.vectors import FOLDER, Once

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder
    from gatewheel.loop.compose import Parts


def encoder_of(parts: Parts, *, tell: Callable[[str], None] = lambda _: None) -> Encoder | None:
    """The encoder, which reads no question twice and tells how far it is; None for a project that has words alone."""
    if parts.config.table("encoder", "main").use == "none":
        return None
    return Once(
        parts.encoder,
        lambda done, every: tell(f"{done:,} of {every:,} questions encoded"),
        folder=parts.config.state / FOLDER,
    )
