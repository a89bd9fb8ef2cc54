"""One turn of the wheel for three tasks: the base is measured, tuned, measured again as it is served, and gated.

    make wheel
    benchmarks/wheel.py --data FOLDER --share 0.3

By the command line of Gatewheel alone, in a project of its own. What is told at the end is what the gate said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import Table, parser, show
from wheel_tasks import Task, tasks

GATEWHEEL = [sys.executable, "-m", "gatewheel"]
TOML = """
[sources]
paths = ["documents"]
[model.chat]
use = "openvino"
parallel = 16
prompt_cache = true
"""
GATE = """
[gate.{name}]
app = "{name}"
suite = "{name}"
better = {{ {gains} = 0.0 }}
"""


def main() -> None:
    """Turn it and print what came of it."""
    options = parser(__doc__)
    options.add_argument("--share", type=float, default=1.0, help="of the cases")
    options.add_argument("--only", nargs="*", default=(), help="names of tasks")
    options.add_argument("--folder", type=Path, help="where the project is made and kept; default: a temporary one")
    options.add_argument("--method", default="lora", help="lora or qlora")
    given = options.parse_args()
    chosen = [one for one in tasks(given.data, share=given.share) if not given.only or one.name in given.only]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made) / "wheel"
        _project(folder, chosen)
        rows = [list(_turned(folder, task, given.method)) for task in chosen]
    minutes = (time.monotonic() - began) / 60
    head = ("task", "held out", "metric", "before", "after", "gain, 95%", "gate", "learned from", "tuning s", "all s")
    told = Table(title=f"One turn of the wheel, {minutes:.1f} minutes in all", columns=head, rows=rows)
    show([told], as_json=given.json)


def _project(folder: Path, chosen: list[Task]) -> None:
    (folder / "prompts").mkdir(parents=True, exist_ok=True)
    (folder / "suites").mkdir(exist_ok=True)
    (folder / "documents").mkdir(exist_ok=True)
    _run(folder, "init", str(folder))
    text = TOML + "".join(task.toml + GATE.format(name=task.name, gains=task.gains) for task in chosen)
    (folder / "gatewheel.toml").write_text(text)
    for task in chosen:
        if task.prompt:
            (folder / "prompts" / f"{task.name}.md").write_text(task.prompt)
        listed = ", ".join(f'"{metric}"' for metric in task.metrics)
        for name, cases, split in ((task.name, task.held, "holdout"), (f"{task.name}-train", task.train, "train")):
            lines = [json.dumps(case, ensure_ascii=False) + "\n" for case in cases]
            (folder / "suites" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
            named = f'metrics = [{listed}]\napp = "{task.name}"\nsplit = "{split}"\n'
            (folder / "suites" / f"{name}.toml").write_text(named)


def _turned(folder: Path, task: Task, method: str) -> tuple[Any, ...]:
    began = time.monotonic()
    changes = [word for key, value in task.settings.items() for word in ("--set", f"{key}={value}")]
    made = _run(folder, "finetune", method, "--data", f"{task.name}-train", "--app", task.name, *changes, "--json")
    variant = _run(folder, "variants", "add", made["run"], "--app", task.name, "--json")["id"]
    decided = _run(folder, "gate", variant, "--gate", task.name, "--json", codes=(0, 3, 4))
    mine, theirs = decided["reports"]
    compared = _run(folder, "evals", "compare", theirs, mine, "--json")
    found = next(one for one in compared["metrics"] if one["metric"] == task.gains)
    if decided["outcome"] == "promote":
        _run(folder, "release", "promote", variant, "--app", task.name)
    return (
        task.about,
        len(task.held),
        task.gains,
        f"{found['a']['value']:.2f}",
        f"{found['b']['value']:.2f}",
        f"{found['difference']:+.2f} [{found['low']:.2f}, {found['high']:.2f}]",
        decided["outcome"],
        made["examples"],
        f"{made['tuned']['seconds']:.0f}",
        f"{time.monotonic() - began:.0f}",
    )


def _run(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> Any:
    print(f"$ gatewheel {' '.join(words)}", file=sys.stderr, flush=True)
    done = subprocess.run([*GATEWHEEL, *words], cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ})
    if done.returncode not in codes:
        sys.exit(f"gatewheel {words[0]} ended with {done.returncode}: {done.stdout}")
    return json.loads(done.stdout) if "--json" in words else None


if __name__ == "__main__":
    main()
