"""The child process that does the work of a Run: `python -m gatewheel.loop.worker ROOT RUN_ID`.

It is asked to stop by SIGTERM, and by SIGHUP when whoever started it has died.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gatewheel.kernel import config, runs
from gatewheel.kernel.durable import exclusive
from gatewheel.kernel.errors import GatewheelError, UserError
from gatewheel.kernel.parentage import end_with_parent
from gatewheel.loop.compose import Parts
from gatewheel.loop.ingest import ingest
from gatewheel.loop.paying import Payer

EVERY = 0.2  # seconds between two notes of progress
Note = Callable[[Any], None]
"""Takes a dataclass that says how far the work is."""


def main(root: str, id_: str) -> None:
    """Do the work of a run that whoever started this process has queued, and write down how it ended.

    Exceptions end here, in the run.
    """
    end_with_parent(signal.SIGHUP)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _orphan)
    settings = config.load(Path(root) / config.CONFIG_FILE)
    parts = Parts(settings)
    run = runs.get(parts.engine, id_)
    if (payer := run.settings.get("payer")) is not None:
        parts.payer = Payer(parts.engine, payer, settings.serve.dollars_per_day)
    if run.state != "queued" or run.process != os.getppid():
        return  # called off, or its watcher was killed before this process could ask to die with it
    begun = False
    try:
        # a client waits for a job: what else is at work may end first
        with exclusive(settings.state, wait="job" in run.settings):
            if not (begun := runs.begin(parts.engine, id_)):
                return
            result = WORK[run.kind](parts, {**run.settings, "run": id_}, _progress(parts, id_))
            runs.end(parts.engine, id_, "done", result=result)
    except KeyboardInterrupt as stop:
        if begun:  # else whoever called it off has said so, and may have paused it since
            _stopped(parts, id_, stop)
    except UserError as error:
        runs.end(parts.engine, id_, "failed", error=f"{runs.USERS}{error}")
    except GatewheelError as error:
        runs.end(parts.engine, id_, "failed", error=str(error))
    except Exception as error:  # noqa: BLE001 (where a Run ends)
        traceback.print_exc()
        runs.end(parts.engine, id_, "failed", error=f"{type(error).__name__}: {error}")


def _stopped(parts: Parts, id_: str, stop: KeyboardInterrupt) -> None:
    if isinstance(stop, _Orphaned):
        runs.end(parts.engine, id_, "interrupted", error="the process that watched it was killed")
    else:
        runs.end(parts.engine, id_, "cancelled")


class _Orphaned(KeyboardInterrupt):
    """Nobody cancelled the run, but nobody watches it any more."""


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _orphan(_signal: int, _frame: object) -> None:
    raise _Orphaned


def _progress(parts: Parts, id_: str) -> Note:
    last = 0.0

    def note(progress: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            runs.change(parts.engine, id_, progress=asdict(progress))

    return note


def _ingest(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    parts = parts.with_settings("reader", "jsonl", settings.get("fields", {}))
    return asdict(ingest(parts, settings.get("paths", ()), on_progress=note))


def _evaluate(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop.evaluate import Wanted, evaluate
    from gatewheel.loop.serving import as_served

    with as_served(parts) as served:  # so that several targets share one model
        wanted, run = settings["wanted"], settings["run"]
        made = [evaluate(served, Wanted(**one), on_progress=note, run=run) for one in wanted]
    return {"reports": [report.id for report in made]}


def _gate(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop.gating import decide
    from gatewheel.loop.progress import Watching

    said = {key: settings[key] for key in ("against", "author")}
    watching = Watching(on_progress=note, run=settings["run"])
    return asdict(decide(parts, settings["candidate"], name=settings["gate"], watching=watching, **said))


def _judge(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import probation

    said = {key: settings[key] for key in ("again", "began")}
    return probation.as_result(probation.measure(parts, settings["name"], **said, on_progress=note))


def _prefer(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import preferring

    who = (settings[key] for key in ("name", "a", "b"))
    return preferring.as_result(preferring.duel(parts, *who, on_progress=note))


def _generate(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop.drafting import Wanted, draft

    run = settings.pop("run")
    settings.pop("payer", None)
    made = draft(parts, Wanted(**settings), run=run, on_progress=note)
    return {"drafts": [case.id for case in made]}


def _calibrate(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import calibrating

    said = settings["wanted"]
    file, signals = Path(said["file"]) if said["file"] else None, tuple(said["signals"])
    wanted = calibrating.Wanted(**{**said, "file": file, "signals": signals})
    to = parts.config.root / settings["to"]
    return calibrating.as_result(calibrating.calibrate(parts, wanted, to, run=settings["run"], on_progress=note))


def _finetune(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import tuning, tuning_jobs

    run, payer, job = settings.pop("run"), settings.pop("payer", ""), settings.pop("job", None)
    wanted = tuning.Wanted(**settings)
    if job is None:
        return asdict(tuning.tune(parts, wanted, run=run, on_progress=note))
    made = tuning_jobs.tune(parts, wanted, run=run, on_progress=note)
    tuning_jobs.publish(parts, job, made.adapter, run=run, key=payer)
    return asdict(made)


def _improve(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import improving

    run = settings.pop("run")
    settings.pop("payer", None)
    return asdict(improving.improve(parts, improving.Wanted(**settings), run=run, on_progress=note))


def _add(parts: Parts, settings: dict[str, Any], note: Note) -> dict[str, Any]:
    from gatewheel.loop import adding
    from gatewheel.loop.progress import Notes

    Notes("the file that is served", 1, note)
    return {"variant": adding.add(parts, settings["adapter"], app=settings["app"]).id, "app": settings["app"]}


Work = Callable[[Parts, dict[str, Any], Note], dict[str, Any]]
WORK: dict[str, Work] = {
    "ingest": _ingest,
    "evaluate": _evaluate,
    "gate": _gate,
    "judge": _judge,
    "prefer": _prefer,
    "generate": _generate,
    "calibrate": _calibrate,
    "finetune": _finetune,
    "improve": _improve,
    "add": _add,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
