#!/bin/sh
# All benchmarks, one after another: hours on two cores. Options go to each, for example --data ../shared/data.
set -eu
cd "$(dirname "$0")"
[ -x .venv/bin/gatewheel ] || ./setup.sh
export OMP_NUM_THREADS=2
for one in fusion "retrieval --peers" "ingest" "ingest --share 1 --rounds 1" start answers chunking "memory --distinct-mb 60" serve soak paint metrics "humaneval --ask 64" simulate leaks faithful judges regressions finetune; do
    echo "
## ${one}"
    # shellcheck disable=SC2086
    script=${one%% *}
    options=${one#"$script"}
    .venv/bin/python "$script.py" $options "$@"
done
echo "
## harness"
.venv-lmeval/bin/python harness.py "$@"
for one in ifeval bias toxicity; do
    echo "
## ${one}"
    .venv-lmeval/bin/python "$one.py" "$@"
done
