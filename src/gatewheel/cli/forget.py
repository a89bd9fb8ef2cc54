"""`gatewheel forget`"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render

if TYPE_CHECKING:
    from pathlib import Path

    from gatewheel.loop.forgotten import Forgotten as Found

NAMED = 5  # adapters and runs that a note names


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgottenCases:
    """So many cases of a file of the project go, and so many stay."""

    file: str
    cases: int
    stay: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgottenVersion:
    """A dataset version that holds such cases: its object goes, and its row stays, tainted."""

    id: str
    name: str
    cases: int
    of: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgottenRun:
    """A run that learned such cases, finished or not: its checkpoints and samples go, and it cannot be resumed."""

    id: str
    kind: str
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TaintedArtifact:
    """An adapter, or a file that was made of one, that has learned of it."""

    id: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TaintedRelease:
    """An application that answers by a variant that has learned of it."""

    app: str
    variant: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """`gatewheel forget`: what there is of `what`, purged where `done`.

    `datasets`, `artifacts`, `variants` and `models` (of the tuning API) have learned of it and are tainted; `released`
    are those that answer.

    `file` is the user's own file, which stays and would be read again; `before` is when it was forgotten already.
    `failures` are runs that are not done and whose errors or logs quote it, `leaks` and `vectors` what is kept of it
    only to save time. `unsourced` are traces that a former version kept, which no longer say what documents they were
    shown: they stay. `untold` are adapters and begun runs of former versions that never said it: they are not tainted.
    """

    what: str
    done: bool
    before: float | None
    documents: list[str]
    passages: int
    traces: int
    feedback: int
    responses: int
    answers: int
    labels: int
    reports: int
    failures: int
    leaks: int
    vectors: int
    files: int
    cases: list[ForgottenCases]
    datasets: list[ForgottenVersion]
    runs: list[ForgottenRun]
    artifacts: list[TaintedArtifact]
    variants: list[str]
    models: list[str]
    released: list[TaintedRelease]
    file: str
    unsourced: int
    untold: list[str]


@click.command()
@click.option("--document", default="", metavar="SOURCE", help="A document, as citations name it, or its file.")
@click.option("--user", default="", metavar="KEY", help="The id or name of an API key, or an author of feedback.")
@click.option("--yes", is_flag=True, help="Purge. Without it only what would go is listed.")
@render.json_option
@click.pass_context
def command(context: click.Context, /, document: str, user: str, yes: bool, as_json: bool) -> None:
    """Purge a document or a user, and mark as tainted all that learned of them.

    Passages, vectors, answers, feedback and cases go; adapters stay, and neither a gate nor a release takes them. It
    only lists until --yes is given. Killed at any moment, the same again finishes it.
    """
    from gatewheel.loop import forgetting, forgotten

    with render.project(context) as project:
        wanted = forgotten.asked_for(project.parts, document=document, user=user)
        found = (forgetting.forget if yes else forgotten.look)(project.parts, wanted)
        told = _shape(found, project.config.root)
    if as_json:
        render.emit(told)
        return
    for line in _lines(told):
        render.tell(line)
    for one in told.released:
        text = f"[app.{one.app}] answers by variant {one.variant[:12]}, which learned of what is forgotten"
        render.tell(f"! {text}: gatewheel release rollback --app {one.app}", bold=True)
    option = f"--document {document}" if document else f"--user {user}"
    if not yes:
        render.say(f"nothing was changed; purge it: gatewheel forget {option} --yes")
    if told.file:
        cure = f'remove it, or write exclude = ["{told.file}"] into [sources]'
        render.say(f"the file {told.file} is yours and stays, and `gatewheel ingest` would read it again: {cure}")
    if told.unsourced:
        what = f"{_counted(told.unsourced, 'trace')} of a former version named passages that are no more, maybe of this"
        render.say(f"{what}: those go by `gatewheel traces purge --older-than AGO`, or after [trace] keep_days")
    if told.untold:
        named = ", ".join(one if "-" in one else one[:12] for one in told.untold[:NAMED])
        more = f" and {len(told.untold) - NAMED} more" if len(told.untold) > NAMED else ""
        what = "adapters and begun runs of former versions do not say what documents their prompts showed, maybe this"
        render.say(f"{what}: {named}{more}; they are not tainted, so tune again what must not have learned of it")
    if told.cases:
        render.say("files of suites are in your git, whose history is yours: what was committed is still in it")


def _lines(told: Forgotten) -> Iterator[str]:
    verb = "purged" if told.done else "would go"
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(told.before)) if told.before else ""
    yield f"{told.what}{f', forgotten on {when}' if when else ''}"
    counts = (
        (len(told.documents), "document", ""),
        (told.passages, "passage", " of it"),
        (told.traces, "trace", ""),
        (told.feedback, "comment", " on traces"),
        (told.responses, "conversation", " of /v1/responses"),
        (told.answers, "answer", " of evaluations"),
        (told.labels, "label", ""),
        (told.reports, "report", " as far as they quote it"),
        (told.failures, "run", " as far as its error or its log quotes it"),
        (told.leaks, "comparison", " that found leaks, in its words"),
        (told.vectors, "vector", " of its questions"),
        (told.files, "file", " of the tuning API"),
    )
    goes = [f"{_counted(number, what)}{more}" for number, what, more in counts if number]
    if goes or not (told.cases or told.runs):
        yield f"  {verb}: {', '.join(goes) or 'nothing'}"
    for one in told.cases:
        left = f"{one.stay:,} stay" if one.stay else "none is left"
        yield f"  {verb}: {_counted(one.cases, 'case')} of {one.file}; {left}"
    for run in told.runs:
        yield f"  {verb}: checkpoints and samples of run {run.id} ({run.kind}, {run.state})"
    for version in told.datasets:
        yield f"  tainted: dataset {version.id[:12]}, {version.cases:,} of {version.of:,} cases of {version.name}"
    for artifact in told.artifacts:
        yield f"  tainted: {artifact.kind} {artifact.id[:12]}"
    for variant in told.variants:
        yield f"  tainted: variant {variant[:12]}"
    for model in told.models:
        yield f"  tainted: model {model}, which answers nobody any more"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _shape(found: Found, root: Path) -> Forgotten:
    remains, tainted = found.found, found.tainted
    return Forgotten(
        what=remains.wanted.what,
        done=found.done,
        before=found.before,
        documents=list(remains.sources),
        passages=remains.passages,
        traces=len(remains.traces),
        feedback=len(remains.feedback),
        responses=len(remains.responses),
        answers=len(remains.quotes.answers),
        labels=len(remains.quotes.labels),
        reports=len(remains.quotes.reports),
        failures=len(remains.quotes.runs),
        leaks=len(remains.quotes.leaks),
        vectors=remains.quotes.vectors,
        files=len(remains.sent),
        cases=[
            ForgottenCases(file=str(one.path.relative_to(root)), cases=len(one.gone), stay=len(one.stay))
            for one in remains.files
        ],
        datasets=[
            ForgottenVersion(id=one.dataset.id, name=one.dataset.name, cases=one.gone, of=one.dataset.cases)
            for one in remains.versions
        ],
        runs=[ForgottenRun(id=one.id, kind=one.kind, state=one.state) for one in remains.runs],
        artifacts=[TaintedArtifact(id=id_, kind=kind) for id_, kind in tainted.artifacts],
        variants=list(tainted.variants),
        models=list(tainted.models),
        released=[TaintedRelease(app=one.app, variant=one.variant) for one in tainted.served],
        file=found.file,
        unsourced=len(remains.unsourced),
        untold=list(remains.untold),
    )
