"""Releases: which variant answers for an application, an append-only history in which each row seals the one before.

A row's `hash` is the SHA-256 of canonical JSON of all the rest of it, the hash before it among them, so a row that is
changed, taken out or put in between breaks the chain for `verify`. Whoever may write the database could make a whole
new chain: note its head elsewhere, and `verify(head=…)` finds that too.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.schema import meta, releases

Action = Literal["gate", "propose", "promote", "rollback"]
Present = Mapping[str, Mapping[str, Any]]
"""Gate → what the reason of its decision (`record`) has to hold of CHANGED, and has to hold no more of."""
SERVED = ("promote", "rollback")  # what changes the variant that answers
GENESIS = "0" * 64
HEAD = "releases.head"  # key of `meta`: number and hash of the last row, so that rows missing at the end are found
NO_GATE = "write a [gate.main] and run `gatewheel gate`, or say why not: --override REASON"
AGAIN = "run `gatewheel gate` on it, or say why not: --override REASON"
CHANGED = {
    "settings": "[gate.{gate}] was",
    "suite_id": "suite {suite}, its metrics or what judges by them were",
    "corpus": "the documents were",
    "incumbent": "what answers without a release was",
    "left_out": "what leaked into suite {suite}",
    "judges": "the measurement of a judge of [gate.{gate}], or people's grades of these answers,",
}
TRIES = 50  # two who write at once take turns; this many others in a row do not happen


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One row. `variant` is empty after a roll back to what the file says; `author` is a name or the id of a key.

    `reason` holds the decision of a gate (`gate`, `outcome`, `released`, `reasons` …), or `text`, or `override`.
    """

    number: int
    app: str
    created: float
    action: Action
    variant: str
    reason: Mapping[str, Any] = field(default_factory=dict)
    author: str = ""
    before: str = GENESIS
    hash: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What `verify` found: the number of rows, the hash of the last one, and in words whatever is not as it was."""

    rows: int
    head: str
    faults: tuple[str, ...]


def record(engine: Engine, app: str, variant: str, *, reason: Mapping[str, Any], author: str = "") -> Release:
    """Write down what a gate said. `reason` has at least gate, outcome and `released`, what answered at that time.

    The same words as the last time are not written twice, unless what answers has changed in between.
    """

    def draft(rows: Sequence[Release]) -> Release:
        made = _draft(app, "gate", variant, reason, author)
        last = _decisions(rows, app, variant, str(reason["gate"]))[-1:]
        known = last and last[0].reason == made.reason and last[0].number > _changed(rows, app)
        return last[0] if known else made

    return _append(engine, draft)


def propose(engine: Engine, app: str, variant: str, *, text: str = "", author: str = "") -> Release:
    """Ask for a variant to be released. Raises UserError when it is released already."""

    def draft(rows: Sequence[Release]) -> Release:
        _refuse_released(rows, app, variant)
        return _draft(app, "propose", variant, {"text": text}, author)

    return _append(engine, draft)


def promote(engine: Engine, app: str, variant: str, *, gates: Present, override: str = "", author: str = "") -> Release:
    """Release a variant that each of these gates let pass against what is released now, or for the reason `override`.

    What was judged by other settings, other cases or other documents than the present ones is no pass any more. Raises
    UserError when a gate did not let it pass, when there is no gate, and when the variant is released already.
    """

    def draft(rows: Sequence[Release]) -> Release:
        _refuse_released(rows, app, variant)
        if override.strip():
            return _draft(app, "promote", variant, {"override": override.strip()}, author)
        passed = passes(rows, app, variant, gates)
        return _draft(app, "promote", variant, {"decisions": [row.number for row in passed]}, author)

    return _append(engine, draft)


def passes(rows: Sequence[Release], app: str, variant: str, present: Present) -> list[Release]:
    """The decisions of gates by which `promote` would release a variant. Raises UserError where it would not."""
    passed = [_passed(rows, app, variant, gate) for gate in present]
    for row in passed:
        _refuse_stale(row, present[row.reason["gate"]])
    if not passed:
        raise UserError(f"no gate is set for [app.{app}], so nothing let {variant[:12]} pass", cure=NO_GATE)
    return passed


def rollback(engine: Engine, app: str, *, to: str | None = None, text: str = "", author: str = "") -> Release:
    """Release what was released before, "" from the first one, or what `to` names of it. Raises UserError for none."""

    def draft(rows: Sequence[Release]) -> Release:
        stack = stack_of(rows, app)
        back = ["", *stack[:-1]]
        wanted = back[-1] if to is None else to
        if not stack or wanted not in back:
            what = f"[app.{app}] has no release to go back from" + (f" to {wanted[:12]}" if stack else "")
            raise UserError(what, cure="see `gatewheel release list`")
        return _draft(app, "rollback", wanted, {"text": text, "from": stack[-1]}, author)

    return _append(engine, draft)


def current(engine: Engine, app: str) -> str:
    """The id of the variant that is released; empty when none is and the file's variant answers."""
    return serving(engine).get(app, "")


