"""Drops notes that are nearly the same as another one, and names the cluster each note belongs to.

Works on the text with placeholders, so that a changed name or date does not hide a copy. Within a patient, notes
of different days stay: what they share is copy-forward, not a duplicate. Where the recipe names earlier corpora, what is
nearly the same as one of their notes goes, and a note that is linked to one joins its cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from corpus.stage import Outcome, StageParams
from corpus.stages._as_notes import as_notes
from dedupe import near, past

NAME = "dedupe.near"
SCOPE = "corpus"
READS = ("text", "charted_at", "signed_at", "status", "amends")
WRITES = ("cluster",)
LIBRARIES = ("rensa",)
KEEP = False


class Params(StageParams):
    threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word shingles from which a note is dropped for another; every pair is checked exactly."""
    link_threshold: float = Field(default=0.5, gt=0, le=1)
    """Similarity from which two notes are never split between training and test where there are no patients."""
    shingle: int = Field(default=5, ge=1, le=64)
    """Tokens in a shingle."""
    bands: int = Field(default=20, ge=1, le=256)
    """MinHash bands: more find more."""
    rows: int = Field(default=6, ge=1, le=64)
    """Values in a band: more find less."""
    numbers_apart: bool = False
    """Notes whose numbers differ (vitals, laboratory values, doses), or their order, are never dropped for each other. Set for
    both stages by `numbers_apart` of the recipe."""


def room(params: StageParams) -> near.NearParams:
    """The parameters as the room `dedupe` names them."""
    return near.NearParams(**params.model_dump())


def map(batch: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Signatures of one shard."""
    return near.signatures(as_notes(batch), room(params)).rename({"note_id": "record"})


def reduce(tables: list[pl.LazyFrame], params: Params, handed: Path | None = None) -> pl.DataFrame:
    """Every record with its cluster, and for the dropped ones which note was kept and how similar it is."""
    signatures = [table.rename({"record": "note_id"}) for table in tables]
    before = past.read(handed) if handed else past.Handed((), None)
    found = past.resolve_near(signatures, room(params), before.stores, before.ranks)
    reason = pl.when(pl.col("past").is_not_null()).then(pl.lit(past.NEAR))
    return (
        found.clusters.with_columns(linked=pl.col("note_id").is_in(found.linked.implode()))
        .join(found.decisions, on="note_id", how="full", coalesce=True)
        .with_columns(reason=reason.otherwise(pl.when(pl.col("kept_id").is_not_null()).then(pl.lit(NAME))))
        .rename({"note_id": "record", "kept_id": "kept"})
    )


def apply(batch: pl.DataFrame, params: Params, resources: pl.DataFrame) -> Outcome:
    """Drop what this shard's slice names; the others get their `cluster`."""
    drops = resources.filter(pl.col("reason").is_not_null())
    clusters = resources.select("record", "cluster")
    kept = batch.drop("cluster", strict=False).join(drops, on="record", how="anti")
    linked = resources.filter(pl.col("linked") & pl.col("reason").is_null()).height
    details = {"past": {"linked": linked}} if linked else {}
    return Outcome(kept.join(clusters, on="record", how="left"), drops.drop("cluster", "linked"), details=details)


def describe(params: Params) -> dict[str, Any]:
    """What the manifest says of the algorithm."""
    return {"scheme": near.scheme(room(params))}
