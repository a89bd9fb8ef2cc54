"""What the card of a dataset version says of its cases: what is in them, whence they come, what they must not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gatewheel.data import origins, stats
from gatewheel.data.cases import split_key
from gatewheel.kernel.nouns import Case
from gatewheel.loop.compose import Parts

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gatewheel.kernel.ports import Encoder

MOST = 50  # files or documents that a card names, those with the most cases first

Held = Mapping[str, tuple[Case, ...]]
"""The cases that are held out, by suite."""


def counting(parts: Parts) -> dict[str, Any]:
    """How lengths are counted in this project: in tokens of its encoder, or in words where it has none."""
    none = parts.config.table("encoder", "main").use == "none"
    starts: Callable[[str], Any] = parts.encoder.starts
    return {"count": lambda text: len(starts(text)), "unit": "words" if none else "tokens"}


def described(parts: Parts, kept: Sequence[Case], held: Held, encoder: Encoder | None) -> dict[str, Any]:
    """What a card says of the cases themselves."""
    from gatewheel.rag.language import detect

    # near ones by words alone: 50,000 questions in vectors, each with each, would take minutes for one line of a card
    found, known = stats.of_cases(kept, **counting(parts), detect=detect), clusters(held)
    shared = sum(case.cluster in known for case in kept if case.cluster)
    return {
        "stats": asdict(found),
        "leaks": {"suites": sorted(held), "vectors": encoder is not None, "clusters": shared},
    }


def clusters(held: Held) -> set[str]:
    return {case.cluster for every in held.values() for case in every if case.cluster}


def origins_of(engine: Engine, kept: Sequence[Case]) -> dict[str, Any]:
    """Of how many cases which files, documents, traces and feedback are the origin."""
    known = origins.of(engine, map(split_key, kept))
    named: dict[str, Counter[str]] = {"file": Counter(), "document": Counter()}
    licences: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for case in kept:
        found = known.get(split_key(case), [])
        counts.update({str(one.kind) for one in found} or {"unknown"})
        for one in found:
            if one.kind in named:
                named[one.kind][one.ref] += 1
                licences.setdefault(one.ref, str(one.detail.get("licence", "")))
    return {
        "files": [
            {"ref": ref, "cases": count, "licence": licences[ref]} for ref, count in named["file"].most_common(MOST)
        ],
        "documents": [{"ref": ref, "cases": count} for ref, count in named["document"].most_common(MOST)],
        "traces": counts["trace"],
        "feedback": counts["feedback"],
        "unknown": counts["unknown"],
    }
