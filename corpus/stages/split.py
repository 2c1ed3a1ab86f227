"""Puts each patient into train, validation, test or the sealed non-members.

The place is HMAC(split key, patient code) as a number in [0, 1): stable when patients are added, the same for any
number of shards. Non-members are drawn like the rest but never released for training, so that a membership audit
has a fair comparison. Where the source has no patients, a cluster of near-duplicates takes the patient's place.
A group that an earlier corpus of the recipe's `against` has stays where it was there, whatever the shares are now.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import NamedTuple

import polars as pl
from pydantic import Field, model_validator

from corpus.keys import Keys
from corpus.stage import Outcome, StageParams

NAME = "split"
SCOPE = "note"
READS = ("group", "cluster")
WRITES = ("split", "group")
LIBRARIES = ()
KEEP = False

ORDER = ("nonmember", "test", "validation", "train")


class Params(StageParams):
    validation: float = Field(default=0.05, ge=0, lt=1)
    """Share of patients for validation."""
    test: float = Field(default=0.10, ge=0, lt=1)
    """Share of patients held out for evaluation."""
    nonmember: float = Field(default=0.05, ge=0, lt=1)
    """Share of patients sealed as non-members for membership audits."""

    @model_validator(mode="after")
    def _leave_something(self) -> Params:
        if self.validation + self.test + self.nonmember >= 1:
            raise ValueError("validation + test + nonmember must stay under 1: nothing would be left to train on")
        return self


class Places(NamedTuple):
    """The split key, and `group`, `split` of the groups whose place is settled."""

    key: bytes
    settled: pl.DataFrame


def load(params: Params, keys: Keys, table: Path | None = None) -> Places:
    """What decides the place of a group; `table` are the groups of earlier corpora."""
    settled = pl.read_parquet(table) if table else pl.DataFrame(schema={"group": pl.String, "split": pl.String})
    return Places(keys.split, settled.select("group", settled="split"))


def place(group: str, key: bytes, params: Params) -> str:
    """The split of one group."""
    number = int.from_bytes(hmac.digest(key, group.encode(), "sha256")[:8], "big") / 2**64
    for name in ORDER[:-1]:
        number -= getattr(params, name)
        if number < 0:
            return name
    return "train"


def apply(batch: pl.DataFrame, params: Params, resources: Places) -> Outcome:
    """Add `split`; `group` becomes the patient or, without one, the cluster."""
    batch = batch.with_columns(group=pl.coalesce("group", "cluster"))
    groups = batch.select(pl.col("group").unique()).join(resources.settled, on="group", how="left")
    drawn = [place(group, resources.key, params) for group in groups["group"]]
    places = groups.select("group", split=pl.coalesce("settled", pl.Series(drawn, dtype=pl.String)))
    return Outcome(batch.drop("split", strict=False).join(places, on="group", how="left"))
