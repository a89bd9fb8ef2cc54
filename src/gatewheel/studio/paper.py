"""Reports and choices as pages that stand alone: one file of HTML without scripts, requests or anything to install.

Answers, questions, names and recipes are texts of others: the templates escape all of them, plots are made of elements
whose texts are escaped, and the page's own policy lets a browser load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gatewheel import __version__
from gatewheel.evals.plots.element import Element, markup, speakable
from gatewheel.evals.plots.scale import between, told
from gatewheel.evals.statistics.conclusion import rounded
from gatewheel.loop import drawing, sheets
from gatewheel.loop.drawing import unit_of
from gatewheel.studio.words import difference

if TYPE_CHECKING:
    from gatewheel.loop.candidates import Choice
    from gatewheel.loop.papers import Paper

STYLES = ("tokens", "plots", "paper", "sheet")
LONG = 4_000  # characters of a text that are told; the rest is counted


def models(choice: Choice) -> str:
    """The candidates of a suite with their plot and table."""
    wide, narrow = (drawing.front(choice, wide=wide, name=f"front-{wide}".lower()) for wide in (True, False))
    return _page(
        "paper_models.html",
        title=f"Candidates of {choice.suite}",
        choice=choice,
        plot=_both([wide] if wide else [], [narrow] if narrow else []),
        cost=drawing.COSTS[choice.cost][0],
        unit=unit_of(choice.metric, choice.bounds),
        made=time.time(),
    )


def report(paper: Paper) -> str:
    """One report, or several side by side."""
    heads = [side.head for side in paper.sides]
    who = " and ".join(dict.fromkeys(head.target for head in heads))
    sliced = [sheets.slices(paper, wide=wide) for wide in (True, False)]
    return _page(
        "paper_report.html",
        title=f"{heads[0].suite}: {who}",
        paper=paper,
        letters=sheets.LETTERS,
        figures=_both(sheets.figures(paper, wide=True), sheets.figures(paper, wide=False)),
        differences=_both(sheets.differences(paper, wide=True), sheets.differences(paper, wide=False)),
        slices=_both(*([one] if one else [] for one in sliced)),
        spreads=[(name, Markup(markup(one))) for name, one in sheets.spreads(paper)],  # all texts are escaped
        units={one.metric: unit_of(one.metric, one.bounds) for one in paper.beside.metrics},
        made=paper.made,
    )


def _page(template: str, **told_: Any) -> str:
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    text = _templates().get_template(template).render(style=Markup(style), digest=digest, version=__version__, **told_)
    return text + "\n"


def _both(wide: Sequence[Element], narrow: Sequence[Element]) -> Markup:
    """Plots for wide pages and paper, and the same for narrow ones; the style sheet shows one of them."""
    shown = "".join(map(markup, wide)), "".join(map(markup, narrow))
    if not any(shown):
        return Markup("")
    return Markup(  # all texts are escaped
        f'<div class="plot-wide">{shown[0]}</div><div class="plot-narrow">{shown[1]}</div>'
    )


@cache
def _style() -> str:
    folder = resources.files("gatewheel.studio") / "static"
    return "\n".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("gatewheel.studio"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_spoken,
    )
    made.filters |= {"told": told, "short": _short, "when": _when, "moment": _moment}
    made.globals |= {
        "between": between,
        "unit_of": unit_of,
        "cost_of": drawing.cost_of,
        "apart": sheets.apart,
        "words": difference,
        "rounded": rounded,
        "cut": _cut,
    }
    return made


def _spoken(value: Any) -> Any:
    """What is written into the page, without what no page can hold."""
    return speakable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _short(id_: str) -> str:
    return id_[:12]


def _when(posix: float) -> str:
    return time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(posix)).lstrip("0")


def _moment(posix: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(posix))


def _cut(text: str) -> tuple[str, int]:
    """The beginning of a text, and how many characters are left out."""
    return text[:LONG], max(0, len(text) - LONG)
