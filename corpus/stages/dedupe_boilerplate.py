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
from corpus.stages._cuts import Cut, cut, followed
from dedupe import boilerplate

NAME = "dedupe.boilerplate"
SCOPE = "corpus"
READS = ("text", "spans", "group", "cluster")
WRITES = ("text", "spans")
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


def reduce(tables: list[pl.DataFrame], params: Params) -> pl.DataFrame:
    """The sentences that are boilerplate, with the number of their patients."""
    return boilerplate.resolve(tables, _room(params))


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
    marker = MARKER if params.policy == "collapse" else ""
    spans = batch["spans"].to_list() if "spans" in batch.columns else [None] * batch.height
    edits, gone = [], []
    cuts: dict[str, Cut] = {}
    for row, starts, ends in places.group_by("row", maintain_order=True).agg("start", "end").iter_rows():
        out = cut(texts[row], list(zip(starts, ends, strict=True)), spans[row], marker)
        record = batch["record"][row]
        if not any(c.isalnum() for c in out.text.replace(MARKER, "")):
            gone.append({"record": record, "reason": NAME})
            continue
        texts[row], spans[row], cuts[record] = out.text, out.spans, out
        edits.append(
            {"record": record, "reason": f"{NAME}.{params.policy}", "removed": out.removed, "inserted": out.inserted}
        )
    changed = batch.with_columns(text=pl.Series(texts, dtype=pl.String))
    if "spans" in batch.columns:
        changed = changed.with_columns(spans=pl.Series(spans, dtype=batch.schema["spans"]))
    drops = pl.DataFrame(gone, schema={"record": pl.String, "reason": pl.String})
    schema = {"record": pl.String, "reason": pl.String, "removed": pl.Int64, "inserted": pl.Int64}
    kept = followed(changed, cuts).join(drops, on="record", how="anti")
    return told._replace(batch=kept, drops=drops, edits=pl.DataFrame(edits, schema=schema))
