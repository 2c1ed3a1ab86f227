"""Two checks that a build makes on its own notes, without annotation: what detection misses, and what a release gives away.

**selfcheck** (deid/selfcheck.py): recall against the patient table, of a detection that did not see it. Where the build
detected with the table, a sample of patients is read again without it; where the build itself was blind, its spans count.
**attack** (deid/attack.py): the red team on the files that are to be released, scored with the originals and the table.

Both take whole patients, drawn by a digest of their code, until a budget of characters is spent; `sample` in the figures
says how many of how many. A build of a hospital of 60 patients with its table took 46 CPU-seconds with both checks and 48
without, so they cost less than the noise of two runs; alone, with every library to be loaded for them, 7 s and 5 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from corpus.engine import Engine
from corpus.ingest import Ingested
from corpus.keys import NO_KEYS
from corpus.patients import coded
from corpus.recipe import Recipe
from corpus.release import PRETRAIN
from corpus.runner import Progress, ShardState, resources
from corpus.stage import Json
from deid.attack import attack
from deid.attack import releasable as attack_releasable
from deid.detect import detect_frame
from deid.known.table import read_rows
from deid.selfcheck import releasable as selfcheck_releasable
from deid.selfcheck import selfcheck
from manifests.corpus_manifest import suppress

MOST_PATIENTS = 200
"""Most patients whose notes are read again."""
REREAD = 0.05
"""Most of the characters that are read again without the table; detection takes most of a build's time."""
ATTACKED = 0.5
"""Most of the released characters that are attacked: an attack is some ten times as fast as the rest of a build."""
MOST_CHARS = 10_000_000
"""Most characters of either check where nothing is detected again: 20 s."""
WORTH_A_WORKER = 300_000
"""Characters for which it pays to load a detector: that takes 3 s."""
LEAST_CHARS = 150_000
"""A corpus this small is checked whole: shares of it would tell nothing."""


class Sample(NamedTuple):
    """Patients drawn whole: who, how many patients and notes, and of how many."""

    patients: pl.Series
    notes: int
    of_patients: int
    of_notes: int

    def told(self, *, has_patients: bool = True) -> Json:
        """For the figures; small counts of patients are hidden."""
        drawn = {"notes": self.notes, "of_notes": self.of_notes}
        if has_patients:
            for name, count in (("patients", self.patients.len()), ("of_patients", self.of_patients)):
                drawn[name] = count if count >= 11 else suppress(count)  # type: ignore[assignment]
        return {**drawn, "drawn": "whole patients" if has_patients else "notes"}


def draw(sizes: pl.DataFrame, purpose: str, *, budget: int, most: int | None = None) -> Sample:
    """Patients in the order of a digest of their code, until their characters exceed `budget`; one at least.

    `sizes`: patient, notes, chars; one row a patient. `purpose` makes the samples of two checks differ.
    """
    order = [hashlib.sha256(f"{purpose} {p}".encode()).hexdigest() for p in sizes["patient"]]
    ordered = sizes.with_columns(pl.Series("order", order, dtype=pl.String)).sort("order")
    before = pl.col("chars").cum_sum() - pl.col("chars")
    within = (pl.col("chars").cum_sum() <= budget) | (before == 0)
    taken = ordered.filter(within).head(most if most else ordered.height)
    return Sample(taken["patient"], int(taken["notes"].sum()), sizes.height, int(sizes["notes"].sum()))


def _sizes(notes: pl.LazyFrame) -> pl.DataFrame:
    chars = pl.col("text").str.len_chars().fill_null(0).cast(pl.Int64)
    return notes.group_by("patient").agg(notes=pl.len(), chars=chars.sum()).sort("patient").collect()


def _detected(states: Sequence[ShardState]) -> list[str]:
    return [str(f / "data.parquet") for s in states for f in s.folders if f.parent.name == "deid.detect"]


def known_values(read: Ingested) -> pl.DataFrame | None:
    """patient_id (the code of the shards), kind and value: of the recipe's table, or what the hospital knows."""
    if read.known:
        return pl.read_parquet(read.known[0])
    if read.gold and (table := read.gold / "patients.parquet").is_file():
        return coded(read_rows(table), pl.read_parquet(read.folder / "ids.parquet"))[0]
    return None


def origin_of(recipe: Recipe) -> str:
    """What the notes of a source are evidence about."""
    if recipe.source.kind == "synthetic":
        return "synthetic"
    return "public" if recipe.source.public else "in-domain"


def _not_measured(what: str, against: str, origin: str, cause: str) -> list[Json]:
    return [{"what": what, "gold": against, "origin": origin, "figures": {"measured": False, "cause": cause}}]


# --- selfcheck -----------------------------------------------------------------------------------------------


class BlindJob(NamedTuple):
    """Notes to be read without the patient table."""

    label: str
    notes: pl.DataFrame
    params: str


def _read_blind(job: BlindJob) -> pl.DataFrame:
    return detect_frame(job.notes, resources("deid.detect", job.params, NO_KEYS))


