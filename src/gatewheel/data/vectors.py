"""An encoder that encodes no text twice, in slices, and tells how far it is: ten thousand questions take a minute.

What was encoded can be kept in a file, so that the next process need not do it again. The file may be deleted any time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

if TYPE_CHECKING:
    from gatewheel.kernel.ports import Encoder, Offsets, Vectors

FOLDER = "questions"  # of a project's state
_SLICE = 256
MOST = 100_000  # vectors that are kept, the latest ones: 150 MB of 384 dimensions


class Once:
    """Fulfils the port Encoder. `tell` is called with how many texts are encoded and how many there are.

    In `folder` the vectors are kept, a file for each encoder; a file that cannot be read counts as none.
    """

    def __init__(
        self,
        encoder: Encoder,
        tell: Callable[[int, int], None] = lambda _done, _all: None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._encoder = encoder
        self._tell = tell
        self.id, self.dimensions, self.max_tokens = encoder.id, encoder.dimensions, encoder.max_tokens
        name = hashlib.sha256(encoder.id.encode()).hexdigest()[:32]
        self._path = folder / f"{name}.npz" if folder and encoder.dimensions else None

    @cached_property
    def _known(self) -> dict[bytes, Vectors]:
        """Read when it is first needed: up to 150 MB, and often only `id` is."""
        return _read(self._path, self.dimensions) if self._path else {}

    def missing(self, texts: Sequence[str]) -> int:
        """How many of these texts it would have to encode."""
        return len({key for text in texts if (key := _key(text)) not in self._known})

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, float32, shape (len(texts), dimensions)."""
        import numpy as np

        keys = [_key(text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        order = list(new)
        try:
            for at in range(0, len(order), _SLICE):
                some = order[at : at + _SLICE]
                self._known.update(zip(some, self._encoder.encode([new[key] for key in some]), strict=True))
                self._tell(at + len(some), len(order))
        finally:  # who is stopped need not begin again
            if self._path and order and order[0] in self._known:
                _write(self._path, self._known)
        rows = [self._known[key] for key in keys]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), np.float32)

    def starts(self, text: str) -> Offsets:
        """Character offset at which each token starts."""
        return self._encoder.starts(text)


def held(folder: Path, texts: Iterable[str]) -> int:
    """How many vectors of these texts are kept, by all encoders together."""
    keys = {_key(text) for text in texts}
    return sum(len(keys & _read(path).keys()) for path in sorted(folder.glob("*.npz"))) if keys else 0


def drop(folder: Path, texts: Iterable[str]) -> None:
    """Keep the vectors of these texts no more; a file that cannot be read, or holds no others, goes."""
    keys = {_key(text) for text in texts}
    for path in sorted(folder.glob("*.npz")) if keys else ():
        known = _read(path)
        rest = {key: row for key, row in known.items() if key not in keys}
        if not rest:
            path.unlink(missing_ok=True)
        elif len(rest) < len(known):
            _write(path, rest)


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _read(path: Path, dimensions: int = 0) -> dict[bytes, Vectors]:
    import numpy as np

    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            keys, rows = held["keys"], held["rows"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}
    if rows.dtype != np.float32 or rows.ndim != 2 or keys.shape != (len(rows), 16):
        return {}
    if dimensions and rows.shape[1] != dimensions:
        return {}
    return {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}


def _write(path: Path, known: dict[bytes, Vectors]) -> None:
    """Replace the file, whole or not at all; a disk that takes nothing costs the next process its time, no more."""
    import numpy as np

    keys = list(known)[-MOST:]
    packed = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), 16)
    new = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.npz")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        np.savez(new, keys=packed, rows=np.stack([known[key] for key in keys]))
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
