"""Files of the studio: their URLs, what browsers may keep, contrast of all colours, and no way to run a text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from gatewheel import studio
from gatewheel.studio import files, pages

FOLDER = Path(studio.__file__).parent
SOURCES = sorted([*FOLDER.glob("static/*"), *FOLDER.glob("templates/*")])
# text on ground, with the least contrast that WCAG 2.2 asks for: 1.4.3 for text, 1.4.11 for what outlines a control
TEXT = [
    (text, ground)
    for text in ("ink", "soft", "accent", "accent-strong", "alarm")
    for ground in ("ground", "face", "sunk")
] + [
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("accent-strong", "tint"),
    ("ink", "tint"),
    ("ink", "mark"),
    *((ground, f"side-{letter}") for letter in "abcdef" for ground in ("face", "ground")),
]
PARSERS = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser"
OUTLINES = [(line, ground) for line in ("edge", "accent") for ground in ("ground", "face")]


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    studio.mount(app)
    return TestClient(app)


def test_a_browser_keeps_files_for_ever_and_pages_not_at_all(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    urls = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(urls) > 5
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_change_of_any_file_changes_every_url() -> None:
    assets = files.load()
    assert re.fullmatch(r"/static/[0-9a-f]{16}/shell\.js", assets.url("shell.js"))
    with pytest.raises(KeyError):
        assets.url("nothing.js")


@pytest.mark.parametrize("name", ["../pages.py", "..%2fpages.py", "nothing.js", "shell.js%00", ""])
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{files.load().digest}/{name}").status_code == 404
    assert client.get("/static/0000000000000000/shell.js").status_code == 404


def test_every_page_needs_no_service_to_be_drawn_and_holds_no_inline_script_or_style(client: TestClient) -> None:
    for page in pages.PAGES:
        text = client.get(page.path.replace("{source:path}", "a/b.md").replace("{id}", "1")).text
        assert f"<title>{page.title} · Gatewheel</title>" in text
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_a_file_is_one_idea_and_parses_no_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    if path.suffix == ".js":
        assert text.startswith("// "), "the first sentence says what a file is"
        assert not re.search(PARSERS, text)
    if path.suffix == ".css":
        assert text.startswith("/* ")


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_pair_of_colours_meets_wcag_aa(theme: int) -> None:
    tokens = (FOLDER / "static" / "tokens.css").read_text(encoding="utf-8")
    colours = {name: pair[theme] for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", tokens)}
    assert len(colours) >= 12
    for least, pairs in ((4.5, TEXT), (3.0, OUTLINES)):
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= least, (front, back)


def test_no_colour_stands_outside_the_tokens() -> None:
    for path in FOLDER.glob("static/*.css"):
        if path.name != "tokens.css":
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?=[;\s,)])", path.read_text(encoding="utf-8")), path.name


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
