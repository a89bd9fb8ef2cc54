"""How long does it take to look for 2,000 evaluation cases in 20,000 of training, and what of it is found?

    python benchmarks/leaks.py [--vectors]

Real questions of fourteen sets. 60 of the 2,000 are planted, twenty each: word for word inside of a longer text, with
one word changed, and with a polite frame around them. CPU seconds; the vectors of the second time come from a file.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from gatewheel.data import sides
from gatewheel.data.vectors import Once
from gatewheel.embeddings import openvino
from gatewheel.kernel.nouns import Case
from report import Table, parser, show

SETS = (
    *("squad.qa", "nq.qa", "truthfulqa.qa", "lihua.qa", "banking77.cls", "clinc150.cls", "gsm8k.math", "svamp.math"),
    *("mmlu.mcq", "bbq.mcq", "strategyqa.yesno", "clapnq.qa", "cuad.qa", "hotpot.qa"),
)
EVALUATED, TRAINED, PLANTED = 2_000, 20_000, 20
SEED = 7
Made = TypeVar("Made")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--vectors", action="store_true", help="by vectors too: minutes the first time")
    args = options.parse_args()
    evaluated, trained = _cases(args.data)
    seconds, found = _timed(lambda: sides.common(evaluated, {"train": trained}))
    table = Table(
        title=f"{len(evaluated):,} cases looked for in {len(trained):,}",
        columns=("by", "CPU seconds", "cases hit", *(f"{kind} (of {PLANTED})" for kind in _KINDS)),
    )
    table.rows.append(["words", round(seconds, 1), *_counts(found)])
    if args.vectors:
        with tempfile.TemporaryDirectory() as folder:
            for told in ("words and vectors", "the same, again"):
                encoder = Once(openvino.create(openvino.Settings()), folder=Path(folder))
                work = lambda: sides.common(evaluated, {"train": trained}, encoder=encoder)  # noqa: B023, E731
                seconds, found = _timed(work)
                table.rows.append([told, round(seconds, 1), *_counts(found)])
    show([table], as_json=args.json)


def _timed(work: Callable[[], Made]) -> tuple[float, Made]:
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


_KINDS: dict[str, Callable[[str], str]] = {
    "inside": lambda text: f"As somebody wrote to me in a letter of last week, word for word: {text} I do not know.",
    "one word": lambda text: " ".join([*text.split()[:-1], "whatever"]),
    "framed": lambda text: f"Please tell me: {text} Thank you.",
}


def _cases(data: Path) -> tuple[list[Case], tuple[Case, ...]]:
    dice = random.Random(SEED)
    texts = sorted({_asked(row) for name in SETS for row in _rows(data / f"{name}.jsonl")})
    dice.shuffle(texts)
    trained = texts[:TRAINED]
    # questions of 16 words or more, so that there is a run of 13 to be found
    long = iter([text for text in trained if len(text.split()) >= 16])
    planted = [
        Case(id=f"{kind} {at}", question=make(next(long))) for kind, make in _KINDS.items() for at in range(PLANTED)
    ]
    others = [Case(id=f"other {at}", question=text) for at, text in enumerate(texts[TRAINED : TRAINED + EVALUATED])]
    evaluated = [*planted, *others][:EVALUATED]
    return evaluated, tuple(Case(id=str(at), question=text) for at, text in enumerate(trained))


def _asked(row: dict[str, Any]) -> str:
    return str(row.get("question") or row.get("text"))


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _counts(found: list[sides.Found]) -> list[int]:
    hits = {one.case.id for one in found}
    return [len(hits), *(sum(name.rpartition(" ")[0] == kind for name in hits) for kind in _KINDS)]


if __name__ == "__main__":
    main()
