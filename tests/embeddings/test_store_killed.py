"""A writer that is killed at any moment leaves whole documents and a sound index, on both engines."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from gatewheel.kernel.store.database import open_database
from gatewheel.kernel.store.schema import documents, passages
from storing import assert_consistent, store_of

WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from storing import HashEncoder, encode, entry, store_of
from gatewheel.kernel.store.database import open_database
store = store_of(open_database(Path(sys.argv[1]), sys.argv[2]))
encoder = HashEncoder()
print("begun", flush=True)
for round in range(10_000):
    source = f"f{round % 7}"
    file_id = store.open_file(source, size=1, mtime_ns=1, recipe="r", named=False)
    for part in range(3):
        one = entry(f"{source}#{part}", [f"passage {n} of {part} {round}" for n in range(5)], heading=str(round))
        encode(store, encoder, [one])
        store.write([(file_id, one)])
    store.close_file(source, sha256=str(round), keep={f"{source}#{part}" for part in range(3)})
    if round % 5 == 4:
        store.remove_file(f"f{(round + 2) % 7}")
        store.tidy()
"""


def killed(state: Path, url: str, after: float) -> None:
    argv = [sys.executable, "-c", WRITER, str(state), url, str(Path(__file__).parents[1])]
    writer = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert writer.stdout
    assert writer.stdout.readline() == b"begun\n"
    time.sleep(after)
    writer.send_signal(signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()


def test_kill_9_leaves_whole_files_and_a_sound_index(store_url: str, tmp_path: Path) -> None:
    chooser = random.Random(5)
    moments = [chooser.uniform(0.02, 0.4) for _ in range(3)]
    for after in moments:
        killed(tmp_path, store_url, after)
        engine = open_database(tmp_path, store_url)
        assert_consistent(engine)
        store = store_of(engine)
        states = store.files()
        assert sum(not state.sha256 for state in states.values()) <= len(moments)
        with engine.connect() as connection:
            for state in states.values():
                query = select(documents.c.source, passages.c.heading, func.count(passages.c.id)).join(passages)
                query = query.where(documents.c.file_id == state.id).group_by(documents.c.source, passages.c.heading)
                found = connection.execute(query).all()
                assert all(count == 5 for *_, count in found)
                if state.sha256:
                    assert {heading for _, heading, _ in found} == {state.sha256}
                    assert len(found) == 3
        assert len(store.rows()) == store.totals()[1]
        engine.dispose()
