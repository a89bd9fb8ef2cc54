"""What the licence of a model allows: commercial use, passing it on, models made from it. No legal advice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Allowed = Literal["yes", "conditions", "no", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """A licence in short. `told` says the conditions; `source` is where its text stands, empty where nobody knows."""

    id: str
    title: str
    commercial: Allowed = "unknown"
    redistribution: Allowed = "unknown"
    derived: Allowed = "unknown"
    told: str = "what it allows is not known here: read it"
    source: str = ""


def find(name: str) -> Licence:
    """The licence of an SPDX identifier, or of what publishers write in its place; "" is a model that states none.

    >>> find("apache-2.0").commercial, find("in-house").commercial
    ('yes', 'unknown')
    """
    if not name:
        return Licence(id="", title="none stated", told="nothing says what is allowed: ask its publisher")
    return _known().get(name.casefold(), Licence(id=name, title=name.removeprefix("LicenseRef-")))


@cache
def _known() -> dict[str, Licence]:
    held: dict[str, dict[str, Any]] = tomllib.loads(
        files(__package__).joinpath("licences.toml").read_text(encoding="utf-8")
    )
    made: dict[str, Licence] = {}
    for id_, entry in held.items():
        names = [id_, *entry.pop("also", ())]
        made |= {name.casefold(): Licence(id=id_, **entry) for name in names}
    return made
