"""Sentences that recur across patients: templates of a site, disclaimers, signature blocks. Found by frequency.

The **unit** is a sentence or a list item (`dedupe.sentences`). A line break inside a sentence does not end it, so wrapping does
not matter. Two units are the same if their letters and digits are (`exact.normalized`); placeholders count like words, so a
disclaimer stays the same under another name. A unit of fewer than `min_words` words is never boilerplate, however often it
stands: "lungs are clear" is a finding.

A unit is boilerplate if it stands in notes of `min_patients` distinct patients and of `min_share` of all. Patients are
counted and not notes, because what recurs inside a patient is copy-forward, which is another question. A note without a
patient counts for its cluster of near-duplicates.

`count` is the map: 20 bytes for each distinct unit of a shard. `resolve` is the reduce, and the only place where the whole
corpus meets: it holds all tables, and groups them some units at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from dedupe.exact import normalized
from dedupe.sentences import Headings, cut, no_headings
from dedupe.survivor import check_notes

NOTES_AT_A_TIME = 2048
ROWS_AT_A_TIME = 2_000_000


class BoilerplateParams(BaseModel):
    """What recurs often enough to be nobody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_words: int = Field(default=8, ge=1, description="shorter sentences are never boilerplate")
    min_patients: int = Field(default=20, ge=2, description="distinct patients in whose notes a sentence must stand")
    min_share: float = Field(default=0.005, ge=0, le=1, description="share of all patients, where that is more")
    spare: tuple[str, ...] = Field(default=(), description="phrases; a sentence that holds one is never boilerplate")


def units(text: pl.Series, params: BoilerplateParams, headings: Headings = no_headings) -> pl.DataFrame:
    """The units of texts that may be boilerplate: `row`, `start`, `end`, `unit` (UInt64, of letters and digits)."""
    rows: list[tuple[int, int, int]] = []
    bodies: list[str] = []
    for row, body in enumerate(text.fill_null("").to_list()):
        for piece in cut(body, headings):
            part = body[piece.start : piece.end]
            if part.count(" ") + part.count("\n") + 1 >= params.min_words and len(part.split()) >= params.min_words:
                rows.append((row, piece.start, piece.end))
                bodies.append(part)
    bare = normalized(pl.Series(bodies, dtype=pl.String))
    counts = bare != ""
    for phrase in normalized(pl.Series(params.spare, dtype=pl.String)):
        counts &= ~bare.str.contains(phrase, literal=True)
    keys = [int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "little") for one in bare.to_list()]
    frame = pl.DataFrame(rows, schema={"row": pl.Int64, "start": pl.Int64, "end": pl.Int64}, orient="row")
    return frame.with_columns(unit=pl.Series(keys, dtype=pl.UInt64)).filter(counts)


def count(notes: pl.DataFrame, params: BoilerplateParams, headings: Headings = no_headings) -> pl.DataFrame:
    """In how many patients' notes each unit of a shard stands.

    Args:
        notes: `note_id`, `text`; `patient_id` and `cluster` where they are there. A shard holds all notes of a patient.
        params: which units count.
        headings: finds the sections of a text; a heading is no part of the sentence after it.

    Returns:
        `unit` (null: any note at all), `cluster` (hash of the near-duplicate cluster of notes without a patient, else
        null), `patients`.
    """
    check_notes(notes, ["text"])
    missing = [pl.lit(None, pl.String).alias(c) for c in ("patient_id", "cluster") if c not in notes.columns]
    who = notes.with_columns(missing).select(
        "text", pl.col("patient_id").cast(pl.String), own=pl.coalesce(pl.col("cluster").cast(pl.String), pl.col("note_id").cast(pl.String)),
    )  # fmt: skip
    people = who["patient_id"].rank("dense").cast(pl.UInt64)
    own = pl.Series([_hash(one) for one in who["own"].to_list()], dtype=pl.UInt64)
    whose = pl.DataFrame({"person": people, "cluster": pl.select(pl.when(people.is_null()).then(own)).to_series()})
    parts = [pl.DataFrame({"row": np.arange(len(who)), "unit": pl.Series([None] * len(who), dtype=pl.UInt64)})]
    for at in range(0, len(who), NOTES_AT_A_TIME):
        found = units(who["text"][at : at + NOTES_AT_A_TIME], params, headings)
        parts.append(found.select(pl.col("row") + at, "unit").unique())
    pairs = pl.concat(parts).select("unit", person=whose["person"].gather(pl.concat(parts)["row"]), cluster=whose["cluster"].gather(pl.concat(parts)["row"]))  # fmt: skip
    known = (
        pairs.filter(pl.col("person").is_not_null()).unique().group_by("unit").agg(patients=pl.len().cast(pl.UInt32))
    )
    loose = pairs.filter(pl.col("person").is_null()).select("unit", "cluster").unique()
    return pl.concat(
        [
            known.select("unit", pl.lit(None, pl.UInt64).alias("cluster"), "patients"),
            loose.select("unit", "cluster", pl.lit(1, pl.UInt32).alias("patients")),
        ]
    ).sort("unit", "cluster", nulls_last=True)


def resolve(tables: Sequence[pl.DataFrame], params: BoilerplateParams) -> pl.DataFrame:
    """The units that are boilerplate: `unit`, `patients` (how many), by unit; the same for any order of the tables."""
    everybody = int(_patients([table.filter(pl.col("unit").is_null()) for table in tables])["patients"].sum() or 0)
    least = max(params.min_patients, params.min_share * everybody)
    # Grouping takes seven times the rows it groups, so it takes some of the units at a time.
    turns = 1 + sum(table.height for table in tables) // ROWS_AT_A_TIME
    turn = pl.col("unit") % turns
    found = [
        _patients([table.filter(turn == i) for table in tables]).filter(pl.col("patients") >= least)
        for i in range(turns)
    ]
    return pl.concat(found).sort("unit")


def _patients(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Distinct patients of each unit."""
    return (
        pl.concat(tables)
        .group_by("unit", "cluster")
        .agg(pl.col("patients").sum())
        .with_columns(patients=pl.when(pl.col("cluster").is_null()).then("patients").otherwise(1))
        .group_by("unit")
        .agg(pl.col("patients").sum().cast(pl.Int64))
    )


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
