"""The room `dedupe` speaks of note_id and patient_id; inside a build these are record keys and patient codes."""

from __future__ import annotations

import polars as pl


def as_notes(batch: pl.DataFrame) -> pl.DataFrame:
    """Columns of a batch under the names of the note table. `group` is null where the source names no patient."""
    names = {"record": "note_id", "group": "patient_id"}
    columns = ["record", "group", "text", "charted_at", "signed_at", "status", "amends"]
    return batch.select(pl.col(c).alias(names.get(c, c)) for c in columns if c in batch.columns)
