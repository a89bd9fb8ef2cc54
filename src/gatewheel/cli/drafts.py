"""`gatewheel evals generate|accept`: cases drafted from the project's documents, and a person's word on each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gatewheel.cli import render
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Case
    from gatewheel.loop.project import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftRow:
    """A draft: its question, the sentence that answers it, and where that stands."""

    id: str
    question: str
    reference: str
    source: str
    span: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftList:
    """`gatewheel evals generate`: the drafts `made` now, and how many `waiting` there are in the file."""

    suite: str
    path: str
    made: list[DraftRow]
    waiting: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DraftsJudged:
    """`gatewheel evals accept`: what was said of how many drafts; `cases` are those of the suite, null without one."""

    suite: str
    accepted: int
    refused: int
    waiting: list[DraftRow]
    cases: int | None


@click.command()
@click.argument("suite")
@click.option("-n", "--count", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Drafts to make.")
@click.option("--model", default="chat", show_default=True, metavar="NAME", help="The [model.*] that asks.")
@click.option("--seed", default=0, show_default=True, help="Another one begins at other passages.")
@render.json_option
@click.pass_context
def generate(context: click.Context, /, suite: str, count: int, model: str, seed: int, as_json: bool) -> None:
    """Draft cases for SUITE from the documents: question, answer, and where it stands.

    Kept are drafts whose question finds its sentence again. They wait in suites/SUITE.drafts.jsonl for `evals accept`.
    Ctrl-C keeps what was drafted, and `gatewheel runs resume` drafts the rest.
    """
    from gatewheel.cli import progress
    from gatewheel.data import drafts
    from gatewheel.loop import running
    from gatewheel.loop.drafting import Wanted

    with render.project(context) as project:
        root = project.config.root
        path = drafts.path_of(root, suite)
        wanted = Wanted(suite=suite, count=count, model=model, seed=seed)
        with progress.bar(quiet=as_json) as show:
            result = running.generate(project, wanted, on_progress=show)
        made = [_row(case) for case in drafts.read(root, suite) if case.id in result["drafts"]]
        waiting = len(drafts.waiting(root, suite))
    if as_json:
        render.emit(DraftList(suite=suite, path=str(path), made=made, waiting=waiting))
        return
    for row in made:
        _show(row)
    if len(made) < count:
        render.say(f"no passage is left to draft from: {len(made)} of {count}")
    render.tell(f"{waiting} drafts wait: gatewheel evals accept {suite}")


@click.command()
@click.argument("suite")
@click.option("--all", "every", is_flag=True, help="Accept all that wait. A model wrote them: better read them.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Accept this one, by the beginning of its id.")
@click.option("--refuse", multiple=True, metavar="ID", help="Refuse this one: it is not drafted again.")
@render.json_option
@click.pass_context
def accept(
    context: click.Context, /, suite: str, every: bool, ids: tuple[str, ...], refuse: tuple[str, ...], as_json: bool
) -> None:
    """Take drafts into SUITE, one key each: a accept, e edit, r refuse, s skip, q quit.

    Each is kept at once. Without a terminal name them by --id and --refuse, or list them with --json.
    """
    from gatewheel.data import drafts
    from gatewheel.loop import accepting

    with render.project(context) as project:
        root = project.config.root
        named = drafts.find(root, suite, ids)
        accepting.refuse(project.parts, suite, drafts.find(root, suite, refuse))
        waiting = drafts.waiting(root, suite)
        taken = [case for case in waiting if every or case in named]
        cases = accepting.take(project.parts, suite, taken)
        accepted, refused = len(taken), len(refuse)
        if not (every or ids or refuse or as_json):
            accepted, refused, cases = _one_by_one(project, suite, waiting)
        left = [_row(case) for case in drafts.waiting(root, suite)]
    shape = DraftsJudged(suite=suite, accepted=accepted, refused=refused, waiting=left, cases=cases)
    if as_json:
        render.emit(shape)
        return
    told = f"; suite {suite} has {cases} cases" if cases is not None else ""
    render.tell(f"{accepted} accepted, {refused} refused, {len(left)} wait{told}.")


COMMANDS = (generate, accept)


def _one_by_one(project: Project, suite: str, waiting: Sequence[Case]) -> tuple[int, int, int | None]:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError("drafts are read at a terminal", cure="use one, or name them: --id …, --refuse …, --all")
    from gatewheel.loop import accepting
    from gatewheel.loop.accepting import Reworded

    accepted, refused, cases = 0, 0, None
    for at, draft in enumerate(waiting):
        _show(_row(draft))
        key = _key(f"{at + 1} of {len(waiting)}  [a]ccept [e]dit [r]efuse [s]kip [q]uit ")
        if key == "q":
            break
        if key == "r":
            accepting.refuse(project.parts, suite, [draft])
            refused += 1
        elif key in ("a", "e"):
            question, reference = _reworded(draft) if key == "e" else ("", "")
            words = Reworded(question=question, reference=reference)
            try:
                cases = accepting.take(project.parts, suite, [draft], words=words)
                accepted += 1
            except UserError as error:  # such as one that is near to the other side of the split
                render.tell(f"{error}. The draft waits on.", err=True)
    return accepted, refused, cases


def _reworded(draft: Case) -> tuple[str, str]:
    question = click.prompt("question", default=draft.question, err=True)
    return question, click.prompt("answer", default=draft.references[0], err=True)


def _key(prompt: str) -> str:
    while True:
        click.echo(prompt, nl=False, err=True)
        key = click.getchar().lower()
        click.echo(key if key.isprintable() else "", err=True)
        if key in ("a", "e", "r", "s", "q"):
            return key


def _row(draft: Case) -> DraftRow:
    start, end = draft.meta.get("span", (0, 0))
    return DraftRow(
        id=draft.id,
        question=draft.question,
        reference=draft.references[0] if draft.references else "",
        source=draft.sources[0] if draft.sources else "",
        span=(start, end),
    )


def _show(row: DraftRow) -> None:
    render.tell(f"\n{row.question}", bold=True)
    render.tell(f"  {row.reference}")
    render.tell(f"  {render.place(row.source, row.span, None)}  {row.id[:8]}", dim=True)
