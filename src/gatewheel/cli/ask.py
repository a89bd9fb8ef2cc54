"""`gatewheel ask`"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewheel.cli import render, shapes
from gatewheel.kernel.errors import UserError

if TYPE_CHECKING:
    from gatewheel.kernel.nouns import Answer, Hit
    from gatewheel.rag.answer import Listener
    from gatewheel.rag.output import Checked

SHOWN = 3  # nearest passages under an abstention


@click.command()
@click.argument("question")
@click.option("--where", default="", metavar="FILTER", help='Metadata filter, e.g. "path~=guide/ and lang=en".')
@click.option("--app", default="main", show_default=True, help="Which [app.*] answers.")
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path),
    help="JSON Schema: the answer is JSON that validates; null when the documents do not say.",
)
@click.option("--timing", is_flag=True, help="Show where the time went.")
@render.json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    question: str,
    where: str,
    app: str,
    schema_file: Path | None,
    timing: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from the documents, with citations, or say that they do not say."""
    from gatewheel.kernel.trace import Recorder
    from gatewheel.rag.question import Question

    asked = Question(text=question, where=where, schema=read_schema(schema_file) if schema_file else None)
    recorder = Recorder()
    with render.project(context) as project:
        render.refuse_without_documents(project, app)
        render.tell_release(project, app)
        with Screen(live=not as_json and sys.stdout.isatty()) as screen:
            answer = project.ask(asked, app=app, listener=screen.listener, recorder=recorder)
    if as_json:
        render.emit(shapes.asked(answer))
    elif schema_file:
        show_fields(answer)
    else:
        show(answer)
    if timing:
        for span in recorder.spans:
            click.echo(click.style(f"{span.name:16} {span.seconds:7.3f} s", dim=True), err=True)


def read_schema(path: Path) -> dict[str, Any]:
    """A JSON Schema file. Raises UserError when it is not one."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", cure="name a JSON Schema file") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}", cure="name a JSON Schema file") from None
    if not isinstance(schema, dict):
        raise UserError(f"{path} is not a JSON Schema: it holds {type(schema).__name__}", cure="write an object")
    return schema


class Screen:
    """An answer as it grows on a terminal: dim words as they are written, each sentence anew once it is checked.

    Off a terminal it shows nothing; when it closes it leaves nothing behind, for `show` prints the finished answer.
    """

    def __init__(self, *, live: bool) -> None:
        self._live: Any = None
        self._checked = ""
        self._draft = ""
        if live:
            from rich.live import Live

            self._live = Live(transient=True, refresh_per_second=12)

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    @property
    def listener(self) -> Listener:
        """What the application calls while it works."""
        from gatewheel.rag.answer import SILENT, Listener

        return Listener(on_text=self._text, on_sentence=self._sentence) if self._live else SILENT

    def _text(self, piece: str) -> None:
        self._draft += piece
        self._draw()

    def _sentence(self, checked: Checked) -> None:
        self._draft = ""
        self._checked = f"{self._checked} {checked.shown}".strip()
        self._draw()

    def _draw(self) -> None:
        from rich.text import Text

        self._live.update(
            Text(render.printable(self._checked) + " ").append(render.printable(self._draft), style="dim")
        )


def show_fields(answer: Answer) -> None:
    """JSON alone on stdout, `null` for an abstention; on stderr what supports each value, or that nothing does."""
    click.echo("null" if answer.abstained else answer.answer)
    if answer.abstained:
        render.tell(answer.answer, err=True)
        return
    quotes = {citation.n: citation for citation in answer.citations}
    for sentence in answer.sentences:
        if sentence.citation is None:
            render.tell(f"[unsupported] {sentence.text}", err=True)
        else:
            at = quotes[sentence.citation]
            render.tell(f"[{at.n}] {sentence.text} ({render.place(at.source, at.span, at.page)})", err=True)


def show(answer: Answer) -> None:
    """A finished answer: its text, then the quotes behind its markers, or the nearest passages."""
    render.tell(answer.answer)
    for citation in answer.citations:
        render.tell(f"\n[{citation.n}] {render.place(citation.source, citation.span, citation.page)}", bold=True)
        render.tell(f'    "{render.shorten(" ".join(citation.quote.split()), 400)}"', dim=True)
    if answer.abstained and answer.passages:
        _nearest(answer.passages)


def _nearest(hits: Sequence[Hit]) -> None:
    click.echo("\nThe nearest passages:\n")
    for number, hit in enumerate(hits[:SHOWN], start=1):
        render.passage(number, hit)
