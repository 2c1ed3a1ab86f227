"""Drops notes that repeat another one once case and everything but letters and digits is ignored.

Runs first, on the text as it came: keys are derived from identifiers and stay in the PHI zone, and every copy
found here is a note that nothing after has to read.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from corpus.stage import Outcome, StageParams
from corpus.stages._as_notes import as_notes
from dedupe import exact

NAME = "dedupe.exact"
SCOPE = "corpus"
READS = ("text", "charted_at", "signed_at", "status", "amends")
WRITES = ()
LIBRARIES = ()
KEEP = False


class Params(StageParams):
    min_chars: int = Field(default=1, ge=1)
    """Notes with fewer letters and digits are never dropped as copies."""


def _room(params: Params) -> exact.ExactParams:
    return exact.ExactParams(min_chars=params.min_chars)


def map(batch: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Keys of one shard."""
    return exact.keys(as_notes(batch), _room(params)).rename({"note_id": "record"})


def reduce(tables: list[pl.LazyFrame], params: Params) -> pl.DataFrame:
    """Which record is dropped for which."""
    keys = pl.concat(tables, how="diagonal").collect().rename({"record": "note_id"})
    return exact.resolve(keys).rename({"note_id": "record", "kept_id": "kept"}).with_columns(reason=pl.lit(NAME))


def apply(batch: pl.DataFrame, params: Params, resources: pl.DataFrame) -> Outcome:
    """Drop what this shard's slice of the decisions names."""
    return Outcome(batch.join(resources, on="record", how="anti"), resources)
