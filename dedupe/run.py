"""Exact and near-duplicates of one table of notes, alone or against what was kept before, for whoever wants only this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from clinicorpus_errors import UserError
from dedupe import past
from dedupe.exact import ExactParams, keys
from dedupe.near import NearParams, signatures
from dedupe.survivor import mended

EXACT, NEAR = "dedupe.exact", "dedupe.near"
AGAIN = "make the signatures of the past again from its notes, with these options: clinicorpus dedupe run … --signatures FILE"


class Deduplicated(NamedTuple):
    """What is left of a table, and the ledger of what is not.

    `kept`: `note_id`, `cluster`, by `note_id`.
    `ledger`: `note_id`, `reason`, `kept_id` (one of `kept`, or a note of the past), `similarity`, `cluster` (null where a
    note of the past was kept), `past` (the store that holds `kept_id`; null where it is one of `kept`), by `note_id`.
    """

    kept: pl.DataFrame
    ledger: pl.DataFrame


def check(against: Sequence[past.Store], exact: ExactParams, near: NearParams) -> None:
    """Raise UserError, before any note is read, unless stored signatures are such as `run` makes with these parameters."""
    past.check(against, exact, near, AGAIN)


def run(
    notes: pl.DataFrame | pa.Table, exact: ExactParams, near: NearParams, *,
    against: Sequence[past.Store] = (), save: Path | None = None,
) -> Deduplicated:  # fmt: skip
    """Drop the notes that repeat, or nearly repeat, a note that is kept or one of the past.

    Near-duplicates are looked for among the notes that are no exact duplicates. Where the note kept for an exact
    duplicate is itself a near-duplicate, the ledger names the note kept for both, with the similarity of that one.

    Args:
        notes: `note_id` and `text`, as a polars frame or an Arrow table; `survivor.POLICY_COLUMNS` are used where they are
            there.
        exact: what repeats.
        near: what nearly repeats.
        against: signatures of notes that were kept before.
        save: file for the signatures of what is kept; the name appears only when the file is whole.

    Returns:
        `kept` and `ledger`: together each note once.

    Raises:
        UserError: a column is missing, note ids are empty or repeated, or stored signatures were made in another way.
    """
    if isinstance(notes, pa.Table):
        notes = pl.DataFrame(notes)
    if notes.schema.get("note_id") == pl.Null:  # a table without rows
        notes = notes.with_columns(pl.col("note_id").cast(pl.String))
    check(against, exact, near)
    own = keys(notes, exact)
    same = past.resolve_exact(own, against)
    distinct = notes.join(same, on="note_id", how="anti")
    if "amends" in notes.columns and notes["amends"].dtype != pl.Null:
        chains = mended(notes, same.filter(pl.col("past").is_null())).rename({"amends": "_amends"})
        distinct = distinct.join(chains.with_columns(_mended=True), on="note_id", how="left", maintain_order="left")
        distinct = distinct.with_columns(amends=pl.when("_mended").then("_amends").otherwise("amends"))
    made = signatures(distinct.drop("_amends", "_mended", strict=False), near)
    alike, clusters, _ = past.resolve_near(made, near, against)
    kept = clusters.join(alike, on="note_id", how="anti").sort("note_id")

    # A note of the past may have the id of a new one.
    again = alike.select("similarity", kept_id="note_id", kept_for_both="kept_id", past_of_both="past", _new=True)
    same = (
        same.with_columns(_new=pl.col("past").is_null())
        .join(again, on=["kept_id", "_new"], how="left")
        .select(
            "note_id",
            pl.when(pl.col("past_of_both").is_not_null())
            .then(pl.lit(past.NEAR))
            .when(pl.col("past").is_not_null())
            .then(pl.lit(past.EXACT))
            .otherwise(pl.lit(EXACT))
            .alias("reason"),
            pl.coalesce("kept_for_both", "kept_id").alias("kept_id"),
            pl.col("similarity").fill_null(1.0),
            pl.coalesce("past_of_both", "past").alias("past"),
        )
    )
    reason = pl.when(pl.col("past").is_null()).then(pl.lit(NEAR)).otherwise(pl.lit(past.NEAR)).alias("reason")
    alike = alike.select("note_id", reason, "kept_id", "similarity", "past")
    ledger = (
        pl.concat([same, alike])
        .join(kept.rename({"note_id": "kept_id"}), on="kept_id", how="left", validate="m:1")
        .with_columns(cluster=pl.when(pl.col("past").is_null()).then("cluster"))
        .select("note_id", "reason", "kept_id", "similarity", "cluster", "past")
    )
    if save:
        stored = kept.rename({"cluster": "group"}).join(own.select("note_id", "key"), on="note_id")
        partial = save.with_name(f".{save.name}.partial")
        try:
            past.write(partial, stored.join(made, on="note_id"), exact, near)
            partial.replace(save)
        except OSError as error:
            raise UserError("the signatures cannot be written", value=f"{save}: {error.strerror}") from None
        finally:
            partial.unlink(missing_ok=True)
    return Deduplicated(kept, ledger.sort("note_id"))
