"""What a whole build costs, and how the cost grows with the notes.

    python benchmarks/corpus.py [--patients 40 80 160 320] [--workers 2]

Each size is built in an empty workspace and then again unchanged. CPU-seconds are those of the whole process tree,
memory is that of the largest process. Writes benchmarks/results/corpus.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("clinicorpus"))
ROOT = Path(__file__).resolve().parents[1]


def build(folder: Path, patients: int, workers: int) -> dict[str, object]:
    """One `clinicorpus corpus build` of the demonstration recipe; its own JSON."""
    done = subprocess.run(
        [
            COMMAND, "corpus", "build", str(ROOT / "recipes" / "demo.yaml"), "--json",
            "--root", str(folder), "--set", f"source.patients={patients}", "--set", f"workers={workers}",
            "--set", "gold=[]",
        ],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[40, 80, 160, 320])
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    rows = []
    for patients in options.patients:
        with tempfile.TemporaryDirectory() as folder:
            first = build(Path(folder), patients, options.workers)
            again = build(Path(folder), patients, options.workers)
            manifest = json.loads(Path(str(first["manifest"])).read_bytes())
        assert again["state"] == "unchanged"
        chars = manifest["stages"][0]["chars_out"]
        cpu = float(str(first["cpu_seconds"]))
        rows.append(
            f"| {patients} | {manifest['stages'][0]['records_in']:,} | {chars / 1e6:.2f} | {first['wall_seconds']} | {cpu} "
            f"| {chars / cpu:,.0f} | {first['largest_process_mb']:,} | {again['wall_seconds']} |"
        )
        sys.stdout.write(rows[-1] + "\n")
    head = [
        "# A whole build", "",
        f"`python benchmarks/corpus.py`, {options.workers} workers, {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}. The demonstration hospital at several sizes, without outside gold sets.", "",
        "| patients | notes | M chars | wall s | CPU s | chars / CPU-s | largest process MB | unchanged again, s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    (ROOT / "benchmarks" / "results" / "corpus.md").write_text("\n".join([*head, *rows]) + "\n")


if __name__ == "__main__":
    main()
