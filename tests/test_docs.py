"""The documentation's commands and examples run, in order, as a reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FLOORS = {"kernel", "loop", "cli", "sample", "studio"}  # every other is a room, a material or a door with a command
SAMPLE = re.compile(r"gatewheel init (\S+) --sample")
WORTH = re.compile(r"ingest$|evals run sample")  # what takes long, and is known to whoever begins with its store
SHELL = re.compile(r"[|&;$<>`*~]")
ALONE = {"README"}  # what who is new here types first
ROOMS = {path.parent.name for path in (ROOT / "src" / "gatewheel").glob("*/__init__.py")} - FLOORS


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the newest store of the sample is kept that a page made; those after it ask and read nothing anew."""
    return tmp_path_factory.mktemp("sample") / "store"


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_commands_of_a_page_run(page: Path, tmp_path: Path, stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    folder, sample = tmp_path, None
    if page.name == "README.md":  # its reader stands in a checkout
        (folder / page.name).write_bytes(page.read_bytes())
    for kind, text in blocks(page):
        if kind == "python":
            done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True)
            assert done.returncode == 0, f"{text}\n{done.stderr.decode()}"
            continue
        for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
            if line.startswith("cd "):
                folder = folder / line[3:]
                continue
            if line.startswith(("make ", "git ", "pip ")):
                continue  # these build the environment that this very test runs in
            monkeypatch.chdir(folder)
            told(line, alone=page.stem in ALONE)
            if made := SAMPLE.fullmatch(line):
                sample = folder / made[1]
                if stores.exists():
                    shutil.copytree(stores, sample / ".gatewheel", dirs_exist_ok=True)
            elif sample and (WORTH.search(line) or not stores.exists()):
                shutil.rmtree(stores, ignore_errors=True)
                shutil.copytree(sample / ".gatewheel", stores)


def told(line: str, *, alone: bool) -> None:
    """Run a line of a page; `alone`: in processes of its own, as all that a shell has to understand.

    A process takes 0.6 s to import what it needs, and the pages have a hundred lines.
    """
    from gatewheel.cli.main import run

    words = shlex.split(line, comments=True)
    if alone or words[0] != "gatewheel" or SHELL.search(line):
        done = subprocess.run(line, shell=True, capture_output=True)
        assert done.returncode == 0, f"$ {line}\n{done.stdout.decode()}{done.stderr.decode()}"
    else:
        assert run(words[1:]) == 0, f"$ {line}"


def test_configuration_in_the_pages_is_sound(tmp_path: Path) -> None:
    from gatewheel.kernel import config

    defaults = config.validate({}, tmp_path / "gatewheel.toml")
    for page in PAGES:
        for text in re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            loaded = config.validate(tomllib.loads(text), tmp_path / page.name)
            for kind, name in loaded.tables.keys() - defaults.tables.keys():
                used = kind == "app" or f'"{name}"' in text
                assert used, f"{page.name}: nothing refers to [{kind}.{name}]"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_room_has_a_page_a_test_folder_and_a_command() -> None:
    from gatewheel.cli.main import COMMANDS

    for room in ROOMS:
        assert (ROOT / "docs" / f"{room}.md").is_file(), room
        assert list((ROOT / "tests" / room).glob("test_*.py")), room
        assert room in COMMANDS, room


def test_generated_reference_is_up_to_date() -> None:
    import reference

    for path, text in reference.files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is behind; run `make reference`"
