"""What a stage is: one module with these names, listed in `corpus.stages.STAGES`.

    NAME        "filters": what the ledger and the manifest call it
    SCOPE       "note", "patient" or "corpus"
    Params      frozen pydantic model
    READS       columns it needs beside `record`
    WRITES      columns it adds or changes
    LIBRARIES   packages whose version changes its result
    KEEP        True: its output is stored, because it costs more than a parquet file (detection)

    load(params, keys) -> resources              optional; once a worker process; a third argument is the file that the
                                                 build hands to the stage (the patient table, for detection)
    apply(batch, params, resources) -> Outcome   scopes note and patient
    map(batch, params) -> table                  scope corpus: per shard, small
    reduce(tables, params) -> decisions          scope corpus: columns record, and `reason` where it drops; the tables
                                                 are LazyFrames, read as far as they are needed; a third argument is
                                                 the file that the build hands to the stage (signatures of the past)
    apply(batch, params, decisions) -> Outcome   scope corpus
    BY                                           optional, scope corpus: the column that decisions are about instead of
                                                 `record`; a shard gets those that its table names
    screen(created, outcome, params, resources) -> Outcome   optional: what becomes of the records that stages before it in
                                                 the same worker call made; `outcome` is what `apply` said of the notes

    describe(params) -> dict                     optional; what the manifest says of the algorithm
    disclose(details) -> dict                    optional; what of its counts may leave the PHI zone

A stage does no I/O, keeps no counts and writes no manifest: the runner does. Batches are polars frames of one
shard, sorted by `record`; a shard holds all notes of its patients.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict


class StageParams(BaseModel):
    """Base of every stage's parameters: nothing unknown, nothing changed after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NoParams(StageParams):
    """A stage that has nothing to set."""


class Outcome(NamedTuple):
    """What a stage gives back.

    batch: the records that go on.
    drops: record, reason (and what explains it: kept, similarity); one row for each record that does not go on.
    edits: record, reason, removed, inserted: characters taken out of and put into the text of records that go on.
    created: records made from others: record, parents (list), reason, chars, and their own columns.
    findings: what explains the stage to people and to the report; a file of its own, in the PHI zone.
    details: counts worth a line in the manifest, added up over shards.
    """

    batch: pl.DataFrame
    drops: pl.DataFrame | None = None
    edits: pl.DataFrame | None = None
    created: pl.DataFrame | None = None
    details: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - a default that nobody writes to
    findings: pl.DataFrame | None = None


def drop(batch: pl.DataFrame, reason: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a batch by an expression that gives the reason to drop a record, or null to keep it."""
    marked = batch.with_columns(reason.alias("_reason"))
    drops = marked.filter(pl.col("_reason").is_not_null()).select("record", pl.col("_reason").alias("reason"))
    return marked.filter(pl.col("_reason").is_null()).drop("_reason"), drops


# Every reason a record can be dropped for. A reason that is not here is a bug, and the runner says so.
REASONS: dict[str, str] = {
    "reader.malformed": "the line or row could not be parsed",
    "reader.invalid_utf8": "the line is not UTF-8",
    "reader.wrong_type": "note_id or text is no string",
    "reader.no_id": "note_id is missing",
    "reader.empty": "the text is missing or white space only",
    "reader.duplicate_id": "an earlier row has the same note_id",
    "dedupe.exact": "another note has the same letters and digits",
    "dedupe.near": "another note has nearly the same word shingles",
    "dedupe.past_exact": "a note of an earlier corpus has the same letters and digits",
    "dedupe.past_near": "a note of an earlier corpus has nearly the same word shingles",
    "dedupe.no_new_information": "every passage stands in an earlier note of the patient",
    "dedupe.boilerplate": "nothing but sentences that recur across patients",
    "filters.short": "fewer words than the recipe asks for",
    "filters.encoded": "long unbroken strings: base64, hex dumps",
    "filters.garbled": "too few letters, or control and replacement characters",
    "filters.masked": "more placeholders than words",
    "filters.language": "too few English function words",
    "filters.repetitive": "a few lines repeated over and over",
    "contamination.item": "an item of an evaluation set stands in it",
    "contamination.rest": "too little is left once the items are cut out",
    "contamination.parent": "the note it was made from went for an item",
}


def check_reasons(found: set[str]) -> None:
    """Raise on a reason outside the closed list."""
    unknown = sorted(found - set(REASONS))
    if unknown:
        raise ValueError(f"drop reasons missing from corpus.stage.REASONS: {unknown}")


Json = dict[str, Any]
PLACES = pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64}))
"""Stretches of a text, half-open, in code points."""
