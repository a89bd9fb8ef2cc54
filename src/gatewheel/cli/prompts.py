"""`gatewheel prompts list|show|render`"""

from __future__ import annotations

from dataclasses import dataclass

import click

from gatewheel.cli import render as out


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptRow:
    """A prompt file and the values that it asks for."""

    name: str
    sha256: str
    description: str
    variables: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptList:
    """`gatewheel prompts list`"""

    prompts: list[PromptRow]


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptShow:
    """`gatewheel prompts show`"""

    name: str
    sha256: str
    system: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """`gatewheel prompts render`"""

    messages: list[dict[str, str]]


@click.group()
def command() -> None:
    """List, show and render prompt files."""


@command.command("list")
@out.json_option
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """The prompts of the project with their versions."""
    with out.project(context) as project:
        names = sorted(path.stem for path in (project.config.root / "prompts").glob("*.md"))
        found = [project.parts.prompt(name) for name in names]
    rows = [PromptRow(name=p.name, sha256=p.sha256, description=p.description, variables=p.variables) for p in found]
    if as_json:
        out.emit(PromptList(prompts=rows))
        return
    for row in rows:
        out.tell(f"{row.name:16} {row.sha256[:12]}  {row.description}")


@command.command()
@click.argument("name")
@out.json_option
@click.pass_context
def show(context: click.Context, /, name: str, as_json: bool) -> None:
    """A prompt file as it stands."""
    with out.project(context) as project:
        prompt = project.parts.prompt(name)
    if as_json:
        out.emit(PromptShow(name=prompt.name, sha256=prompt.sha256, system=prompt.system, user=prompt.user))
        return
    out.tell(f"system: {prompt.system}\n\n{prompt.user}")


@command.command()
@click.argument("name")
@click.argument("question")
@out.json_option
@click.pass_context
def render(context: click.Context, /, name: str, question: str, as_json: bool) -> None:
    """The messages that the model would get for QUESTION, with the passages found for it."""
    from gatewheel.loop.preview import messages

    with out.project(context) as project:
        found = messages(project.parts, name, question)
    if as_json:
        out.emit(Rendered(messages=[{"role": m.role, "content": m.content} for m in found]))
        return
    for message in found:
        out.tell(f"── {message.role}", bold=True)
        out.tell(message.content)
