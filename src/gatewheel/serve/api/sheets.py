"""Whose answers a caller labels, and how: the sheet that is meant, and whether they may have it.

A rater needs the link of a sheet, which an operator makes: reports, rubric and the rest, and a seal that holds for just
these. So no rater chooses a scale, or tells answers apart by a sheet of fewer reports.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

from gatewheel.evals import people
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Caller, Key
from gatewheel.loop import desk, reports
from gatewheel.loop.desk import Desk
from gatewheel.ops import keys, reveals, seals
from gatewheel.serve.access import may
from gatewheel.serve.api.wire import Words, missing
from gatewheel.serve.fault import Fault
from gatewheel.serve.service import Service

Rater = Annotated[Caller, Depends(may("feedback", "operate"))]
GUESSED = 12  # digits of a report's id with which nobody finds one that they were not told of


@dataclass(frozen=True, kw_only=True, slots=True)
class Which:
    """A sheet: whose answers, and how they are labelled. With a key the rater is the key, by its name."""

    report: Annotated[
        list[Words],
        Query(min_length=1, max_length=2, description="Ids of reports or their beginnings: two to compare."),
    ]
    rubric: Annotated[Words, Query(max_length=500, description="Grade single answers: faithful=1-4,complete=1-4")] = ""
    repeats: Annotated[bool, Query(description="Each time that a case was asked, not only the first.")] = False
    rater: Annotated[Words, Query(max_length=200, description="Who labels.")] = ""
    seal: Annotated[
        Words, Query(max_length=64, description="Of the sheet; needed without the scope operate, which is told it.")
    ] = ""


Sheet = Annotated[Which, Depends()]


def rater_of(at: Service, caller: Caller, named: str) -> str:
    """By which name the caller labels: a key by its own, the owner by any. Raises Fault."""
    if not caller.key:
        return named
    own = _name(keys.every(at.project.parts.engine), caller.key)
    if named and named != own:
        raise Fault(403, f"this key labels as '{own}', not as '{named}'", code="other_rater", param="rater")
    return own


def _name(every: list[Key], id_: str) -> str:
    """The name by which a key labels. No two have one: a label is known by its rater, and names may be taken again."""
    own = next((key for key in every if key.id == id_), None)
    if own is None:
        return ""
    name = own.name[:64].strip()
    same = [key for key in every if key.name[:64].strip() == name]
    first = min(same, key=lambda key: (key.created, key.id))
    return name if first.id == id_ else f"{name[:55]} {id_[:8]}"


def whole_ids(at: Service, caller: Caller, ids: list[str]) -> tuple[str, ...]:
    """Ids of reports by their beginnings. Raises Fault 404 for one that the caller was not told of."""
    try:
        if "operate" not in caller.scopes and any(len(id_) < GUESSED for id_ in ids):
            raise UserError("no such report", cure=f"give {GUESSED} digits of its id, as they stand in the link")
        return tuple(reports.whole(at.project.parts.engine, id_) for id_ in ids)
    except UserError as error:
        told = error if "operate" in caller.scopes else UserError("no such report", cure="ask for the link again")
        raise missing(told) from None


def desk_of(at: Service, which: Which, caller: Caller) -> Desk:
    """The desk of a caller. Raises Fault, also for a sheet without its seal, and UserError for what is none."""
    rater, ids = rater_of(at, caller, which.rater), whole_ids(at, caller, which.report)
    rubric = people.rubric(which.rubric) if which.rubric else ()
    parts = at.project.parts
    if "operate" not in caller.scopes and not seals.holds(parts.engine, _said(which, ids), which.seal):
        raise Fault(404, "no such sheet; ask for the link again", code="not_found", param="seal")
    # who sees all documents sees the same whatever they are
    seen = None if caller.groups is None else (caller.groups, parts.store.revision())
    suite = at.compared.get(("suite", ids[0]), lambda: reports.get(parts.engine, ids[0]).report.suite)

    def lay() -> Desk:
        kept = [reports.get(parts.engine, id_) for id_ in ids]
        return desk.lay(parts, rater, kept, rubric=rubric, repeats=which.repeats, groups=caller.groups)

    # cases say what a key may see of them, so that a desk ends with the files that it was laid from
    return at.desks.get((rater, ids, rubric, which.repeats, seen, desk.written(parts, suite)), lay)


def seal_of(at: Service, which: Which, caller: Caller) -> str:
    """What a rater's link to this sheet needs; empty to whom may not make one."""
    if "operate" not in caller.scopes:
        return ""
    return seals.seal(at.project.parts.engine, _whole(at, which, caller))


def reveal(at: Service, which: Which, caller: Caller) -> None:
    """Note that a rater is told whose the answers of a sheet are. Operators may look at any time, and are trusted."""
    if "operate" not in caller.scopes:
        reveals.reveal(at.project.parts.engine, rater_of(at, caller, which.rater), _whole(at, which, caller))


def refuse_told(at: Service, which: Which, caller: Caller) -> None:
    """Raises Fault 409 when the rater was told whose the answers are: by one label changed they could try each."""
    told = reveals.revealed(at.project.parts.engine, rater_of(at, caller, which.rater), _whole(at, which, caller))
    if told and "operate" not in caller.scopes:
        message = "you were told whose answers these are, so what you said of them stays as it is"
        raise Fault(409, message, code="conflict")


def _whole(at: Service, which: Which, caller: Caller) -> str:
    return _said(which, whole_ids(at, caller, which.report))


def _said(which: Which, ids: tuple[str, ...]) -> str:
    """What a seal holds for: all of a sheet but its rater."""
    criteria = people.rubric(which.rubric) if which.rubric else ()
    return json.dumps([sorted(ids), [[one.name, one.low, one.high] for one in criteria], which.repeats])
