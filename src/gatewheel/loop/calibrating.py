"""Calibrates signals of faithfulness on what people said of answers: grades that are kept, or lines of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from gatewheel.data import suites
from gatewheel.data.lines import numbered, record_of
from gatewheel.evals import calibration
from gatewheel.evals.calibration import Calibration, Labelled, Told
from gatewheel.evals.metrics import grounded
from gatewheel.evals.signals import PARTS, SIGNALS
from gatewheel.evals.statistics.intervals import Interval
from gatewheel.kernel.config import checked
from gatewheel.kernel.errors import UserError, did_you_mean
from gatewheel.kernel.nouns import Answer, Case
from gatewheel.kernel.numbers import numbers, plain
from gatewheel.loop import golden, labelling
from gatewheel.loop.calibrated import identity
from gatewheel.loop.evaluate import put
from gatewheel.loop.notebook import Notebook
from gatewheel.loop.plain_answer import plain_answer
from gatewheel.loop.progress import Notes, OnProgress
from gatewheel.loop.recipes import digest
from gatewheel.rag.sentences import sentence_spans

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts

Judged = tuple[Case, Answer, bool]


class Line(BaseModel):
    """An answer that somebody judged, in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(default="", description="What was asked.")
    context: str = Field(min_length=1, description="The evidence that the answer may rest on.")
    answer: str = Field(min_length=1, description="What was answered.")
    faithful: bool = Field(description="Whether the evidence bears it out.")
    cluster: str = Field(
        default="", description="What it is not independent of: a document, a conversation; without one its context."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which labels, and what of them. An answer is faithful from a mean grade of `at_least` on by `criterion`.

    `file` holds lines instead of the grades of a suite. `model` tells the likelihoods, where they are asked for.
    """

    suite: str = ""
    criterion: str = "faithful"
    at_least: float = 0.0
    file: Path | None = None
    signals: tuple[str, ...] = ("lexical-grounding", "token-precision")
    model: str = "chat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibrated:
    """What came of it. `alone` has each signal by itself, `shortness` minus the length of the answer.

    `together` was measured on clusters that the weights were not fitted on. `skipped` answers are left out, since a
    signal does not apply to them.
    """

    made: Calibration
    together: Told
    alone: Mapping[str, Told]
    shortness: Told
    skipped: int


def calibrate(
    parts: Parts, wanted: Wanted, to: Path, *, run: str = "", on_progress: OnProgress | None = None
) -> Calibrated:
    """Fit the signals, measure them, and write the calibration. A `run` that was stopped reads no answer again.

    Raises UserError for too few labels, and when what the signals tell cannot be told from chance; nothing is written
    then.
    """
    if unknown := [name for name in wanted.signals if name not in SIGNALS]:
        cure = did_you_mean(unknown[0], SIGNALS)
        raise UserError(f"'{unknown[0]}' is no signal of faithfulness", cure=cure)
    judged = list(_of_file(wanted.file) if wanted.file else _of_suite(parts, wanted))
    makers = _makers(parts, wanted)
    signals = _signals(parts, wanted, judged, makers, Notebook(parts.config.state, run, "signals"), on_progress)
    rows, lengths = [], []
    for (case, answer, faithful), found in zip(judged, signals, strict=True):
        if found is not None:
            rows.append(Labelled(signals=found, faithful=faithful, cluster=case.cluster))
            lengths.append(-float(len(answer.answer)))
    calibration.refuse_few(rows, wanted.signals)
    together = calibration.told(calibration.cross_validated(rows), rows, probabilities=True)
    if not together.interval.low > 0.5:
        what = f"the signals tell nothing that is not chance: AUROC {together.auroc:.2f} on {len(rows)} answers, "
        what += f"95 % interval {together.interval.low:.2f} to {together.interval.high:.2f}"
        raise UserError(what, cure="label more answers, or see how far the raters agree")
    weights, intercept = calibration.fit(rows)
    made = Calibration(
        signals=wanted.signals,
        weights=weights,
        intercept=intercept,
        answers=len(rows),
        faithful=sum(row.faithful for row in rows),
        auroc=round(together.auroc, 4),
        ece=round(together.ece, 4),
        **makers,
    )
    calibration.write(to, made)
    return Calibrated(
        made=made,
        together=together,
        alone={
            name: calibration.told([row.signals[at] for row in rows], rows) for at, name in enumerate(wanted.signals)
        },
        shortness=calibration.told(lengths, rows),
        skipped=len(judged) - len(rows),
    )


def as_result(found: Calibrated) -> dict[str, Any]:
    """What a run leaves as its result."""
    said: dict[str, Any] = plain(asdict(found))
    return said


def of_result(result: Mapping[str, Any]) -> Calibrated:
    """What a run came to."""
    made = dict(result["made"])
    made |= {key: tuple(made[key]) for key in ("signals", "weights")}
    return Calibrated(
        made=Calibration(**made),
        together=_told(result["together"]),
        alone={name: _told(one) for name, one in result["alone"].items()},
        shortness=_told(result["shortness"]),
        skipped=result["skipped"],
    )


def _told(said: Mapping[str, Any]) -> Told:
    return Told(**numbers({**said, "interval": Interval(**numbers(said["interval"]))}))


def _makers(parts: Parts, wanted: Wanted) -> dict[str, str]:
    """What the signals are made by, as a calibration says it."""
    return {
        "encoder": parts.encoder.id if "token-precision" in wanted.signals else "",
        "model": wanted.model if "evidence-gain" in wanted.signals else "",
        "likelihoods": identity(parts, "likelihoods", wanted.model) if "evidence-gain" in wanted.signals else "",
        "checker": identity(parts, "checker", "") if "faithfulness" in wanted.signals else "",
    }


def _signals(
    parts: Parts,
    wanted: Wanted,
    judged: Sequence[Judged],
    makers: Mapping[str, str],
    kept: Notebook,
    on_progress: OnProgress | None,
) -> list[tuple[float, ...] | None]:
    """The signals of each answer; None where one of them does not apply."""
    scores = [grounded.signal(name, _parts(parts, wanted)).score for name in wanted.signals]
    notes, made = Notes("calibrate", len(judged), on_progress), list[tuple[float, ...] | None]()
    for case, answer, _ in judged:
        key = digest([makers, wanted.signals, asdict(case), asdict(answer)])
        if not (known := key in kept):
            found = [score(case, answer) for score in scores]
            kept.keep(key, found if all(isinstance(one, float) for one in found) else None)
        made.append(tuple(kept[key]) if kept[key] is not None else None)
        notes.take(known=known)
    return made


def _parts(parts: Parts, wanted: Wanted) -> dict[str, Any]:
    asked = {part for name in wanted.signals for part in PARTS[name]}
    made: dict[str, Any] = {"sentences": sentence_spans}
    made |= {"encoder": parts.encoder} if "encoder" in asked else {}
    made |= {"checker": parts.checker("main")} if "checker" in asked else {}
    made |= {"likelihoods": parts.likelihoods(wanted.model)} if "likelihoods" in asked else {}
    return made


def _of_suite(parts: Parts, wanted: Wanted) -> Iterator[Judged]:
    """Answers of the suite's reports that somebody graded by the criterion. Raises UserError when nobody did."""
    known = labelling.known(parts.engine, wanted.suite)
    grades = golden.labelled(parts.engine, wanted.suite, wanted.criterion)
    if not grades:
        raise _nobody(parts, wanted)
    cases = {put(case): case for case in suites.load(parts.config.root, wanted.suite).cases}
    for item, given in grades.items():
        answer = labelling.answer(parts.engine, item.case, item.a, repeat=item.repeat)
        asked = known.cases.get(item.case)
        case = cases.get(item.case) or (Case(id=asked.id, question=asked.question) if asked else None)
        if answer is not None and case is not None:
            cluster = case.cluster or f"case {item.case}"  # answers of several variants to one question hang together
            yield replace(case, cluster=cluster), answer, mean(given.values()) >= wanted.at_least


def _nobody(parts: Parts, wanted: Wanted) -> UserError:
    criteria = {name for label in labelling.labels(parts.engine, wanted.suite) for name in label.scores}
    what = f"nobody graded answers of the suite '{wanted.suite}' by '{wanted.criterion}'"
    cure = did_you_mean(wanted.criterion, criteria) if criteria else ""
    return UserError(what, cure=cure or f"gatewheel evals label {wanted.suite} --rubric {wanted.criterion}=1-4 …")


def _of_file(path: Path) -> Iterator[Judged]:
    """Answers of a file, those about one context in one cluster. Raises UserError with the line that is at fault."""
    for number, text in numbered(path):
        try:
            line = checked(Line, record_of(text), "the answer's")
        except UserError as error:
            raise UserError(f"{path.name}, line {number}: {error.what}", cure=error.cure) from None
        case = Case(id=str(number), question=line.question, context=line.context, cluster=line.cluster)
        yield suites.clustered(case), plain_answer(line.answer), line.faithful
