"""How an application stands with its releases: what answers, what could follow it, and what its gates said of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gatewheel.kernel.config import Config, load
from gatewheel.kernel.errors import ConfigError
from gatewheel.loop import rolling_back
from gatewheel.loop.compose import Parts
from gatewheel.loop.releasing import as_filed, gates_of, refused
from gatewheel.loop.serving import as_served
from gatewheel.ops import releases
from gatewheel.ops.releases import Release

if TYPE_CHECKING:
    from gatewheel.loop.leaks import Tick


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A variant that was judged against the present release or proposed since it was made, or that is the file's.

    `proposed` is the newest row that asks for it, `decisions` the newest one of each gate against what answers now.
    `passed` says that every gate of the application let it pass; whether that still holds, `refusals` finds out.
    `app` is the [app.*] that says it now, if one does. `left` is the newest roll back from it.
    """

    variant: str
    app: str
    proposed: Release | None
    decisions: tuple[Release, ...]
    passed: bool
    left: Release | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseStatus:
    """An application. `released` is empty while the variant of the `file` answers; `since` is the row that did it.

    `back` is what a roll back would release, "" the file's, without what is tainted where there is something that is
    not; None where there is nothing to go back from.
    """

    app: str
    released: str
    since: Release | None
    back: str | None
    file: str
    gates: tuple[str, ...]
    candidates: tuple[Candidate, ...]


def statuses(parts: Parts) -> list[ReleaseStatus]:
    """Every application of the project, by name."""
    rows = releases.history(parts.engine)
    with as_served(parts) as served:
        files = {name: served.variant(name).id for name in parts.config.names("app")}
    try:
        config = load(parts.config.path)  # whose gates `promote` goes by
    except ConfigError:
        config = parts.config  # the way back is seen even so
    found = [_of(config, name, files, rows) for name in sorted(files)]
    return [one if one.back is None else replace(one, back=rolling_back.nearest(parts, one.app)) for one in found]


def refusals(parts: Parts, app: str, *, tick: Tick = lambda: None) -> dict[str, str]:
    """The candidates of an application that passed → why they would not be released all the same; empty: they would.

    A pass holds for what it was said of, and to see whether that has changed may take minutes (`releasing.refused`).
    Raises ConfigError for an application that there is not.
    """
    rows = releases.history(parts.engine)
    with as_filed(parts) as served:
        served.config.table("app", app)
        files = {name: served.variant(name).id for name in served.config.names("app")}
        passed = [each.variant for each in _of(served.config, app, files, rows).candidates if each.passed]
        return {variant: refused(served, app, variant, tick=tick) for variant in passed}


def _of(config: Config, name: str, files: dict[str, str], every: Sequence[Release]) -> ReleaseStatus:
    rows = [row for row in every if row.app == name]
    changes = [row for row in rows if row.action in releases.SERVED]
    since = changes[-1] if changes else None
    released = since.variant if since else ""
    gates = tuple(gates_of(config, name))
    present = released or files[name]
    asked = [row for row in rows if _counts(row, since)]
    named = [row.variant for row in reversed(asked)] + ([files[name]] if released else [])
    stack = releases.stack_of(rows, name)
    return ReleaseStatus(
        app=name,
        released=released,
        since=since,
        back=(stack[-2] if len(stack) > 1 else "") if stack else None,
        file=files[name],
        gates=gates,
        candidates=tuple(
            _candidate(one, files, rows, [row for row in asked if row.variant == one], gates)
            for one in dict.fromkeys(named)
            if one != released and (one != present or any(row.variant == one for row in asked))
        ),
    )


def _counts(row: Release, since: Release | None) -> bool:
    """Whether a row speaks for or against a candidate, as `releases.promote` sees it: since the last change, of it."""
    if since and row.number < since.number:
        return False
    same = str(row.reason.get("released", "")) == (since.variant if since else "")
    return row.action == "propose" or (row.action == "gate" and same)


def _candidate(
    variant: str, files: dict[str, str], rows: Sequence[Release], mine: Sequence[Release], gates: Sequence[str]
) -> Candidate:
    newest = {str(row.reason.get("gate")): row for row in mine if row.action == "gate"}
    outcomes = [newest[gate].reason.get("outcome") if gate in newest else None for gate in gates]
    left = [row for row in rows if row.action == "rollback" and row.reason.get("from") == variant]
    return Candidate(
        variant=variant,
        app=next((name for name, id_ in files.items() if id_ == variant), ""),
        proposed=next((row for row in reversed(mine) if row.action == "propose"), None),
        decisions=tuple(newest.values()),
        passed=bool(gates) and all(outcome == "promote" for outcome in outcomes),
        left=left[-1] if left else None,
    )
