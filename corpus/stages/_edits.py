"""Characters taken out and put in, from the spans of a frame."""

from __future__ import annotations

import polars as pl


def edits(frame: pl.DataFrame, reason: str, *, removed: pl.Expr, inserted: pl.Expr) -> pl.DataFrame:
    """record, reason, removed, inserted: the two expressions, evaluated on each span and added up for a record."""
    return frame.select(
        "record",
        reason=pl.lit(reason),
        removed=pl.col("spans").list.eval(removed.cast(pl.Int64)).list.sum(),
        inserted=pl.col("spans").list.eval(inserted.cast(pl.Int64)).list.sum(),
    )
