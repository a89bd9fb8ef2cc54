"""A project whose application sorts letters of customers by intent, with cases to learn and others held out."""

from __future__ import annotations

import json
from pathlib import Path

from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.loop.starting import init

TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "llama.cpp"
parallel = 2
[model.far]
use = "openai"
model = "m"
base_url = "http://localhost:9"
[app.main]
use = "direct"
prompt = "sort"
max_tokens = 12
[app.elsewhere]
use = "direct"
model = "far"
prompt = "sort"
[finetune.lora]
rank = 4
learning_rate = 4e-3
steps = 8
batch = 4
validation = 0.2
samples = 1
evaluate_every = 4
[gate.main]
suite = "letters"
better = { exact-match = 0.0 }
"""
THINGS = ("kettle", "lamp", "tent", "chair", "camera", "jacket", "clock", "toaster", "pump", "mill", "boots", "desk")
SAID = {"delivery": "Where is my {}?", "refund": "I want the money for the {} back."}
HELD = {"delivery": "When does the {} come?", "refund": "Pay me back the {}, please."}


def cases(wordings: dict[str, str], things: tuple[str, ...]) -> str:
    rows = [
        {"question": said.format(thing), "references": [intent]}
        for thing in things
        for intent, said in wordings.items()
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def written(home: Path, *, train: bool = True) -> Path:
    """The project; without `train` nothing is there to learn from yet."""
    init(home)
    (home / CONFIG_FILE).write_text(TOML)
    (home / "prompts" / "sort.md").write_text("---\nsystem: Sort the letter.\n---\n{{ question }}")
    (home / "suites" / "letters.jsonl").write_text(cases(HELD, THINGS[6:]))
    (home / "suites" / "letters.toml").write_text('metrics = ["exact-match"]\n')
    if not train:
        return home
    (home / "suites" / "letters-train.jsonl").write_text(cases(SAID, THINGS[:6]))
    (home / "suites" / "letters-train.toml").write_text('metrics = ["exact-match"]\nsplit = "train"\n')
    return home
