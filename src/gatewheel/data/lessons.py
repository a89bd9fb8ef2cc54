"""Lines of OpenAI's fine-tuning format, each a conversation, as cases: one for each answer that is to be learned.

Read strictly, for what is left out or changed would not be learned as its author meant it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatewheel.data import chat
from gatewheel.data import fields as columns
from gatewheel.data.cases import of_record
from gatewheel.data.lines import record_of
from gatewheel.kernel.errors import UserError
from gatewheel.kernel.nouns import Case

_TOOLS = ("tools", "functions")
_MARK = b"\xef\xbb\xbf"
_CURE = 'write {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A line that cannot be learned, counted from 1."""

    line: int
    what: UserError


def read(lines: Iterable[bytes]) -> Iterator[tuple[Case, ...] | Fault]:
    """The cases of each line that is not blank, or what is wrong with it."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.removeprefix(_MARK if number == 1 else b"").decode("utf-8")
            if text.strip():
                yield cases(record_of(text))
        except UnicodeDecodeError as error:
            what = f"byte {error.object[error.start]:#04x} is not UTF-8"
            yield Fault(line=number, what=UserError(what, cure="save the file as UTF-8"))
        except UserError as error:
            yield Fault(line=number, what=error)


def cases(row: Mapping[str, Any]) -> tuple[Case, ...]:
    """A conversation up to each answer whose weight is not 0. Raises UserError for what cannot be learned as it stands.

    >>> [one] = cases({"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}]})
    >>> one.question, one.references
    ('1+1?', ('2',))
    """
    if "messages" not in row:
        raise UserError("it has no 'messages'", cure=_CURE)
    said = chat.turns(row["messages"], "messages")
    if any(row.get(key) for key in _TOOLS) or any(turn["role"] == "tool" or "tool_calls" in turn for turn in said):
        raise UserError("it has tools, which are not learned here", cure="take the line out")
    ends = [place for place, turn in enumerate(said) if _is_lesson(turn)]
    if not ends:
        raise UserError("the assistant says nothing that is to be learned", cure=_CURE)
    # behind the last lesson there is nothing to learn, and a case asks its last question
    whole = {"messages": said[: ends[-1] + 1]}
    found = tuple(of_record(columns.record_of(one, {})) for one in chat.every(whole))
    if len(found) != len(ends) or not all(case.references for case in found):
        what = "an answer that is to be learned does not follow a question of the user's"
        raise UserError(what, cure="join the turns of the assistant, or give the others the weight 0")
    return found


def _is_lesson(turn: Mapping[str, Any]) -> bool:
    return turn["role"] == "assistant" and bool(turn["content"].strip()) and turn.get("weight") != 0
