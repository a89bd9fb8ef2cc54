"""Borrowed YAML files and the files that they name. Tags that would run code become names; nothing outside is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewheel.kernel.errors import UserError

_MOST_NODES = 2_000_000  # with every alias written out, so that a small file cannot fill the memory
_DEEPEST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """What a tag such as `!function utils.prepare` names; it is never run."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Borrowed:
    """A parsed file. `lines` has, for each key whose value is a list, the lines at which its entries begin."""

    value: Any
    lines: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def load(path: Path) -> Borrowed:
    """A YAML or JSON file. Raises UserError with the line of the first fault."""
    import yaml

    try:
        # JSON is YAML; both are read as YAML for the lines
        text = path.read_text(encoding="utf-8-sig")
        _check_depth(text)
        loader = _loader()(text)
        node = loader.get_single_node()
        _count(node, [0], path)
        value = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8; a date such as 2026-13-01
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        place = f", line {mark.line + 1}" if mark else ""
        what = f"{path.name}{place}: no YAML: {problem or str(error).splitlines()[0]}"
        raise UserError(what, cure="mend the file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", cure="check the path and its permissions") from None
    return Borrowed(value=value, lines=_lines(node))


def inside(folder: Path, named: str) -> Path:
    """A file that a borrowed file names, which may not lead out of its folder. Raises UserError when it does."""
    path = folder / named.removeprefix("file://")
    if "://" in str(named.removeprefix("file://")) or not path.resolve().is_relative_to(folder.resolve()):
        what = f"'{named[:200]}' is not in the folder of the file that names it"
        raise UserError(what, cure="copy it there and name it so")
    if not path.exists():
        raise UserError(f"there is no '{named[:200]}' in {folder}", cure="copy it there, or correct the name")
    return path


def _loader() -> Any:
    import yaml

    # libyaml's reads {question: Who?} as promptfoo's own parser does, where Python's refuses the sign
    loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    loader.add_multi_constructor("!", lambda _loader, _tag, node: Code(name=str(node.value)))
    return loader


def _check_depth(text: str) -> None:
    """libyaml composes what is nested 100,000 deep until the process dies; its events are read without that."""
    import yaml

    depth = 0
    for event in yaml.parse(text, _loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError(f"it is nested more than {_DEEPEST} deep")


def _count(node: Any, seen: list[int], path: Path) -> None:
    import yaml

    seen[0] += 1
    if seen[0] > _MOST_NODES:
        raise UserError(f"{path.name} holds more than {_MOST_NODES:,} values", cure="cut it into several files")
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _count(each, seen, path)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _count(key, seen, path)
            _count(value, seen, path)


def _lines(node: Any) -> dict[str, tuple[int, ...]]:
    import yaml

    pairs = node.value if isinstance(node, yaml.MappingNode) else [(None, node)]
    return {
        key.value if key is not None else "": tuple(each.start_mark.line + 1 for each in value.value)
        for key, value in pairs
        if isinstance(value, yaml.SequenceNode)
    }
