"""Feedback on a trace, as a person gives it: checked against the answer that it speaks of, then kept once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from gatewheel.guard.redact import redact
from gatewheel.kernel import trace as traces
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Caller, Feedback, Thumb, Trace
from gatewheel.loop.compose import Parts
from gatewheel.ops import feedback
from gatewheel.ops.keys import within

OWNER = Caller()
LONGEST = 100_000  # characters of a comment or a correction
_ID = re.compile("[0-9a-f]{32}")
_MARKER = re.compile(r"\[(\d{1,4})\]")


def give(parts: Parts, trace: str, *, caller: Caller, **said: Any) -> Feedback:
    """Keep what the caller says of a trace. Raises UserError."""
    return give_once(parts, trace, caller=caller, **said)[0]


def give_once(parts: Parts, trace: str, *, caller: Caller, **said: Any) -> tuple[Feedback, bool]:
    """The same, and whether it is new. `trace` is an id or an unmistakable beginning of one.

    Raises UserError for an unknown trace, an empty feedback, a score outside 0..1, or a marker that the answer lacks.
    """
    checked = _checked(**said)
    for text in ("comment", "correction"):
        checked[text] = redact(checked[text], parts.config.trace.redact)
    about = find(parts, trace, caller=caller)
    _has_markers(about, checked["wrong_citations"])
    return feedback.keep(parts.engine, Feedback(id="", trace=about.id, created=0.0, author=caller.key, **checked))


def askers(parts: Parts, caller: Caller) -> set[str] | None:
    """Of which keys the caller may know the traces; None: of all.

    An operator knows those of keys that see no document which it may not see; who is none, those of its own key.
    """
    if "operate" not in caller.scopes:
        return {caller.key}
    return None if caller.groups is None else within(parts.engine, caller.groups)


def find(parts: Parts, prefix: str, *, caller: Caller = OWNER) -> Trace:
    """A trace by its id or the beginning of it. Raises UserError when there is none or more than one."""
    keys = askers(parts, caller)
    found = traces.find(parts.engine, prefix, keys=keys) if prefix and prefix.isalnum() else []
    exact = [one for one in found if one.id == prefix] or found
    if len(exact) != 1:
        what = f"no trace '{prefix}'" if not exact else f"'{prefix}' begins {len(exact)} traces"
        known = [one.id[:12] for one in traces.recent(parts.engine, limit=5, keys=keys)]
        raise UserError(what, cure=did_you_mean(prefix, known))
    return exact[0]


def whole(parts: Parts, id_: str, *, caller: Caller) -> Trace:
    """A trace by its whole id. Raises UserError, which names no other trace: who asks may be anybody with a key."""
    found = traces.find(parts.engine, id_, keys=askers(parts, caller)) if _ID.fullmatch(id_) else []
    if not found:
        raise UserError(f"no trace '{id_}'", cure="send the whole id that came with the answer, 32 hexadecimal digits")
    return found[0]


def _checked(
    *,
    thumb: Thumb | None = None,
    score: float | None = None,
    comment: str = "",
    correction: str = "",
    wrong_citations: Iterable[int] = (),
) -> dict[str, Any]:
    wrong = tuple(wrong_citations)
    if thumb not in (None, "up", "down"):
        raise UserError(f"thumb is '{thumb}'", cure="say up or down")
    if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        raise UserError(f"score is {score}", cure="give a number from 0 to 1")
    said = {"comment": _text("comment", comment), "correction": _text("correction", correction)}
    if thumb is None and score is None and not any(said.values()) and not wrong:
        raise UserError(
            "the feedback says nothing", cure="give a thumb, a score, a comment, a correction or wrong citations"
        )
    return {"thumb": thumb, "score": score, "wrong_citations": wrong, **said}


def _text(name: str, text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST:
        raise UserError(f"the {name} has {len(text)} characters", cure=f"say it in {LONGEST}")
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise UserError(f"the {name} holds signs that are no text", cure="take out NUL and lone surrogates")
    return text


def _has_markers(about: Trace, wrong: tuple[int, ...]) -> None:
    there = {int(number) for number in _MARKER.findall(about.answer)}
    if missing := sorted(set(wrong) - there):
        known = ", ".join(f"[{number}]" for number in sorted(there)) or "none"
        raise UserError(f"the answer has no citation [{missing[0]}]", cure=f"it has {known}")
