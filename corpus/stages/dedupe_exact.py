"""Drops notes that repeat another one once case and everything but letters and digits is ignored.

Runs first, on the text as it came: keys are derived from identifiers and stay in the PHI zone, and every copy
found here is a note that nothing after has to read. Where the recipe names earlier corpora, their notes come first: what
repeats one of them goes. A note that amended a copy amends, from here on, the note kept for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from corpus.stage import Outcome, StageParams
from corpus.stages._as_notes import as_notes
from dedupe import exact, past
from dedupe.survivor import mended

NAME = "dedupe.exact"
SCOPE = "corpus"
READS = ("text", "charted_at", "signed_at", "status", "amends")
WRITES = ("amends",)
LIBRARIES = ()
KEEP = False


class Params(StageParams):
    min_chars: int = Field(default=1, ge=1)
    """Notes with fewer letters and digits are never dropped as copies."""
    numbers_apart: bool = False
    """Notes whose numbers differ (vitals, laboratory values, doses), or their order, are never dropped for each other. Set for
    both stages by `numbers_apart` of the recipe."""


def room(params: StageParams) -> exact.ExactParams:
    """The parameters as the room `dedupe` names them."""
    return exact.ExactParams(**params.model_dump())


def map(batch: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Keys of one shard."""
    return exact.keys(as_notes(batch), room(params)).rename({"note_id": "record"})


def reduce(tables: list[pl.LazyFrame], params: Params, handed: Path | None = None) -> pl.DataFrame:
    """Which record is dropped for which, and what the others amend where that was dropped."""
    keys = pl.concat(tables, how="diagonal").collect().rename({"record": "note_id"})
    dropped = past.resolve_exact(keys, past.read(handed).stores if handed else ())
    chains = mended(keys, dropped.filter(pl.col("past").is_null())).with_columns(mended=True)
    reason = pl.when(pl.col("past").is_null()).then(pl.lit(NAME)).otherwise(pl.lit(past.EXACT))
    return pl.concat([dropped.with_columns(reason=reason), chains], how="diagonal").rename(
        {"note_id": "record", "kept_id": "kept"}
    )


def apply(batch: pl.DataFrame, params: Params, resources: pl.DataFrame) -> Outcome:
    """Drop what this shard's slice of the decisions names."""
    drops = resources.filter(pl.col("reason").is_not_null())
    kept = batch.join(drops, on="record", how="anti")
    chains = resources.filter("mended").select("record", "mended", _amends="amends")
    if chains.height:
        amends = pl.when("mended").then("_amends").otherwise("amends").alias("amends")
        kept = kept.join(chains, on="record", how="left").with_columns(amends).drop("mended", "_amends")
    return Outcome(kept, drops.select("record", "kept", "reason", "past"))


def describe(params: Params) -> dict[str, Any]:
    """What the manifest says of the algorithm."""
    return {"scheme": exact.scheme(room(params))}
