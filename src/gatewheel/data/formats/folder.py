"""A data set as a hub hands it out: a folder with files of rows, and a card that names its licence.

Parquet and Arrow are read by parquet.py; here are folders of JSON Lines, JSON and tables. Nothing is downloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gatewheel.kernel.errors import UserError

_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab")
_SHARD = re.compile(r"[-_.]\d{1,5}(-of-\d{1,5}(-\w+)?)?$")
_NO_ROWS = {"dataset_info", "dataset_infos", "dataset_dict", "state", "config", "package", "metadata"}
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# front matter may be a megabyte of YAML, of which this one key matters
_LICENCE = re.compile(r"^license:[ \t]*(.*)\n((?:[ \t]*-[ \t]+.*\n)*)", re.MULTILINE)
_LONGEST = 1 << 20  # bytes of a card that are read: its front matter stands first


def ending(path: Path) -> str:
    """How the names of the files with rows end. Raises UserError as `files`."""
    return files(path)[0].suffix.lower()


def files(path: Path) -> list[Path]:
    """The files of a folder's only split, in their order. Raises UserError when there is none, or several."""
    groups: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(path.rglob("*")):
        suffix = file.suffix.lower()
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if suffix in _ENDINGS and not hidden and file.stem not in _NO_ROWS and file.is_file():
            name = _SHARD.sub("", str(file.relative_to(path).with_suffix("")))
            groups.setdefault((name, suffix), []).append(file)
    if len(groups) == 1:
        return next(iter(groups.values()))
    if not groups:
        raise UserError(f"what {path.name} is cannot be told: no file in it has rows", cure="name the file with them")
    several = [str(found[0].relative_to(path)) for found in groups.values()]
    more = f" and {len(several) - 8} more" if len(several) > 8 else ""
    cure = f"name one of them, such as {path / several[0]}"
    raise UserError(f"{path} holds {', '.join(several[:8])}{more}", cure=cure)


def licence(path: Path) -> str:
    """What the card beside the rows says: README.md, or the dataset_info.json of `save_to_disk`; empty without one."""
    folder = path if path.is_dir() else path.parent
    return (_of_card(folder / "README.md") or _of_info(folder / "dataset_info.json"))[:200]


def _of_card(path: Path) -> str:
    try:
        with path.open("rb") as file:
            front = _FRONT.match(file.read(_LONGEST).decode("utf-8", "replace"))
    except OSError:
        return ""
    said = _LICENCE.search(front[1]) if front else None
    several = [said[1], *said[2].splitlines()] if said else []
    return ", ".join(one for text in several if (one := text.strip().lstrip("-").strip(" \t'\"[]")))


def _of_info(path: Path) -> str:
    with suppress(OSError, ValueError, RecursionError):
        said = json.loads(path.read_text(encoding="utf-8"))
        found = said.get("license") if isinstance(said, Mapping) else None
        return found.strip() if isinstance(found, str) else ""
    return ""
