"""A worker for test_runs.py: notes that it runs, then waits, fails or ends as the run's settings say."""

import os
import signal
import sys
import time
from pathlib import Path

from gatewheel.kernel import runs
from gatewheel.kernel.store.database import open_database


def main(root: str, id_: str) -> None:
    engine = open_database(Path(root) / ".gatewheel")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(runs.end(engine, id_, "cancelled")))
    run = runs.get(engine, id_)
    runs.begin(engine, id_)
    with (Path(root) / "began").open("a") as file:
        file.write("x")
    match run.settings["then"]:
        case "wait":
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fail":
            runs.end(engine, id_, "failed", error="user: the valve is shut; open it")
        case _:
            runs.change(engine, id_, progress={"files": 3})
            runs.end(engine, id_, "done", result={"files": 3})


main(*sys.argv[1:])
