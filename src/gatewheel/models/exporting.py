"""Weights, merged with an adapter or not, as what is served: a GGUF file, or a Hugging Face folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatewheel.models import to_gguf
from gatewheel.models.dense import Dense

FOLDER = "folder"
KINDS = (*to_gguf.KINDS, FOLDER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written, whole. `kind` is one of KINDS."""

    path: Path
    bytes: int
    kind: str


def export(dense: Dense, to: Path, *, kind: str) -> Written:
    """Write `dense` to the file or folder `to`, whole or not at all. The same weights give the same bytes.

    `kind` is a type of GGUF, F16 or Q8_0 among them, or "folder" for a Hugging Face folder in bfloat16.
    Raises UserError for another kind, a folder that is there already, and without room; ModelError and MissingPart for
    what the weights' own file or folder lacks.
    """
    if kind == FOLDER:
        from gatewheel.models.to_folder import write_folder

        return Written(path=to, bytes=write_folder(dense, to), kind=kind)
    return Written(path=to, bytes=to_gguf.write_gguf(dense, to, kind=kind), kind=kind)
