"""`gatewheel data import`"""

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

    from gatewheel.data.importing import Gathered
    from gatewheel.data.origins import Origin
    from gatewheel.kernel.ports import Encoder
    from gatewheel.loop.project import Project

Split = Literal["train", "holdout"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataImport:
    """`gatewheel data import`: `cases` are all of the suite; `known` were in it before, `twins` twice in the file.

    In `redacted` cases something was blacked out.
    """

    suite: str
    split: Split
    cases: int
    added: int
    known: int
    twins: int
    skipped: list[Skipped]
    redacted: int


words_option = click.option("--words-only", is_flag=True, help="Find near cases by words alone, without the encoder.")


@click.command("import")
@click.argument("file", type=click.Path())
@click.option("--to", "suite", required=True, help="The suite that takes the cases; made when there is none.")
@click.option("--field", "fields", multiple=True, metavar="FIELD=COLUMN", help="Which column is which; several times.")
@click.option("--format", "format_", default="", help="csv, tsv, jsonl, parquet, promptfoo or lm-eval. Default: told.")
@click.option("--data", type=click.Path(), help="The rows of an lm-eval task that names a data set of a hub.")
@click.option("--split", type=click.Choice(["train", "holdout"]), help="Enter the cases into the split now.")
@click.option("--every-turn", is_flag=True, help="A case of each answer in a conversation, not of the last one alone.")
@click.option("--redact", is_flag=True, help="Black out e-mail addresses, numbers and keys before anything is written.")
@click.option("--licence", default="", help="Of the data, for its data cards. Default: what a card beside it says.")
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
    every_turn: bool,
    redact: bool,
    licence: str,
    skip_bad: bool,
    words_only: bool,
    as_json: bool,
) -> None:
    """Cases from FILE into a suite: a table, JSON Lines, chats, Parquet, or tests of promptfoo or lm-eval."""
    from pathlib import Path

    from gatewheel.data import collecting, importing
    from gatewheel.data.collecting import Incoming

    here, tell = Path.cwd(), now_and_then()
    gathered = importing.gather(
        here / file,
        format=format_,
        fields=_fields(fields),
        data=here / data if data else None,
        every_turn=every_turn,
        on_row=lambda count: tell(f"{count:,} rows read"),
    )
    if not skip_bad:
        importing.refuse(gathered)
    with render.project(context) as project:
        kept, redacted = _blacked(gathered, redact)
        found = _origins(project.config.root, here / file, kept, licence=licence)
        incoming = Incoming(name=suite, cases=kept.cases, split=split, origins=found)
        encoder = encoder_of(project, words_only)
        taken = collecting.bring(project.config.root, project.parts.engine, incoming, encoder=encoder)
    skipped = [Skipped(source=one.source, reason=one.reason) for one in gathered.refusals]
    told = DataImport(suite=suite, **asdict(taken), twins=gathered.twins, skipped=skipped, redacted=redacted)
    if as_json:
        render.emit(told)
    else:
        _tell(told)


COMMANDS = (import_,)


def encoder_of(project: Project, words_only: bool) -> Encoder | None:
    """What tells near cases by vectors, with news on stderr; None where words alone are wanted, or all there is."""
    from gatewheel.loop import nearness

    return None if words_only else nearness.encoder_of(project.parts, tell=now_and_then())


def now_and_then() -> Callable[[str], None]:
    """Says on stderr what it is told, every two seconds at most."""
    last = time.monotonic()

    def tell(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            render.say(text)

    return tell


def _blacked(gathered: Gathered, redact: bool) -> tuple[Gathered, int]:
    """What was gathered with what belongs to people blacked out, and in how many cases there was something."""
    from dataclasses import replace

    from gatewheel.data.blackening import black_out
    from gatewheel.guard import redact as guard

    if not redact:
        return gathered, 0
    made = tuple(black_out(case, lambda text: guard.redact(text, guard.KINDS)) for case in gathered.cases)
    changed = sum(new is not old for new, old in zip(made, gathered.cases, strict=True))
    return replace(gathered, cases=made), changed


def _origins(root: Path, file: Path, gathered: Gathered, *, licence: str) -> list[Origin]:
    """The file that the cases come from, by its name in the project, and the place of each in it."""
    from os.path import normpath
    from pathlib import Path

    from gatewheel.data.cases import split_key
    from gatewheel.data.formats import folder
    from gatewheel.data.origins import Origin

    path, licence = Path(normpath(file)), licence or folder.licence(file)
    ref = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    about = {"licence": licence} if licence else {}
    return [
        Origin(case=split_key(case), kind="file", ref=ref, detail={"place": place, **about})
        for case, place in zip(gathered.cases, gathered.places, strict=True)
    ]


def _tell(told: DataImport) -> None:
    for one in told.skipped:
        render.tell(f"left out {one.source}: {one.reason}", err=True)
    again = f", {told.known} were in it already" if told.known else ""
    twins = f", {told.twins} came twice" if told.twins else ""
    blacked = f", {told.redacted} blacked out in part" if told.redacted else ""
    click.echo(
        f"suite {told.suite}: {told.added} cases added{again}{twins}{blacked}; {told.cases} in all, {told.split}"
    )


def _fields(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    for field, sign, _ in pairs:
        if not sign:
            raise UserError(f"--field {field} names no column", cure="write --field question=COLUMN")
    return {field.strip(): column.strip() for field, _, column in pairs}
