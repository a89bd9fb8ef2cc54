"""`gatewheel data check|split`, and the group of all that is done with cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from gatewheel.cli import data_harvest, data_import, data_stats, data_versions, render
from gatewheel.cli.data_import import Split, encoder_of, words_option

if TYPE_CHECKING:
    from pathlib import Path

    from gatewheel.data.sides import Found
    from gatewheel.data.suites import Suite
    from gatewheel.kernel.nouns import Case


@dataclass(frozen=True, kw_only=True, slots=True)
class NearRow:
    """Two cases that are nearly the same, told by 13-word runs, by shares of 5-word runs or by vectors."""

    case: str
    question: str
    other: str
    other_question: str
    suite: str
    kind: Literal["run", "words", "vector"]
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCheck:
    """`gatewheel data check`: ids of cases that stand in the other split; what is near to the other side, or to OTHER.

    The other side of held-out cases are also the examples that the suite shows and the files of its `trained_on`; what
    of it cannot be read is `unread`, with the reason. No fault are cases that only share a run of words with the other
    side, `shared`, and those of the suite itself that are nearly the same, `within`: they count nearly twice.
    """

    suite: str
    ok: bool
    cases: int
    split: Split
    entered: int
    conflicts: list[str]
    unread: list[str]
    near: list[NearRow]
    shared: list[NearRow]
    within: list[NearRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSplit:
    """`gatewheel data split`: the cases of both suites that came from SUITE, and how many groups could be moved."""

    suite: str
    holdout: int
    train_suite: str
    train: int
    groups: int


@click.group()
def command() -> None:
    """Collect cases, keep training and held-out ones apart, freeze what is learned from."""


for module in (data_import, data_harvest, data_versions, data_stats):
    for more in module.COMMANDS:
        command.add_command(more)


@command.command()
@click.argument("suite")
@click.option("--against", default="", metavar="OTHER", help="A suite or a file, instead of all on the other side.")
@words_option
@render.json_option
@click.pass_context
def check(context: click.Context, /, suite: str, against: str, words_only: bool, as_json: bool) -> int:
    """Whether the cases of SUITE stand on one side of the split, and nothing near to them on the other.

    Leaves with exit code 1 when something is wrong.
    """
    from gatewheel.data import overlap, sides, splits, suites
    from gatewheel.data.cases import split_key

    with render.project(context) as project:
        root, encoder = project.config.root, encoder_of(project, words_only)
        found = suites.load(root, suite)
        others, unread = _others(root, against or found)
        common = sides.common(found.cases, others, encoder=encoder)
        twins = [hit for hit in overlap.within(found.cases, encoder=encoder) if overlap.is_near(hit)]
        stands = splits.of(project.parts.engine, map(split_key, found.cases))
    conflicts = [case.id for case in found.cases if stands.get(split_key(case), found.split) != found.split]
    rows = {near: [_row(one) for one in common if overlap.is_near(one.hit) is near] for near in (True, False)}
    told = DataCheck(
        suite=suite,
        ok=not conflicts and not unread and not rows[True],
        cases=len(found.cases),
        split=found.split,
        entered=sum(split_key(case) in stands for case in found.cases),
        conflicts=conflicts,
        unread=unread,
        near=rows[True],
        shared=rows[False],
        within=[
            _row(sides.Found(case=found.cases[hit.a], other=found.cases[hit.b], suite=suite, hit=hit)) for hit in twins
        ],
    )
    if as_json:
        render.emit(told)
    else:
        _show(told)
    return 0 if told.ok else 1


@command.command()
@click.argument("suite")
@click.option("--train", required=True, type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Their share.")
@click.option("--seed", default=0, show_default=True, help="Another one draws other cases.")
@words_option
@render.json_option
@click.pass_context
def split(context: click.Context, /, suite: str, train: float, seed: int, words_only: bool, as_json: bool) -> None:
    """Move a share of the cases of SUITE to SUITE-train, for ever. What hangs together stays together."""
    from gatewheel.data import collecting

    with render.project(context) as project:
        encoder = encoder_of(project, words_only)
        root, engine = project.config.root, project.parts.engine
        other, parted = collecting.part(root, engine, suite, train=train, seed=seed, encoder=encoder)
    told = DataSplit(
        suite=suite, holdout=len(parted.holdout), train_suite=other, train=len(parted.train), groups=parted.groups
    )
    if as_json:
        render.emit(told)
        return
    click.echo(f"suite {suite}: {told.holdout} cases held out; suite {other}: {told.train} for training")


def _others(root: Path, against: str | Suite) -> tuple[dict[str, tuple[Case, ...]], list[str]]:
    """A suite or a file by its name, or all that stands on the other side of a suite; and what of it is unread."""
    from pathlib import Path

    from gatewheel.data import importing, leak_sources, sides, suites

    if isinstance(against, str):
        named = suites.load(root, against).cases if against in suites.names(root) else ()
        return {against: named or tuple(importing.read_any(Path.cwd() / against))}, []
    if against.split == "train":
        unread: list[str] = []
        return sides.across(root, "train", tell=unread.append), unread
    sources, lost = leak_sources.sources(root, against.name)
    others, unreadable = leak_sources.read(sources)
    return others, [one.reason for one in (*lost, *unreadable)]


def _row(found: Found) -> NearRow:
    return NearRow(
        case=found.case.id,
        question=found.case.question,
        other=found.other.id,
        other_question=found.other.question,
        suite=found.suite,
        kind=found.hit.kind,
        score=round(found.hit.score, 4),
    )


def _show(told: DataCheck) -> None:
    for reason in told.unread:
        render.tell(f"unread      {reason}")
    for case in told.conflicts:
        render.tell(f"wrong side  {case}")
    for rows, what in ((told.near, "near"), (told.shared, "shared"), (told.within, "twin")):
        for row in rows:
            texts = [render.shorten(" ".join(text.split()), 60) for text in (row.question, row.other_question)]
            render.tell(f"{what:6}  {row.kind:6} {row.score:.2f}  '{texts[0]}' and '{texts[1]}' of {row.suite}")
    state = f"{told.entered} of {told.cases} cases entered as {told.split}"
    wrong = f"{len(told.conflicts)} on the wrong side, {len({row.case for row in told.near})} near to the other side"
    click.echo(f"suite {told.suite}: {state}; {wrong}")