def last_released(engine: Engine, app: str, *, besides: str) -> str:
    """The id of the variant that was released last, where possible another one than `besides`; empty if none ever was.

    It may have been rolled back since.
    """
    ever = [row.variant for row in history(engine, app) if row.action == "promote"]
    return next((variant for variant in reversed(ever) if variant != besides), ever[-1] if ever else "")


def serving(engine: Engine) -> dict[str, str]:
    """Application → the id of its released variant, for all that have one."""
    last = select(func.max(releases.c.number)).where(releases.c.action.in_(SERVED)).group_by(releases.c.app)
    query = select(releases.c.app, releases.c.variant).where(releases.c.number.in_(last))
    with engine.connect() as connection:
        return {app: variant for app, variant in connection.execute(query) if variant}


def newest(engine: Engine) -> int:
    """The number of the last row, 0 without any: it grows with every change."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.max(releases.c.number), 0))).scalar_one())


def history(engine: Engine, app: str = "") -> list[Release]:
    """All rows, the oldest first, of one application or of all."""
    with engine.connect() as connection:
        rows = _rows(connection)
    return [row for row in rows if not app or row.app == app]


def verify(engine: Engine, *, head: str = "") -> Verified:
    """Look through the whole chain. `head` is a hash that was noted down earlier and has to be in it."""
    with engine.connect() as connection:
        rows = _rows(connection)
        noted = connection.execute(select(meta.c.value).where(meta.c.key == HEAD)).scalar()
    faults = list(_faults(rows))
    last = rows[-1].hash if rows else GENESIS
    number, sealed = json.loads(noted) if noted else (0, GENESIS)
    if (number, sealed) != (rows[-1].number if rows else 0, last):
        faults.append(f"the chain should end with row {number} ({sealed[:12]}); rows are missing or added at its end")
    if head and not any(row.hash.startswith(head) for row in rows):
        faults.append(f"no row has the hash {head[:12]} that was noted down; the chain is another one")
    return Verified(rows=len(rows), head=last, faults=tuple(faults))


def seal(row: Release) -> str:
    """The hash that a row should have: SHA-256 of canonical JSON of all of it but the hash."""
    told = {key: value for key, value in asdict(row).items() if key != "hash"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _append(engine: Engine, draft: Callable[[Sequence[Release]], Release]) -> Release:
    """Write what `draft` makes of the rows so far. Its number is the key, so whoever comes second looks again."""
    for attempt in range(TRIES):
        with engine.connect() as connection:
            rows = _rows(connection)
        made = draft(rows)
        if made.number:
            return made  # it stands there already
        number, before = (rows[-1].number + 1, rows[-1].hash) if rows else (1, GENESIS)
        values = asdict(made) | {"number": number, "before": before}
        values["hash"] = seal(Release(**values))
        try:
            with engine.begin() as connection:
                connection.execute(insert(releases).values(**values))
                _note_head(connection, number, values["hash"])
        except IntegrityError:
            if attempt == TRIES - 1:
                raise
            continue
        return Release(**values)
    raise AssertionError("unreachable")


def _note_head(connection: Connection, number: int, hash_: str) -> None:
    value = json.dumps([number, hash_])
    # the row inserted just now holds off everybody else, so nobody comes between these two
    if not connection.execute(update(meta).where(meta.c.key == HEAD).values(value=value)).rowcount:
        connection.execute(insert(meta).values(key=HEAD, value=value))


def _rows(connection: Connection) -> list[Release]:
    return [Release(**row._mapping) for row in connection.execute(select(releases).order_by(releases.c.number))]


def _draft(app: str, action: Action, variant: str, reason: Mapping[str, Any], author: str) -> Release:
    words = json.dumps([reason, author], ensure_ascii=False, allow_nan=False)
    # as it will be read again: lists for tuples, and nothing that is no UTF-8, such as a byte of a Latin-1 terminal
    said, who = json.loads(words.encode("utf-8", "replace"))
    return Release(number=0, app=app, created=time.time(), action=action, variant=variant, reason=said, author=who)


def stack_of(rows: Iterable[Release], app: str) -> list[str]:
    """What was released, the present one last; a roll back takes off what came after that to which it went."""
    stack: list[str] = []
    for row in rows:
        if row.app == app and row.action == "promote":
            stack.append(row.variant)
        elif row.app == app and row.action == "rollback" and stack:
            stack.pop()
            while stack and stack[-1] != row.variant:
                stack.pop()
    return stack


def _refuse_released(rows: Sequence[Release], app: str, variant: str) -> None:
    stack = stack_of(rows, app)
    if stack and stack[-1] == variant:
        raise UserError(f"{variant[:12]} is the release of [app.{app}] already", cure="there is nothing to do")


def _passed(rows: Sequence[Release], app: str, variant: str, gate: str) -> Release:
    """The newest decision of a gate on a variant against what is released now. Raises UserError when it is no pass."""
    stack, since = stack_of(rows, app), _changed(rows, app)
    mine = _decisions(rows, app, variant, gate)
    if not mine:
        raise UserError(f"[gate.{gate}] never judged {variant[:12]}", cure=AGAIN)
    # one that was under way while something was released is newer than that, but was not compared with it
    now = [row for row in mine if row.number > since and row.reason.get("released") == (stack[-1] if stack else "")]
    if not now:
        back = any(row.number == since and row.action == "rollback" for row in rows)
        present = stack[-1][:12] if stack else "what the file says"
        when = f"the roll back to {present}" if back else f"the present release, {present}, was made"
        raise UserError(f"[gate.{gate}] judged {variant[:12]} before {when}", cure=AGAIN)
    if now[-1].reason.get("outcome") != "promote":
        outcome = now[-1].reason.get("outcome")
        raise UserError(f"[gate.{gate}] said of {variant[:12]}: {outcome} (row {now[-1].number})", cure=AGAIN)
    return now[-1]


def _refuse_stale(row: Release, present: Mapping[str, Any]) -> None:
    """Raises UserError when a decision was made about something else than there is now."""
    for key, changed in CHANGED.items():
        if row.reason.get(key) != present.get(key):
            what = changed.format(gate=row.reason["gate"], suite=row.reason.get("suite"))
            raise UserError(f"{what} changed since row {row.number}", cure=f"run it again: {AGAIN}")


def _changed(rows: Iterable[Release], app: str) -> int:
    """The number of the last row that changed what answers for an application; 0 without one."""
    return max((row.number for row in rows if row.app == app and row.action in SERVED), default=0)


def _decisions(rows: Sequence[Release], app: str, variant: str, gate: str) -> list[Release]:
    mine = [row for row in rows if (row.action, row.app, row.variant) == ("gate", app, variant)]
    return [row for row in mine if row.reason.get("gate") == gate]


def _faults(rows: Sequence[Release]) -> Iterable[str]:
    before, number = GENESIS, 0
    for row in rows:
        if row.number != number + 1:
            yield f"row {number + 1} is missing" if row.number > number + 1 else f"row {row.number} is out of order"
        if row.before != before:
            yield f"row {row.number} does not follow the row before it"
        if row.hash != seal(row):
            yield f"row {row.number} was changed after it was written"
        before, number = row.hash, row.number
