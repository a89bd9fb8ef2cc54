"""Every index of the catalog against brute force, through adds, removals, reopening and kill -9."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gatewheel.kernel import catalog
from gatewheel.kernel.errors import MissingPart

NAMES = sorted(catalog.CATALOG["index"])
# so that an approximate index shows itself at the sizes of a test
EAGER: dict[str, dict[str, Any]] = {"faiss": {"exact_below": 1}}
APPROXIMATE = {"faiss"}
WIDTH = 8


def opened(name: str, folder: Path, *, width: int = WIDTH) -> Any:
    module = catalog.load("index", name)
    try:
        return module.create(module.Settings(**EAGER.get(name, {})), folder=folder, dimensions=width)
    except MissingPart as missing:
        pytest.skip(str(missing))


def vector_of(row: int, width: int = WIDTH) -> np.ndarray:
    """Every fifth vector repeats an earlier one, so that there are ties."""
    seed = row if row % 5 else row // 2
    return np.random.default_rng(seed).normal(size=width).astype(np.float32)


def batches(rows: Collection[int], size: int = 7) -> Any:
    def after(last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        new = [row for row in sorted(rows) if row > last]
        for at in range(0, len(new), size):
            some = new[at : at + size]
            yield np.array(some, np.int64), np.stack([vector_of(row) for row in some])

    return after


def follow(index: Any, revision: int, rows: Collection[int]) -> None:
    index.update(revision=revision, alive=np.array(sorted(rows), np.int64), vectors=batches(rows))


def brute(question: np.ndarray, rows: Collection[int], k: int) -> list[tuple[int, float]]:
    scored = []
    for row in rows:
        vector = vector_of(row).astype(np.float64)
        cosine = float(vector @ question / np.linalg.norm(vector) / np.linalg.norm(question))
        scored.append((row, cosine))
    return sorted(scored, key=lambda pair: (-round(pair[1], 6), pair[0]))[:k]


def check(name: str, index: Any, rows: Collection[int], *, seed: int, k: int, among: list[int] | None) -> None:
    question = np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)
    asked = set(rows) if among is None else set(rows) & set(among)
    found = index.search(question, k=k, among=among)
    want = brute(question, asked, k)
    assert len(found) == len(want)
    if name not in APPROXIMATE or (among is not None and len(asked) <= 4 * k):
        assert [row for row, _ in found] == [row for row, _ in want]
        np.testing.assert_allclose([c for _, c in found], [c for _, c in want], atol=1e-6)
        return
    assert {row for row, _ in found} <= asked
    truth = dict(brute(question, asked, len(asked)))
    np.testing.assert_allclose([c for _, c in found], [truth[row] for row, _ in found], atol=1e-6)
    assert [row for row, _ in found] == sorted((row for row, _ in found), key=lambda row: (-round(truth[row], 6), row))


class StoreAndIndex(RuleBasedStateMachine):
    """A store that changes, and an index that follows it, is closed and opened again."""

    name = ""

    def __init__(self) -> None:
        super().__init__()
        self.rows: set[int] = set()
        self.synced: set[int] = set()
        self.next = 1
        self.revision = 0

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.index = opened(self.name, Path(self.folder.name))

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(count=st.integers(1, 60))
    def add(self, count: int) -> None:
        self.rows.update(range(self.next, self.next + count))
        self.next += count
        self.revision += 1

    @rule(share=st.floats(0, 1), seed=st.integers(0, 9))
    def remove(self, share: float, seed: int) -> None:
        chance = random.Random(seed)
        self.rows = {row for row in self.rows if chance.random() >= share}
        self.revision += 1

    @rule()
    def late(self) -> None:
        """A row gets its vector after later ones did."""
        missing = sorted(set(range(1, self.next)) - self.rows - self.synced)
        self.rows.update(missing[:1])
        self.revision += 1

    @rule()
    def sync(self) -> None:
        follow(self.index, self.revision, self.rows)
        assert self.index.revision == self.revision
        self.synced = set(self.rows)

    @rule()
    def reopen(self) -> None:
        before = self.index.revision
        self.index = opened(self.name, Path(self.folder.name))
        assert self.index.revision == before

    @rule(seed=st.integers(0, 99), k=st.integers(1, 20), data=st.data())
    def search(self, seed: int, k: int, data: Any) -> None:
        among = data.draw(st.none() | st.lists(st.integers(0, self.next + 3), max_size=80))
        check(self.name, self.index, self.synced, seed=seed, k=k, among=among)

    @invariant()
    def nothing_is_invented(self) -> None:
        if hasattr(self, "index") and not self.synced:
            assert self.index.search(np.ones(WIDTH, np.float32), k=3) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_follows_a_store(name: str, tmp_path: Path) -> None:
    opened(name, tmp_path)
    machine = type("Machine", (StoreAndIndex,), {"name": name})
    run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=20, deadline=None))


@pytest.mark.parametrize("name", NAMES)
def test_ten_nearest_of_clustered_vectors(name: str, tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    centres = chance.normal(size=(60, 64))
    vectors = (centres[chance.integers(60, size=6000)] + chance.normal(size=(6000, 64))).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    index = opened(name, tmp_path, width=64)
    ids = np.arange(1, 6001)

    def after(last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield ids[ids > last], vectors[ids > last]

    index.update(revision=1, alive=ids, vectors=after)
    questions = (centres[chance.integers(60, size=100)] + chance.normal(size=(100, 64))).astype(np.float32)
    wide = ids[chance.random(6000) < 0.5]
    for among in (None, wide):
        asked = ids if among is None else among
        hits = 0
        for question in questions:
            truth = asked[np.argsort(-(unit[asked - 1] @ question), kind="stable")[:10]]
            hits += len({row for row, _ in index.search(question, k=10, among=among)} & set(truth.tolist()))
        assert hits / 1000 >= (0.95 if name in APPROXIMATE else 1)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda question: index.search(question, k=5), questions))
    assert together == [index.search(question, k=5) for question in questions]


WRITER = """
import sys; sys.path[:0] = sys.argv[3:]
from pathlib import Path
from test_index import follow, opened, rows_of
index = opened(sys.argv[1], Path(sys.argv[2]))
revision = max(index.revision, 0)
while True:
    revision += 1
    follow(index, revision, rows_of(revision))
    print(revision, flush=True)
