"""A store opens at the newest schema, once, whoever comes first; what cannot be opened says why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, inspect, literal, select, text

from gatewheel.kernel import trace
from gatewheel.kernel.errors import ProjectError
from gatewheel.kernel.nouns import SpanRecord, Trace
from gatewheel.kernel.store import database
from gatewheel.kernel.store.database import HEAD, URL_VARIABLE, open_database
from gatewheel.kernel.store.schema import meta, metadata, reports


def test_the_migrations_make_the_schema(engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def ours(_thing: object, name: str | None, *_: object) -> bool:
        # text search lives beside the tables: see migrations/
        return not (name or "").startswith(("passages_fts", "passages_terms", "terms"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_head_is_the_last_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_opening_again_changes_nothing(store_url: str, tmp_path: Path) -> None:
    first = open_database(tmp_path, store_url)
    with first.begin() as connection:
        connection.execute(insert(meta).values(key="a", value="b"))
    before = sorted(inspect(first).get_table_names())
    first.dispose()
    again = open_database(tmp_path, store_url)
    with again.connect() as connection:
        assert connection.execute(select(meta.c.value)).scalars().all() == ["b"]
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]
    assert sorted(inspect(again).get_table_names()) == before
    again.dispose()


def test_a_newer_schema_is_left_alone(store_url: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path, store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ProjectError, match=r"newer Gatewheel \(schema 9999.*upgrade gatewheel"):
        open_database(tmp_path, store_url)


def test_processes_that_open_a_new_store_together_all_succeed(store_url: str, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gatewheel.kernel.store.database import open_database\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "open_database(Path(sys.argv[1]), sys.argv[2]).dispose()"
    )
    argv = [sys.executable, "-c", code, str(tmp_path), store_url]
    pipe = subprocess.PIPE
    many = [subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)]
    for one in many:
        assert one.stdout
        one.stdout.readline()
    for one in many:
        assert one.stdin
        one.stdin.write(b"go\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[1].decode() for one in many] == [""] * 4
    engine = open_database(tmp_path, store_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [HEAD]
    engine.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewheel.kernel.store.migrations.versions import v0001_first

    failing = Path(v0001_first.__file__).read_text().replace("    _text_search()\n", "    op.execute('nonsense')\n", 1)
    folder = tmp_path / "kernel_store"
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "versions" / "v0001_first.py").write_text(failing)
    source = Path(database.__file__).parent / "migrations"
    (folder / "migrations" / "env.py").write_text((source / "env.py").read_text())
    monkeypatch.setattr(database, "__file__", str(folder / "database.py"))
    with pytest.raises(ProjectError):
        open_database(tmp_path, store_url)
    monkeypatch.undo()
    open_database(tmp_path, store_url).dispose()


def test_reports_of_before_are_listed_by_what_they_hold(store_url: str, tmp_path: Path) -> None:
    engine = open_database(tmp_path, store_url)
    scored = [{"case": "a", "error": ""}, {"case": "b", "error": "refused"}]
    held = {"target": "app main", "cases": {"a": {}, "b": {}}, "scored": scored}
    head = {"id": "r", "created": 1.0, "suite": "exam", "suite_id": "s", "variant": "v", "corpus": "", "run": ""}
    with engine.begin() as connection:
        connection.execute(insert(reports).values(**head, rows=held))
        for name in ("target", "cases", "errors"):
            connection.execute(text(f"ALTER TABLE reports DROP COLUMN {name}"))
        connection.execute(text("ALTER TABLE traces DROP COLUMN app"))
        later = ("dataset_cases", "datasets", "origins", "artifacts", "taints", "client_files", "tuned_models")
        for name in later:
            connection.execute(text(f"DROP TABLE {name}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    engine.dispose()
    engine = open_database(tmp_path, store_url)
    with engine.connect() as connection:
        row = connection.execute(select(reports)).one()
    assert (row.target, row.cases, row.errors, row.rows) == ("app main", 2, 1, held)
    engine.dispose()


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "gatewheel.db").write_bytes(b"this is no database, it only has the name of one" * 100)
    with pytest.raises(ProjectError, match=r"is damaged: file is not a database.*move the file away"):
        open_database(tmp_path)
    open_database(tmp_path / "cut").dispose()
    path = tmp_path / "cut" / "gatewheel.db"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ProjectError, match=r"is damaged: .*move the file away"):
        open_database(tmp_path / "cut")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("no url", "is not a database URL; write e.g. postgresql://"),
        ("postgres://localhost/x", "is not a database URL; write e.g. postgresql://"),
        ("sqlite:////nowhere/at/all/x.db", "cannot be opened: unable to open database file; check"),
        ("postgresql://me:secret@127.0.0.1:1/x", r"me:\*\*\*@127.0.0.1:1/x cannot be opened: .*check \[store\] url"),
    ],
)
def test_a_url_that_leads_nowhere(tmp_path: Path, url: str, match: str) -> None:
    with pytest.raises(ProjectError, match=match) as caught:
        open_database(tmp_path, url)
    assert "secret" not in str(caught.value)


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match=r"cannot be made: .*check the permissions"):
        open_database(tmp_path / "file" / ".gatewheel")


def test_any_folder_name_holds_a_store(tmp_path: Path) -> None:
    state = tmp_path / "what? 100% #1 é" / ".gatewheel"
    open_database(state).dispose()
    assert (state / "gatewheel.db").is_file()


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, f"sqlite:///{tmp_path / 'elsewhere.db'}")
    open_database(tmp_path / "state", "postgresql://nobody@127.0.0.1:1/x").dispose()
    assert (tmp_path / "elsewhere.db").is_file()
    assert not (tmp_path / "state").exists()


def test_sqlite_folds_the_case_of_every_script(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with engine.connect() as connection:
        found = connection.execute(select(func.lower(literal("ÉCOLE Ünï ΑΒΓ")), func.lower(literal(None)))).one()
    engine.dispose()
    assert tuple(found) == ("école ünï αβγ", None)


def test_traces_come_back_as_they_were_newest_first(engine: Engine) -> None:
    def made(number: int) -> Trace:
        return Trace(
            id=f"{number:032x}",
            created=1e9 + number,
            kind="ask",
            question="Wer bläst? 風",
            answer="",
            abstained=True,
            variant="v",
            seconds=0.25,
            input_tokens=1,
            output_tokens=2,
            spans=(SpanRecord(name="retrieve", start=0.0, seconds=0.1, attributes={"k": [1, "é"]}),),
        )

    for number in (1, 2, 17):
        trace.keep(engine, made(number))
    assert trace.recent(engine, limit=2) == [made(17), made(2)]
    assert trace.find(engine, "0" * 31) == [made(1), made(2)]
    assert trace.find(engine, "_") == []


def test_a_recorder_keeps_a_step_that_failed() -> None:
    recorder = trace.Recorder()
    with pytest.raises(KeyError), recorder.span("retrieve", asked=1) as span:
        span["late"] = 2
        raise KeyError
    [one] = recorder.spans
    assert (one.name, one.attributes) == ("retrieve", {"asked": 1, "late": 2, "error.type": "KeyError"})
    assert 0 <= one.start <= one.start + one.seconds <= recorder.seconds()
