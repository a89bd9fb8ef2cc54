"""An encoder that encodes no text twice, in slices, and tells how far it is: ten thousand questions take a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder, Offsets, Vectors

_SLICE = 256


class Once:
    """Fulfils the port Encoder. `tell` is called with how many texts are encoded and how many there are."""

    def __init__(self, encoder: Encoder, tell: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        self._encoder = encoder
        self._tell = tell
        self._known: dict[str, Vectors] = {}
        self.id, self.dimensions, self.max_tokens = encoder.id, encoder.dimensions, encoder.max_tokens

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, float32, shape (len(texts), dimensions)."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        for at in range(0, len(new), _SLICE):
            some = new[at : at + _SLICE]
            self._known.update(zip(some, self._encoder.encode(some), strict=True))
            self._tell(at + len(some), len(new))
        rows = [self._known[text] for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def starts(self, text: str) -> Offsets:
        """Character offset at which each token starts."""
        return self._encoder.starts(text)
