"""`gatewheel evals label` through a pseudo terminal, as a person with a keyboard, and what is made of the labels."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import gatewheel as gw
from answered import answered, side, variant
from answering import answer, citation
from gatewheel.cli import schemas
from gatewheel.cli.main import run
from gatewheel.loop import labelling

GATEWHEEL = [sys.executable, "-P", "-m", "gatewheel"]
MAIN, OTHER = "app main", "app quoting"
BETTER, KEPT = "better?  1  2  t tie  s skip  u undo  q quit", "kept, {} of 3 labelled"
PAIR = ("--a", "main", "--b", "quoting", "--rater", "Ada")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Terminal:
    """A command that runs on a terminal. `screen` is all that it wrote there, without colours."""

    process: subprocess.Popen[bytes]
    file: int
    seen: int = 0
    raw: bytearray = field(default_factory=bytearray)

    @property
    def screen(self) -> str:
        return STYLE.sub("", self.raw.decode("utf-8", "replace")).replace("\r\n", "\n")

    def until(self, text: str, *, seconds: float = 60) -> str:
        """What came since the last call up to this text. What hangs is a fault."""
        end = time.monotonic() + seconds
        while (at := self.screen.find(text, self.seen)) < 0:
            assert time.monotonic() < end, f"waited for {text!r} in\n{self.screen}"
            assert self._read(), f"it ended without {text!r}:\n{self.screen}"
        began, self.seen = self.seen, at + len(text)
        return self.screen[began : self.seen]

    def press(self, keys: str) -> None:
        os.write(self.file, keys.encode())

    def end(self) -> str:
        """Wait until it has ended well; what it wrote on standard output."""
        while self._read():
            pass
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, self.screen
        return out.decode()

    def _read(self) -> bool:
        if not select.select([self.file], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            read = os.read(self.file, 65536)
        except OSError:  # Linux says so when nobody holds the other end any more
            return False
        self.raw += read
        return bool(read)


@contextmanager
def terminal(folder: Path, *words: str, columns: int = 120) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [*GATEWHEEL, "evals", "label", "exam", *words],
        cwd=folder,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
    )
    os.close(theirs)
    one = Terminal(process=process, file=ours)
    try:
        yield one
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
        os.close(ours)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three pairs that differ, and one that does not."""
    gw.init(tmp_path).close()
    questions = [f"q{n}" for n in range(4)]
    with gw.open(tmp_path) as project:
        engine = project.parts.engine
        first: dict[str, Any] = {q: f"oak says {q}" for q in questions}
        first["q1"] = answer("oak says [1]\x1b]0;owned\x07", citations=(citation(1, "guide.md", "two wheels"),))
        answered(engine, MAIN, {**first, "q0": "alike"})
        answered(engine, OTHER, {**{q: f"elm says {q}" for q in questions}, "q0": "alike"}, created=2.0)
    (tmp_path / "suites").mkdir(exist_ok=True)
    cases = "".join(json.dumps({"id": q, "question": q}) + "\n" for q in questions)
    (tmp_path / "suites" / "exam.jsonl").write_text(cases)
    (tmp_path / "suites" / "exam.toml").write_text('metrics = ["token-f1"]\n')
    return tmp_path


def winners(folder: Path) -> dict[str, str]:
    """From the question to the target whose answer was preferred."""
    made = {}
    with gw.open(folder) as project:
        known = labelling.known(project.parts.engine, "exam")
        for one in labelling.labels(project.parts.engine, "exam", rater="Ada"):
            chosen = {"a": one.item.a, "b": one.item.b}.get(one.better)
            made[known.cases[one.item.case].question] = known.names[chosen.variant] if chosen else one.better
    return made


def oak(shown: str) -> str:
    """The key of the answer that oak gave, which is `main`: the first or the second on the screen."""
    assert "oak says" in shown
    assert "elm says" in shown
    return "1" if shown.index("oak says") < shown.index("elm says") else "2"


def asked(shown: str) -> str:
    found = re.search(r"^(q\d)$", shown, re.MULTILINE)
    assert found, shown
    return found[1]


