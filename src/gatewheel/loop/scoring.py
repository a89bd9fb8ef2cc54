"""What the metrics say of an answer. A metric that breaks costs one number, a case without an answer gets the worst.

Only what would break every case ends the scoring: a part that is missing, a judge's endpoint that answers nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gatewheel.kernel.errors import ConfigError
from gatewheel.kernel.nouns import Answer, Case, Scored
from gatewheel.kernel.ports import Metric, OfRepeats, Stoppable
from gatewheel.loop.answers import storable
from gatewheel.loop.asking import Patience, Reply
from gatewheel.loop.plain_answer import plain_answer
from gatewheel.loop.recording import told
from gatewheel.loop.targets import Target

Values = tuple[float, ...] | None
NOTHING = plain_answer("")


class Scorer:
    """Scores replies by named metrics. Use it with `with`."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._patience = {name: Patience(doing=f"scored by {name}") for name in metrics}
        # a future holds whatever a metric may raise, which can be a user's own function
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="score")

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # such as Ctrl-C, which a judge's call of a minute may not hold up
            for metric in self._metrics.values():
                if isinstance(metric, Stoppable):
                    metric.stop()
        self._aside.shutdown(cancel_futures=True)

    def score(self, reply: Reply) -> Scored:
        """A row of the report. Raises ConfigError, MissingPart and ModelError where no case could be scored."""
        case, problems = reply.job.case, [reply.error] if reply.error else []
        values: dict[str, Values] = {}
        for name, metric in self._metrics.items():
            values[name], problem = self._value(name, metric, case, reply.answer)
            problems += [f"metric {name}: {problem}"] if problem else []
        return Scored(
            case=case.id,
            values=values,
            cluster=case.cluster,
            tags=case.tags,
            repeat=reply.job.repeat,
            error=storable("; ".join(problems)),
        )

    def _value(self, name: str, metric: Metric, case: Case, answer: Answer | None) -> tuple[Values, str]:
        future = self._aside.submit(metric.score, case, answer or NOTHING)
        error = future.exception()
        self._patience[name].heed(error)
        if error:
            return None, told(error)
        found = future.result()
        if found is None:
            return None, ""
        numbers = tuple(float(each) for each in found) if isinstance(found, tuple) else (float(found),)
        if answer is None:
            return _worst(metric, numbers), ""
        if not all(map(math.isfinite, numbers)):
            return None, f"gave {numbers[0] if len(numbers) == 1 else numbers}, which is no finite number"
        return numbers, ""


def check_repeats(metrics: Mapping[str, Metric], target: Target, times: int) -> None:
    """Raises ConfigError for a metric that needs more answers to a case than there will be."""
    for name, metric in metrics.items():
        if isinstance(metric, OfRepeats) and metric.repeats > times:
            what = f"metric {name} needs {metric.repeats} answers to each case, and {target.name} gives {times}"
            cure = f"repeat = {metric.repeats} in the suite, or --repeat {metric.repeats}"
            raise ConfigError(what, cure=cure if target.sampled else f"set a temperature, or nothing varies; {cure}")


def together(rows: Sequence[Scored], metrics: Mapping[str, Metric]) -> tuple[Scored, ...]:
    """The rows, with one number for all repeats of a case where a metric makes it of them."""
    made = list(rows)
    for name, metric in metrics.items():
        if not isinstance(metric, OfRepeats):
            continue
        every: dict[str, list[float]] = {}
        for row in rows:
            every.setdefault(row.case, []).extend(row.values[name] or ())
        whole = {case: (metric.together(each),) for case, each in every.items() if len(each) >= metric.repeats}
        made = [replace(row, values={**row.values, name: whole.get(row.case)}) for row in made]
    return tuple(made)


def _worst(metric: Metric, of_nothing: tuple[float, ...]) -> Values:
    """What counts where there is no answer; nothing for what has no worst, such as seconds."""
    if len(of_nothing) > 1:
        return of_nothing if all(map(math.isfinite, of_nothing)) else None
    worst = metric.bounds[0] if metric.better == "higher" else metric.bounds[1]
    return (worst,) if math.isfinite(worst) else None
