"""Does the memory of ingesting 1 GB of text stay under 1 GB?

    python benchmarks/memory.py                               # with the encoder: about an hour
    python benchmarks/memory.py --encoder none                # by words alone
    python benchmarks/memory.py --mb 30

The text is the paragraphs of the development sets, in ever new order and numbered, so that no two paragraphs are the
same; after `--distinct-mb` the files begin anew under other names, whose passages are cut, written and indexed like
all others but need no new vectors (encoding a whole GB takes hours here). Files of 10 MB, and one of 50 MB, the largest
that is read by default. `gatewheel ingest` does the work; the resident sets of the command and its worker are read from
/proc every second, their peaks (VmHWM) added up at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from report import Table, parser, show
from sets import SEED, SETS, documents

KB = 1024 / 1e6  # a kB of /proc in MB
FILE_MB = 10
LARGE_MB = 50
POINTS = 10  # of the curve that is printed


def main() -> None:
    """Print the peak and the curve."""
    options = parser(__doc__)
    options.add_argument("--mb", type=int, default=1_000, help="MB of text")
    options.add_argument("--distinct-mb", type=int, default=150, help="MB of text that are not a copy")
    options.add_argument("--encoder", default="openvino", help="a part of the catalog, such as none")
    given = options.parse_args()
    points = tuple(f"{100 * at // POINTS} %" for at in range(1, POINTS + 1))
    columns = ("encoder", "MB of text", "files", "passages", "minutes", "peak MB")
    title = "Memory of an ingest, MB of resident set"
    table = Table(title=title, columns=(*columns, *(f"at {point}" for point in points)))
    table.rows.append(_measure(given, given.encoder, given.mb))
    show([table], as_json=given.json)


def _measure(given: argparse.Namespace, encoder: str, size: int) -> list[object]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = f'[sources]\npaths = ["files"]\n[encoder.main]\nuse = "{encoder}"\n'
        (folder / "gatewheel.toml").write_text(settings, encoding="utf-8")
        files = _write(given.data, folder / "files", size, distinct=given.distinct_mb)
        began = time.monotonic()
        command = [str(Path(sys.executable).with_name("gatewheel")), "-C", str(folder), "ingest", "--json"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
        curve, peak = _watch(child)
        passages = json.loads(child.stdout.read())["passages"] if child.stdout else ""
        if child.returncode:
            raise SystemExit(f"the ingest ended with {child.returncode}")
        minutes = f"{(time.monotonic() - began) / 60:.1f}"
    shown = [f"{curve[min(len(curve) - 1, len(curve) * at // POINTS)]:.0f}" for at in range(1, POINTS + 1)]
    return [encoder, size, files, passages, minutes, f"{peak:.0f}", *shown]


def _watch(child: subprocess.Popen[str]) -> tuple[list[float], float]:
    """Resident set of the command and its worker each second, and the sum of their peaks, in MB, until they end."""
    curve, peaks = [0.0], {}
    while child.poll() is None:
        now = 0.0
        for process in (child.pid, *_children(child.pid)):
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{process}/status").read_text()
                found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", text, re.MULTILINE))
                if found:  # a process that is ending has neither
                    now += int(found["VmRSS"]) * KB
                    peaks[process] = int(found["VmHWM"]) * KB
        curve.append(now)
        print(f"{len(curve)} s {now:.0f} MB, peaks {peaks}", file=sys.stderr)
        time.sleep(1)
    return curve, sum(peaks.values())


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        found = [Path(f"/proc/{process}/task").glob("*/children")]
        return [int(one) for paths in found for path in paths for one in path.read_text().split()]
    return []


def _write(data: Path, folder: Path, size: int, *, distinct: int) -> int:
    """Files with `size` MB in all, the first of them large when there is room. Returns how many."""
    folder.mkdir()
    paragraphs = [part for name in SETS for row in documents(data, name) for part in row["text"].split("\n\n")]
    large = LARGE_MB if size > 2 * LARGE_MB else 0
    sizes = [*([large] if large else []), *([FILE_MB] * ((size - large) // FILE_MB) or [size])]
    endless, written = _numbered(paragraphs), 0
    originals: list[Path] = []
    for number, megabytes in enumerate(sizes):
        path = folder / f"{number:03}.txt"
        if written >= distinct:
            shutil.copy(originals[number % len(originals)], path)
            continue
        left = megabytes * 1_000_000
        with path.open("wb") as file:
            while left > 0:
                left -= file.write(next(endless).encode())
        written += megabytes
        originals += [path] if megabytes == FILE_MB else []
    return len(sizes)


def _numbered(paragraphs: list[str]) -> Iterator[str]:
    """Paragraphs without end, in ever new order."""
    draw, number = random.Random(SEED), 0
    while True:
        draw.shuffle(paragraphs)
        for paragraph in paragraphs:
            number += 1
            yield f"{number}. {paragraph.strip()}\n\n"


if __name__ == "__main__":
    main()