@pytest.mark.parametrize("columns", [120, 60])
def test_a_rater_prefers_ties_skips_undoes_and_goes_on_later(home: Path, columns: int) -> None:
    with terminal(home, *PAIR, columns=columns) as screen:
        first = screen.until(BETTER)
        assert "1 of 3" in first
        assert f"expected: right {asked(first)}" in first
        screen.press(oak(first))
        screen.until(KEPT.format(1))
        second = screen.until(BETTER)
        assert "2 of 3" in second
        screen.press("t")
        screen.until(KEPT.format(2))
        screen.until(BETTER)
        screen.press("u")
        again = screen.until(BETTER)
        assert "taken back" in again
        assert asked(again) == asked(second)
        screen.press("s")
        third = screen.until(BETTER)
        assert asked(third) not in (asked(first), asked(second))
        screen.press("T")
        assert "2 of 3 labelled; the same command goes on." in screen.end()
    assert winners(home) == {asked(first): MAIN, asked(third): "tie"}
    with terminal(home, *PAIR, "--json", columns=columns) as screen:
        left = screen.until(BETTER)
        assert "3 of 3" in left
        assert asked(left) == asked(second)
        screen.press("12"[oak(left) == "1"])
        shape = json.loads(screen.end())
        assert shape == {"suite": "exam", "rater": "Ada", "given": 1, "labelled": 3, "total": 3}
        jsonschema.validate(shape, schemas.schema("evals-label"))
    assert winners(home)[asked(left)] == OTHER


def test_the_screen_never_says_whose_an_answer_is(home: Path) -> None:
    with terminal(home, *PAIR) as screen:
        for n in range(1, 4):
            screen.until(BETTER)
            screen.press("1")
            screen.until(KEPT.format(n))
        screen.end()
    for secret in ("main", "quoting", variant(MAIN)[:8], variant(OTHER)[:8]):
        assert secret not in screen.screen
    assert "[1] guide.md: two wheels" in screen.screen
    assert "left out, since both said the same: 1 of 4" in screen.screen
    assert b"\x1b]0;" not in screen.raw, "what a model wrote steers no terminal"
    sides = [oak(text) for text in screen.screen.split(BETTER)[:3]]
    with gw.open(home) as project:
        sheet = labelling.sheet(project.parts.engine, "exam", "Ada", ("main", "quoting"))
    assert sides == ["1" if blind.sides[0] == side(MAIN) else "2" for blind in sheet.items]


def test_kill_9_loses_no_label_that_the_screen_confirmed(home: Path) -> None:
    confirmed = 0
    for _ in range(3):
        with terminal(home, *PAIR) as screen:
            assert f"{confirmed + 1} of 3" in screen.until(BETTER)
            screen.press("1")
            confirmed += 1
            screen.until(KEPT.format(confirmed))
            screen.process.send_signal(signal.SIGKILL)
            screen.process.wait()
        store = sqlite3.connect(home / ".gatewheel" / "gatewheel.db")
        assert store.execute("SELECT count(*) FROM labels").fetchone() == (confirmed,)
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store.close()
    with terminal(home, *PAIR) as screen:
        assert "All 3 are labelled: gatewheel evals ranking exam" in screen.end()


def test_ctrl_c_leaves_the_labels_and_a_sound_terminal(home: Path) -> None:
    with terminal(home, *PAIR) as screen:
        screen.until(BETTER)
        assert not termios.tcgetattr(screen.file)[3] & termios.ECHO
        screen.press("2")
        screen.until(BETTER)
        screen.process.send_signal(signal.SIGINT)
        screen.until("stopped")
        assert termios.tcgetattr(screen.file)[3] & termios.ECHO
        assert screen.process.wait(60) == 130
    assert len(winners(home)) == 1


def test_keys_before_an_answer_is_seen_and_keys_that_mean_nothing_label_nothing(home: Path) -> None:
    with terminal(home, *PAIR) as screen:
        screen.until(BETTER)
        screen.press("x\x1b[1~\x1b[1;2A")  # also the keys home and up with shift
        screen.press("u")
        screen.until("nothing to take back")
        screen.until(BETTER)
        screen.press("11")
        screen.until(KEPT.format(1))
        screen.until(BETTER)
        screen.press("u")
        screen.until("taken back")
        screen.until(BETTER)
        screen.press("u")
        screen.until("nothing to take back")
        screen.until(BETTER)
        screen.press("q")
        assert "0 of 3 labelled" in screen.end()
    assert winners(home) == {}


