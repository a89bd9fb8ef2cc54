"""A Python function as a metric: found, called, and every way in which it can be wrong is said."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from answering import answer, case
from gatewheel.evals.metrics.python import Settings, create
from gatewheel.kernel.errors import ConfigError, UserError
from gatewheel.kernel.nouns import Answer, Case

Write = Callable[[str], str]
NUMBERS = itertools.count()


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Write]:
    """Writes a module into the project and says its name."""
    before = list(sys.path)

    def write(text: str) -> str:
        name = f"own_metric_{next(NUMBERS)}"  # Python keeps modules by name
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return name

    yield write
    sys.path[:] = before


def test_a_function_of_the_project_is_a_metric(module: Write, tmp_path: Path) -> None:
    name = module("def share(case, answer):\n    return len(answer.answer) / 100\n")
    metric = create(Settings(function=f"{name}:share", better="lower", high=0.5), root=tmp_path)
    assert metric.score(case(), answer("x" * 20)) == 0.2
    assert (metric.better, metric.bounds) == ("lower", (0, 0.5))
    assert metric.figure(np.array([[0.2], [0.4]])) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("returned", "score"),
    [
        ("1", 1),
        ("True", 1),
        ("False", 0),
        ("0.25", 0.25),
        ("None", None),
        ("__import__('numpy').float32(0.5)", 0.5),
        ("__import__('numpy').bool_(True)", 1),
        ("__import__('fractions').Fraction(1, 4)", 0.25),
    ],
)
def test_any_number_will_do(returned: str, score: float | None, module: Write, tmp_path: Path) -> None:
    name = module(f"def own(case, answer):\n    return {returned}\n")
    found = create(Settings(function=f"{name}:own"), root=tmp_path).score(case(), answer("x"))
    assert found == score
    assert found is None or type(found) is float


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 'good'", r"returned 'good' on case 'case', which is no number; return a float"),
        ("return (1, 2)", r"returned \(1, 2\) on case 'case', which is no number"),
        ("return [0.5]", r"which is no number"),
        ("return 1j", r"which is no number"),
        ("return float('nan')", r"returned nan on case 'case'; return a finite number in 0.0..1.0"),
        ("return 10 ** 400", r"returned inf on case"),
        ("return 1.5", r"returned 1.5 on case 'case'; .*set `low` and `high`"),
        ("return -0.1", r"returned -0.1"),
        ("raise KeyError('wheel')", r"raised KeyError: 'wheel' on case 'case'; mend it"),
        ("raise ValueError", r"raised ValueError on case 'case'"),
        ("return case.nothing", r"raised AttributeError: 'Case' object has no attribute 'nothing'"),
        ("return own(case)", r"raised TypeError: own\(\) missing 1 required positional argument"),
    ],
)
def test_what_goes_wrong_on_a_case_is_said(body: str, said: str, module: Write, tmp_path: Path) -> None:
    name = module(f"def own(case, answer):\n    {body}\n")
    metric = create(Settings(function=f"{name}:own"), root=tmp_path)
    with pytest.raises(
        UserError, match=rf"metric function {name}:own {said}" if not said.startswith("which") else said
    ):
        metric.score(case(), answer("x"))


@pytest.mark.parametrize(
    ("text", "function", "said"),
    [
        ("def share(case, answer): ...", "shear", r"no function 'shear' in .*py; did you mean 'share'\?"),
        ("share = 3", "share", r"'share' of .*py is no function: it is 3; write def"),
        ("async def share(case, answer): ...", "share", r"is no function: it is async"),
        ("def share(case, answer) return 1", "share", r"cannot be imported: SyntaxError.*; mend own_metric"),
        ("import nothing_of_that_name", "share", r"cannot be imported: ModuleNotFoundError"),
        ("1 / 0", "share", r"cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_a_function_that_cannot_be_had_is_said_at_the_start(
    text: str, function: str, said: str, module: Write, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        create(Settings(function=f"{module(text)}:{function}"), root=tmp_path)


def test_a_module_that_is_nowhere_and_bounds_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"no_such_module:own cannot be imported: ModuleNotFoundError.*put it into"):
        create(Settings(function="no_such_module:own"))
    with pytest.raises(ConfigError, match=r"the bounds of math:sqrt are 1.0 and 1.0; set `low` below `high`"):
        create(Settings(function="math:sqrt", low=1))


@pytest.mark.parametrize(
    "function", ["", "module", "module:", ":name", "module name", "a..b:c", "a:b.c", "os.system('x'):y"]
)
def test_a_function_is_named_by_module_and_name(function: str) -> None:
    with pytest.raises(ValueError):
        Settings(function=function)


def test_an_edited_file_is_executed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))

    def score() -> float | tuple[float, ...] | None:
        return create(Settings(function="edited_metric:own"), root=tmp_path).score(case(), answer("x"))

    for number in ("0.25", "0.75", "0.25"):  # of one length, within one second: what Python's own cache misses
        (tmp_path / "edited_metric.py").write_text(f"def own(case, answer):\n    return {number}\n")
        assert score() == float(number)


def test_projects_have_each_their_own_and_a_package_finds_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("a", "b"):
        folder = tmp_path / name / f"package_of_{name}"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "given.py").write_text(f"VALUE = {0.5 if name == 'a' else 1}\n")
        (folder / "own.py").write_text("from .given import VALUE\ndef own(case, answer):\n    return VALUE\n")
        (tmp_path / name / "same_name.py").write_text(f"def own(case, answer):\n    return {int(name == 'a')}\n")
    for name, inner, outer in (("a", 0.5, 1), ("b", 1, 0)):
        root = tmp_path / name
        assert create(Settings(function=f"package_of_{name}.own:own"), root=root).score(case(), answer("x")) == inner
        assert create(Settings(function="same_name:own"), root=root).score(case(), answer("x")) == outer


def test_infinite_bounds_let_every_finite_number_through() -> None:
    sys.modules["test_metrics_python_own"] = sys.modules[__name__]
    metric = create(Settings(function="test_metrics_python_own:long", low=-math.inf, high=math.inf))
    assert metric.score(case(), answer("x" * 10_000)) == 10_000


def long(_case: Case, answer: Answer) -> Any:
    return len(answer.answer)
