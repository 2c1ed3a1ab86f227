"""Exact and near-duplicates of one table of notes, for whoever wants only this."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from dedupe.exact import ExactParams, keys
from dedupe.exact import resolve as resolve_exact
from dedupe.near import NearParams, signatures
from dedupe.near import resolve as resolve_near

EXACT, NEAR = "dedupe.exact", "dedupe.near"


class Deduplicated(NamedTuple):
    """What is left of a table, and the ledger of what is not.

    `kept`: `note_id`, `cluster`, by `note_id`.
    `ledger`: `note_id`, `reason`, `kept_id` (always one of `kept`), `similarity`, `cluster`, by `note_id`.
    """

    kept: pl.DataFrame
    ledger: pl.DataFrame


def run(notes: pl.DataFrame, exact: ExactParams, near: NearParams) -> Deduplicated:
    """Drop the notes that repeat, or nearly repeat, a note that is kept.

    Near-duplicates are looked for among the notes that are no exact duplicates. Where the note kept for an exact
    duplicate is itself a near-duplicate, the ledger names the note kept for both, with the similarity of that one.

    Args:
        notes: `note_id` and `text`; `survivor.POLICY_COLUMNS` are used where they are there.
        exact: what repeats.
        near: what nearly repeats.

    Returns:
        `kept` and `ledger`: together each note once.

    Raises:
        UserError: a column is missing, or note ids are empty or repeated.
    """
    same = resolve_exact(keys(notes, exact))
    distinct = notes.join(same, on="note_id", how="anti")
    alike, clusters = resolve_near(signatures(distinct, near), near)

    again = alike.rename({"note_id": "kept_id", "kept_id": "kept_for_both"})
    same = same.join(again, on="kept_id", how="left").select(
        "note_id",
        pl.lit(EXACT).alias("reason"),
        pl.coalesce("kept_for_both", "kept_id").alias("kept_id"),
        pl.col("similarity").fill_null(1.0),
    )
    alike = alike.select("note_id", pl.lit(NEAR).alias("reason"), "kept_id", "similarity")
    ledger = pl.concat([same, alike]).join(
        clusters.rename({"note_id": "kept_id"}), on="kept_id", how="left", validate="m:1"
    )
    return Deduplicated(clusters.join(alike, on="note_id", how="anti").sort("note_id"), ledger.sort("note_id"))
