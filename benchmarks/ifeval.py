"""Does Gatewheel judge instruction following as IFEval's own checkers do, and how well does SmolLM2 follow?

.venv-lmeval/bin/python ifeval.py              # hours on two busy cores, for the answers; it goes on where it was
.venv-lmeval/bin/python ifeval.py --no-model   # minutes: constructed and borrowed answers alone

The reference is the copy of Google's checkers in lm_eval. It wants NLTK's punkt_tab, which is no package: it is taken
from where `NLTK_DATA` leads, else from the copy that llama-index-core carries in .venv.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gatewheel as gw
import report
from gatewheel.data import cases as case_files
from gatewheel.data import importing
from gatewheel.evals.metrics.instructions.checks import asked, followed, loosened
from gatewheel.kernel.nouns import Case
from gatewheel.loop import comparing, evaluate, reports
from gatewheel.loop.evaluate import Wanted
from gatewheel.loop.progress import Progress

SEED = 7
PUNKT = "llama_index/core/_static/nltk_cache"
TABLES = """[trace]
store = false
[model.chat]
use = "openvino"
parallel = 16
exact = true
[metric.every-strict]
use = "instructions-strict"
level = "instruction"
[metric.every-loose]
use = "instructions-loose"
level = "instruction"
"""
SUITE = """metrics = ["instructions-strict", "every-strict", "instructions-loose", "every-loose", "tokens"]
model = "chat"
max_tokens = 1280
"""
NAMES = {
    "instructions-strict": "prompt-level strict",
    "every-strict": "instruction-level strict",
    "instructions-loose": "prompt-level loose",
    "every-loose": "instruction-level loose",
    "tokens": "tokens read and written",
}
BORROWED = {"mtrag_human.judge": "response", "factscore.facts": "response", "hh_harmless.pref": "chosen"}
WRITTEN, MADE = "written", "made for the comparison"
Verdicts = tuple[list[bool], list[bool]]  # strict, loose


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to a case, of a kind."""

    case: Case
    kind: str
    text: str


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "gatewheel-ifeval")
    parser.add_argument("--limit", type=int, default=0, help="prompts that SmolLM2 is asked; 0: all")
    parser.add_argument("--no-model", action="store_true", help="constructed answers alone")
    wanted = parser.parse_args()
    cases = importing.read_any(wanted.data / "ifeval.gen.jsonl")
    said = [*constructed(cases), *borrowed(cases, wanted.data)]
    tables = []
    if not wanted.no_model:
        figures, written = answered(cases, wanted.folder, wanted.limit)
        tables.append(figures)
        said += written
    report.show([*tables, *compared(said)], as_json=wanted.json)


# --- what SmolLM2 writes ---


def answered(cases: Sequence[Case], folder: Path, limit: int = 0) -> tuple[report.Table, list[Said]]:
    """The figures of SmolLM2 with their intervals, and its answers. What was answered before is not asked again."""
    (folder / "suites").mkdir(parents=True, exist_ok=True)
    (folder / "gatewheel.toml").write_text(TABLES, encoding="utf-8")
    (folder / "suites" / "ifeval.toml").write_text(SUITE, encoding="utf-8")
    case_files.write(folder / "suites" / "ifeval.jsonl", cases)
    with gw.open(folder) as project:
        made = project.evaluate(Wanted(suite="ifeval", model="chat", limit=limit), on_progress=_tell)
        kept = reports.get(project.parts.engine, made.id)
        metrics = evaluate.metrics_of(project.parts, NAMES)
        rows = [
            [NAMES[one.metric], f"{one.value:.3f} [{one.interval.low:.3f}, {one.interval.high:.3f}]", one.n]
            for one in comparing.figures(made, metrics)
        ]
        some = evaluate.chosen(cases, limit)
        texts = [(case, reports.answer(project.parts.engine, kept, case.id)) for case in some]
    title = f"SmolLM2-135M-Instruct on {len(some)} prompts of IFEval, greedy, with 95 % intervals"
    written = [Said(case, WRITTEN, answer.answer) for case, answer in texts if answer is not None]
    return report.Table(title=title, columns=("accuracy", "figure", "cases"), rows=rows), written


