"""What the answers of a report took: seconds, tokens and dollars, read from the answers that were kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import Engine, select

from gatewheel.evals.metrics.cost import Prices, dollars
from gatewheel.evals.statistics.intervals import interval
from gatewheel.evals.statistics.resampling import plain_mean
from gatewheel.kernel.nouns import Usage
from gatewheel.kernel.numbers import finite
from gatewheel.kernel.store.schema import answers
from gatewheel.loop.candidates import Speed

if TYPE_CHECKING:
    from gatewheel.loop.reports import Kept

ENOUGH, SHORTEST = 8, 0.02  # tokens and seconds: endpoints send what is shorter in one piece
Which = tuple[str, int]
"""A case and the how-manieth time it was asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Took:
    """One answer. `writing` are the seconds of the model's call, 0 where none was called; `cost` None is unknown."""

    seconds: float
    writing: float
    first: float
    input_tokens: int
    output_tokens: int
    cost: float | None

    @property
    def called(self) -> bool:
        """Whether a model was called."""
        return self.writing > 0 or self.output_tokens > 0


def took(engine: Engine, kept: Kept) -> dict[Which, Took]:
    """What each answer of a report took; those that failed are left out.

    The database picks the numbers out of the answers: their passages are a hundred times as much to read.
    """
    usage = answers.c.answer["usage"]
    numbers = (
        answers.c.answer["seconds"].as_float(),
        usage["seconds"].as_float(),
        usage["seconds_to_first_token"].as_float(),
        usage["input_tokens"].as_integer(),
        usage["output_tokens"].as_integer(),
        usage["cost"].as_float(),
    )
    keys = (answers.c.corpus, answers.c.case, answers.c.repeat)
    query = select(*keys, *numbers).where(answers.c.variant == kept.report.variant, answers.c.error == "")
    with engine.connect() as connection:
        found = {(corpus, case, repeat): _took(rest) for corpus, case, repeat, *rest in connection.execute(query)}
    made = {}
    for row in kept.report.rows:
        asked = kept.cases[row.case]
        if (one := found.get((asked.corpus, asked.key, row.repeat))) is not None:
            made[row.case, row.repeat] = one
    return made


def speed(found: Mapping[Which, Took], clusters: Mapping[str, str], *, level: float = 0.95) -> Speed | None:
    """How fast these answers were; None of no answer. `clusters` are those of the cases."""
    if not found:
        return None
    by_case = seconds_by_case(found)
    rows = np.array([[value] for value in by_case.values()], np.float64)
    named = [clusters.get(case, "") for case in by_case]
    sure = interval(rows, plain_mean, clusters=named, bounds=(0.0, math.inf), level=level)
    seconds = [one.seconds for one in found.values()]
    first = [one.first for one in found.values() if one.called and one.first > 0]
    pace = [rate for one in found.values() if (rate := _pace(one)) is not None]
    return Speed(
        answers=len(found),
        seconds=float(rows.mean()),
        seconds_low=finite(sure.low),
        seconds_high=finite(sure.high),
        seconds_median=float(np.median(seconds)),
        seconds_p95=float(np.quantile(seconds, 0.95)),
        first_median=float(np.median(first)) if first else None,
        first_p95=float(np.quantile(first, 0.95)) if first else None,
        tokens_per_second=float(np.median(pace)) if pace else None,
        input_tokens=float(np.mean([one.input_tokens for one in found.values()])),
        output_tokens=float(np.mean([one.output_tokens for one in found.values()])),
    )


def seconds_by_case(found: Mapping[Which, Took]) -> dict[str, float]:
    """case → seconds of its answer, the mean of its repeats."""
    every: dict[str, list[float]] = {}
    for (case, _), one in found.items():
        every.setdefault(case, []).append(one.seconds)
    return {case: float(np.mean(values)) for case, values in every.items()}


def price(found: Sequence[Took], prices: Prices | None) -> float | None:
    """US dollars per 1,000 such answers; None where that is not known.

    `prices` are dollars per million tokens read and written; None takes what was noted when the answers were made.
    """
    if not found:
        return None
    costs = [dollars(_usage(one), prices) for one in found]
    known = [cost for cost in costs if cost is not None]
    return 1000 * float(np.mean(known)) if len(known) == len(costs) else None


def _usage(one: Took) -> Usage:
    return Usage(input_tokens=one.input_tokens, output_tokens=one.output_tokens, seconds=one.writing, cost=one.cost)


def _pace(one: Took) -> float | None:
    """Tokens a second between the first token and the last; None of an answer too short to tell."""
    writing = one.writing - one.first
    told = one.output_tokens >= ENOUGH and writing >= SHORTEST and one.first > 0
    return (one.output_tokens - 1) / writing if told else None


def _took(numbers: Sequence[float | None]) -> Took:
    seconds, writing, first, read, written, cost = numbers
    return Took(
        seconds=float(seconds or 0.0),
        writing=float(writing or 0.0),
        first=float(first or 0.0),
        input_tokens=int(read or 0),
        output_tokens=int(written or 0),
        cost=None if cost is None else float(cost),
    )
