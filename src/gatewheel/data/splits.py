"""The split of cases: what was held out is never trained on, and what was trained on is never held out.

The first word stands for ever. It is about what a case asks, whatever it expects, under whatever id, in whatever file.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from gatewheel.data import origins as made_of
from gatewheel.data.cases import split_key
from gatewheel.data.origins import Origin
from gatewheel.data.suites import Split
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.store.schema import splits

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Case

Some = TypeVar("Some")
_AT_ONCE = 5_000  # rows a statement: three values each, and SQLite takes 32,766
SAID = {"train": "for training", "holdout": "held out"}


def assign(engine: Engine, cases: Sequence[Case], split: Split, *, origins: Sequence[Origin] = ()) -> int:
    """Enter cases into a split, with what they were made of, all or none, and return how many are new to it.

    Raises UserError when one stands in the other split already, naming it.
    """
    return divide(engine, {split: cases}, origins=origins)


def divide(engine: Engine, sides: Mapping[Split, Sequence[Case]], *, origins: Sequence[Origin] = ()) -> int:
    """Enter cases into both splits, and what they were made of, in one transaction; return how many are new.

    Raises UserError when one stands, or would stand, on the other side.
    """
    named: dict[str, Case] = {}
    wanted: list[tuple[str, Split]] = []
    for split, cases in sides.items():
        known = {split_key(case): case for case in cases}
        wanted += [(case, split) for case in known]
        named |= known
    with engine.begin() as connection:
        # each process takes the rows in one order, so none waits for another that waits for it
        new = sum(_enter(connection, some) for some in _batches(sorted(wanted)))
        stands = _read(connection, named)
        wrong = [(case, split) for case, split in wanted if stands[case] != split]
        if wrong:
            raise _conflict(wrong, named, len(wanted))
        made_of.write(connection, origins)
    return new


def confirm(engine: Engine, cases: Sequence[Case], split: Split) -> None:
    """Raises UserError when a case stands in the other split already; enters none."""
    named = {split_key(case): case for case in cases}
    stands = of(engine, named)
    if wrong := [(case, split) for case in named if stands.get(case, split) != split]:
        raise _conflict(wrong, named, len(named))


def of(engine: Engine, keys: Iterable[str]) -> dict[str, Split]:
    """The split of each of these cases that has one, all by their `split_key`."""
    with engine.connect() as connection:
        return _read(connection, keys)


def _enter(connection: Connection, rows: Sequence[tuple[str, Split]]) -> int:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    now = time.time()
    values = [{"case": case, "split": split, "created": now} for case, split in rows]
    # the write comes before any read: it waits for whoever writes, and what is read then is no older
    entering = insert(splits).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(entering, values).rowcount


def _read(connection: Connection, keys: Iterable[str]) -> dict[str, Split]:
    found: dict[str, Split] = {}
    for some in _batches(sorted(set(keys))):
        rows = connection.execute(select(splits.c.case, splits.c.split).where(splits.c.case.in_(some)))
        found.update((case, split) for case, split in rows)
    return found


def _batches(rows: Sequence[Some]) -> Iterator[Sequence[Some]]:
    return (rows[at : at + _AT_ONCE] for at in range(0, len(rows), _AT_ONCE))


def _conflict(wrong: Sequence[tuple[str, Split]], named: Mapping[str, Case], asked: int) -> UserError:
    case, split = wrong[0]
    other = "holdout" if split == "train" else "train"
    question = " ".join(named[case].question.split())[:80]
    what = f"{len(wrong)} of {asked} cases are {SAID[other]} already and cannot be {SAID[split]}, such as '{question}'"
    return UserError(what, cure="take them out; a case stays on the side where it was first")
