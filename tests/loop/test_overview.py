"""The one thing to do next: each station has its turn, Improve where people corrected answers or a gate said no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gatewheel as gw
import gating
from gatewheel.data import origins
from gatewheel.data.origins import Origin
from gatewheel.kernel import runs
from gatewheel.kernel.nouns import Feedback
from gatewheel.loop.gating import decide
from gatewheel.loop.overview import GO_ON, wheel
from gatewheel.loop.project import Project
from gatewheel.ops import feedback, releases


def said(project: Project) -> tuple[str, str]:
    found = wheel(project).next
    return found.station, found.text


def tell(project: Project, trace: str, created: float, **words: str) -> str:
    made, _ = feedback.keep(project.parts.engine, Feedback(id="", trace=trace, created=created, **words))  # type: ignore[arg-type]
    return made.id


def ran(project: Project, kind: str, state: str) -> float:
    """When a run of this kind was made that is in this state now."""
    engine = project.parts.engine
    id_ = runs.create(engine, kind, settings={}, config={})
    runs.end(engine, id_, state)
    return runs.get(engine, id_).created


def test_the_next_is_improve_where_people_corrected_or_a_gate_said_no(tmp_path: Path) -> None:
    home = gating.make(tmp_path)
    with gw.open(home) as project:
        engine = project.parts.engine
        traces = [project.ask(f"What is the code of the door of the {room} room?").trace for room in ("elm", "oak")]
        assert all(traces)
        first, second = map(str, traces)
        tell(project, first, 1.0, thumb="down")
        assert said(project) == ("feedback", "One answer was found wrong: write what would have been right.")
        now = runs.get(engine, runs.create(engine, "evaluate", settings={}, config={})).created
        tell(project, first, now, correction="4859")
        assert said(project)[0] == "evaluate"
        decided = decide(project.parts, "deaf")
        assert decided.decision.outcome == "reject"
        assert said(project) == ("improve", "One correction waits to be learned: tune on it.")
        some = replace(project.caller, groups=frozenset({"staff"}))
        assert wheel(project.seen_by(some)).next.station == "ask", "who does not see every document cannot tune"
        for state in ("failed", "cancelled"):
            ran(project, "improve", state)
        correction = tell(project, second, now, correction="5229")
        assert said(project) == ("improve", "2 corrections wait to be learned: tune on them.")
        origins.keep(engine, [Origin(case="c" * 64, kind="feedback", ref=correction)])
        assert "2 corrections" in said(project)[1], "they are in a case, and nothing has learned that"
        ran(project, "finetune", "done")
        assert "One correction" in said(project)[1]
        ran(project, "improve", "done")
        assert said(project) == ("ask", GO_ON)


def test_a_rejection_asks_for_another_candidate_until_something_is_released(tmp_path: Path) -> None:
    home = gating.make(tmp_path)
    with gw.open(home) as project:
        trace = project.ask("What is the code of the door of the elm room?").trace
        tell(project, str(trace), 1.0, thumb="up")
        decided = decide(project.parts, "deaf")
        station, text = said(project)
        assert (station, wheel(project).next.href) == ("improve", "/improve")
        assert f"The gate rejected {decided.candidate[:12]}" in text
        releases.promote(project.parts.engine, "main", decided.candidate, gates={}, override="it is a test")
        assert said(project) == ("ask", GO_ON)
