"""The studio in a real headless Chromium, before a real service with the embedded model.

Every page is watched: an error on the console, a breach of the content security policy, a dialog or an exception in a
script fails the test. Screenshots go to GATEWHEEL_SCREENSHOTS, or to a temporary folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import documents
import gatewheel as gw
from serving import Served, running

sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install --group dev")

ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PARTS = 60
STORY = "---\nsystem: You tell long stories.\n---\nTell a story of a thousand words about a fox, a ship and a storm.\n"
HOSTILE = "<img src=x onerror=alert(1)>.md"
DOCUMENTS: dict[str, str | bytes] = {
    "harbour.md": "# Harbour\n\nThe harbour master counts the ships at dawn. A ship pays four crowns a metre.\n\n"
    "## Pilots\n\nA pilot boards every ship that is longer than ninety metres. Pilots speak on channel 12. ⚓𝄞\n\n"
    "Der Lotse kommt an Bord.\n",
    "hr/leave.md": "# Leave\n\nEverybody has thirty days of leave a year. Parents have forty days.\n",
    "crane.md": "# Crane\n\nThe crane lifts eighty tonnes. Its rope is changed every second year in October.\n",
    "turbine.pdf": documents.pdf(
        ["The turbine is inspected every six weeks.", "Its bearings last nine years."], title="Report on the turbine"
    ),
    HOSTILE: "# <script>alert(2)</script>\n\nThe lighthouse <svg onload=alert(3)> keeper is called "
    "<b onmouseover=alert(4)>Anselm</b>.\n",
    "ledger.md": "\n\n".join(
        f"# Entry {n}\n\n" + f"In entry {n} the clerk notes rope, tar and {n} barrels of herring. " * 4
        for n in range(PARTS)
    ),
    "broken.pdf": b"%PDF-1.7 this is not one",
}
TOML = """
[project]
name = "Harbour"

[sources]
exclude = ["prompts/", "suites/", "gatewheel.toml"]

[model.chat]
use = "llama.cpp"
threads = 1
parallel = 2

[app.main]
use = "answer"

[app.quote]
use = "answer"
mode = "quote"

[app.long]
use = "answer"
prompt = "story"
max_tokens = 1000
temperature = 1.0
"""


def browser_path() -> str | None:
    """The system's Chromium; None leaves it to playwright, which may have one of its own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service of a project of seven files, one of them broken."""
    folder = tmp_path_factory.mktemp("studio") / "harbour"
    gw.init(folder).close()
    (folder / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    for name, content in DOCUMENTS.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "prompts" / "story.md").write_text(STORY, encoding="utf-8")  # an answer that takes its time
    project = gw.open(folder)
    project.ingest()
    with running(project) as it:
        yield it


# of a module: while playwright runs, its event loop is that of the thread, and no other test could have one
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    with sync_api.sync_playwright() as playwright:
        try:
            made = playwright.chromium.launch(executable_path=browser_path(), args=ARGUMENTS)
        except sync_api.Error as error:
            pytest.skip(f"no Chromium to drive: install it, or run `playwright install chromium` ({error})")
        yield made
        made.close()


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Visit]:
    """Opens a page in a window of its own: `visit("/ask", width=390, dark=True)`. `tolerate` names expected errors."""
    faults: list[str] = []
    contexts: list[Any] = []

    def open_page(
        path: str,
        *,
        width: int = 1280,
        dark: bool = False,
        tolerate: str = "",
        before: Callable[[Any], None] = lambda _: None,
        **options: Any,
    ) -> Any:
        settings = {
            "base_url": served.base_url,
            "viewport": {"width": width, "height": 800},
            "color_scheme": "dark" if dark else "light",
            "reduced_motion": "reduce",  # nothing to wait for, and that it is honoured is tested by the way
        }
        context = browser.new_context(**{**settings, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def console(message: Any) -> None:
            if message.type in ("error", "warning") and not (tolerate and tolerate in message.text):
                faults.append(f"console: {message.text} ({message.location})")

        page.on("console", console)
        page.on("pageerror", lambda error: faults.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        before(page)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any, str], None]:
    """Takes pictures of a page as it is, wide and narrow, light and dark: `picture(page, "ask")`."""
    given = os.environ.get("GATEWHEEL_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            mark = page.locator("mark")
            if mark.count():
                mark.first.evaluate("mark => mark.scrollIntoView({ block: 'center' })")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")

    return take
