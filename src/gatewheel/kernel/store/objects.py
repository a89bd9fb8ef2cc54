"""Bytes under their SHA-256, in `.gatewheel/objects/`: whole or not there, whatever kills the writer."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gatewheel.kernel.errors import ProjectError


@dataclass(frozen=True, slots=True)
class Objects:
    """A folder of objects. The same bytes are kept once; nothing is ever changed."""

    folder: Path

    def put(self, data: bytes | Iterable[bytes]) -> str:
        """Keep bytes, or a stream of them too large for memory, and return their SHA-256."""
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-", delete=False) as file:
            try:
                for piece in (data,) if isinstance(data, bytes) else data:
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                path = self.path(digest.hexdigest())
                path.parent.mkdir(exist_ok=True)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return digest.hexdigest()

    def get(self, sha256: str) -> bytes:
        """The bytes of an object. Raises ProjectError when it is missing or damaged."""
        try:
            data = self.path(sha256).read_bytes()
        except OSError:
            raise ProjectError(
                f"no object {sha256[:12]} in {self.folder}", cure="restore .gatewheel/objects/"
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ProjectError(f"object {sha256[:12]} is damaged", cure=f"restore {self.path(sha256)} from a backup")
        return data

    def has(self, sha256: str) -> bool:
        """Whether an object is here."""
        return self.path(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Where an object lies. Raises ProjectError for what is no SHA-256, so that no name leads elsewhere."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ProjectError(f"'{sha256[:80]}' is not a SHA-256", cure="name an object by its 64 hexadecimal digits")
        return self.folder / sha256[:2] / sha256
