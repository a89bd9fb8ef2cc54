"""How long until a page of the studio paints? First contentful paint on loopback, in a real Chromium.

    python benchmarks/paint.py

The sample project, three questions asked. Cold: a new browser profile for each page; warm: the page again. Needs
playwright and a Chromium, as `make test` finds it; benchmarks/.venv has the first.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from report import Table, parser, show

PAGES = ("/", "/ask", "/documents", "/traces", "/runs", "/evaluate", "/release")
QUESTIONS = ("What does a gate decide?", "What is a variant?", "How many moons does Jupiter have?")
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def main() -> None:
    """Print the median and the greatest of some visits to each page."""
    options = parser(__doc__)
    options.add_argument("--visits", type=int, default=7)
    given = options.parse_args()
    gatewheel = str(Path(sys.executable).with_name("gatewheel"))
    with tempfile.TemporaryDirectory() as folder:
        for words in (["init", ".", "--sample"], ["ingest"], *(["ask", question] for question in QUESTIONS)):
            subprocess.run([gatewheel, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        port = _free_port()
        child = subprocess.Popen([gatewheel, "serve", "--port", str(port)], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(f"{url}/readyz")
            rows = _visit(url, given.visits)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(40)
    columns = ("page", "cold, median ms", "cold, greatest", "warm, median", "warm, greatest")
    show([Table(title="First contentful paint", columns=columns, rows=rows)], as_json=given.json)


def _visit(url: str, visits: int) -> list[list[Any]]:
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for page in PAGES:
            cold: list[float] = []
            warm: list[float] = []
            for _ in range(visits):
                with contextlib.closing(browser.new_context()) as profile:
                    tab = profile.new_page()
                    for times in (cold, warm):
                        tab.goto(url + page)
                        while (painted := tab.evaluate(PAINT)) is None:
                            time.sleep(0.02)
                        times.append(float(painted))
            told = (statistics.median(cold), max(cold), statistics.median(warm), max(warm))
            rows.append([page, *(f"{value:.0f}" for value in told)])
        browser.close()
    return rows


def _wait(url: str) -> None:
    for _ in range(240):
        with contextlib.suppress(urllib.error.URLError):
            if urllib.request.urlopen(url).status == 200:
                return
        time.sleep(0.5)
    raise SystemExit("the service did not become ready")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main()
