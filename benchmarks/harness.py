"""Is it as the lm-evaluation-harness says, and how much sooner?

    benchmarks/.venv-lmeval/bin/python benchmarks/harness.py
    benchmarks/.venv-lmeval/bin/python benchmarks/harness.py --share 0.3

The same prompts, weights and machine: multiple choice (MMLU without and with five examples, TruthfulQA's sentences),
perplexity of chapters, answers to SQuAD. Each contender is a process that has its weights loaded; they take turns, task
by task. Seconds are those of the work, from the task file to the scores, CPU-seconds those of all threads.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from harness_tasks import Work, works, write_suite, write_tasks
from report import Table, parser, show

LENGTH = 2048  # tokens of context, of both
SLOTS = 16
WARM = "warm"
DENSE = Path(__file__).parent / ".venv-lmeval" / "smollm2-135m-float32"  # what transformers makes of the GGUF file
THEIRS = "lm-eval hf {dtype}, batch {batch}"
TOML = """
[encoder.main]
use = "none"
[model.chat]
use = "{engine}"
weights = "{weights}"
context_length = {length}
threads = {threads}
{more}
[model.writer]
use = "{engine}"
weights = "{weights}"
context_length = {length}
threads = {threads}
{more}
{parallel}
[serve]
slots = {slots}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """A task by one contender: for each case its log-probabilities with their greediness, or its text."""

    wall: float
    cpu: float
    cases: list[Any]


Do = Callable[[Work], list[Any]]


def main() -> None:
    """Run both and print how far apart they are."""
    options = parser(__doc__)
    options.add_argument("--share", type=float, default=1.0, help="of the usual number of cases")
    options.add_argument("--threads", type=int, default=2, help="of each; 1 where others use the machine too")
    options.add_argument("--batch", default="8", help="of lm-evaluation-harness: a number, or auto")
    options.add_argument("--only", nargs="*", default=(), help="names of tasks")
    given = options.parse_args()
    tasks = [work for work in works(given.data, given.share) if not given.only or work.name in given.only]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        dense = context.Process(target=_dequantised)
        dense.start()
        dense.join()
        running = {name: _start(what, Path(folder)) for name, what in _contenders(given.batch, given.threads).items()}
        found: dict[str, dict[str, Done]] = {}
        for work in tasks:
            for name, (does, ask) in running.items():
                if does(work):
                    found.setdefault(work.name, {})[name] = done = ask(work)
                    print(f"{work.name}, {name}: {done.cpu:.1f} CPU-s", file=sys.stderr, flush=True)
        for _, ask in running.values():
            ask(None)
    first = next(iter(running))
    show(
        [_speed(tasks, found, first, given.threads), _scores(tasks, found), _equality(tasks, found, first)],
        as_json=given.json,
    )


def _contenders(batch: str, threads: int) -> dict[str, tuple[Any, tuple[Any, ...], Callable[[Work], bool]]]:
    """Name → who makes it, with what, and which tasks it does."""
    return {
        THEIRS.format(dtype="float32", batch=batch): (_theirs, (threads, "float32", batch), lambda _: True),
        THEIRS.format(dtype="bfloat16", batch=batch): (_theirs, (threads, "bfloat16", batch), lambda _: True),
        "Gatewheel, exact": (_ours, (threads, "openvino", "exact = true"), lambda _: True),
        "Gatewheel": (_ours, (threads, "openvino", "exact = false"), lambda _: True),
        "Gatewheel hf float32": (_ours, (threads, "hf", ""), lambda work: work.kind != "generation"),
    }


def _start(what: tuple[Any, ...], folder: Path) -> tuple[Callable[[Work], bool], Callable[[Work | None], Any]]:
    make, settings, does = what
    here, there = multiprocessing.get_context("spawn").Pipe()
    named = folder / "-".join([make.__name__.strip("_"), *map(str, settings)]).replace(" ", "")
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(there, make, settings, named))
    process.start()
    there.close()
    _told(here)  # it has its weights

    def ask(work: Work | None) -> Any:
        here.send(work)
        if work is None:
            process.join()
            return None
        return _told(here)

    return does, ask


def _told(connection: Connection) -> Any:
    if isinstance(found := connection.recv(), str):
        raise SystemExit(found)
    return found


