"""How long from a cold process to help, to the first passage and to the first token, here and in llm and mlflow?

    python benchmarks/start.py

Every time is from the start of a new process, files in the page cache. The question goes to 155 pages of documentation
with a prompt of about 1,000 tokens. `llm` runs without plugins, since its plugin with the same model would compile
llama-cpp-python for minutes; so it shows its help only.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from report import Table, parser, show
from sets import project

SET = "docs_kubernetes"
QUESTION = "What happens when a node runs out of memory?"
# refusing early would be faster than writing: here every question is written
TABLES = """
[app.main]
use = "answer"
passages = 12
candidates = 20
budget = 1000
[checker.main]
use = "grounding"
answerability = 0.0
support = 0.0
"""
STEPS = """
import sys, time
began = float(sys.argv[1])
say = lambda step: print(step, time.time() - began, time.process_time(), flush=True)
first = []
def token(piece):
    first or say("first token")
    first.append(piece)
import gatewheel as gw
from gatewheel.rag.answer import Listener
say("imported")
with gw.open(sys.argv[2]) as project:
    say("opened")
    found = project.ask(sys.argv[3], listener=Listener(on_hits=lambda _: say("first passage"), on_text=token))
say("answered")
print("input tokens", found.usage.input_tokens, 0)
"""
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|[\s\xe2\x80\xa6.]")
Times = dict[str, list[float]]
Steps = dict[str, list[tuple[float, float]]]


def main() -> None:
    """Print the commands, then the split of one question."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project(given.data, SET, folder, tables=TABLES).close()
        _split(folder)  # the first question measures the engines and fills caches
        commands, steps = _rounds(given, folder)
    tokens = int(steps.pop("input tokens")[0][0])
    title = f"Commands from a cold process, seconds, median of {given.rounds}"
    table = Table(title=title, columns=("command", "first output", "fastest", "slowest", "÷ ours"))
    for name, times in commands.items():
        ours = median(commands["gatewheel --help"])
        ratio = f"{median(times) / ours:.1f}×" if name.endswith("--help") else ""
        table.rows.append([name, f"{median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}", ratio])
    title = f"One question by the Python API from a cold process, prompt of {tokens} tokens, seconds"
    split = Table(title=title, columns=("step", "median", "fastest", "slowest", "CPU-seconds"))
    for name, pairs in steps.items():
        seconds, used = zip(*pairs, strict=True)
        split.rows.append([name, *(f"{pick(seconds):.2f}" for pick in (median, min, max)), f"{median(used):.2f}"])
    show([table, split], as_json=given.json)


def _rounds(given: argparse.Namespace, folder: Path) -> tuple[Times, Steps]:
    """First output of every command, and the steps of a question; every command once in each round."""
    scripts = Path(sys.executable).parent
    ours = str(scripts / "gatewheel")
    commands = {
        "gatewheel --help": [ours, "--help"],
        "llm --help": [str(scripts / "llm"), "--help"],
        "mlflow --help": [str(scripts / "mlflow"), "--help"],
        "gatewheel search (first passage)": [ours, "-C", str(folder), "search", QUESTION],
        "gatewheel ask (first words)": [ours, "-C", str(folder), "ask", QUESTION],
    }
    found: Times = defaultdict(list)
    steps: Steps = defaultdict(list)
    for _ in range(given.rounds):
        for name, command in commands.items():
            found[name].append(_first_output(command))
        for step, seconds in _split(folder).items():
            steps[step].append(seconds)
    return found, steps


def _first_output(command: list[str]) -> float:
    """Seconds until a command on a terminal has written its first letter; it is left to finish."""
    here, there = pty.openpty()
    began = time.perf_counter()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LLM_LOAD_PLUGINS": ""}
    child = subprocess.Popen(command, stdin=there, stdout=there, stderr=subprocess.DEVNULL, env=environment)
    os.close(there)
    first = 0.0
    while True:
        try:
            piece = os.read(here, 65_536)
        except OSError:  # the terminal is closed when the child has ended
            break
        if not piece:
            break
        if not first and _CONTROL.sub(b"", piece):
            first = time.perf_counter() - began
    os.close(here)
    if child.wait():
        raise SystemExit(f"{' '.join(command)} failed")
    return first


def _split(folder: Path) -> dict[str, tuple[float, float]]:
    """Step → seconds and CPU-seconds since the process began."""
    command = [sys.executable, "-c", STEPS, str(time.time()), str(folder), QUESTION]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    return {step: (float(seconds), float(used)) for step, seconds, used in lines}


if __name__ == "__main__":
    main()
