"""Puts a placeholder in the place of every identifier; filters and near-duplicates work on that text.

What `deid.render` will show is drawn here, where all notes of a patient are together: surrogates and shifted dates are
the same in all of them. They stand in `spans`, out of the sight of everything that compares texts.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from corpus.keys import Keys
from corpus.stage import Outcome, StageParams
from corpus.stages._edits import edits
from deid.apply import placeholders_frame
from deid.policy import load_policy

NAME = "deid.placeholders"
SCOPE = "patient"
READS = ("text", "spans", "patient", "charted_at")
WRITES = ("text", "spans", "shift_days")
LIBRARIES = ()
KEEP = False


class Params(StageParams):
    policy: str = Field(default="safe_harbor_v1")
    """Which policy decides what each identifier becomes (deid/policies/)."""


def load(params: Params, keys: Keys) -> Any:
    """The policy, and the keys with which surrogates and shifts are drawn."""
    return load_policy(params.policy), {"surrogate": keys.surrogate, "shift": keys.shift}


def apply(batch: pl.DataFrame, params: Params, resources: Any) -> Outcome:
    """Replace, and note in each span where the placeholder stands and what the policy will show instead."""
    policy, keys = resources
    after = placeholders_frame(batch, policy, **keys)
    changed = edits(
        after, NAME, removed=pl.element().struct.field("end") - pl.element().struct.field("start"),
        inserted=pl.element().struct.field("out_end") - pl.element().struct.field("out_start"),
    )  # fmt: skip
    return Outcome(after, edits=changed)
