"""Quality of this build on gold: what was planted in the synthetic hospital, and the gold sets the recipe names.

Gold never leaves the PHI zone; figures go into the manifest with the origin of the gold. Figures on synthetic gold
are a smoke test of the code, not evidence about a real corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

import deid
from clinicorpus_errors import UserError
from corpus.engine import LocalEngine
from corpus.ingest import Ingested
from corpus.keys import NO_KEYS
from corpus.recipe import Gold, Recipe
from corpus.runner import Progress, ShardState, resources
from corpus.stage import Json, StageParams
from corpus.zones import Workspace
from deid.detect import detect_frame
from deid.evaluate import evaluate, load_gold
from deid.policy import load_policy
from manifests import sha256_file


def gold_digests(gold: Sequence[Gold]) -> dict[str, str | None]:
    """Digest of each gold file, None where an optional one is absent. Raises UserError for a missing one."""
    digests: dict[str, str | None] = {}
    for item in gold:
        if item.path.is_file():
            digests[item.name] = sha256_file(item.path)
        elif item.optional:
            digests[item.name] = None
        else:
            raise UserError(
                "a gold set of the recipe is missing", value=f"{item.name}: {item.path}",
                next="correct gold.path, or mark it optional: true",
            )  # fmt: skip
    return digests


class GoldJob(NamedTuple):
    label: str
    path: str
    params: str


def _measure_file(job: GoldJob) -> Json:
    notes, gold = load_gold(Path(job.path))
    detector = resources("deid.detect", job.params, NO_KEYS)
    predicted = detect_frame(notes, detector).select("note_id", "spans")
    return evaluate(notes, gold, predicted)


def _stage_output(states: Sequence[ShardState], stage: str) -> pl.DataFrame:
    paths = [f / "data.parquet" for s in states for f in s.folders if f.parent.name == stage]
    return pl.concat([pl.read_parquet(p) for p in paths], how="diagonal")


def _drops(states: Sequence[ShardState]) -> pl.DataFrame:
    paths = [p for s in states for f in s.folders if (p := f / "drops.parquet").is_file()]
    schema = {"record": pl.String, "reason": pl.String, "stage": pl.String}
    frames = [pl.read_parquet(p).select(*schema) for p in paths]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _share(part: int, whole: int) -> Json:
    return {"of": whole, "found": part, "share": round(part / whole, 4) if whole else None}


def measure_hospital(read: Ingested, states: Sequence[ShardState]) -> list[Json]:
    """De-identification, filters and duplicates against what the synthetic hospital planted."""
    assert read.gold is not None
    ids = pl.read_parquet(read.folder / "ids.parquet").select("record", "note_id", "patient_id")
    detected = _stage_output(states, "deid.detect").join(ids, on="record")
    gold = pl.read_parquet(read.gold / "gold_spans.parquet").join(detected.select("note_id"), on="note_id", how="semi")
    figures = evaluate(detected.select("note_id", "text", "patient_id"), gold, detected.select("note_id", "spans"))
    drops = _drops(states).join(ids, on="record").select("note_id", "reason")
    rejected = pl.read_parquet(read.folder / "rejected.parquet")["reason"].value_counts()
    junk = pl.read_parquet(read.gold / "gold_junk.parquet").select("note_id", "kind").unique()
    copies = pl.read_parquet(read.gold / "gold_copies.parquet").filter(pl.col("kind").is_in(["exact", "resave"]))
    read_junk = junk.join(ids, on="note_id", how="semi")
    filtered = drops.filter(pl.col("reason").str.starts_with("filters."))
    dropped_junk = read_junk.join(drops, on="note_id", how="semi")
    found = read_junk.join(filtered, on="note_id", how="semi")
    by_kind = {
        kind: _share(dropped_junk.filter(pl.col("kind") == kind).height, count)
        for kind, count in sorted(read_junk["kind"].value_counts().iter_rows())
    }
    twins = copies.join(drops.filter(pl.col("reason").str.starts_with("dedupe.")), on="note_id", how="semi")
    # A copy and its origin are a pair: either of them may be the survivor.
    origin = copies.join(
        drops.filter(pl.col("reason").str.starts_with("dedupe.")), left_on="of_note_id", right_on="note_id", how="semi"
    )
    resolved = pl.concat([twins.select("note_id"), origin.select("note_id")]).unique().height
    planted = pl.concat([copies["note_id"], copies["of_note_id"]]).drop_nulls().unique()
    unplanted = drops.filter(
        pl.col("reason").str.starts_with("dedupe.") & ~pl.col("note_id").is_in(planted.implode())
    ).height
    return [
        {"what": "deid", "gold": "synthetic hospital", "origin": "synthetic", "figures": figures},
        {
            "what": "filters", "gold": "synthetic hospital", "origin": "synthetic",
            "figures": {
                "rejected_by_reader": dict(sorted(rejected.iter_rows())), "junk_dropped_by_kind": by_kind,
                "good_notes_dropped": filtered.height - found.height,
            },
        },
        {
            "what": "dedupe", "gold": "synthetic hospital", "origin": "synthetic",
            "figures": {
                "planted_copies_resolved": _share(resolved, copies["note_id"].n_unique()),
                "notes_dropped_outside_planted_pairs": unplanted,
            },
        },
    ]  # fmt: skip


def measure(
    recipe: Recipe, read: Ingested, states: Sequence[ShardState], engine: LocalEngine, progress: Progress,
    workspace: Workspace,
) -> list[Json]:  # fmt: skip
    """Every measurement of this build."""
    found: list[Json] = measure_hospital(read, states) if read.gold else []
    digests = gold_digests(recipe.gold)
    params = recipe.params()["deid.detect"].model_dump_json()
    present = [item for item in recipe.gold if digests[item.name]]
    progress.start("measure on gold", len(present), fresh=len(present))
    jobs = [GoldJob(f"gold {item.name}", str(item.path.resolve()), params) for item in present]
    results = iter(engine.run_shards(_measure_file, jobs, progress.advance))
    for item in recipe.gold:
        figures: dict[str, Any] = (
            next(results) if digests[item.name] else {"measured": False, "cause": "file is absent"}
        )
        found.append({"what": "deid", "gold": item.name, "origin": item.origin, "figures": figures})
    return found


def policy_block(params: StageParams) -> Json:
    """The policy that ran, for the manifest."""
    policy = load_policy(params.policy)  # type: ignore[attr-defined]
    file = Path(str(deid.__file__)).parent / "policies" / f"{policy.name}.yaml"
    return {"name": policy.name, "sha256": sha256_file(file), "determination": {"status": "not determined"}}
