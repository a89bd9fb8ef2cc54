"""A metric of one's own: any Python function `(case, answer) -> float`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import math
import numbers
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.evals.metrics.mean import Mean
from gatewheel.kernel.errors import ConfigError, GatewheelError, UserError, did_you_mean
from gatewheel.kernel.nouns import Answer, Case

_LOADING = threading.RLock()


class Settings(BaseModel):
    """`[metric.<name>] use = "python"`"""

    model_config = ConfigDict(extra="forbid", frozen=True)
    function: str = Field(
        description='"module:name" of a function (case, answer) that returns a number, or None where it does not '
        "apply. The module is sought in the folder of the project, then on Python's path.",
        pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$",
    )
    better: Literal["higher", "lower"] = Field("higher", description="Which end is the good one.")
    low: float = Field(0.0, description="The least that it can return; -inf where there is none.")
    high: float = Field(1.0, description="The greatest that it can return; inf where there is none.")


def create(settings: Settings, *, root: Path | None = None) -> Mean:
    """The metric. Raises ConfigError when there is no such function, or its bounds cannot be.

    The metric itself raises UserError, with the case, when the function raises or returns what is no number in bounds.
    """
    if not settings.low < settings.high:
        what = f"the bounds of {settings.function} are {settings.low} and {settings.high}"
        raise ConfigError(what, cure="set `low` below `high`")
    function = _find(settings.function, root)

    def of(case: Case, answer: Answer) -> float | None:
        value = _call(settings.function, function, case, answer)
        return None if value is None else _checked(value, settings, case)

    return Mean(of, better=settings.better, bounds=(settings.low, settings.high))


def files(settings: Settings, *, root: Path | None = None) -> tuple[Path, ...]:
    """The file of the function, which decides the score as much as the settings do; none while there is none."""
    name = settings.function.partition(":")[0]
    if own := _of_project(name, root):
        return (own,)
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, SyntaxError):  # a package above the module; `create` tells what is wrong with it
        return ()
    return (Path(found.origin),) if found is not None and found.has_location and found.origin else ()


def _of_project(module: str, root: Path | None) -> Path | None:
    """The file of this module in the folder of the project, if it is there."""
    if root is None:
        return None
    path = root.joinpath(*module.split("."))
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()), None)


def _load(module: str, file: Path, root: Path) -> ModuleType:
    """The module as its file stands now: Python's own import would give a process what it read first.

    Its name holds a digest of place and content, so that neither an edited file nor another project's finds it loaded.
    """
    # at the end, so that what it imports from the project cannot stand before the standard library
    if str(root) not in sys.path:
        sys.path.append(str(root))
    source = file.read_bytes()
    digest = hashlib.sha256(f"{file.resolve()}\0".encode() + source).hexdigest()[:32]
    package, _, _ = module.rpartition(".")
    name = f"{package}.metric_{digest}" if package else f"metric_{digest}"
    with _LOADING:
        if name in sys.modules:
            return sys.modules[name]
        folder = [str(file.parent)] if file.name == "__init__.py" else None
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=folder)
        assert spec is not None
        sys.modules[name] = made = importlib.util.module_from_spec(spec)
        try:
            exec(compile(source, file, "exec"), vars(made))  # these very bytes, whatever became of the file
        except BaseException:
            del sys.modules[name]
            raise
        return made


def _find(named: str, root: Path | None) -> Callable[[Case, Answer], Any]:
    module_name, _, name = named.partition(":")
    own = _of_project(module_name, root)
    try:
        module = _load(module_name, own, root) if own and root else importlib.import_module(module_name)
    except GatewheelError:
        raise
    except Exception as error:  # a door: the user's module may raise anything
        what = f"the metric function {named} cannot be imported: {_short(error)}"
        raise ConfigError(what, cure=f"mend {module_name}.py, or put it into the folder of the project") from error
    function = getattr(module, name, None)
    place = getattr(module, "__file__", None) or module_name
    if function is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ConfigError(f"no function {name!r} in {place}", cure=did_you_mean(name, known))
    if not callable(function) or inspect.iscoroutinefunction(function):
        kind = "async" if callable(function) else f"{function!r:.60}"
        raise ConfigError(f"{name!r} of {place} is no function: it is {kind}", cure="write def (case, answer) -> float")
    return function  # type: ignore[no-any-return]


def _call(named: str, function: Callable[[Case, Answer], Any], case: Case, answer: Answer) -> Any:
    try:
        return function(case, answer)
    except GatewheelError:
        raise
    except Exception as error:  # a door: the user's function may raise anything
        what = f"the metric function {named} raised {_short(error)} on case {case.id!r}"
        raise UserError(what, cure="mend it, or return None where it does not apply") from error


def _checked(value: object, settings: Settings, case: Case) -> float:
    """The value as a float. Raises UserError when it is no finite number within the bounds."""
    import numpy as np

    if not isinstance(value, numbers.Real | np.bool_):
        what = f"the metric function {settings.function} returned {value!r:.60} on case {case.id!r}, which is no number"
        raise UserError(what, cure="return a float, or None where it does not apply")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf
    if not math.isfinite(number) or not settings.low <= number <= settings.high:
        what = f"the metric function {settings.function} returned {number} on case {case.id!r}"
        raise UserError(
            what, cure=f"return a finite number in {settings.low}..{settings.high}, or set `low` and `high`"
        )
    return number


def _short(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:160]}" if first else type(error).__name__
