"""A project that has learned, with all that is next to what it learned of, for those who forget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import gatewheel as gw
import learned
from gatewheel.loop.project import Project
from learned import Learned


@pytest.fixture
def made(tmp_path: Path) -> Learned:
    return learned.make(tmp_path)


@pytest.fixture
def project(made: Learned) -> Iterator[Project]:
    with gw.open(made.home) as opened:
        yield opened
