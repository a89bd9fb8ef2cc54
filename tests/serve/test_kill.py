"""Kill -9 of the service in the middle of load: nothing that it acknowledged is lost, and it starts again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx2

import gatewheel as gw
from awaiting import eventually
from serving import make_project

COMMAND = [sys.executable, "-P", "-m", "gatewheel"]
CLIENTS, ACKNOWLEDGED = 4, 60


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*COMMAND, "-C", str(folder), "serve", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def test_acknowledged_feedback_outlives_the_service(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        trace = project.ask("How many litres does the kettle hold?", app="quoting").trace
    process, url = start(tmp_path)
    kept: set[str] = set()

    def give(client: int) -> None:
        with httpx2.Client(base_url=url, timeout=30) as session:
            for number in range(10_000):
                said = {"trace": trace, "comment": f"{client}.{number}"}
                try:
                    if session.post("/api/feedback", json=said).status_code == 201:
                        kept.add(said["comment"])
                    session.get("/api/search", params={"q": "kettle"})
                except httpx2.HTTPError:
                    return

    threads = [threading.Thread(target=give, args=(client,), daemon=True) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(kept) >= ACKNOWLEDGED)
    process.kill()
    process.wait()
    for thread in threads:
        thread.join(timeout=60)
    assert process.stdout is not None
    process.stdout.close()
    with gw.open(tmp_path) as project:
        assert kept <= {one.comment for one in project.feedback(limit=100_000)}
    again, url = start(tmp_path)
    try:
        assert httpx2.get(f"{url}/healthz", timeout=30).status_code == 200
    finally:
        again.kill()
        again.communicate()
