"""Where the time of a build goes, note by note: what any number of nodes shares, and what one process does alone.

    python benchmarks/scale.py [--patients 80 320] [--write benchmarks/results/scale.md]

The demonstration hospital without outside gold sets, every job in this process and one after the other: CPU seconds of
each step, and bytes that each step of scope corpus gathers in one place.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ALONE = "in one process"


class TimedEngine:
    """Runs jobs here and adds up their CPU seconds by step."""

    workers = 1

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def run_shards(
        self, fn: Callable[[Any], Any], jobs: Sequence[Any], done: Callable[[], None] = lambda: None
    ) -> list[Any]:
        results = []
        for job in jobs:
            step = re.sub(r" (shard|part)? ?\d+.*$", "", str(getattr(job, "label", fn.__name__)))
            step = "release" if "/" in step else step
            started = time.process_time()
            results.append(fn(job))
            self.seconds[step] += time.process_time() - started
            done()
        return results


class Silent:
    def start(self, label: str, total: int, *, fresh: int) -> None: ...

    def advance(self) -> None: ...


def measure(patients: int, folder: Path) -> tuple[int, int, dict[str, float], dict[str, int]]:
    """Notes, characters, CPU seconds by step, bytes by table of one build in `folder`."""
    from contextlib import contextmanager

    from corpus import build
    from corpus.recipe import Recipe
    from corpus.zones import Workspace
    from manifests import load

    engine = TimedEngine()

    @contextmanager
    def timed(*_: object) -> Any:
        yield engine

    build.open_engine = timed  # type: ignore[assignment]
    real_ingest = build.ingest

    def ingest(*args: Any) -> Any:
        started = time.process_time()
        try:
            return real_ingest(*args)
        finally:
            engine.seconds[f"read notes, {ALONE}"] = time.process_time() - started

    build.ingest = ingest
    recipe = Recipe.model_validate(
        {"name": "scale", "source": {"kind": "synthetic", "patients": patients}, "crosswalk_seed": 7, "shards": 4}
    )
    # The hospital is made before, so that only the reading of it counts.
    workspace = Workspace(folder)
    from corpus.ingest import source_files

    with workspace.enter():
        source_files(recipe, workspace)
    started = time.process_time()
    built = build.build(recipe, {}, workspace, Silent())
    build.ingest = real_ingest
    whole = time.process_time() - started
    seconds = dict(engine.seconds)
    seconds[f"ledger, figures, seal, {ALONE}"] = whole - sum(seconds.values())
    notes = pl_rows(workspace)
    reader = next(s for s in load(built.manifest).stages if s.name == "reader")
    tables: dict[str, int] = defaultdict(int)
    for path in (workspace.work / "scale" / "maps").rglob("table.parquet"):
        tables[path.parts[-3]] += path.stat().st_size
    return notes, reader.chars_out, seconds, dict(tables)


def pl_rows(workspace: Any) -> int:
    import polars as pl

    return pl.read_parquet(workspace.work / "scale" / "ledger.parquet").height


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs=2, default=[80, 320])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    os.environ.update(POLARS_MAX_THREADS="1", OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    runs = []
    for patients in options.patients:
        # A process each: a build pins where temporary files go, and what it loads must count in both.
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart,
        ):
            runs.append(apart.submit(measure, patients, Path(folder)).result())
    first, last = runs[0], runs[-1]
    more = last[0] - first[0]
    assert more > 0, "two sizes are needed: what a build costs before its first note is not a cost of notes"
    lines = [
        "# Where the time of a build goes", "",
        f"Made by `python benchmarks/scale.py`. The demonstration hospital, {platform.machine()}, Python "
        f"{platform.python_version()}, one thread; load average {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores. A further note: the difference of "
        "the two, so without what is loaded once a process.", "",
        f"| CPU seconds | {first[0]:,} notes | {last[0]:,} notes | ms a further note |", "|---|---:|---:|---:|",
    ]  # fmt: skip

    def line(step: str, one: float, other: float) -> str:
        return f"| {step} | {one:.2f} | {other:.2f} | {1000 * (other - one) / more:.3f} |"

    steps = sorted({*first[2], *last[2]}, key=lambda s: (s.endswith(" reduce"), ALONE in s, -last[2].get(s, 0)))
    lines += [line(step, first[2].get(step, 0), last[2].get(step, 0)) for step in steps]
    lines.append(line("all", sum(first[2].values()), sum(last[2].values())))
    lines += [
        "",
        f"{last[1] / last[0]:,.0f} characters a note.",
        "",
        "| gathered in one place | bytes a note |",
        "|---|---:|",
    ]
    lines += [f"| {table} | {size / last[0]:,.0f} |" for table, size in sorted(last[3].items())]
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
