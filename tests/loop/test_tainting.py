"""What learned of what, however far down, is told alike by all that ask for it; a taint goes with the words alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

import gatewheel as gw
from gatewheel.kernel.store.learning import artifacts
from gatewheel.loop import tainting

NUMBERS = itertools.count()
WEIGHTS = st.tuples(
    st.integers(0, 9),  # of which others it is made: the adapter, and the base
    st.integers(0, 9),
    st.sampled_from(["", "a", "b"]),  # the version that it learned
    st.sampled_from(["", "a", "b"]),  # and the one that it was validated on
    st.booleans(),  # whether a prompt showed the document
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    gw.init(tmp_path / "home").close()
    with gw.open(tmp_path / "home") as project:
        yield project.parts.engine


def kept(engine: Engine, id_: str, meta: dict[str, Any]) -> str:
    with engine.begin() as connection:
        row = {"id": id_, "kind": "adapter", "created": 1.0, "run": "", "bytes": 1, "meta": meta}
        connection.execute(insert(artifacts).values(**row))
    return id_


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WEIGHTS, min_size=1, max_size=10))
def test_what_learned_of_it_is_one_set_whoever_asks(
    engine: Engine, made: list[tuple[int, int, str, str, bool]]
) -> None:
    one = f"{next(NUMBERS):08x}"
    ids, learned, shown = [f"{at:02x}{one}" for at in range(len(made))], list[set[str]](), list[bool]()
    for at, (adapter, base, dataset, validation, seen) in enumerate(made):
        parents = [place for place in (adapter, base) if place < at]
        named = {
            "dataset": f"{dataset}{one}" if dataset else "",
            "validation": f"{validation}{one}" if validation else "",
        }
        above = {"adapter": ids[adapter]} if adapter < at else {}
        kept(
            engine,
            ids[at],
            {**named, **above, "base": {"sha256": ids[base] if base < at else ""}, "shown": [one] if seen else []},
        )
        learned.append({name for name in named.values() if name}.union(*(learned[place] for place in parents)))
        shown.append(seen or any(shown[place] for place in parents))
    first = f"a{one}"
    assert [set(tainting.learned(engine, {"model": {"weights": f"object:{id_}"}})) for id_ in ids] == learned
    of_it = {id_ for id_, known in zip(ids, learned, strict=True) if first in known}
    assert set(tainting.taught_by(engine, {first})) == of_it
    read = {id_ for id_, seen in zip(ids, shown, strict=True) if seen}
    assert set(tainting.taught_by(engine, (), shown=lambda source: source == one)) == read
    with engine.begin() as connection:
        tainting.mark(connection, "dataset", [first], one)
    assert {id_ for id_ in ids if tainting.read(engine).of_artifact(id_)} == of_it
    assert tainting.lifted(engine, first)
    assert not tainting.lifted(engine, first)
    later = kept(engine, f"ff{one}", {"dataset": first})
    taints = tainting.read(engine)
    assert {id_ for id_ in ids if taints.of_artifact(id_)} == of_it, "what was learned stays learned"
    assert (taints.of("dataset", first), taints.of_artifact(later)) == ((), ())