"""


def rows_of(revision: int) -> set[int]:
    """What the store of the kill test holds at a revision: it grows, and now and then loses half."""
    top = 40 * revision
    return {row for row in range(1, top + 1) if (row * 2654435761 >> 7) % 97 >= 60 * (row < top // 2 // 200 * 200)}


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_writer_leaves_the_old_revision_or_the_new(name: str, tmp_path: Path) -> None:
    opened(name, tmp_path)
    chance = random.Random(3)
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, name, str(tmp_path), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [int(child.stdout.readline())]
            while chance.random() < 0.8:
                lines.append(int(child.stdout.readline()))
            for _ in range(chance.randrange(20_000)):  # somewhere inside the next revision
                pass
            child.kill()
            lines += [int(line) for line in child.stdout.read().split()]
        index = opened(name, tmp_path)
        assert index.revision in (lines[-1], lines[-1] + 1)
        rows = rows_of(index.revision)
        for seed in range(5):
            check(name, index, rows, seed=seed, k=10, among=None)
            check(name, index, rows, seed=seed, k=10, among=sorted(rows)[::50][:20])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_short_costs_a_rebuild_and_never_a_wrong_answer(name: str, tmp_path: Path) -> None:
    follow(opened(name, tmp_path), 1, range(1, 200))
    revision = 1
    for kind in sorted({path.name.partition("-")[0] for path in tmp_path.iterdir()}):
        for share in (0.0, 0.5, 0.99):
            path = next(tmp_path.glob(f"{kind}*"))
            whole = path.read_bytes()
            path.unlink()
            path.write_bytes(whole[: int(share * len(whole))])
            index = opened(name, tmp_path)
            assert index.revision in (-1, revision)
            check(name, index, range(1, 200) if index.revision == revision else (), seed=0, k=10, among=None)
            revision += 1
            follow(index, revision, range(1, 200))
            check(name, opened(name, tmp_path), range(1, 200), seed=1, k=10, among=None)


@pytest.mark.parametrize("name", NAMES)
def test_two_writers_take_turns(name: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: follow(opened(name, tmp_path), 1, range(1, 300)), range(8)))
    check(name, opened(name, tmp_path), range(1, 300), seed=4, k=10, among=[5, 6, 7])


@pytest.mark.parametrize("name", NAMES)
def test_another_width_begins_anew(name: str, tmp_path: Path) -> None:
    follow(opened(name, tmp_path), 1, range(1, 50))
    assert opened(name, tmp_path, width=WIDTH + 1).revision == -1