def _tell(progress: Progress) -> None:
    if progress.done % 10 == 0 and progress.left:
        print(f"{progress.done} of {progress.total}, {progress.left / 60:.0f} minutes left", flush=True)


def borrowed(cases: Sequence[Case], data: Path) -> Iterator[Said]:
    """For every case some answers that models and people wrote to other questions."""
    dice = random.Random(SEED)
    texts = [
        row[key]
        for name, key in BORROWED.items()
        for row in map(json.loads, (data / f"{name}.jsonl").open(encoding="utf-8"))
    ]
    for case in cases:
        yield from (Said(case, WRITTEN, text) for text in dice.sample(texts, 8))


# --- answers that fulfil, break, and stand at the edge ---


def constructed(cases: Sequence[Case]) -> Iterator[Said]:
    """For every case texts made to follow each of its instructions, to break it, and to stand at its edge."""
    dice = random.Random(SEED)
    for case in cases:
        for kind, text in EDGES:
            yield Said(case, kind, text)
        yield Said(case, "the prompt itself", case.question)
        yield Said(case, "the prompt in capitals", case.question.upper())
        yield Said(case, "the prompt in small letters", case.question.lower())
        for check in case.meta["checks"]:
            for text in _around(check, case.question, dice):
                yield Said(case, "made for the instruction", text)
                yield Said(case, "made, with an introduction", f"Sure, here it is:\n{text}\nI hope this helps!")
                yield Said(case, "made, highlighted", f"**{text}**")


def _around(check: Mapping[str, Any], prompt: str, dice: random.Random) -> Iterator[str]:
    """Texts about as long, with about as many of what is counted, as an instruction asks for."""
    given = {key: value for key, value in (check.get("kwargs") or {}).items() if value is not None}
    number = next((value for value in given.values() if isinstance(value, int)), 3)
    for count in {max(0, number - 1), number, number + 1}:
        unit = dice.choice(UNITS)
        yield " ".join(dice.choice(SENTENCES) for _ in range(count))
        yield "".join(unit.format(n=at + 1, word=dice.choice(WORDS)) for at in range(count))
        for named in _texts(given):
            yield f"{' '.join([named] * count)} and then {dice.choice(SENTENCES)}"
            yield f"{dice.choice(SENTENCES)} {named}"
            yield f"{named}x {named.upper()}. {dice.choice(SENTENCES)}"
            yield "\n\n".join(f"{named}, {dice.choice(SENTENCES)}" for _ in range(count))
            yield "".join(f"{named} {at + 1}\n{dice.choice(SENTENCES)}\n" for at in range(count))
    yield f"{prompt}\n\n{dice.choice(SENTENCES)}"


def _texts(given: Mapping[str, Any]) -> list[str]:
    every = [each for value in given.values() for each in (value if isinstance(value, list) else [value])]
    return [each for each in every if isinstance(each, str)]


WORDS = "wheel GATE Dr. lantern U.S. CEO I e.g. don't well-known 3.5 NASA's".split()
SENTENCES = (
    "The gate was opened by a wheel that nobody had seen before.",
    "Dr. Smith paid $3.50 for it on Jan. 5, 2021 at 5 p.m. and left.",
    "Is it true? Yes! It really is... or so they say.",
    'She said, "Open the gate." Then she left.',
    "J. R. R. Tolkien lived in the U.K. He wrote books there.",
    "Visit example.com for more. It is open from 9 a.m. to 5 p.m. on Sundays.",
    "NASA and the FBI and I WERE THERE, e.g. on Mt. Everest.",
    "the small letters go on without a stop; and on\nand on",
    "1. First do this. 2. Then do that. 3. Rest.",
    "Es war einmal ein König, der hatte eine Tochter.",
    "Il était une fois un roi qui avait une fille.",
    "これは日本語の文です。とても短いです。",
    "यह हिंदी में एक वाक्य है।",
    "Это предложение написано на русском языке.",
)
UNITS = (
    "* {word} number {n}\n",
    "- {word} number {n}\n",
    "*{word} {n}* and **{word}** ",
    "[{word} {n}] ",
    "{word} {n}\n***\n",
    "{word} {n}\n******\n",
    "{word} {n}\n\n",
    "Section {n}\n{word}\n",
    "{word} ",
    "{word}. ",
    "<<{word} {n}>>\n",
)
EDGES = (
    ("blank", " \n "),
    ("marks alone", "... !!! ???"),
    ("stars alone", "****** *** ** *"),
    ("bullets of every kind", "*\n* one\n ** two\n - three\n-four\n\t* five\n\n\n*six"),
    ("brackets", "[a [b] c] [] [x\ny] <<t>> <<>> << >> <<a>> b>>"),
    ("JSON", '```json\n{"a": [1, 2.5, null]}\n```'),
    ("no JSON", '{"a": NaN, }'),
    ("a postscript", "Dear you,\n\np. s. I forgot.\nP.P.S and P. P. S."),
    ("quoted", '  "A whole text in quotation marks."  '),
    ("one mark", '"'),
    ("capitals", "THIS IS WRITTEN IN CAPITALS, EVERY WORD OF IT, AND IT IS ENGLISH."),
    ("small letters", "this is written in small letters, every word of it, and it is english."),
    ("maybe", "My answer is maybe. Or not."),
    ("no stop at all", "one two three four five six seven eight nine ten"),
)


