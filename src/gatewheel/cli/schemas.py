"""`gatewheel schemas`: the JSON Schemas of `--json`, made from the shapes beside each command."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from typing import Any

import click

from gatewheel.cli.render import json_option
from gatewheel.kernel.errors import UserError, did_you_mean

# the command's words joined by a dash → its shape, as module:class below gatewheel.cli
SHAPES = {
    "ask": "shapes:Ask",
    "chat": "shapes:Ask",
    "config-check": "config:ConfigCheck",
    "config-show": "config:ConfigShow",
    "data-card": "data_stats:DataCard",
    "data-check": "data:DataCheck",
    "data-diff": "data_versions:DataDiff",
    "data-freeze": "data_versions:DataFreeze",
    "data-harvest": "data_harvest:DataHarvest",
    "data-import": "data_import:DataImport",
    "data-split": "data:DataSplit",
    "data-stats": "data_stats:DataStats",
    "data-versions": "data_versions:VersionList",
    "doctor": "doctor:Doctor",
    "embeddings-encode": "embeddings:Encode",
    "evals-accept": "drafts:DraftsJudged",
    "evals-agreement": "label:AgreementShow",
    "evals-bar": "bar:Bar",
    "evals-calibrate": "calibrate:CalibrationShow",
    "evals-compare": "evals:ReportCompare",
    "evals-export": "label:ExportShow",
    "evals-generate": "drafts:DraftList",
    "evals-judge": "judging:JudgeShow",
    "evals-judges": "judging:JudgeList",
    "evals-label": "label:LabelShow",
    "evals-list": "evals:ReportList",
    "evals-models": "choosing:Choice",
    "evals-prefer": "judging:PreferShow",
    "evals-ranking": "label:RankingShow",
    "evals-report": "choosing:ReportFile",
    "evals-run": "evals:ReportRun",
    "evals-show": "evals:ReportShow",
    "feedback-give": "feedback:FeedbackShow",
    "feedback-list": "feedback:FeedbackList",
    "finetune": "finetune:FineTuned",
    "forget": "forget:Forgotten",
    "gate": "gate:GateDecision",
    "guard-redact": "guard:Redacted",
    "guard-run": "guard:GuardRun",
    "guard-sandbox": "guard:GuardSandbox",
    "improve": "improve:ImproveShow",
    "ingest": "shapes:Ingest",
    "init": "init:Init",
    "keys-create": "keys:KeyCreated",
    "keys-list": "keys:KeyList",
    "keys-revoke": "keys:KeyRow",
    "lineage": "lineage:LineageShow",
    "models-adapters": "exporting:AdapterList",
    "models-export": "exporting:Exported",
    "models-import": "exporting:AdapterRow",
    "models-list": "models:ModelList",
    "models-show": "models:ModelList",
    "ops-spending": "ops:Spending",
    "prompts-list": "prompts:PromptList",
    "prompts-render": "prompts:Rendered",
    "prompts-show": "prompts:PromptShow",
    "rag-passages": "rag:Passages",
    "release-list": "release:ReleaseList",
    "release-promote": "release:ReleaseRow",
    "release-propose": "release:ReleaseRow",
    "release-rollback": "release:ReleaseRow",
    "release-verify": "release:ReleaseVerified",
    "retrieval-explain": "retrieval:Explain",
    "runs-cancel": "runs:RunShow",
    "runs-keep": "runs:RunShow",
    "runs-list": "runs:RunList",
    "runs-resume": "runs:RunShow",
    "runs-show": "runs:RunShow",
    "runs-watch": "runs:RunShow",
    "schemas": "schemas:SchemaList",
    "search": "shapes:Search",
    "serve": "serve:Serve",
    "traces-list": "traces:TraceList",
    "traces-purge": "traces:TracePurge",
    "traces-show": "traces:TraceShow",
    "variants-add": "variants:VariantAdded",
    "variants-diff": "variants:VariantDiff",
    "variants-list": "variants:VariantList",
    "variants-show": "variants:VariantShow",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaList:
    """`gatewheel schemas`: the names of all."""

    schemas: list[str]


@click.command()
@click.argument("name", default="")
@json_option
def command(name: str, as_json: bool) -> None:
    """The JSON Schema of a command's --json output, or the names of all."""
    if not name:
        names = list(SHAPES)
        click.echo(json.dumps({"schemas": names}) if as_json else "\n".join(names))
        return
    if name not in SHAPES:
        raise UserError(f"no schema named '{name}'", cure=did_you_mean(name, SHAPES))
    click.echo(json.dumps(schema(name), indent=2, ensure_ascii=False))


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one command's output."""
    from pydantic import TypeAdapter

    module, _, shape = SHAPES[name].partition(":")
    made: dict[str, Any] = TypeAdapter(getattr(importlib.import_module(f"gatewheel.cli.{module}"), shape)).json_schema(
        mode="serialization"
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
