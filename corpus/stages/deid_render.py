"""Puts what the policy shows in the place of the placeholders: a year, three digits of a ZIP, "90+", a surrogate.

Where the policy shifts dates, the times of the notes move with them.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from corpus.stage import NoParams, Outcome
from corpus.stages._cuts import follow
from corpus.stages._edits import edits
from dedupe.edits import Edit, Moves
from deid.apply import render_frame

NAME = "deid.render"
SCOPE = "note"
READS = ("text", "spans", "shift_days", "charted_at", "signed_at", "copied")
WRITES = ("text", "spans", "charted_at", "signed_at", "copied")
LIBRARIES = ()
KEEP = False

Params = NoParams


def apply(batch: pl.DataFrame, params: NoParams, resources: None) -> Outcome:
    """Replace placeholders by values; count identifiers by action for the manifest."""
    after = render_frame(batch)
    if "copied" in batch.columns:
        after = after.with_columns(_copied(batch, after))
    width = pl.element().struct.field("out_end") - pl.element().struct.field("out_start")
    out = edits(batch, NAME, removed=width, inserted=pl.lit(0))
    put = edits(after, NAME, removed=pl.lit(0), inserted=width)
    changed = out.drop("inserted").join(put.select("record", "inserted"), on="record", how="left")
    actions: Counter[str] = Counter()
    for spans in after["spans"].to_list():
        actions.update(f"{span['identifier']}:{span['action']}" for span in spans)
    return Outcome(after, edits=changed, details={"actions": dict(sorted(actions.items()))})


def _copied(before: pl.DataFrame, after: pl.DataFrame) -> pl.Series:
    """Places of copied passages, where they stand once values are in the place of placeholders."""
    rows = []
    for places, spans, rendered in zip(
        before["copied"].to_list(), before["spans"].to_list(), after["spans"].to_list(), strict=True
    ):
        changes = [
            Edit(a["out_start"], a["out_end"], " " * (b["out_end"] - b["out_start"]))
            for a, b in zip(spans or [], rendered or [], strict=True)
        ]
        rows.append(follow(places, Moves(changes)) if places is not None else None)
    return pl.Series("copied", rows, dtype=before["copied"].dtype)
