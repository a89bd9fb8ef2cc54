"""`gatewheel data import|check|split`"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

from gatewheel.cli import render
from gatewheel.cli.shapes import Skipped
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from gatewheel.data.sides import Found
    from gatewheel.data.suites import Suite
    from gatewheel.kernel.nouns import Case
    from gatewheel.kernel.ports import Encoder
    from gatewheel.loop.project import Project

Split = Literal["train", "holdout"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataImport:
    """`gatewheel data import`: `cases` are all of the suite; `known` were in it before, `twins` twice in the file."""

    suite: str
    split: Split
    cases: int
    added: int
    known: int
    twins: int
    skipped: list[Skipped]


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


words_option = click.option("--words-only", is_flag=True, help="Find near cases by words alone, without the encoder.")


@click.group()
def command() -> None:
    """Collect cases, keep training and held-out ones apart."""


@command.command("import")
@click.argument("file", type=click.Path())
@click.option("--to", "suite", required=True, help="The suite that takes the cases; made when there is none.")
@click.option("--field", "fields", multiple=True, metavar="FIELD=COLUMN", help="Which column is which; several times.")
@click.option("--format", "format_", default="", help="csv, tsv, jsonl, parquet, promptfoo or lm-eval. Default: told.")
@click.option("--data", type=click.Path(), help="The rows of an lm-eval task that names a data set of a hub.")
@click.option("--split", type=click.Choice(["train", "holdout"]), help="Enter the cases into the split now.")
@click.option("--skip-bad", is_flag=True, help="Leave out rows that are at fault, and say why.")
@words_option
@render.json_option
@click.pass_context
def import_(
    context: click.Context,
    /,
    file: str,
    suite: str,
    fields: tuple[str, ...],
    format_: str,
    data: str | None,
    split: Split | None,
    skip_bad: bool,
    words_only: bool,
    as_json: bool,
) -> None:
    """Cases from FILE into a suite: a table, JSON Lines, Parquet, or tests of promptfoo or lm-eval."""
    from pathlib import Path

    from gatewheel.data import collecting, importing

    here, now_and_then = Path.cwd(), _now_and_then()
    gathered = importing.gather(
        here / file,
        format=format_,
        fields=_fields(fields),
        data=here / data if data else None,
        on_row=lambda count: now_and_then(f"{count:,} rows read"),
    )
    if not skip_bad:
        importing.refuse(gathered)
    with render.project(context) as project:
        taken = collecting.take(
            project.config.root,
            project.parts.engine,
            gathered.cases,
            name=suite,
            split=split,
            encoder=_encoder(project, words_only),
        )
    skipped = [Skipped(source=one.source, reason=one.reason) for one in gathered.refusals]
    told = DataImport(suite=suite, **asdict(taken), twins=gathered.twins, skipped=skipped)
    if as_json:
        render.emit(told)
    else:
        _tell(told)


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
        root, encoder = project.config.root, _encoder(project, words_only)
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
        encoder = _encoder(project, words_only)
        root, engine = project.config.root, project.parts.engine
        other, parted = collecting.part(root, engine, suite, train=train, seed=seed, encoder=encoder)
    told = DataSplit(
        suite=suite, holdout=len(parted.holdout), train_suite=other, train=len(parted.train), groups=parted.groups
    )
    if as_json:
        render.emit(told)
        return
    click.echo(f"suite {suite}: {told.holdout} cases held out; suite {other}: {told.train} for training")


def _tell(told: DataImport) -> None:
    for one in told.skipped:
        render.tell(f"left out {one.source}: {one.reason}", err=True)
    again = f", {told.known} were in it already" if told.known else ""
    twins = f", {told.twins} came twice" if told.twins else ""
    click.echo(f"suite {told.suite}: {told.added} cases added{again}{twins}; {told.cases} in all, {told.split}")


def _fields(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for field, sign, _ in pairs:
        if not sign:
            raise UserError(f"--field {field} names no column", cure="write --field question=COLUMN")
    return {field.strip(): column.strip() for field, _, column in pairs}


def _encoder(project: Project, words_only: bool) -> Encoder | None:
    if words_only or project.config.table("encoder", "main").use == "none":
        return None
    from gatewheel.data.vectors import FOLDER, Once

    now_and_then = _now_and_then()

    def tell(done: int, every: int) -> None:
        now_and_then(f"{done:,} of {every:,} questions encoded")

    return Once(project.parts.encoder, tell, folder=project.config.state / FOLDER)


def _now_and_then() -> Callable[[str], None]:
    """Says on stderr what it is told, every two seconds at most."""
    last = time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            render.say(text)

    return tell


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
