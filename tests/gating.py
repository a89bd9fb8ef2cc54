"""A project with a suite of forty questions, answered without a model, and an application that answers none of them."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import gatewheel as gw

ROOMS = (
    "amber birch cedar dahlia elm fern gorse hazel iris juniper kale larch maple nettle oak pine quince rose sage thyme"
)
TOML = """
[sources]
paths = ["rooms/"]

[model.chat]
use = "llama.cpp"
threads = 1

[app.main]
mode = "quote"

[app.deaf]
use = "answer"
mode = "quote"
checker = "deaf"

[app.same]
use = "answer"
mode = "quote"
budget = 999

[checker.deaf]
use = "grounding"
answerability = 1.0

[gate.main]
suite = "rooms"
"""
BETTER = "better = { inclusion = 0.0 }\nnot_worse = { abstention = 0.05 }\n"


def make(folder: Path, *, gate: str = BETTER, more: str = "", metrics: str = '"inclusion", "abstention"') -> Path:
    """A project in a folder, ingested, with lines of its gate and more tables."""
    shutil.copytree(_read(), folder, dirs_exist_ok=True)
    (folder / "gatewheel.toml").write_text(TOML + gate + more, encoding="utf-8")
    (folder / "suites" / "rooms.toml").write_text(f"metrics = [{metrics}]\n", encoding="utf-8")
    return folder


@cache
def _read() -> Path:
    """The project with its documents read, which a worker does once: a second of processor time each."""
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    folder = Path(made) / "gating"
    gw.init(folder).close()
    (folder / "gatewheel.toml").write_text(TOML + BETTER, encoding="utf-8")
    (folder / "rooms").mkdir()
    (folder / "suites").mkdir(exist_ok=True)
    cases = []
    for number, room in enumerate(ROOMS.split()):
        text = f"# Room {room}\n\nThe door of the {room} room opens with the code {4711 + 37 * number}. "
        (folder / "rooms" / f"{room}.md").write_text(f"{text}It seats {5 + number} people.\n", encoding="utf-8")
        door = {"question": f"What is the code of the door of the {room} room?", "tags": ["door"]}
        seats = {"question": f"How many people does the {room} room seat?", "tags": ["seats"]}
        cases += [{**door, "references": [str(4711 + 37 * number)]}, {**seats, "references": [str(5 + number)]}]
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    (folder / "suites" / "rooms.jsonl").write_text(lines, encoding="utf-8")
    with gw.open(folder) as project:
        project.ingest()
    return folder
