"""`gatewheel data freeze|versions|diff|stats|card`"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render
from gatewheel.cli.data_import import encoder_of, words_option

if TYPE_CHECKING:
    from gatewheel.data.datasets import Dataset
    from gatewheel.kernel.nouns import Case

MOST = 20  # cases that are told one by one


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow:
    """A dataset version; `tainted` says why nothing should learn from it."""

    id: str
    name: str
    created: float
    cases: int
    tainted: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionList:
    """`gatewheel data versions`: the newest first."""

    versions: list[VersionRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftRow:
    """A case that a version lacks: short, long, language, repeated, near, silent, apart, leak or held out."""

    case: str
    question: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFreeze:
    """`gatewheel data freeze`: whether the version is `new`, what of the suite it lacks, where its card stands.

    In `redacted` cases something was blacked out. `freeze` is what [freeze] of the suite's toml says from now on.
    `lifted` is why nothing could learn from the version until now: it holds what was forgotten.
    """

    version: VersionRow
    new: bool
    left_out: list[LeftRow]
    redacted: int
    card: str
    freeze: str
    lifted: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRow:
    """A case by its id and what it asks and teaches."""

    case: str
    question: str
    reply: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRow:
    """A case that teaches something else, or in which something else changed; then both replies are the same."""

    case: str
    question: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DataDiff:
    """`gatewheel data diff`: from `before` to `after`, each a version's id, or a suite's name as its file stands."""

    before: str
    after: str
    added: list[CaseRow]
    removed: list[CaseRow]
    changed: list[ChangedRow]
    same: int


@click.command()
@click.argument("suite")
@click.option("--min-words", type=click.IntRange(0), help="Leave out shorter replies.")
@click.option("--max-words", type=click.IntRange(0), help="Leave out longer replies; 0 is no bound.")
@click.option(
    "--language", "languages", multiple=True, metavar="CODE", help="Keep only these, e.g. en; several times; any: all."
)
@click.option("--max-repeated", "repeated", type=click.FloatRange(0, 1), help="Greatest share that repeats itself.")
@click.option(
    "--no-near/--near",
    "no_near",
    default=None,
    help="Of those that ask nearly the same, with one reply, keep the first.",
)
@click.option("--apart/--no-apart", default=None, help="Leave out cases of a document of which another is held out.")
@click.option("--redact/--no-redact", default=None, help="Black out e-mail addresses, numbers and keys in the version.")
@words_option
@render.json_option
@click.pass_context
def freeze(context: click.Context, /, suite: str, words_only: bool, as_json: bool, **said: Any) -> None:
    """Freeze a suite for training as a version that never changes, with its card.

    The same cases are the same version. What is near to a held-out case is left out, and so is what teaches nothing.
    What else is asked for stands in [freeze] of suites/SUITE.toml from then on: a tuning freezes the suite like that.
    """
    from gatewheel.loop import freezing

    with render.project(context) as project:
        root = project.config.root
        wanted = freezing.asked(root, suite, **said)
        freezing.refuse_unkept(root, wanted)
        done = freezing.freeze(project.parts, wanted, encoder=encoder_of(project, words_only), lift=True)
        stands = freezing.stand(root, wanted)
    left = [
        LeftRow(case=one.case.id, question=one.case.question, kind=one.kind, reason=one.reason) for one in done.left_out
    ]
    told = DataFreeze(
        version=_row(done.dataset),
        new=done.new,
        left_out=left,
        redacted=done.redacted,
        card=str(done.card),
        freeze=freezing.told(wanted),
        lifted=list(done.lifted),
    )
    if as_json:
        render.emit(told)
        return
    _frozen(told, suite)
    if told.lifted:
        why = f"it holds what was forgotten: {'; '.join(told.lifted)}"
        render.say(f"{why}. It may be learned again from now on; what learned it before stays tainted")
    if told.freeze or stands:
        render.say(f"[freeze] of suites/{suite}.toml {'now says' if stands else 'says'}: {told.freeze or 'nothing'}")
    if (shared := done.dataset.card.get("leaks", {}).get("clusters", 0)) and not wanted.filters.apart:
        render.say(f"{shared} cases are of documents of which others are held out; --apart leaves them out")


@click.command()
@click.argument("name", default="")
@render.json_option
@click.pass_context
def versions(context: click.Context, /, name: str, as_json: bool) -> None:
    """The frozen versions of NAME, or of all, the newest first."""
    from gatewheel.data import datasets

    with render.project(context) as project:
        found = datasets.versions(project.parts.engine, name)
        if name and not found:
            datasets.find(project.parts.engine, name)  # raises with the names that there are, unless it is an id
    if as_json:
        render.emit(VersionList(versions=[_row(one) for one in found]))
        return
    for one in found:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created))
        tainted = f"  tainted: {'; '.join(one.tainted)}" if one.tainted else ""
        render.tell(f"{one.id[:12]}  {when}  {one.cases:7} cases  {one.name}{tainted}")


@click.command()
@click.argument("before")
@click.argument("after", default="")
@render.json_option
@click.pass_context
def diff(context: click.Context, /, before: str, after: str, as_json: bool) -> None:
    """What changed from the version BEFORE to AFTER: added, removed, changed cases.

    Each is an id or a name, which means its newest version. Without AFTER it is the suite of that name as it is now.
    """
    from gatewheel.data import datasets, suites

    with render.project(context) as project:
        old = datasets.find(project.parts.engine, before)
        first = datasets.load(project.parts.objects, old.id)
        if after:
            new = datasets.find(project.parts.engine, after)
            name, second = new.id, datasets.load(project.parts.objects, new.id)
        else:
            name, second = old.name, suites.load(project.config.root, old.name).cases
    found = datasets.difference(first, second)
    told = DataDiff(
        before=old.id,
        after=name,
        added=_cases(found.added),
        removed=_cases(found.removed),
        changed=[
            ChangedRow(case=b.id, question=b.question, before=_reply(a), after=_reply(b)) for a, b in found.changed
        ],
        same=found.same,
    )
    if as_json:
        render.emit(told)
    else:
        _differs(told)


COMMANDS = (freeze, versions, diff)


def _row(one: Dataset) -> VersionRow:
    return VersionRow(id=one.id, name=one.name, created=one.created, cases=one.cases, tainted=list(one.tainted))


def _reply(case: Case) -> str:
    from gatewheel.data.quality import reply

    return reply(case)


def _cases(some: Sequence[Case]) -> list[CaseRow]:
    return [CaseRow(case=case.id, question=case.question, reply=_reply(case)) for case in some]


def _frozen(told: DataFreeze, suite: str) -> None:
    for one in told.left_out[:MOST]:
        render.tell(f"left out {one.kind:9} '{_short(one.question)}': {one.reason}", err=True)
    if len(told.left_out) > MOST:
        render.tell(f"and {len(told.left_out) - MOST} more, which --json tells", err=True)
    version = told.version
    new = "frozen" if told.new else f"the same as what was frozen of {version.name}"
    left = f", {len(told.left_out)} left out" if told.left_out else ""
    blacked = f", {told.redacted} blacked out in part" if told.redacted else ""
    render.tell(f"{suite}: version {version.id[:12]}, {version.cases} cases, {new}{left}{blacked}; {told.card}")


def _differs(told: DataDiff) -> None:
    for sign, rows in (("+", told.added), ("-", told.removed)):
        for row in rows[:MOST]:
            render.tell(f"{sign} {_short(row.question)} → {_short(row.reply)}")
    for one in told.changed[:MOST]:
        render.tell(f"~ {_short(one.question)} → {_short(one.before)} → {_short(one.after)}")
    counts = f"{len(told.added)} added, {len(told.removed)} removed, {len(told.changed)} changed, {told.same} the same"
    click.echo(counts)


def _short(text: str) -> str:
    return render.shorten(" ".join(text.split()), 60)
