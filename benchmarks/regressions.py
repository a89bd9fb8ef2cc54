"""Is a regression that was put in on purpose rejected every time, and is what is no better never promoted?

    python benchmarks/regressions.py --data ../shared/data
    python benchmarks/regressions.py --trials 50 --cases 60

Every trial draws a suite of its own from SQuAD's questions and asks the gate. What stands before it: an index whose
passages are shuffled, another one each time; prompts that were broken; the incumbent itself; and the incumbent with a
change that changes no answer.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict

import sets
from gatewheel.data import cases as case_files
from gatewheel.kernel import catalog
from gatewheel.kernel.nouns import Case, Passage
from gatewheel.loop import gating, releasing
from gatewheel.loop.project import Project
from gatewheel.loop.project import open as open_project
from gatewheel.retrieval import hybrid
from report import Table, parser, show

QUOTING = 'use = "answer"\nmode = "quote"'
# the question brings its text: what is measured is the prompt alone, and nothing that the model says is withheld
WRITING = 'use = "direct"\nmodel = "writer"\nmax_tokens = 32'
WRITER = '[model.writer]\nuse = "openvino"\nparallel = 16\nexact = true\n'
TEXT, ASKED = '{{ question.split("\\n\\n")[0] }}', '{{ question.split("\\n\\n")[1] }}'
SYSTEM = "---\nsystem: Answer the question with a few words of the text.\n---\n"
PROMPT = f"{SYSTEM}{TEXT}\n\n{ASKED}\n"
# what goes wrong in a release: the text is left out or cut short, the question is lost
BROKEN = {
    "without the text": f"{SYSTEM}{ASKED}\n",
    "text cut short": PROMPT.replace(TEXT, '{{ question.split("\\n\\n")[0][:30] }}'),
    "poem instead of an answer": f"---\nsystem: Write a poem about the text.\n---\n{TEXT}\n",
}


class Shuffled:
    """Passages of which every row number belongs to another one's text, as after an index was built out of step."""

    def __init__(self, passages: Any, seed: int) -> None:
        self._passages = passages
        rows = sorted(passages.fetch(range(1, 20_000)))
        other = rows[:]
        random.Random(seed).shuffle(other)
        self._other = dict(zip(rows, other, strict=True))
        self.by_terms, self.by_vector = passages.by_terms, passages.by_vector

    def fetch(self, rows: Any) -> dict[int, Passage]:
        """The passages of other rows."""
        found = self._passages.fetch([self._other[row] for row in rows])
        return {row: found[self._other[row]] for row in rows if self._other[row] in found}


class Settings(BaseModel):
    """`[retriever.<name>] use = "shuffled"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    seed: int


def create(settings: Settings, *, passages: Any, encoder: Any) -> Any:
    """Hybrid retrieval over shuffled passages."""
    return hybrid.create(hybrid.Settings(), passages=Shuffled(passages, settings.seed), encoder=encoder)


def main() -> None:
    """Print how often the gate said what."""
    options = parser(__doc__)
    options.add_argument("--trials", type=int, default=50)
    options.add_argument("--cases", type=int, default=60)
    options.add_argument("--pool", type=int, default=200, help="questions that suites are drawn from")
    options.add_argument("--written", type=int, default=0, help="trials with broken prompts, which a model must read")
    options.add_argument("--only-written", action="store_true", help="leave out what quotes")
    given = options.parse_args()
    module = ModuleType("shuffled")
    module.Settings, module.create = Settings, create  # type: ignore[attr-defined]
    sys.modules["shuffled"] = module
    catalog.CATALOG["retriever"]["shuffled"] = "shuffled"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sets.project(given.data, "squad", folder, tables=WRITER).close()
        _write(folder, given)
        with open_project(folder) as project:
            for app in ("quoting", "writing"):
                releasing.promote(project.parts, app, app, override="the one to begin with")
            rows = []
            if not given.only_written:
                rows += [_row(project, kind, given) for kind in ("shuffled", "same", "reworded")]
            if given.written:
                rows += [_row(project, kind, given) for kind in (*BROKEN, "itself")]
    columns = ("candidate", "trials", "rejected", "inconclusive", "promoted", "seconds a trial")
    show([Table(title=f"The gate's word, {given.cases} cases", columns=columns, rows=rows)], as_json=given.json)


def _row(project: Project, kind: str, given: Any) -> list[Any]:
    said: Counter[str] = Counter()
    writes = kind in BROKEN or kind == "itself"
    trials, began = given.written if writes else given.trials, time.monotonic()
    for trial in range(trials):
        name = {"shuffled": f"shuffled{trial}", "itself": "writing"}.get(kind, kind.replace(" ", "-"))
        gate = f"{'writing' if writes else 'quoting'}{trial}"
        said[gating.decide(project.parts, name, name=gate).decision.outcome] += 1
        print(f"{kind}: {trial + 1} of {trials}, {dict(said)}", file=sys.stderr)
    took = (time.monotonic() - began) / max(trials, 1)
    return [kind, trials, said["reject"], said["inconclusive"], said["promote"], f"{took:.1f}"]


def _write(folder: Path, given: Any) -> None:
    """Suites, gates and applications, all in one project."""
    texts = {row["id"]: row["text"] for row in sets.documents(given.data, "squad")}
    asked = sets.sample(sets.with_gold(sets.questions(given.data, "squad")), given.pool)
    pools = {"quoting": [_case(q, q.text) for q in asked]}
    pools["writing"] = [_case(q, f"{' '.join(texts[q.gold[0]].split())}\n\n{q.text}") for q in asked]
    tables = [_app("same", QUOTING), _app("reworded", f'{QUOTING}\nabstention = "I do not know."')]
    tables += [_app("quoting", QUOTING)]
    for name, prompt in {"writing": PROMPT, "itself": PROMPT, **BROKEN}.items():
        word = name.replace(" ", "-")
        (folder / "prompts" / f"{word}.md").write_text(prompt, encoding="utf-8")
        tables.append(_app(word, f'{WRITING}\nprompt = "{"writing" if name == "itself" else word}"'))
    (folder / "suites").mkdir()
    for trial in range(max(given.trials, given.written)):
        tables.append(f'[retriever.shuffled{trial}]\nuse = "shuffled"\nseed = {trial}')
        tables.append(_app(f"shuffled{trial}", f'{QUOTING}\nretriever = "shuffled{trial}"'))
        for app, pool in pools.items():
            drawn = random.Random(trial).sample(pool, given.cases)
            case_files.write(folder / "suites" / f"{app}{trial}.jsonl", drawn)
            found = ', "hit"' if app == "quoting" else ""
            suite = f'app = "{app}"\nmetrics = ["token-f1", "inclusion"{found}]\n'
            (folder / "suites" / f"{app}{trial}.toml").write_text(suite, encoding="utf-8")
            bounds = f"inclusion = 0.02{', hit = 0.02' if found else ''}"
            rules = f"better = {{ token-f1 = 0.0 }}\nnot_worse = {{ {bounds} }}"
            tables.append(f'[gate.{app}{trial}]\nsuite = "{app}{trial}"\napp = "{app}"\n{rules}')
    with (folder / "gatewheel.toml").open("a", encoding="utf-8") as file:
        file.write("\n\n" + "\n\n".join(tables) + "\n")


def _case(asked: sets.Question, text: str) -> Case:
    sources = tuple(f"squad.docs.jsonl#{doc}" for doc in asked.gold)
    return Case(id=asked.id, question=text, references=asked.answers, sources=sources)


def _app(name: str, settings: str) -> str:
    return f"[app.{name}]\n{settings}"


if __name__ == "__main__":
    main()