def test_a_rubric_grades_single_answers(home: Path) -> None:
    words = ("--a", "main", "--rater", "Ada", "--rubric", "faithful=1-4,complete=0-2")
    with terminal(home, *words) as screen:
        shown = screen.until("faithful?  1 to 4")
        assert "1 of 4" in shown
        screen.press("5")
        screen.press("4")
        screen.until("complete?  0 to 2")
        screen.press("0")
        screen.until("kept, 1 of 4 labelled")
        screen.until("faithful?")
        screen.press("q")
        screen.end()
    with gw.open(home) as project:
        [kept] = labelling.labels(project.parts.engine, "exam")
    assert kept.scores == {"faithful": 4.0, "complete": 0.0}
    assert kept.item.a == side(MAIN)


@pytest.fixture
def call(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(["-C", str(home), "evals", *words]) == code
        out, err = capsys.readouterr()
        if "--json" not in words or code:
            return out, err
        value = json.loads(out)
        jsonschema.validate(value, schemas.schema(f"evals-{words[0]}"))
        return value

    return call


def test_from_labels_made_elsewhere_to_agreement_ranking_and_preferences(
    call: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    assert "No two raters" in call("agreement", "exam")[1]
    assert "Nobody compared answers yet: gatewheel evals label exam" in call("ranking", "exam")[1]
    said = {"Ada": ("a", "a", "b"), "Bob": ("a", "b", "b")}
    lines = [
        {"case": case, "better": better, "rater": rater}
        for rater, all_ in said.items()
        for case, better in zip(("q1", "q2", "q3"), all_, strict=True)
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ("label", "exam", "--a", "main", "--b", "quoting", "--import", str(path))
    shape = call(*words, "--json")
    assert shape == {"suite": "exam", "rater": "", "given": 6, "labelled": None, "total": None}
    assert call(*words)[0] == "6 labels kept.\n"

    [agreed] = call("agreement", "exam", "--json")["questions"]
    assert (agreed["question"], agreed["raters"], agreed["units"]) == ("better", ["Ada", "Bob"], 3)
    assert agreed["kappa"] == pytest.approx(0.4)  # observed 2/3, by chance 4/9
    assert "0.400" in call("agreement", "exam")[0]

    ranked = call("ranking", "exam", "--json")["variants"]
    assert {row["target"]: row["matches"] for row in ranked} == {MAIN: 6, OTHER: 6}
    assert sum(row["strength"] for row in ranked) == pytest.approx(0)
    assert "app quoting" in call("ranking", "exam")[0]

    out = tmp_path / "preferences.jsonl"
    shape = call("export", "exam", "--to", str(out), "--json")
    assert (shape["split"], shape["written"], shape["lost"]) == ("holdout", 2, 0)
    made = {line["messages"][0]["content"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert made.keys() == {"q1", "q3"}, "on q2 they are split"
    assert (made["q3"]["chosen"], made["q3"]["rejected"]) == ("elm says q3", "oak says q3")
    assert "held out" in call("export", "exam", "--to", str(out))[1]


@pytest.mark.parametrize(
    ("words", "wrong", "cure"),
    [
        (["label", "exam", *PAIR], "labelling needs a terminal", "--import FILE.jsonl"),
        (["label", "exam", "--a", "main", "--b", "quoting"], "'' is no name of a rater", "64 signs"),
        (["label", "exam", *PAIR[:3], "quotin", *PAIR[4:]], "nobody named 'quotin'", "did you mean 'quoting'"),
        (["label", "exam", *PAIR, "--rubric", "x"], "'x' is no criterion", "faithful=1-4"),
        (["label", "exma", *PAIR], "nobody answered the suite 'exma'", "gatewheel evals run"),
        (["ranking", "exma"], "nobody answered the suite 'exma'", "gatewheel evals run"),
        (["export", "exma", "--to", "x"], "no suite suites/exma.toml", "did you mean 'exam'"),
        (["label", "exam", *PAIR, "--import", "gone.jsonl"], "gone.jsonl cannot be read", "check the path"),
    ],
)
def test_mistakes_are_one_line_with_the_cure(call: Callable[..., Any], words: list[str], wrong: str, cure: str) -> None:
    _, err = call(*words, code=1)
    assert wrong in err
    assert cure in err.strip().splitlines()[-1]
