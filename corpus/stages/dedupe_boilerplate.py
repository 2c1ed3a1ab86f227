"""Sentences that recur across patients: templates of a site, disclaimers. Listed, taken out, or replaced by a marker.

Runs on the text with placeholders, so that a disclaimer is the same whoever signed it, and after `dedupe.near`, so that
copies of one note are not taken for many notes, and a note without a patient counts with its cluster. What frequency finds
is not what nobody needs: in radiology most of it is normal findings. So the default only lists, in boilerplate.csv of the
PHI zone; whoever has read the list turns the policy.
"""

from __future__ import annotations

from typing import Literal

import polars as pl
from pydantic import Field

from corpus.sections import headings
from corpus.stage import Outcome, StageParams
from corpus.stages._as_notes import as_notes
from corpus.stages._cuts import changed, cuts
from dedupe import boilerplate

NAME = "dedupe.boilerplate"
SCOPE = "corpus"
READS = ("text", "spans", "copied", "group", "cluster")
WRITES = ("text", "spans", "copied")
LIBRARIES = ()
KEEP = False
BY = "unit"

MARKER = "[BOILERPLATE]"


class Params(StageParams):
    policy: Literal["keep", "remove", "collapse"] = "keep"
    """`keep`: only listed. `remove`: taken out; a note of nothing else goes. `collapse`: each run of them becomes [BOILERPLATE]."""
    min_words: int = Field(default=8, ge=1)
    """Shorter sentences are never boilerplate."""
    min_patients: int = Field(default=20, ge=2)
    """Distinct patients in whose notes a sentence must stand."""
    min_share: float = Field(default=0.005, ge=0, le=1)
    """Share of all patients it must stand with, where that is more than `min_patients`."""
    spare: tuple[str, ...] = ()
    """Sentences that hold one of these phrases stay, e.g. [lungs are clear]; case and punctuation do not matter. They stand in
    the manifest: no names."""


def _room(params: Params) -> boilerplate.BoilerplateParams:
    return boilerplate.BoilerplateParams(**params.model_dump(exclude={"policy"}))


def map(batch: pl.DataFrame, params: Params) -> pl.DataFrame:
    """In how many patients' notes each sentence of one shard stands."""
    named = as_notes(batch)
    if "cluster" in batch.columns:
        named = named.with_columns(batch["cluster"])
    return boilerplate.count(named, _room(params), headings)


def reduce(tables: list[pl.LazyFrame], params: Params) -> pl.DataFrame:
    """The sentences that are boilerplate, with the number of their patients."""
    return boilerplate.resolve(pl.collect_all(tables), _room(params))


def apply(batch: pl.DataFrame, params: Params, resources: pl.DataFrame) -> Outcome:
    """List what this shard holds of them, and do with it what the policy says."""
    places = boilerplate.units(batch["text"], _room(params), headings).join(resources, on="unit").sort("row", "start")
    texts = batch["text"].to_list()
    said = [texts[row][start:end] for row, start, end in places.select("row", "start", "end").iter_rows()]
    places = places.with_columns(sentence=pl.Series(said, dtype=pl.String))
    findings = places.group_by("unit").agg(
        pl.first("patients"), notes=pl.col("row").n_unique(), places=pl.len(),
        chars=pl.col("sentence").str.len_chars().sum(), sentence=pl.min("sentence"),
    )  # fmt: skip
    details = {
        "boilerplate": {
            "places": places.height, "notes": places["row"].n_unique(), "chars": int(findings["chars"].sum() or 0),
        }
    }  # fmt: skip
    told = Outcome(batch, details=details, findings=findings.sort("unit"))
    if params.policy == "keep" or not places.height:
        return told
    spots: dict[str, list[tuple[int, int]]] = {}
    for row, start, end in places.select("row", "start", "end").iter_rows():
        spots.setdefault(batch["record"][row], []).append((start, end))
    changes = cuts(batch, spots, MARKER if params.policy == "collapse" else "")
    after, account = changed(batch, changes, f"{NAME}.{params.policy}")
    says = pl.col("text").str.replace_all(MARKER, "", literal=True).str.contains(r"[\p{L}\p{N}]")
    gone = after.filter(pl.col("record").is_in(account["record"].implode()) & ~says)
    drops = gone.select("record", reason=pl.lit(NAME))
    kept, account = (frame.join(drops, on="record", how="anti") for frame in (after, account))
    return told._replace(batch=kept, drops=drops, edits=account)