def check_detection(
    recipe: Recipe, read: Ingested, states: Sequence[ShardState], engine: Engine, progress: Progress
) -> list[Json]:
    """The entry of the manifest: recall of a blind detection against the patient table. Empty where there is no table."""
    known = known_values(read)
    if known is None:
        return []
    origin = origin_of(recipe)
    notes = pl.concat([pl.scan_parquet(p) for p in _detected(states)], how="diagonal").with_columns(patient="group")
    listed = known.lazy().select(pl.col("patient_id").cast(pl.String).alias("patient")).unique()
    notes = notes.join(listed, on="patient", how="semi")
    sizes = _sizes(notes)
    if not sizes.height:
        return _not_measured("selfcheck", "patient table", origin, "no patient of the table has a note that was read")
    chars = int(sizes["chars"].sum())
    if read.known:
        sample = draw(sizes, "selfcheck", budget=max(LEAST_CHARS, int(REREAD * chars)), most=MOST_PATIENTS)
    else:
        sample = draw(sizes, "selfcheck", budget=MOST_CHARS)
    chosen = (
        notes.filter(pl.col("patient").is_in(sample.patients.implode()))
        .select("spans", "text", note_id="record", patient_id="patient")
        .collect()
        .sort("note_id")
    )
    if read.known:
        chosen = _again(
            chosen.drop("spans"), recipe.params()["deid.detect"].model_dump_json(context="worker"), engine, progress
        )
    theirs = known.filter(pl.col("patient_id").cast(pl.String).is_in(sample.patients.implode()))
    figures, _ = selfcheck(chosen, theirs, origin=origin)
    # The table of the sample says nothing of how large the whole table is; `sample` does.
    released = {**selfcheck_releasable(figures), "sample": sample.told()}
    return [{"what": "selfcheck", "gold": "patient table", "origin": origin, "figures": released}]


def _again(notes: pl.DataFrame, params: str, engine: Engine, progress: Progress) -> pl.DataFrame:
    """Detection without the table, all notes of a patient together; the result does not depend on how they are dealt out."""
    patients = notes["patient_id"].unique().sort()
    # Each worker that takes part loads a detector that knows no table.
    chars = int(notes["text"].str.len_chars().sum() or 0)
    count = min(engine.workers, 1 + chars // WORTH_A_WORKER)
    hands = [notes.filter(pl.col("patient_id").is_in(patients.gather_every(count, i).implode())) for i in range(count)]
    jobs = [BlindJob(f"selfcheck part {i}", hand, params) for i, hand in enumerate(hands) if hand.height]
    progress.start("selfcheck", len(jobs), fresh=len(jobs))
    return pl.concat(engine.run_shards(_read_blind, jobs, progress.advance)).sort("note_id")


# --- attack --------------------------------------------------------------------------------------------------


class AttackJob(NamedTuple):
    """Files to be released, the notes before, whose are attacked, and what the table knows of them."""

    label: str
    released: tuple[str, ...]
    detected: tuple[str, ...]
    patients: pl.Series
    known: pl.DataFrame | None
    has_patients: bool


def _attack(job: AttackJob) -> Json:
    ours = pl.col("patient").is_in(job.patients.implode())
    columns = ("record", "patient", "text", "year")
    released = pl.concat([pl.scan_parquet(p).select(columns) for p in job.released]).filter(ours).collect()
    originals = pl.concat([pl.scan_parquet(p).select("record", "text") for p in job.detected])
    before = originals.join(released.lazy().select("record"), on="record", how="semi").collect().sort("record")
    if not job.has_patients:
        released = released.with_columns(patient=pl.lit(None, dtype=pl.String))
    return attack(released.sort("record"), known=job.known, originals=before)


def attack_release(
    recipe: Recipe, read: Ingested, states: Sequence[ShardState], staging: Path, engine: Engine, progress: Progress
) -> list[Json]:
    """The entry of the manifest: what a red team makes of the notes in `staging`, which are to be released."""
    files = tuple(str(p) for product in ("pretrain", "sealed") for p in sorted((staging / product).glob("*.parquet")))
    assert {"record", "patient", "text", "year"} <= set(PRETRAIN.names)
    origin = origin_of(recipe)
    sizes = _sizes(pl.concat([pl.scan_parquet(p).select("patient", "text") for p in files]))
    known = known_values(read) if read.has_patients else None
    against = "originals and patient table" if known is not None else "originals"
    if not sizes.height:
        return _not_measured("attack", against, origin, "no note is released")
    budget = min(MOST_CHARS, max(LEAST_CHARS, int(ATTACKED * int(sizes["chars"].sum()))))
    sample = draw(sizes, "attack", budget=budget)
    if known is not None:
        known = known.with_columns(pl.col("patient_id", "kind", "value").cast(pl.String))
        known = known.filter(pl.col("patient_id").is_in(sample.patients.implode()))
        if not known.height:
            known, against = None, "originals"
    job = AttackJob("attack", files, tuple(_detected(states)), sample.patients, known, read.has_patients)
    progress.start("attack", 1, fresh=1)
    (figures,) = engine.run_shards(_attack, [job], progress.advance)
    told: Mapping[str, object] = attack_releasable(figures)
    figures = {**told, "sample": sample.told(has_patients=read.has_patients)}
    return [{"what": "attack", "gold": against, "origin": origin, "figures": figures}]
