"""What a benchmark prints: a Markdown table, or JSON with the same figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of cells under named columns; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Any]] = field(default_factory=list)

    def markdown(self) -> str:
        """The table with its title as a line above it."""
        head = f"| {' | '.join(self.columns)} |\n|---|{'---:|' * (len(self.columns) - 1)}"
        return "\n".join([f"\n{self.title}\n", head, *(f"| {' | '.join(map(_cell, row))} |" for row in self.rows)])


def parser(text: str | None) -> argparse.ArgumentParser:
    """Options that every benchmark has. `text` is the docstring of the script, its first line the question."""
    made = argparse.ArgumentParser(description=(text or "").strip().splitlines()[0])
    made.add_argument("--data", type=Path, default=DATA, help="folder of the development sets")
    made.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    return made


def show(tables: Sequence[Table], *, as_json: bool) -> None:
    """Print the tables."""
    if as_json:
        plain = [{"title": t.title, "rows": [dict(zip(t.columns, row, strict=True)) for row in t.rows]} for t in tables]
        print(json.dumps(plain, indent=1, default=str, ensure_ascii=False))
        return
    for table in tables:
        print(table.markdown(), flush=True)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
