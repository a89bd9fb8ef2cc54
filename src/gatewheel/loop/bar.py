"""The bar of a project: all that decides what its gates ask and how it is measured, to see whether a change moves it.

The checker and the encoder of the project may judge as well, but are settings of the application too: they are no part
of it, and both sides of a gate are judged by the same. Reads files and runs nothing that they say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gatewheel.data import leak_sources, suites
from gatewheel.evals import resolve
from gatewheel.kernel.config import Config
from gatewheel.loop.recipes import digest


def bar(config: Config) -> dict[str, str]:
    """What it is → its SHA-256: the gates, every file in suites/, the metrics, and the files that all of these name.

    Of a metric in a package of the project it is the whole package. Raises ConfigError for a suite or a metric that
    there is not.
    """
    tables: list[Any] = [config.table("gate", name).settings for name in config.names("gate")]
    asked = [(name, suites.settings_of(config.root, name)) for name in sorted({table.suite for table in tables})]
    metrics = sorted({*config.names("metric"), *(metric for _, settings in asked for metric in settings.metrics)})
    files = {config.root / suites.FOLDER}
    for name, _ in asked:
        files |= {source.path for source in leak_sources.sources(config.root, name)[0]}
    for metric in metrics:
        files |= {_with_package(config.root, path) for path in resolve.files(config, metric)}
    return {
        **{f"[gate.{name}]": digest(config.table("gate", name).plain()) for name in config.names("gate")},
        **{f"metric {name}": digest({**resolve.recipe(config, name), "files": []}) for name in metrics},
        **{_told(config.root, path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(_within(files))},
    }


def _with_package(root: Path, file: Path) -> Path:
    """The package of the project in which a module lies, or the file."""
    if file.suffix != ".py" or not file.is_relative_to(root) or "site-packages" in file.parts:
        return file
    return root / file.relative_to(root).parts[0]


def _within(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        every = path.rglob("*") if path.is_dir() else (path,)
        yield from (one for one in every if one.is_file() and "__pycache__" not in one.parts)


def _told(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
