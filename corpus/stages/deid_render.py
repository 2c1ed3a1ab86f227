"""Puts what the policy shows in the place of the placeholders: a year, three digits of a ZIP, "90+", a surrogate.

Where the policy shifts dates, the times of the notes move with them.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from corpus.stage import NoParams, Outcome
from corpus.stages._edits import edits
from deid.apply import render_frame

NAME = "deid.render"
SCOPE = "note"
READS = ("text", "spans", "shift_days", "charted_at", "signed_at")
WRITES = ("text", "spans", "charted_at", "signed_at")
LIBRARIES = ()
KEEP = False

Params = NoParams


def apply(batch: pl.DataFrame, params: NoParams, resources: None) -> Outcome:
    """Replace placeholders by values; count identifiers by action for the manifest."""
    after = render_frame(batch)
    width = pl.element().struct.field("out_end") - pl.element().struct.field("out_start")
    out = edits(batch, NAME, removed=width, inserted=pl.lit(0))
    put = edits(after, NAME, removed=pl.lit(0), inserted=width)
    changed = out.drop("inserted").join(put.select("record", "inserted"), on="record", how="left")
    actions: Counter[str] = Counter()
    for spans in after["spans"].to_list():
        actions.update(f"{span['identifier']}:{span['action']}" for span in spans)
    return Outcome(after, edits=changed, details={"actions": dict(sorted(actions.items()))})
