"""Whether the parts of a project fit each other, which gatewheel.toml alone cannot show. Builds nothing but prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, literal, select, union_all

from gatewheel.kernel.config import Config, Table
from gatewheel.kernel.errors import ConfigError, ProjectError
from gatewheel.kernel.nouns import Message, Passage
from gatewheel.kernel.store.schema import files, meta

if TYPE_CHECKING:
    from gatewheel.loop.compose import Parts


def check(parts: Parts) -> None:
    """Raises ConfigError for parts that exclude each other or a gate without its suite, PromptError for a prompt."""
    from gatewheel.loop import gating

    config = parts.config
    gating.check(config)
    for name in config.names("retriever"):
        refuse_blind(config, config.table("retriever", name))
    for name in config.names("app"):
        _render(parts, getattr(config.table("app", name).settings, "prompt", "answer"))


def refuse_blind(config: Config, retriever: Table) -> None:
    """Raises ConfigError for a retriever that needs vectors in a project whose encoder makes none."""
    if retriever.use == "dense" and config.table("encoder", "main").use == "none":
        where = f"{config.path.name}: [retriever.{retriever.name}] use"
        cure = 'write use = "bm25", or choose another encoder'
        raise ConfigError(f"{where}: 'dense' needs vectors, but [encoder.main] is 'none'", cure=cure)


def _render(parts: Parts, name: str) -> None:
    from gatewheel.rag.context import Numbered

    passage = Passage(id="0", source="guide.md", span=(0, 5), text="Words", heading="Guide", page=1, title="Guide")
    shown = [Numbered(n=1, passage=passage, text=passage.text)]
    turn = [Message(role="user", content="?"), Message(role="assistant", content="Words")]
    for history in ([], turn):  # each is a branch that a prompt may take
        parts.prompt(name).render(question="?", passages=shown, history=history)


def outdated(parts: Parts) -> ProjectError | None:
    """What is wrong and its cure when passages were made by other settings than the present ones. One SELECT."""
    by_file = select(files.c.recipe, files.c.named, func.min(files.c.source)).group_by(files.c.recipe, files.c.named)
    by_terms = select(meta.c.value, literal(False), literal("")).where(meta.c.key == "analyser")
    present = {*parts.reading_recipes().values(), parts.analyser.id}
    with parts.engine.connect() as connection:
        rows = connection.execute(union_all(by_file, by_terms)).all()
    stale = [(named, source) for recipe, named, source in rows if recipe not in present]
    if not stale:
        return None
    named, source = min(stale)
    what = f"{source or 'the text index'} was read by other settings than those of {parts.config.path.name}"
    # a file that was named once may lie outside [sources], where only naming it again reaches it
    return ProjectError(what, cure=f"run `gatewheel ingest {source}`" if named else "run `gatewheel ingest`")
