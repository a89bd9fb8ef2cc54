"""`gatewheel data stats|card`"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click

from gatewheel.cli import render
from gatewheel.cli.data_import import encoder_of, words_option
from gatewheel.data.stats import Lengths

MOST = 12  # labels, languages and tags that are told to people


@dataclass(frozen=True, kw_only=True, slots=True)
class DataStats:
    """`gatewheel data stats`: of a suite's cases as its file stands, or of a version, whose id `version` is then.

    Lengths are in `unit`. `replies` teach by a reference, `labelled` by a label, `abstentions` that there is no answer,
    `silent` nothing. `same` ask what an earlier one asks, `near` nearly so with the same reply, `contradictions` the
    same with another reply; of `repeated` more than half was said before. `evenness` of the labels is 1 where all are
    equally frequent, null with fewer than two.
    """

    name: str
    version: str
    cases: int
    unit: str
    question: Lengths
    context: Lengths
    history: Lengths
    reply: Lengths
    replies: int
    labelled: int
    abstentions: int
    silent: int
    same: int
    near: int
    contradictions: int
    repeated: int
    labels: dict[str, int]
    evenness: float | None
    languages: dict[str, int]
    clusters: int
    largest_cluster: int
    tags: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCard:
    """`gatewheel data card`: the Markdown of a version."""

    version: str
    name: str
    text: str


@click.command()
@click.argument("name")
@words_option
@render.json_option
@click.pass_context
def stats(context: click.Context, /, name: str, words_only: bool, as_json: bool) -> None:
    """Counts, lengths, duplicates and balance of a suite's cases, or of a version by its id."""
    from gatewheel.data import datasets, suites
    from gatewheel.data import stats as counting
    from gatewheel.loop import describing
    from gatewheel.rag.language import detect

    with render.project(context) as project:
        parts, version = project.parts, ""
        if name in suites.names(project.config.root):
            cases = suites.load(project.config.root, name).cases
        else:
            version = datasets.find(parts.engine, name).id
            cases = datasets.load(parts.objects, version)
        encoder = encoder_of(project, words_only)
        found = counting.of_cases(cases, **describing.counting(parts), detect=detect, encoder=encoder)
    told = DataStats(name=name, version=version, **{key: getattr(found, key) for key in found.__dataclass_fields__})
    if as_json:
        render.emit(told)
    else:
        _tell(told)


@click.command()
@click.argument("version")
@render.json_option
@click.pass_context
def card(context: click.Context, /, version: str, as_json: bool) -> None:
    """The data card of VERSION, an id or a name, which means its newest version."""
    from gatewheel.data import cards, datasets

    with render.project(context) as project:
        found = datasets.find(project.parts.engine, version)
    text = cards.markdown(found)
    if as_json:
        render.emit(DataCard(version=found.id, name=found.name, text=text))
    else:
        render.tell(text, nl=False)


COMMANDS = (stats, card)


def _tell(told: DataStats) -> None:
    render.tell(f"{told.name}: {told.cases} cases", bold=True)
    rows = []
    for name in ("question", "context", "history", "reply"):
        size: Lengths = getattr(told, name)
        if size.texts:
            cells = (size.texts, size.total, size.mean, size.median, size.p95, size.longest)
            rows.append([name, *(f"{cell:,}" for cell in cells)])
    render.table(["", "texts", told.unit, "mean", "median", "95 %", "longest"], rows)
    render.tell(
        f"to learn: {told.replies} references, {told.labelled} labels, {told.abstentions} abstentions; "
        f"{told.silent} teach nothing"
    )
    render.tell(
        f"{told.same} ask what another asks, {told.near} nearly so, {told.contradictions} contradict another, "
        f"{told.repeated} repeat themselves"
    )
    _counted("labels", told.labels, f"; evenness {told.evenness}")
    _counted("languages", told.languages)
    _counted("tags", told.tags)
    if told.clusters:
        render.tell(f"clusters: {told.clusters}, the largest of {told.largest_cluster} cases")


def _counted(what: str, counts: Mapping[str, int], more: str = "") -> None:
    if counts:
        shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:MOST])
        rest = f" and {len(counts) - MOST} more" if len(counts) > MOST else ""
        render.tell(f"{what}: {shown}{rest}{more}")
