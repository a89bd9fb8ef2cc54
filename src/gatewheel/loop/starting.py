"""Make a new project: a small commented gatewheel.toml, a prompt, a place for suites, a .gitignore."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from gatewheel.kernel.config import CONFIG_FILE
from gatewheel.kernel.errors import ProjectError

TEMPLATE = resources.files("gatewheel") / "sample"


def init(folder: Path, *, sample: bool = False) -> list[Path]:
    """Write the files of a new project and return them. Never overwrites: what is there stays.

    Raises ProjectError when the folder already is a project, or cannot be written.
    """
    if (folder / CONFIG_FILE).exists():
        raise ProjectError(f"{folder / CONFIG_FILE} exists already", cure="edit it, or choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            _write(folder / CONFIG_FILE, _text("gatewheel.toml").replace('"NAME"', _quoted(folder.resolve().name), 1)),
            _write(folder / "prompts" / "answer.md", _text("answer.md")),
            _write(folder / "suites" / "README.md", _text("suites.md")),
            _write(folder / ".gitignore", _text("gitignore")),
        ]
        if sample:
            written += [*_sample(folder), *_suite(folder)]
    except OSError as error:
        raise ProjectError(
            f"{error.filename} cannot be written: {error.strerror}", cure="choose another folder"
        ) from None
    return [path for path in written if path]


def _text(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")


def _quoted(name: str) -> str:
    """A name as a TOML string; what is no UTF-8 in the name of a folder cannot stand there."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # all that TOML escapes and JSON does not


def _write(path: Path, text: str) -> Path | None:
    """Returns the path when something was written to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        if path.name == ".gitignore" and ".gatewheel/" not in path.read_text(encoding="utf-8"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n" + text)
            return path
        return None
    path.write_text(text, encoding="utf-8")
    return path


def documentation() -> Iterator[Path]:
    """The pages of Gatewheel's own documentation that are prose."""
    # in the wheel beside the templates, in a source tree under docs/
    source = Path(str(TEMPLATE / "docs"))
    if not source.is_dir():
        source = Path(__file__).parents[3] / "docs"
    for path in sorted(source.glob("*.md")):
        if path.stem not in ("tutorial", "reference"):
            yield path  # one spells out the questions that a newcomer asks, the other is tables: poor things to ask


def _sample(folder: Path) -> list[Path]:
    target = folder / "docs"
    written = []
    for path in documentation():
        copy = target / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            shutil.copyfile(path, copy)
            written.append(copy)
    return written


def _suite(folder: Path) -> list[Path | None]:
    """Questions about that documentation, and some that it does not answer, as the suite sample."""
    lines = map(json.loads, _text("questions.jsonl").splitlines())
    cases = [json.dumps(_case(line), ensure_ascii=False) + "\n" for line in lines]
    suites = folder / "suites"
    return [_write(suites / "sample.toml", _text("suite.toml")), _write(suites / "sample.jsonl", "".join(cases))]


def _case(line: Mapping[str, Any]) -> dict[str, Any]:
    if not line["source"]:
        return {"question": line["question"], "answerable": False, "tags": ["unanswerable"]}
    known = {"references": [line["correction"]], "sources": [line["source"]]}
    return {"question": line["question"], **known, "tags": ["answerable"]}
