"""The way back from a release: to what was released before, but never to what learned of what was forgotten since."""

from __future__ import annotations

from collections.abc import Sequence

from gatewheel.kernel.errors import UserError
from gatewheel.loop import tainting, variants
from gatewheel.loop.compose import Parts
from gatewheel.loop.serving import as_served
from gatewheel.ops import releases
from gatewheel.ops.releases import Release

FILE = "file"  # what gatewheel.toml says, as a place to go back to


def rollback(parts: Parts, app: str, *, to: str = "", text: str = "", author: str = "") -> Release:
    """Release what was released before; from the first release back to what the file says.

    `to` goes further back at once: the beginning of the id of an earlier release, or "file". Raises UserError without
    a release to go back from, for a place that is none, and for one that is tainted, with the nearest that is not.
    """
    back = _earlier(parts, app)
    wanted = _named(back, to, app) if to else back[0]
    if reasons := _tainted(parts, app, wanted):
        said = f"variant {wanted[:12]}, which was released before," if wanted else "what the file says"
        what = f"{said} learned of what was forgotten since: {tainting.told(reasons)}"
        raise UserError(what, cure=_instead(parts, app, back[back.index(wanted) :]))
    return releases.rollback(parts.engine, app, to=wanted, text=text, author=author)


def nearest(parts: Parts, app: str) -> str:
    """The newest earlier release that is not tainted, "" for the file's; where all are, the one before.

    Raises UserError without a release to go back from.
    """
    back = _earlier(parts, app)
    return next((one for one in back if not _tainted(parts, app, one)), back[0])


def _earlier(parts: Parts, app: str) -> list[str]:
    """To what one can go back, the newest first; the last is "", what the file says."""
    stack = releases.stack_of(releases.history(parts.engine), app)
    if not stack:
        raise UserError(f"[app.{app}] has no release to go back from", cure="see `gatewheel release list`")
    return [one for one in dict.fromkeys([*stack[-2::-1], ""]) if one != stack[-1]]


def _named(back: Sequence[str], to: str, app: str) -> str:
    if to == FILE:
        return ""
    found = [one for one in back if one and one.startswith(to)]
    if len(found) != 1:
        what = f"'{to[:64]}' begins {len(found) or 'none'} of the earlier releases of [app.{app}]"
        raise UserError(what, cure=f"name one of {', '.join(one[:12] or FILE for one in back)}")
    return found[0]


def _tainted(parts: Parts, app: str, variant: str) -> tuple[str, ...]:
    taints = tainting.read(parts.engine)
    if not taints.marked:
        return ()  # whatever is wrong with the file by now must not bar the way back to it
    if variant:
        return taints.of_recipe(variants.get(parts.engine, variant).recipe)
    with as_served(parts) as served:
        return taints.of_recipe(served.variant(app).recipe)


def _instead(parts: Parts, app: str, back: Sequence[str]) -> str:
    command = f"gatewheel release rollback --app {app} --to"
    clean = next((one for one in back if not _tainted(parts, app, one)), None)
    if clean is None:
        other = (
            f"write other weights into the model of [app.{app}], then `{command} {FILE}`; or promote another variant"
        )
        return f"what was released before it is tainted too, and so is what the file says: {other}"
    if not clean:
        return f"no earlier release is clean, so fall back to the file: `{command} {FILE}`; or promote another variant"
    return f"go further back: `{command} {clean[:12]}`; or promote another variant"