def _work(connection: Connection, make: Any, settings: tuple[Any, ...], folder: Path) -> None:
    with Path(os.devnull).open("w") as nowhere:  # both tell much as they go
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    folder.mkdir(parents=True)
    try:
        do: Do = make(folder, *settings)
        connection.send(None)
        while (work := connection.recv()) is not None:
            cpu, wall = _cpu(), time.perf_counter()
            cases = do(work)
            connection.send(Done(wall=time.perf_counter() - wall, cpu=_cpu() - cpu, cases=cases))
    except Exception:  # noqa: BLE001 - told by the other process
        connection.send(traceback.format_exc())


def _cpu() -> float:
    """Seconds of this process and of those that it started, by proc_pid_stat(5)."""
    own, taken = str(os.getpid()), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            if own in (stat.parent.name, fields[1]):
                taken += int(fields[11]) + int(fields[12])
    return taken / os.sysconf("SC_CLK_TCK")


# --- the contenders ---


def _dequantised() -> None:
    """The weights as transformers reads them from the GGUF file, which takes it half a minute, once and for all."""
    if DENSE.exists():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gatewheel.models.weights import find

    path = find("smollm2-135m-instruct")
    told: dict[str, Any] = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    making = DENSE.with_name(f"{DENSE.name}-{os.getpid()}")
    AutoTokenizer.from_pretrained(**told).save_pretrained(making)
    model: Any = AutoModelForCausalLM.from_pretrained(**told, dtype=torch.float32)
    model.hf_quantizer = None  # it is float32 by now
    del model.config.quantization_config
    model.save_pretrained(making)
    making.rename(DENSE)


def _theirs(folder: Path, threads: int, dtype: str, batch: str) -> Do:
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(threads)
    size = batch if batch.startswith("auto") else int(batch)
    model = HFLM(pretrained=str(DENSE), dtype=dtype, device="cpu", batch_size=size, max_length=LENGTH)

    def do(work: Work) -> list[Any]:
        write_tasks(folder, work)
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        chat = work.kind == "generation"
        done = lm_eval.simple_evaluate(
            model=model, tasks=[work.name], task_manager=manager, bootstrap_iters=0, apply_chat_template=chat
        )
        samples = sorted(done["samples"][work.name], key=lambda sample: sample["doc_id"])
        return [_said(work, sample["resps"]) for sample in samples]

    for kind in ("choice", "generation"):  # what it imports at its first task is not its speed
        do(_warming(kind))
    return do


def _said(work: Work, told: Any) -> Any:
    match work.kind:
        case "choice":
            return [(float(one[0][0]), bool(one[0][1])) for one in told]
        case "perplexity":
            return [(float(told[0][0]), False)]
    return str(told[0][0]).strip()


def _ours(folder: Path, threads: int, engine: str, more: str) -> Do:
    import gatewheel as gw
    from gatewheel.data import suites
    from gatewheel.loop import answers
    from gatewheel.loop.answers import Key
    from gatewheel.loop.evaluate import Wanted, put

    gw.init(folder).close()
    weights = DENSE if engine == "hf" else "smollm2-135m-instruct"
    parallel = "" if engine == "hf" else f"parallel = {SLOTS}"
    told = TOML.format(
        engine=engine, weights=weights, length=LENGTH, threads=threads, more=more, parallel=parallel, slots=SLOTS
    )
    (folder / "gatewheel.toml").write_text(told, encoding="utf-8")
    project = gw.open(folder)

    def do(work: Work) -> list[Any]:
        write_suite(folder, work)
        report = project.evaluate(Wanted(suite=work.name))
        assert not any(row.error for row in report.rows), [row.error for row in report.rows if row.error][:3]
        kept = [
            answers.get(project.parts.engine, Key(variant=report.variant, corpus=report.corpus, case=put(case)))
            for case in suites.load(folder, work.name).cases
        ]
        if work.kind == "generation":
            return [answer.answer for answer in kept if answer]
        return [[(one.logprob, one.greedy) for one in answer.likelihoods] for answer in kept if answer]

    do(_warming("choice"))
    if engine != "hf":
        do(_warming("generation"))
    return do


def _warming(kind: str) -> Work:
    rows: list[dict[str, Any]] = [{"id": str(at), "text": f"{at} and {at} are", "answer": 0} for at in range(2)]
    if kind == "choice":
        return Work(name=f"{WARM}-{kind}", kind=kind, rows=[row | {"choices": ["none", "many"]} for row in rows])
    return Work(name=f"{WARM}-{kind}", kind=kind, rows=[row | {"answer": "many"} for row in rows], max_tokens=4)


# --- what is printed ---


