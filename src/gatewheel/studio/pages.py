"""The pages: shells without data, rendered once. Their scripts fetch what they show from the API, as anyone would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gatewheel.studio.files import Assets


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A route with its template, its title and the entry of the navigation that it belongs to."""

    path: str
    template: str
    title: str
    section: str = ""


PAGES = (
    Page(path="/", template="wheel", title="The wheel", section="wheel"),
    Page(path="/ask", template="ask", title="Ask", section="ask"),
    Page(path="/documents", template="documents", title="Documents", section="documents"),
    Page(path="/documents/{source:path}", template="document", title="Document", section="documents"),
    Page(path="/traces", template="traces", title="Traces", section="traces"),
    Page(path="/traces/{id}", template="trace", title="Trace", section="traces"),
    Page(path="/lineage/{name:path}", template="lineage", title="Lineage", section="traces"),
    Page(path="/runs", template="runs", title="Runs", section="runs"),
    Page(path="/runs/{id}", template="run", title="Run", section="runs"),
    Page(path="/evaluate", template="evaluate", title="Evaluate", section="evaluate"),
    Page(path="/models", template="models", title="Models", section="models"),
    Page(path="/label", template="label", title="Label", section="label"),
    Page(path="/improve", template="improve", title="Improve", section="improve"),
    Page(path="/improve/drafts", template="drafts", title="Drafts", section="improve"),
    Page(path="/release", template="release", title="Release", section="release"),
    Page(path="/login", template="login", title="Log in"),
)


NOWHERE = Page(path="", template="nowhere", title="No such page")


def add(app: FastAPI, assets: Assets) -> None:
    """Serve the pages. They hold nothing secret, so they need no key; the API does."""
    templates = Environment(
        loader=PackageLoader("gatewheel.studio"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    for page in PAGES:
        render = templates.get_template(f"{page.template}.html").render
        # a link on another site may fill in a question, but a visit alone must not spend tokens on it
        ours, foreign = (render(page=page, asset=assets.url, foreign=foreign) for foreign in (False, True))
        app.add_route(page.path, _endpoint(ours, foreign), methods=["GET", "HEAD"], include_in_schema=False)
    # `serve/fault.py` answers with it where nothing is
    app.state.nowhere = templates.get_template("nowhere.html").render(page=NOWHERE, asset=assets.url, foreign=False)


def _endpoint(ours: str, foreign: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        site = request.headers.get("sec-fetch-site", "none")
        text = foreign if site == "cross-site" else ours
        return HTMLResponse(text, headers={"Cache-Control": "no-cache", "Vary": "Sec-Fetch-Site"})

    return endpoint
