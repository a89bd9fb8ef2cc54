"""The official Node client, unmodified; see node/client.mjs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from awaiting import eventually
from serving import Served

SOURCE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client and what it needs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node or npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    for file in SOURCE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    lock = (folder / "package-lock.json").exists()
    command = [npm, "ci" if lock else "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install the client: {done.stderr.strip().splitlines()[-1:]}")
    return folder


def test_the_node_client_works(served: Served, installed: Path) -> None:
    command = ["node", "client.mjs", served.base_url]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.strip() == "ok", done.stderr
    eventually(lambda: served.service.line.served == 0)  # the last stream was left
