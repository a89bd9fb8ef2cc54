"""A project in which something was learned, by rows alone: documents, answers, feedback, cases, an adapter, a release.

`kettle.md` was read for one answer, which Ada asked and Bea corrected; of that correction a case was made, of the
document another, and both were learned. `lamp.md` has nothing to do with them but for the file that it shares.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

import gatewheel as gw
from gatewheel.data import cases as case_files
from gatewheel.data.cases import split_key
from gatewheel.data.origins import Origin, keep
from gatewheel.kernel import runs, trace
from gatewheel.kernel.nouns import Case, Feedback, SpanRecord, Trace
from gatewheel.kernel.store import schema
from gatewheel.loop import artifacts, client_files, freezing
from gatewheel.loop.answers import Key
from gatewheel.loop.answers import keep as keep_answer
from gatewheel.loop.compose import Parts
from gatewheel.loop.evaluate import put
from gatewheel.loop.project import Project
from gatewheel.ops import feedback, keys, releases

TOML = """
[sources]
paths = ["docs/"]
[encoder.main]
use = "none"
[retriever.main]
use = "bm25"
[app.main]
mode = "quote"
[gate.main]
suite = "held"
floors = { inclusion = 0.1 }
"""
DOCUMENTS = {
    "kettle.md": "# Kettle\n\nThe kettle of the office holds 1.7 litres. It is descaled on Mondays.\n",
    "lamp.md": "# Lamp\n\nThe lamp of the office has a green shade.\n",
}
CORRECTED = Case(id="asked", question="What does the kettle hold?", references=("1.7 litres",))
DRAFTED = Case(
    id="drafted",
    question="When is the kettle descaled?",
    references=("On Mondays",),
    sources=("docs/kettle.md",),
    cluster="docs/kettle.md",
)
OTHER = Case(id="other", question="Which shade has the lamp?", references=("green",), sources=("docs/lamp.md",))
BYHAND = Case(id="byhand", question="Who descales it?", references=("Ada",), sources=("docs/kettle.md",))
KEPT = Case(id="kept", question="What colour is the shade of the lamp?", references=("green",))


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """The ids of what there is."""

    home: Path
    ada: str
    bea: str
    asked: str
    unrelated: str
    said: str
    dataset: str
    run: str
    adapter: str
    gguf: str
    variant: str


def make(folder: Path) -> Learned:
    """The project in a folder."""
    gw.init(folder).close()
    (folder / "gatewheel.toml").write_text(TOML, encoding="utf-8")
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    for name, cases, split in (("held", (BYHAND, KEPT), "holdout"), ("taught", (CORRECTED, DRAFTED, OTHER), "train")):
        case_files.write(folder / "suites" / f"{name}.jsonl", cases)
        (folder / "suites" / f"{name}.toml").write_text(f'metrics = ["inclusion"]\nsplit = "{split}"\n')
    with gw.open(folder) as project:
        project.ingest()
        return _written(project)


def _written(project: Project) -> Learned:
    parts, home = project.parts, project.config.root
    engine = parts.engine
    ada, bea = (keys.create(engine, name=name, groups=("staff",))[0].id for name in ("ada", "bea"))
    file = project.variant()
    asked = _asked(parts, "1", "What does the kettle hold?", "docs/kettle.md", ada, file.id)
    unrelated = _asked(parts, "2", "Which shade has the lamp?", "docs/lamp.md", bea, file.id)
    said = feedback.keep(engine, Feedback(id="", trace=asked, created=5.0, author=bea, correction="1.7 litres"))[0].id
    feedback.keep(engine, Feedback(id="", trace=unrelated, created=6.0, author=bea, thumb="up"))
    about = {"trace": asked, "author": bea, "corrected": True}
    keep(
        engine,
        [
            Origin(case=split_key(CORRECTED), kind="trace", ref=asked, detail={"key": ada}),
            Origin(case=split_key(CORRECTED), kind="feedback", ref=said, detail=about),
            Origin(case=split_key(DRAFTED), kind="document", ref="docs/kettle.md", detail={"span": [10, 48]}),
            Origin(case=split_key(OTHER), kind="file", ref="given.jsonl"),
        ],
    )
    frozen = freezing.freeze(parts, freezing.Wanted(suite="taught"), encoder=None).dataset
    with engine.begin() as connection:
        for key, source in ((ada, "docs/kettle.md"), (bea, "docs/lamp.md")):
            row = {"id": f"resp_{key}", "created": 3.0, "key": key, "messages": [], "body": {"cited": source}}
            connection.execute(insert(schema.responses).values(**row))
    sent = b'{"messages": []}\n'
    client_files.keep(engine, parts.objects, io.BytesIO(sent), name="ada.jsonl", key=ada)
    run, adapter, gguf = _tuned(parts, home, frozen.id)
    variant = _tuned_variant(parts, file.recipe, gguf)
    releases.promote(engine, "main", variant, gates={}, override="it is a test")
    for case in (BYHAND, KEPT):
        answer = gw_answer(case.sources)
        keep_answer(engine, Key(variant=variant, corpus="c", case=put(case)), answer)
    return Learned(
        home=home,
        ada=ada,
        bea=bea,
        asked=asked,
        unrelated=unrelated,
        said=said,
        dataset=frozen.id,
        run=run,
        adapter=adapter,
        gguf=gguf,
        variant=variant,
    )


def _asked(parts: Parts, sign: str, question: str, source: str, key: str, variant: str) -> str:
    passage = parts.passages(None).passages_of(source)[0].id
    read = {trace.DOCUMENTS: [{"id": passage, "source": source, "score": 1.0}]}
    span = SpanRecord(name="retrieve", start=0, seconds=0, attributes=read)
    id_ = sign * 32
    made = Trace(
        id=id_,
        created=float(sign),
        kind="ask",
        question=question,
        answer="It is so [1]",
        abstained=False,
        variant=variant,
        seconds=1.0,
        input_tokens=1,
        output_tokens=1,
        spans=(span,),
        key=key,
    )
    trace.keep(parts.engine, made)
    return id_


def _tuned(parts: Parts, home: Path, dataset: str) -> tuple[str, str, str]:
    """The run, the adapter and the GGUF of a tuning of which only the rows are real."""
    run = runs.create(parts.engine, "finetune", settings={"data": "taught"}, config={})
    samples = [{"prompt": "What does the kettle hold?", "reply": "1.7 litres", "written": "1.7"}]
    runs.end(parts.engine, run, "done", result={"dataset": dataset, "tuned": {"samples": samples}})
    folder = runs.folder(parts.config.state, run)
    (folder / "checkpoints").mkdir()
    (folder / "points.jsonl").write_text('["1", {"samples": []}]\n')
    (folder / "log.txt").write_text("tuned\n")
    file = home / "weights"
    meta: dict[str, Any] = {"base": {"weights": "SmolLM2", "sha256": "0" * 64}, "dataset": dataset, "method": "lora"}
    meta["tuned"] = {"samples": samples}  # as tunings of former versions left them
    file.write_bytes(b"adapter")
    adapter = artifacts.keep(parts.engine, parts.objects, file, kind="adapter", run=run, meta=meta).id
    file.write_bytes(b"gguf")
    meta = {"base": meta["base"], "adapter": adapter, "quantisation": "Q8_0"}
    gguf = artifacts.keep(parts.engine, parts.objects, file, kind="gguf", run=run, meta=meta).id
    file.unlink()
    return run, adapter, gguf


def _tuned_variant(parts: Parts, recipe: Any, gguf: str) -> str:
    id_ = "f" * 64
    model = {"use": "llama.cpp", "weights": f"object:{gguf}", "weights_sha256": gguf}
    with parts.engine.begin() as connection:
        values = {"id": id_, "created": 9.0, "recipe": {**recipe, "model": model}}
        connection.execute(insert(schema.variants).values(**values))
    return id_


def gw_answer(sources: tuple[str, ...]) -> Any:
    """An answer that cites the first of these sources, if there is one."""
    from gatewheel.kernel.nouns import Answer, Citation, Usage

    cited = tuple(Citation(n=1, source=source, span=(0, 3), quote="The") for source in sources[:1])
    return Answer(
        answer="It is so [1]",
        abstained=False,
        citations=cited,
        passages=(),
        sentences=(),
        usage=Usage(),
        seconds=0.1,
        variant="",
        trace=None,
    )


def everything(home: Path) -> dict[str, Any]:
    """All that a project holds, but for times and names of runs: what two projects with one past have in common."""
    with gw.open(home) as project:
        with project.parts.engine.connect() as connection:
            rows = {
                table.name: sorted(
                    json.dumps([value for value in row if not isinstance(value, float)], default=str)
                    for row in connection.execute(select(table))
                )
                for table in schema.metadata.sorted_tables
                if table.name not in ("meta", "runs", "keys")
            }
        found = project.parts.objects.folder
        objects = sorted(path.name for path in found.rglob("*") if path.is_file())
    files = {path.name: path.read_text() for path in sorted((home / "suites").iterdir())}
    cards = {name: "".join(text.splitlines(True)[4:]) for name, text in files.items() if name.endswith(".md")}
    return {"rows": rows, "objects": objects, "files": {**files, **cards}}
