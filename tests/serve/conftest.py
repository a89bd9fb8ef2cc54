"""A service that the tests of this folder share, and a way to start one with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import openai
import pytest

from serving import Served, make_project, running

Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service that tests share."""
    with running(make_project(tmp_path_factory.mktemp("office"))) as it:
        yield it


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a service of its own: `serve(serve="slots = 1")`."""
    with ExitStack() as stack:

        def start(**settings: str) -> Served:
            project = make_project(tmp_path_factory.mktemp("office"), **settings)
            return stack.enter_context(running(project))

        yield start


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    """The official client of the shared service. It asks once, so that a failure is seen."""
    with openai.OpenAI(base_url=f"{served.base_url}/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made