def _speed(tasks: list[Work], found: dict[str, dict[str, Done]], first: str, threads: int) -> Table:
    columns = ("task", "cases", "contender", "wall s", "CPU-s", f"× {first}: wall", "CPU")
    table = Table(title=f"Time, {threads} threads each", columns=columns)
    for work in tasks:
        slow = found[work.name][first]
        for name, done in found[work.name].items():
            ratios = (f"{slow.wall / done.wall:.1f}", f"{slow.cpu / done.cpu:.1f}")
            table.rows.append([work.name, len(work.rows), name, f"{done.wall:.1f}", f"{done.cpu:.1f}", *ratios])
    for kind in ("choice", "generation"):
        names = [work.name for work in tasks if work.kind == kind]
        for name in found[names[0]] if names else ():
            if all(name in found[task] for task in names):
                (wall, cpu), base = _sum(found, names, name), _sum(found, names, first)
                ratios = (f"{base[0] / wall:.1f}", f"{base[1] / cpu:.1f}")
                table.rows.append([f"all {kind}", "", name, f"{wall:.1f}", f"{cpu:.1f}", *ratios])
    return table


def _sum(found: dict[str, dict[str, Done]], names: list[str], who: str) -> tuple[float, float]:
    """Wall and CPU-seconds of several tasks."""
    return sum(found[name][who].wall for name in names), sum(found[name][who].cpu for name in names)


def _scores(tasks: list[Work], found: dict[str, dict[str, Done]]) -> Table:
    table = Table(title="Scores", columns=("task", "contender", "score", "second score"))
    for work in tasks:
        for name, done in found[work.name].items():
            table.rows.append([work.name, name, *_score(work, done)])
    return table


def _score(work: Work, done: Done) -> tuple[str, str]:
    match work.kind:
        case "choice":
            plain, even = _decisions(work, done)
            right = np.array([row["answer"] for row in work.rows])
            return f"accuracy {np.mean(plain == right):.4f}", f"by bytes {np.mean(even == right):.4f}"
        case "perplexity":
            total = sum(case[0][0] for case in done.cases)
            words = sum(len(row["text"].split()) for row in work.rows)
            size = sum(len(row["text"].encode()) for row in work.rows)
            return f"word perplexity {np.exp(-total / words):.6f}", f"bits per byte {-total / size / np.log(2):.8f}"
    return f"F1 {np.mean(_f1(work, done)):.4f}", ""


def _decisions(work: Work, done: Done) -> tuple[Any, Any]:
    """Which choice is likeliest, and which is a byte."""
    sums = [np.array([one for one, _ in case]) for case in done.cases]
    sizes = [np.array([len(choice.encode()) for choice in row["choices"]]) for row in work.rows]
    by_bytes = [int(np.argmax(each / size)) for each, size in zip(sums, sizes, strict=True)]
    return np.array([int(np.argmax(each)) for each in sums]), np.array(by_bytes)


def _f1(work: Work, done: Done) -> list[float]:
    from metrics import _f1 as f1

    return [f1(row["answer"], text) for row, text in zip(work.rows, done.cases, strict=True)]


def _equality(tasks: list[Work], found: dict[str, dict[str, Done]], first: str) -> Table:
    columns = (
        "task",
        "contender",
        "largest difference of a log-probability",
        "a token or a choice",
        "decided otherwise",
    )
    table = Table(title=f"Against {first}", columns=columns)
    for work in tasks:
        base = found[work.name][first]
        for name, done in found[work.name].items():
            if name != first:
                table.rows.append([work.name, name, *_apart(work, base, done)])
    return table


def _apart(work: Work, one: Done, other: Done) -> tuple[str, str, str]:
    if work.kind == "generation":
        same = sum(a == b for a, b in zip(one.cases, other.cases, strict=True))
        return "", "", f"{len(one.cases) - same} of {len(one.cases)} texts"
    pairs = [(a, b) for x, y in zip(one.cases, other.cases, strict=True) for a, b in zip(x, y, strict=True)]
    apart = [abs(a[0] - b[0]) for a, b in pairs]
    relative = max(abs(a[0] - b[0]) / abs(a[0]) for a, b in pairs)
    if work.kind == "perplexity":
        return f"{max(apart):.1e}", f"relative {relative:.1e}", ""
    plain = sum(_decisions(work, one)[0] != _decisions(work, other)[0])
    greedy = sum(a[1] != b[1] for a, b in pairs)
    return f"{max(apart):.1e}", f"relative {relative:.1e}", f"{plain} of {len(one.cases)} choices, {greedy} greedy"


if __name__ == "__main__":
    main()
