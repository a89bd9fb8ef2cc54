"""The one place where a part gets its name: kind, name, module. Strings only; nothing is imported until it is used.

Each module has a pydantic `Settings` and a `create(settings, **parts)`; `parts` are the neighbours it needs, handed in
by `loop/compose.py`. Installed plugins come in through entry points of the group `gatewheel.<kind>`.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from gatewheel.kernel.errors import ConfigError, did_you_mean

CATALOG: dict[str, dict[str, str]] = {
    "model": {
        "auto": "gatewheel.models.auto",
        "llama.cpp": "gatewheel.models.llamacpp",
        "openvino": "gatewheel.models.openvino",
        "openai": "gatewheel.models.openai",
        "hf": "gatewheel.models.hf",
        "fallback": "gatewheel.models.fallback",
    },
    "encoder": {
        "openvino": "gatewheel.embeddings.openvino",
        "openai": "gatewheel.embeddings.openai",
        "none": "gatewheel.embeddings.none",
    },
    "reader": {
        "text": "gatewheel.rag.read.text",
        "html": "gatewheel.rag.read.html",
        "pdf": "gatewheel.rag.read.pdf",
        "docx": "gatewheel.rag.read.docx",
        "pptx": "gatewheel.rag.read.pptx",
        "notebook": "gatewheel.rag.read.notebook",
        "table": "gatewheel.rag.read.table",
        "jsonl": "gatewheel.rag.read.jsonl",
    },
    "chunker": {
        "structure": "gatewheel.rag.chunk.structure",
        "recursive": "gatewheel.rag.chunk.recursive",
        "sentence": "gatewheel.rag.chunk.sentence",
        "fixed": "gatewheel.rag.chunk.fixed",
    },
    "index": {
        "exact": "gatewheel.embeddings.exact",
        "faiss": "gatewheel.embeddings.faiss",
    },
    "retriever": {
        "hybrid": "gatewheel.retrieval.hybrid",
        "dense": "gatewheel.retrieval.dense",
        "bm25": "gatewheel.retrieval.bm25",
    },
    "checker": {
        "grounding": "gatewheel.rag.grounding",
    },
    "app": {
        "answer": "gatewheel.rag.answer",
        "direct": "gatewheel.prompts.direct",
    },
    "gate": {
        "margins": "gatewheel.ops.gate",
    },
    "finetune": {
        "lora": "gatewheel.finetune.lora",
        "qlora": "gatewheel.finetune.qlora",
    },
    "metric": {
        "exact-match": "gatewheel.evals.metrics.exact_match",
        "token-f1": "gatewheel.evals.metrics.token_f1",
        "inclusion": "gatewheel.evals.metrics.inclusion",
        "rouge-1": "gatewheel.evals.metrics.rouge_1",
        "rouge-2": "gatewheel.evals.metrics.rouge_2",
        "rouge-l": "gatewheel.evals.metrics.rouge_l",
        "bleu": "gatewheel.evals.metrics.bleu",
        "chrf": "gatewheel.evals.metrics.chrf",
        "accuracy": "gatewheel.evals.metrics.accuracy",
        "macro-f1": "gatewheel.evals.metrics.macro_f1",
        "choice-accuracy": "gatewheel.evals.metrics.choice_accuracy",
        "choice-accuracy-norm": "gatewheel.evals.metrics.choice_accuracy_norm",
        "perplexity": "gatewheel.evals.metrics.perplexity",
        "word-perplexity": "gatewheel.evals.metrics.word_perplexity",
        "byte-perplexity": "gatewheel.evals.metrics.byte_perplexity",
        "bits-per-byte": "gatewheel.evals.metrics.bits_per_byte",
        "ece": "gatewheel.evals.metrics.ece",
        "brier": "gatewheel.evals.metrics.brier",
        "hit": "gatewheel.evals.metrics.hit",
        "recall": "gatewheel.evals.metrics.recall",
        "mrr": "gatewheel.evals.metrics.mrr",
        "ndcg": "gatewheel.evals.metrics.ndcg",
        "map": "gatewheel.evals.metrics.average_precision",
        "citation-precision": "gatewheel.evals.metrics.citation_precision",
        "citation-recall": "gatewheel.evals.metrics.citation_recall",
        "faithfulness": "gatewheel.evals.metrics.faithfulness",
        "lexical-grounding": "gatewheel.evals.metrics.lexical_grounding",
        "token-precision": "gatewheel.evals.metrics.token_precision",
        "evidence-gain": "gatewheel.evals.metrics.evidence_gain",
        "grounded": "gatewheel.evals.metrics.grounded",
        "answer-relevance": "gatewheel.evals.metrics.answer_relevance",
        "abstention": "gatewheel.evals.metrics.abstention",
        "false-refusal": "gatewheel.evals.metrics.false_refusal",
        "json-schema": "gatewheel.evals.metrics.json_schema",
        "instructions-strict": "gatewheel.evals.metrics.instructions_strict",
        "instructions-loose": "gatewheel.evals.metrics.instructions_loose",
        "bbq-ambiguous": "gatewheel.evals.metrics.bbq_ambiguous",
        "bbq-disambiguated": "gatewheel.evals.metrics.bbq_disambiguated",
        "crows-pairs": "gatewheel.evals.metrics.crows_pairs",
        "toxicity": "gatewheel.evals.metrics.toxicity",
        "pass-at-k": "gatewheel.evals.metrics.pass_at_k",
        "seconds": "gatewheel.evals.metrics.seconds",
        "first-token": "gatewheel.evals.metrics.first_token",
        "tokens": "gatewheel.evals.metrics.tokens",
        "cost": "gatewheel.evals.metrics.cost",
        "judge": "gatewheel.evals.metrics.judge",
        "python": "gatewheel.evals.metrics.python",
    },
}


@cache
def names(kind: str) -> dict[str, str]:
    """Every name of a kind with its module, plugins included.

    Raises ConfigError for an unknown kind.
    """
    if kind not in CATALOG:
        raise ConfigError(f"no kind of part named '{kind}'", cure=did_you_mean(kind, CATALOG))
    plugins = {point.name: point.value for point in entry_points(group=f"gatewheel.{kind}")}
    return CATALOG[kind] | plugins


def load(kind: str, name: str) -> ModuleType:
    """Import the module of a part.

    Raises ConfigError when nothing has that name.
    """
    known = names(kind)
    if name not in known:
        raise ConfigError(f"no {kind} named '{name}'", cure=did_you_mean(name, known))
    return importlib.import_module(known[name])
