"""The table [freeze] in the toml of a suite: what its versions are made with, whoever freezes it. Freezes nothing."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.kernel.errors import UserError

_BEGINS = re.compile(r"\s*\[\s*freeze\s*\]")
_NEXT = re.compile(r"\s*\[\[?\s*[\w\"']")


class Freeze(BaseModel):
    """`[freeze]` of a suite for training: what is left out of its versions, and whether they are blacked out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_words: int = Field(default=0, ge=0, description="Leave out shorter replies.")
    max_words: int = Field(default=0, ge=0, description="Leave out longer replies; 0 is no bound.")
    languages: tuple[str, ...] = Field(default=(), description="Keep only these, such as en; none keeps all.")
    repeated: float = Field(default=1.0, ge=0, le=1, description="Greatest share of a reply that repeats itself.")
    no_near: bool = Field(default=False, description="Of those that ask nearly the same and reply so, keep the first.")
    apart: bool = Field(default=False, description="Leave out cases of a document of which another is held out.")
    redact: bool = Field(default=False, description="Black out e-mail addresses, numbers and keys.")


def lines(freeze: Freeze) -> list[str]:
    """What it says as lines of TOML, without what is a default."""
    said = freeze.model_dump(exclude_defaults=True, mode="json")
    return [f"{key} = {json.dumps(value)}" for key, value in said.items()]


def replaced(path: Path, freeze: Freeze) -> str:
    """The toml of a suite with this table in the place of the one that is there; all else stays as it is written.

    Comments stay too, but for those on the line of a key that goes. Raises UserError where it cannot be done by lines.
    """
    written = path.read_bytes().decode("utf-8")
    ends = "\r\n" if "\r\n" in written else "\n"
    text = written.replace("\r\n", "\n")
    every = text.split("\n")
    begins = next((at for at, line in enumerate(every) if _BEGINS.match(line)), None)
    new = {line.partition(" ")[0]: line for line in lines(freeze)}
    if begins is None:
        made = "\n".join([text.rstrip(), *(["", "[freeze]", *new.values()] if new else []), ""])
    else:
        body, rest = _parted(every[begins + 1 :])
        before, stays = every[:begins], _body(body, new)
        if any(map(str.strip, stays)) or "#" in every[begins]:
            made = "\n".join([*before, every[begins], *stays, *rest])
        else:
            made = "\n".join([*before, *rest] if any(rest) else ["\n".join(before).rstrip(), ""])
    wanted = {key: value for key, value in tomllib.loads(text).items() if key != "freeze"}
    table = tomllib.loads("\n".join(new.values()))
    if _read(made) not in ({**wanted, "freeze": table}, wanted if not table else None):
        cure = f"write it yourself: {', '.join(new.values())}" if new else "remove it yourself"
        raise UserError(f"{path.name}: freeze is not written as a table [freeze] and cannot be replaced", cure=cure)
    return made.replace("\n", ends)


def _parted(after: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines behind the head of a table: up to its last key, and from there on."""
    ends = 0
    for at, line in enumerate(after):
        if _NEXT.match(line):
            break
        if line.strip() and not line.lstrip().startswith("#"):
            ends = at + 1
    return after[:ends], after[ends:]


def _body(body: Sequence[str], new: Mapping[str, str]) -> list[str]:
    """The lines of a table with the keys that it has now: one that says the same stays as it is written."""
    left, stays, open_ = dict(new), list[str](), list[str]()
    for line in body:
        if not open_ and (not line.strip() or line.lstrip().startswith("#")):
            stays.append(line)
            continue
        open_.append(line)
        if not (said := _read("\n".join(open_))):
            continue  # a list over several lines
        key = next(iter(said))
        if key in left:
            stays += open_ if tomllib.loads(left[key]) == said else [left[key] + _comment(open_, said)]
            del left[key]
        open_ = []
    return [*stays, *open_, *left.values()]


def _comment(written: Sequence[str], said: Mapping[str, Any]) -> str:
    """What stands behind the value of a key on its last line."""
    line = written[-1]
    for at, sign in enumerate(line):
        if sign == "#" and _read("\n".join([*written[:-1], line[:at]])) == said:
            return f"  {line[at:]}"
    return ""


def _read(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError:
        return {}
