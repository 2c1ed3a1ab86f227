"""What near-duplicate removal costs from 10,000 to a million notes: CPU seconds by step, memory, and what it finds.

    python benchmarks/dedupe_scale.py FOLDER
    python benchmarks/dedupe_scale.py FOLDER --sizes 10000,30000 --peers VENV/bin/python

The notes are those of benchmarks/dedupe.py, 10,000 a shard, made once and kept in FOLDER (1.3 GB for a million). Each size
is a process of its own with one thread; it goes over the shards as a build does: exact keys of each shard, the copies; then
of what is left the signatures of each shard, written beside it, the candidates among them all, the exact comparison.
Seconds of CPU are read around each step, memory is the peak of the process.

Writes dedupe_scale.md, dedupe_scale.json and dedupe_scale.svg into benchmarks/results/.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SHARD = 10_000
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SEED = 1


def _near_benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_dedupe", Path(__file__).with_name("dedupe.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- notes ---------------------------------------------------------------------------------------------------


def make_shard(folder: Path, block: int) -> None:
    """10,000 notes with their families, and the pairs of each family with their exact similarity."""
    import polars as pl

    notes, pairs = folder / f"notes-{block:03d}.parquet", folder / f"pairs-{block:03d}.parquet"
    if notes.exists() and pairs.exists():
        return
    benchmark = _near_benchmark()
    texts, families = benchmark.make_notes(SHARD, SEED, block)
    first = block * SHARD
    found = [(first + i, first + j, s) for i, j, s in benchmark.find_truth(texts, families)["pairs"]]
    frame = pl.DataFrame(
        {"note_id": range(first, first + SHARD), "text": texts, "family": [first + family for family in families]}
    )
    schema = {"a": pl.Int64, "b": pl.Int64, "similarity": pl.Float64}
    for table, path in (
        (pl.DataFrame(found, schema=schema, orient="row"), pairs),
        (frame, notes),
    ):
        table.write_parquet(path.with_suffix(".partial"))
        path.with_suffix(".partial").rename(path)


def make_shards(folder: Path, count: int, workers: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(make_shard, [folder] * count, range(count)))


