"""Two texts as words that stayed, went and came. Knows nothing about what they mean."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

MOST = 600  # words: the worst case grows with their square
ALIKE = 0.3  # share of words in common below which two texts are no versions of each other
_LETTER = re.compile(r"\w")
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
Step = tuple[Literal["same", "went", "came"], str]


def difference(before: str, after: str) -> list[Step] | None:
    """What `after` has otherwise than `before`; None where they are too long for that, or have too little in common.

    >>> difference("the gate is shut", "the old gate is open")
    [('same', 'the'), ('came', ' old'), ('same', ' gate is '), ('went', 'shut'), ('came', 'open')]
    """
    left, right = _WORD.findall(before), _WORD.findall(after)
    if max(len(left), len(right)) > MOST:
        return None
    match = SequenceMatcher(None, left, right, autojunk=False)
    alike = sum(bool(_LETTER.match(word)) for a, _, n in match.get_matching_blocks() for word in left[a : a + n])
    if alike < ALIKE * max(sum(bool(_LETTER.match(word)) for word in side) for side in (left, right)):
        return None
    steps: list[Step] = []
    for what, a, b, c, d in match.get_opcodes():
        if what == "equal":
            steps.append(("same", "".join(left[a:b])))
            continue
        if a < b:
            steps.append(("went", "".join(left[a:b])))
        if c < d:
            steps.append(("came", "".join(right[c:d])))
    return _joined(steps)


def _joined(steps: list[Step]) -> list[Step]:
    """What stayed between two changes without a word goes with them: words read better whole."""
    made: list[Step] = []
    for at, (kind, text) in enumerate(steps):
        between = kind == "same" and not _LETTER.search(text) and 0 < at < len(steps) - 1
        if not between:
            made.append((kind, text))
            continue
        made += [("went", text), ("came", text)]
    return _gathered(made)


def _gathered(steps: list[Step]) -> list[Step]:
    """What went before what came, between two texts that stayed."""
    made: list[Step] = []
    went = came = ""
    for kind, text in [*steps, ("same", "")]:
        if kind == "went":
            went += text
        elif kind == "came":
            came += text
        else:
            made += [step for step in (("went", went), ("came", came), ("same", text)) if step[1]]
            went = came = ""
    return made
