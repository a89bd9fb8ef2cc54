#!/usr/bin/env bash
# The main job in one go: a sample project from Gatewheel's own documentation, ingested, asked twice.
set -euo pipefail
folder=$1
run() {
  echo; printf '$ gatewheel'
  for word in "$@"; do case $word in *" "*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac; done
  echo; "$GATEWHEEL" "$@"
}

[ -f "$folder/gatewheel.toml" ] || run init "$folder" --sample
cd "$folder"
run ingest
run ask "What does a gate decide?"
run ask "How many moons does Jupiter have?"
cat <<TEXT

Next:
  cd $folder && source $(dirname "$GATEWHEEL")/activate
  gatewheel chat                          several questions in a row
  gatewheel ingest ~/Documents/*.pdf      your own files: Markdown, PDF, DOCX, PPTX, HTML, CSV, notebooks, code
  gatewheel doctor                        what this machine can do
  docs/tutorial.md                        the tour
TEXT
