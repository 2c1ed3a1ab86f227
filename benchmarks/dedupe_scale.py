"""What near-duplicate removal costs from 10,000 to a million notes: CPU seconds by step, memory, and what it finds.

    python benchmarks/dedupe_scale.py FOLDER
    python benchmarks/dedupe_scale.py FOLDER --sizes 1000000     # other sizes keep the row they have

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
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SHARD = 10_000
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SEED = 1
JUDGED = 300_000  # the first notes; a family stands in one shard, so what is found of theirs can be said of any size


@cache
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
    if notes.exists():
        return
    benchmark = _near_benchmark()
    texts, families = benchmark.make_notes(SHARD, SEED, block)
    first = block * SHARD
    truth = benchmark.find_truth(texts, families)["pairs"] if block < JUDGED // SHARD else []
    found = [(first + i, first + j, s) for i, j, s in truth]
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


# --- one size, in a process of its own -----------------------------------------------------------------------


class Clock:
    """CPU seconds by step. A step inside another counts for itself only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        step = self._open[-1] if self._open else "rest"
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._since
        self._since = now

    def around(self, step: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._open.append(step)
            try:
                return fn(*args, **kwargs)
            finally:
                self._turn()
                self._open.pop()

        return timed

    def stop(self) -> dict[str, float]:
        self._turn()
        return self.seconds


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_one(folder: Path, count: int) -> dict[str, Any]:
    """Deduplicate the first `count` notes of FOLDER."""
    import polars as pl

    from dedupe import exact, near, shingles, stars

    wall = time.perf_counter()
    clock = Clock()
    clock.seconds["start"] = time.process_time()
    for module, name, step in (
        (shingles, "token_hashes", "tokens"),
        (shingles, "shingle_hashes", "shingles"),
        (shingles, "sets", "shingles"),
        (shingles, "lists", "shingles"),
        (shingles, "band_keys", "MinHash"),
        (near, "_sets", "comparison"),
        (stars, "search", "comparison"),
        (near, "components", "comparison"),
    ):
        setattr(module, name, clock.around(step, getattr(module, name)))
    read = clock.around("reading", lambda path: pl.read_parquet(path, columns=["note_id", "text"]))
    write = clock.around("writing", lambda table, path: table.write_parquet(path, compression="lz4"))
    candidates = clock.around("candidates", near.resolve)  # less what is compared there

    shards = [folder / f"notes-{block:03d}.parquet" for block in range(count // SHARD)]
    keys = clock.around("exact", exact.keys)
    same = clock.around("exact", exact.resolve)(pl.concat(keys(read(path), exact.ExactParams()) for path in shards))
    params, tables = near.NearParams(), []
    for path in shards:
        distinct = read(path).join(same, on="note_id", how="anti")
        tables.append(path.with_name(f"signatures-{count}-{path.name}"))
        write(near.signatures(distinct, params), tables[-1])
    after_map = peak_mb()
    found = candidates([pl.scan_parquet(table) for table in tables], params)
    answer = {"same": len(same), "alike": found.decisions.height, "clusters": found.clusters["cluster"].n_unique()}
    steps = clock.stop()
    size = sum(table.stat().st_size for table in tables)
    for table in tables:
        table.unlink()
    pl.concat([same.select("note_id"), found.decisions.select("note_id")]).write_parquet(
        folder / f"gone-{count}.parquet"
    )
    return {
        "notes": count, "steps": steps, "cpu": sum(steps.values()), "wall": time.perf_counter() - wall,
        "peak_mb": peak_mb(), "peak_mb_map": after_map, "signatures_mb": size / 1e6, **answer,
    }  # fmt: skip


def floor_one(folder: Path, count: int) -> dict[str, Any]:
    """CPU seconds to read the notes and to hash the bytes of each once (BLAKE2b): less cannot be done."""
    from hashlib import blake2b

    import polars as pl

    start = time.process_time()
    words = 0
    for block in range(count // SHARD):
        text = pl.read_parquet(folder / f"notes-{block:03d}.parquet", columns=["text"])["text"]
        for note in text.cast(pl.Binary).to_list():
            blake2b(note, digest_size=16).digest()
        words += int(text.str.count_matches(" ").sum())
    return {"notes": count, "cpu": time.process_time() - start, "words": words / count}


def measured(folder: Path, mode: str, count: int) -> dict[str, Any]:
    """One of the two above in a process of its own, with one thread, and the load of the machine beside it."""
    before = os.getloadavg()[0]
    out = subprocess.run(
        [sys.executable, __file__, str(folder), f"--{mode}", str(count)],
        stdout=subprocess.PIPE, check=True, env=os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads(out.stdout) | {"load": [round(before, 1), round(os.getloadavg()[0], 1)]}


def score(folder: Path, count: int) -> dict[str, Any]:
    """What was removed of what could be, families lost, and notes removed that are like none."""
    import polars as pl

    judged = range(min(count, JUDGED) // SHARD)
    gone = set(pl.read_parquet(folder / f"gone-{count}.parquet")["note_id"])
    notes = pl.concat(
        pl.read_parquet(folder / f"notes-{block:03d}.parquet", columns=["note_id", "family"])
        for block in range(count // SHARD)
    )
    pairs = pl.concat(pl.read_parquet(folder / f"pairs-{block:03d}.parquet") for block in judged).sort("a", "b")
    # As in benchmarks/dedupe.py: going through the pairs in order, a note that is not gone makes its like removable.
    best: dict[int, float] = {}
    removable: set[int] = set()
    left: set[int] = set()
    for a, b, similarity in pairs.iter_rows():
        best[a], best[b] = max(best.get(a, 0.0), similarity), max(best.get(b, 0.0), similarity)
        if similarity >= 0.8:
            if a not in removable:
                removable.add(b)
            if a not in gone and b not in gone and a not in left:
                left.add(b)
    lost = (
        notes.with_columns(pl.col("note_id").is_in(list(gone)).alias("out")).group_by("family").agg(pl.col("out").all())
    )
    return {
        "removable": len(removable), "recall": 1 - len(left) / max(len(removable), 1),
        "families": lost.height, "families_lost": int(lost["out"].sum()),
        "wrong": sum(best.get(note, 0.0) < 0.5 for note in gone if note < JUDGED),
    }  # fmt: skip


# --- results -------------------------------------------------------------------------------------------------

STEPS = ("start", "reading", "exact", "tokens", "shingles", "MinHash", "writing", "candidates", "comparison", "rest")


def picture(rows: list[dict[str, Any]]) -> str:
    """Microseconds a note by step and size, as SVG text."""
    import altair as alt
    import vl_convert

    values = [
        {"notes": f"{row['notes']:,}", "step": step, "order": STEPS.index(step), "cost": row["steps"].get(step, 0) / row["notes"] * 1e6}
        for row in rows
        for step in STEPS
    ]  # fmt: skip
    colors = "#9aa7b4 #c9b458 #e0a458 #1f6f78 #3f8f8a #74b3a4 #b7c4cf #c8553d #e08a6d #dde3e8".split()
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_bar(size=34)
        .encode(
            y=alt.Y("notes:N", title="notes", sort=[f"{row['notes']:,}" for row in rows]),
            x=alt.X("cost:Q", title="microseconds of CPU a note", stack="zero"),
            color=alt.Color("step:N", title=None, sort=list(STEPS), scale=alt.Scale(domain=list(STEPS), range=colors)),
            order=alt.Order("order:Q"),
        )
        .properties(width=640, height=48 * len(rows))
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#e6eaee", labelColor="#1d2733")
        .configure(font="Helvetica, Arial, sans-serif")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def report(result: dict[str, Any]) -> str:
    rows, floor = result["rows"], result["floor"]
    by_size = {row["notes"]: row for row in rows}
    lines = [
        "# Near-duplicates at scale", "",
        f"Made by `python benchmarks/dedupe_scale.py FOLDER`. Python {result['python']}, {result['machine']}, "
        f"{result['cores']} cores, one thread. Notes of {floor['words']:.0f} words, a third of them edited copies, 10,000 a "
        "shard; text, keys and signatures on disk. CPU seconds, the whole process. Recall and wrong removals: of the first "
        f"{JUDGED:,} notes.", "",
        "![microseconds of CPU a note, by step](dedupe_scale.svg)", "",
        "| notes | CPU s | µs a note | wall s | load before and after | peak MB | of these, signatures of a shard | "
        "signatures on disk MB | removed: exact / near | recall J≥0.8 | families lost | removed at best J<0.5 |",
        "|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    lines += [
        f"| {row['notes']:,} | {row['cpu']:.1f} | {row['cpu'] / row['notes'] * 1e6:.0f} | {row['wall']:.0f} "
        f"| {row['load'][0]}, {row['load'][1]} | {row['peak_mb']:,.0f} | {row['peak_mb_map']:,.0f} "
        f"| {row['signatures_mb']:,.0f} | {row['same']:,} / {row['alike']:,} | {row['recall']:.5f} "
        f"| {row['families_lost']} | {row['wrong']} |"
        for row in rows
    ]
    if {100_000, 1_000_000} <= set(by_size):
        ratio = by_size[1_000_000]["cpu"] / by_size[100_000]["cpu"]
        lines += ["", f"A million notes take {ratio:.1f} times the CPU seconds of 100,000."]
    lines += ["", "Share of each step:", "", f"| notes | {' | '.join(STEPS)} |", "|---:" * (len(STEPS) + 1) + "|"]
    lines += [
        f"| {row['notes']:,} | " + " | ".join(f"{row['steps'].get(step, 0) / row['cpu']:.1%}" for step in STEPS) + " |"
        for row in rows
    ]
    near = max(rows, key=lambda row: row["notes"])
    per_note, least = near["cpu"] / near["notes"], floor["cpu"] / floor["notes"]
    lines += [
        "",
        f"The limit is to read each text once and to hash its bytes once: {least * 1e6:.0f} µs a note (polars reading Parquet, "
        f"BLAKE2b of each). All of the above takes {per_note / least:.1f} times that, at {near['notes']:,} notes. *start*: "
        "interpreter and imports. *exact*: normalised text and its key. *tokens*: finding and hashing them. *shingles*: "
        "five in a row, distinct, sorted. *MinHash*: 120 values, 20 keys. *candidates*: notes that share a key. "
        "*comparison*: reading their shingles, exact Jaccard, stars, clusters. *rest*: joins.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the notes are made and kept")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of notes, tens of thousands")
    parser.add_argument("--workers", type=int, default=2, help="processes that make the notes")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--floor", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run or args.floor:
        found = run_one(args.folder, args.run) if args.run else floor_one(args.folder, args.floor)
        print(json.dumps(found))  # noqa: T201
        return
    sizes = sorted(int(size) for size in args.sizes.split(","))
    make_shards(args.folder, sizes[-1] // SHARD, args.workers)
    known = args.out / "dedupe_scale.json"
    by_size = {row["notes"]: row for row in json.loads(known.read_text())["rows"]} if known.exists() else {}
    for size in sizes:
        by_size[size] = measured(args.folder, "run", size) | score(args.folder, size)
        print(json.dumps(by_size[size]), file=sys.stderr)  # noqa: T201
    rows = [by_size[size] for size in sorted(by_size)]
    result = {
        "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(),
        "floor": measured(args.folder, "floor", min(sizes[-1], 100_000)), "rows": rows,
    }  # fmt: skip
    known.write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "dedupe_scale.svg").write_text(picture(rows))
    (args.out / "dedupe_scale.md").write_text(report(result))


if __name__ == "__main__":
    main()
