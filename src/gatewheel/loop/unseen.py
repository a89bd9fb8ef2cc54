"""What a gate says of leaks: it decides on the cases that no training data holds, and on nothing it could not look at.

Leaving cases out is no way around a gate, and no punishment either: both variants are judged on the same rest, and who
learned the answers by heart gains nothing by them. To reject instead would let nobody pass for a fault of the suite.
What stands in the candidate's own prompt is no fault of the suite, and leaving that out would let a candidate choose
what it is judged on: it has to be taken out of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gatewheel.data import leak_sources
from gatewheel.kernel.nouns import Case, Report, Variant
from gatewheel.loop import variants
from gatewheel.loop.leaks import Leak, Leaks
from gatewheel.loop.recipes import digest
from gatewheel.loop.weighing import first_failure
from gatewheel.ops.gate import Measurements, Reason

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts

MOST = 0.5  # share of the cases that may be left out
PROMPT = "the incumbent's prompt"
NAMED = 5  # cases by their ids


def with_prompt(leaks: Leaks, served: Parts, cases: Sequence[Case], incumbent: Variant | None) -> Leaks:
    """With the cases that the incumbent's prompt shows: a candidate without them should not have to beat its memory."""
    shown = _in_prompt(served, incumbent, cases) if incumbent else []
    hits = [
        Leak(case=case.id, question=case.question, other="", other_question="", source=PROMPT, kind="run", score=1.0)
        for case in shown
    ]
    return replace(leaks, hits=(*leaks.hits, *hits))


def shown(served: Parts, candidate: Variant, cases: Sequence[Case]) -> Iterator[Reason]:
    """A line where the candidate's own prompt shows it cases of the suite."""
    found = [case.id for case in _in_prompt(served, candidate, cases)]
    if found:
        named = ", ".join(found[:NAMED]) + (", …" if len(found) > NAMED else "")
        count = f"{len(found)} of {len(cases)} cases {'stands' if len(found) == 1 else 'stand'}"
        text = f"{count} in the candidate's prompt ({named}), which would measure its memory: take them out of it."
        yield Reason(rule="unseen", metric="", slice="", outcome="inconclusive", text=text)


def unread(leaks: Leaks) -> Iterator[Reason]:
    """A line for all that could not be looked at."""
    for one in leaks.unread:
        text = f"What may have leaked is not known, since something could not be read: {one.reason}."
        yield Reason(rule="unseen", metric="", slice="", outcome="inconclusive", text=text)


def left_out(leaks: Leaks, cases: int) -> Iterator[Reason]:
    """A line where some of so many cases leaked."""
    if not leaks.cases:
        return
    hits, where = len(leaks.cases), ", ".join(leaks.where)
    text = f"{hits} of {cases} cases {'is' if hits == 1 else 'are'} in the training data too ({where}) and left out."
    if hits > MOST * cases:
        text += " That is more than half: add cases that nothing was trained on."
        yield Reason(rule="unseen", metric="", slice="", outcome="inconclusive", text=text)
    else:
        yield Reason(rule="unseen", metric="", slice="", outcome="promote", text=text)


def lost(cases: Sequence[Case], clean: Sequence[Case]) -> Iterator[Reason]:
    """A line for every slice of which no case is left."""
    for tag in sorted(tags(cases) - tags(clean)):
        text = f"Every case of '{tag}' is left out, so nothing is known of it: add cases that nothing was trained on."
        yield Reason(rule="unseen", metric="", slice=tag, outcome="inconclusive", text=text)


def tags(cases: Sequence[Case]) -> set[str]:
    """Every tag of these cases."""
    return {tag for case in cases for tag in case.tags}


def with_failures(measured: Measurements, candidate: Report) -> Measurements:
    """With the failures of a candidate on all of its cases: to crash is no question of memory."""
    errors = {row.case: row.error for row in candidate.rows if row.error}
    asked = len({row.case for row in candidate.rows})
    return replace(measured, cases=asked, unanswered=len(errors), first_error=first_failure(errors))


def state(leaks: Leaks) -> dict[str, str]:
    """What a decision has to have been about: the cases that are left out, where there are any."""
    return {"left_out": digest(sorted(leaks.cases))} if leaks.cases else {}


def _in_prompt(served: Parts, variant: Variant, cases: Sequence[Case]) -> list[Case]:
    variants.restore_prompt(served.engine, served.objects, variant)
    return leak_sources.standing_in(variants.prompt_of(served.objects, variant), cases)
