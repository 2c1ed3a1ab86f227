"""Writes what is released: an allow-list of columns, partitioned and ordered by record key.

Which file a row goes to depends on its key and on how many rows there are, so the bytes are the same for any
number of shards and workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.stage import PLACES
from corpus.tokens import load_counter
from manifests.canonical import sha256_file

# The only columns that leave the PHI zone. A date no finer than the year, whatever the source had.
PRETRAIN = pa.schema(
    [
        ("record", pa.string()), ("patient", pa.string()), ("note_type", pa.string()), ("year", pa.int32()),
        ("text", pa.string()), ("tokens", pa.int32()),
        # Where passages stand that the patient had in an earlier note; null unless the recipe asks to annotate them.
        ("copied", pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))),
    ]
)  # fmt: skip
INSTRUCT = pa.schema(
    [
        ("record", pa.string()), ("patient", pa.string()), ("parent", pa.string()), ("task", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("prompt", pa.string()), ("completion", pa.string()), ("tokens", pa.int32()),
    ]
)  # fmt: skip
SCHEMAS = {"pretrain": PRETRAIN, "sealed": PRETRAIN, "instruct": INSTRUCT}
NEEDS = ("record", "patient", "group", "note_type", "charted_at", "text", "split", "copied")
SPLITS = ("train", "validation", "test")


class FileJob(NamedTuple):
    """One Parquet file to write: the rows of `split` whose record key falls into `part` of `parts`."""

    label: str
    inputs: tuple[str, ...]
    product: str
    split: str
    part: int
    parts: int
    path: str
    tokenizer: str


def year(column: pl.Expr) -> pl.Expr:
    """The year in a timestamp of any common form, or null."""
    return (
        column.cast(pl.String)
        .str.extract(r"\b((?:19|20)\d\d)\b|^((?:19|20)\d\d)", 0)
        .str.slice(0, 4)
        .cast(pl.Int32, strict=False)
    )


@cache
def _counter(spec: str) -> Any:
    return load_counter(spec)


def write_file(job: FileJob) -> dict[str, int]:
    """Worker call: gather, order, count tokens, write. Returns rows and tokens."""
    place = pl.col("record").str.slice(0, 8).str.to_integer(base=16, dtype=pl.Int64) * job.parts // (1 << 32)
    frames = [
        pl.scan_parquet(path).filter((pl.col("split") == job.split) & (place == job.part)).collect()
        for path in job.inputs
    ]
    rows = pl.concat(frames, how="diagonal").sort("record")
    texts = rows["text"] if "text" in rows.columns else rows["prompt"] + "\n" + rows["completion"]
    rows = rows.with_columns(tokens=pl.Series(_counter(job.tokenizer).count(texts.to_list()), dtype=pl.Int32))
    schema = SCHEMAS[job.product]
    if job.product != "instruct":
        optional: dict[str, Any] = {"note_type": pl.String, "charted_at": pl.String, "copied": PLACES}
        missing = [pl.lit(None, dtype=dtype).alias(c) for c, dtype in optional.items() if c not in rows.columns]
        rows = rows.with_columns(missing).with_columns(year=year(pl.col("charted_at")))
    table = rows.select(schema.names).to_arrow().cast(schema)
    path = Path(job.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=20_000)
    return {"rows": table.num_rows, "tokens": int(rows["tokens"].sum() or 0)}


def plan_files(
    notes: Sequence[Path], created: Sequence[Path], folder: Path, *, rows_per_file: int, tokenizer: str
) -> list[FileJob]:
    """The files of a release, by product, split and part.

    A split without rows gets one empty file: it was not forgotten.
    """
    jobs = []
    sources = {"pretrain": notes, "instruct": created, "sealed": notes}
    for product, inputs in sources.items():
        if not inputs:
            continue
        counts = dict(
            pl.concat([pl.scan_parquet(p).group_by("split").len() for p in inputs])
            .group_by("split").agg(pl.sum("len")).collect().iter_rows()
        )  # fmt: skip
        for split in ("nonmember",) if product == "sealed" else SPLITS:
            parts = max(1, math.ceil(counts.get(split, 0) / rows_per_file))
            for index in range(parts):
                path = folder / product / f"{split}-{index:05d}-of-{parts:05d}.parquet"
                jobs.append(
                    FileJob(
                        f"{product}/{split} {index}", tuple(map(str, inputs)), product, split, index, parts, str(path),
                        tokenizer,
                    )
                )  # fmt: skip
    return jobs


def file_entry(job: FileJob, folder: Path, counts: dict[str, int]) -> dict[str, Any]:
    """The manifest's line for a written file."""
    path = Path(job.path)
    return {
        "path": str(path.relative_to(folder)), "zone": "corpus", "product": job.product, "split": job.split,
        "rows": counts["rows"], "tokens": counts["tokens"], "bytes": path.stat().st_size, "sha256": sha256_file(path),
    }  # fmt: skip
