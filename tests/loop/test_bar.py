"""The bar of a project moves with each file that decides what a gate asks and measures, and with none that does not."""

from __future__ import annotations

from pathlib import Path

import gatewheel as gw
from gatewheel.kernel.config import load
from gatewheel.loop.bar import bar

TOML = """
[gate.main]
suite = "faq"
floors = { grounded = 0.9 }

[metric.own]
use = "python"
function = "rules.judging:own"

[metric.helpful]
use = "judge"
model = "chat"
rubric = "helpful.md"
golden = "faq"
"""


def test_whatever_decides_a_gate_is_seen_and_nothing_else(tmp_path: Path) -> None:
    gw.init(tmp_path).close()
    files = {
        "gatewheel.toml": TOML,
        "suites/faq.toml": 'metrics = ["grounded"]\ntrained_on = ["../corpus/web.csv"]\n',
        "suites/faq.jsonl": '{"question": "What is a gate?"}\n',
        "corpus/web.csv": "question\nWhat is a gate?\n",
        "rules/judging.py": "from rules.strict import own\n",
        "rules/strict.py": "def own(case, answer):\n    return 0.5\n",
        "helpful.md": "4: all stars.\n",
        "grounded.json": "{}",
        "prompts/answer.md": "{{ question }}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    before = bar(load(tmp_path / "gatewheel.toml"))
    seen = ("suites/faq.jsonl", "suites/faq.toml", "corpus/web.csv", "rules/strict.py", "helpful.md", "grounded.json")
    for name in seen:
        path = tmp_path / name
        path.write_text(files[name] + "\n", encoding="utf-8")
        after = bar(load(tmp_path / "gatewheel.toml"))
        assert [what for what in after if after[what] != before[what]] == [name]
        path.write_text(files[name], encoding="utf-8")
    (tmp_path / "prompts" / "answer.md").write_text("Be kind. {{ question }}", encoding="utf-8")
    toml = tmp_path / "gatewheel.toml"
    toml.write_text(f'{TOML}\n[app.main]\nmode = "quote"\n', encoding="utf-8")
    assert bar(load(toml)) == before
    for old, new, moved in (
        ("grounded = 0.9", "grounded = 0.1", "[gate.main]"),
        ("judging:own", "judging:other", "metric own"),
    ):
        toml.write_text(TOML.replace(old, new), encoding="utf-8")
        after = bar(load(toml))
        assert [what for what in after if after[what] != before[what]] == [moved]
