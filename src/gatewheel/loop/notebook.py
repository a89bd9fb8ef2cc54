"""What a run has found so far, a line each in a file of its own, so that one that was killed does not do it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewheel.kernel import runs


class Notebook:
    """Values as JSON has them by their keys. Without a run nothing is kept beyond this process."""

    def __init__(self, state: Path, run: str, name: str) -> None:
        self._path = runs.folder(state, run) / f"{name}.jsonl" if run else None
        self._known = _read(self._path) if self._path and self._path.exists() else {}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    @property
    def known(self) -> Mapping[str, Any]:
        """All that is kept, in the order in which it was first."""
        return self._known

    def keep(self, key: str, value: Any = None) -> None:
        """Keep a value, safe from the death of this process when this returns."""
        self._known[key] = value
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{json.dumps([key, value])}\n")  # a line of its own, also behind one that was cut off


def _read(path: Path) -> dict[str, Any]:
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            key, value = json.loads(line)
        except ValueError:  # blank, or cut off
            continue
        found[key] = value
    return found
