"""Rows of code tasks: MBPP as it is published becomes a question with its tests. HumanEval's columns are known as is.

What the metric `pass-at-k` needs is then in a case's meta: `test`, Python that raises when code is wrong, and
`entry_point`, the function that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gatewheel.kernel.errors import UserError

Row = Mapping[str, Any]
_DEFINED = re.compile(r"^def\s+(\w+)\s*\(", re.M)


def plain(row: Row) -> Row:
    """The row in columns that are known; as it is, when it is no task of MBPP.

    The question ends with the tests, as Austin et al. (2021) put it: they alone name the function. Raises UserError.
    """
    tests, code = row.get("test_list"), row.get("code")
    task = row.get("prompt", row.get("text"))
    if not (_texts(tests) and tests and isinstance(code, str) and isinstance(task, str)):
        return row
    ahead = row.get("test_imports") or row.get("test_setup_code") or ()
    ahead = (ahead,) if isinstance(ahead, str) else ahead
    if not _texts(ahead):
        raise UserError(f"test_imports: must be a list of lines, got {str(ahead)[:80]!r}", cure="mend the row")
    called = [name for name in _DEFINED.findall(code) if any(re.search(rf"\b{name}\s*\(", one) for one in tests)]
    asked = "\n".join(tests)
    rest = {key: value for key, value in row.items() if key not in ("text", "prompt", "task_id", "test", "test_list")}
    return {
        "id": f"mbpp/{row['task_id']}" if "task_id" in row else "",
        "question": f"{task} Your code should pass these tests:\n\n{asked}\n",
        **rest,
        "test": "\n".join([*ahead, asked]),
        "entry_point": called[-1] if called else None,
    }


def _texts(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(one, str) for one in value)