# --- against the reference ---


def compared(said: Sequence[Said]) -> list[report.Table]:
    """How many verdicts differ, for each kind of answer and each instruction."""
    reference = _reference()
    verdicts: Counter[str] = Counter()
    apart: Counter[str] = Counter()
    checks: dict[str, Counter[str]] = defaultdict(Counter)
    for one in said:
        theirs, ours = reference.verdicts(one), _ours(one)
        for level in (0, 1):
            for check, left, right in zip(one.case.meta["checks"], ours[level], theirs[level], strict=True):
                kind = WRITTEN if one.kind == WRITTEN else MADE
                verdicts[kind] += 1
                checks[check["id"]]["all"] += 1
                apart[kind] += left != right
                checks[check["id"]][kind] += left != right
                checks[check["id"]]["ours"] += left and not right
                if left != right and os.environ.get("SHOW"):
                    print(check, "loose" if level else "strict", f"ours {left}", repr(one.text[:300]))
    kinds = report.Table(
        title="Verdicts that differ from the reference, strict and loose together",
        columns=("answers", "verdicts", "differ", "share equal"),
        rows=[[kind, verdicts[kind], apart[kind], f"{1 - apart[kind] / verdicts[kind]:.4%}"] for kind in verdicts],
    )
    which = report.Table(
        title="Instructions with a different verdict; on all others every one is equal",
        columns=("instruction", "verdicts", "differ on written", "differ on made", "of these ours says followed"),
        rows=[
            [name, n["all"], n[WRITTEN], n[MADE], n["ours"]]
            for name, n in sorted(checks.items())
            if n[WRITTEN] + n[MADE]
        ],
    )
    return [kinds, which]


def _ours(one: Said) -> Verdicts:
    checks = asked(one.case)
    return followed(checks, (one.text,)), followed(checks, loosened(one.text))


class _Reference:
    """lm_eval's copy of the checkers, which needs a seed to say the same of a language twice."""

    def __init__(self) -> None:
        import langdetect
        from lm_eval.tasks.ifeval import utils

        langdetect.DetectorFactory.seed = 0
        self._utils = utils

    def verdicts(self, one: Said) -> Verdicts:
        """Strict and loose."""
        random.seed(SEED)  # for what the checkers draw where a kwarg is 0 or no letter
        checks = one.case.meta["checks"]
        asked_for = self._utils.InputExample(
            key=0,
            instruction_id_list=[check["id"] for check in checks],
            prompt=one.case.question,
            kwargs=[check["kwargs"] for check in checks],
        )
        strict = self._utils.test_instruction_following_strict(asked_for, one.text)
        loose = self._utils.test_instruction_following_loose(asked_for, one.text)
        return strict.follow_instruction_list, loose.follow_instruction_list


def _reference() -> _Reference:
    carried = sorted(Path(__file__).parent.glob(f".venv/lib/python3*/site-packages/{PUNKT}"))
    if carried:
        os.environ.setdefault("NLTK_DATA", str(carried[0]))
    return _Reference()


if __name__ == "__main__":
    main()
