"""Quality of this build on gold: what was planted in the synthetic hospital, and the gold sets the recipe names.

Gold never leaves the PHI zone; figures go into the manifest with the origin of the gold. Figures on synthetic gold
are a smoke test of the code, not evidence about a real corpus. Of in-domain gold, cells under 11 are pooled or hidden
(`disclosed`): they tell what rare identifiers few patients have. How often detection missed is not hidden, because it
says nothing about a person, and because bounds, which are the point, follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

import deid
from clinicorpus_errors import UserError
from corpus.checks import attack_release, check_detection
from corpus.engine import Engine
from corpus.ingest import Ingested
from corpus.keys import NO_KEYS
from corpus.recipe import Gold, Recipe
from corpus.runner import Progress, ShardState, resources
from corpus.stage import Json, StageParams
from deid.detect import detect_frame
from deid.evaluate import evaluate, load_gold
from deid.gate import Decision, Evidence, SourceKind, decide
from deid.policy import Policy, load_policy, policy_names
from deid.statistics import clopper_pearson, judge
from manifests import canonical, sha256_bytes, sha256_file


def gold_digests(gold: Sequence[Gold]) -> dict[str, str | None]:
    """Digest of each gold file, None where an optional one is absent. Raises UserError for a missing one."""
    digests: dict[str, str | None] = {}
    for item in gold:
        if item.path.is_file():
            digests[item.name] = sha256_file(item.path)
        elif item.path.is_dir():
            files = sorted(p for p in item.path.rglob("*") if p.is_file() and not p.name.startswith("."))
            named = [[str(p.relative_to(item.path)), sha256_file(p)] for p in files]
            digests[item.name] = sha256_bytes(canonical(named))
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
    origin: str
    kept: tuple[str, ...]


def _measure_file(job: GoldJob) -> Json:
    notes, gold = load_gold(Path(job.path))
    detector = resources("deid.detect", job.params, NO_KEYS)
    predicted = detect_frame(notes, detector).select("note_id", "spans")
    return evaluate(notes, gold, predicted, origin=job.origin, kept=job.kept)


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


def measure_hospital(read: Ingested, states: Sequence[ShardState], kept: Sequence[str] = ()) -> list[Json]:
    """De-identification, filters and duplicates against what the synthetic hospital planted."""
    assert read.gold is not None
    ids = pl.read_parquet(read.folder / "ids.parquet").select("record", "note_id", "patient_id")
    detected = _stage_output(states, "deid.detect").join(ids, on="record")
    gold = pl.read_parquet(read.gold / "gold_spans.parquet").join(detected.select("note_id"), on="note_id", how="semi")
    figures = evaluate(
        detected.select("note_id", "text", "patient_id"), gold.rename({"entity_id": "entity"}),
        detected.select("note_id", "spans"), origin="synthetic", kept=kept,
    )  # fmt: skip
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
    twin = pl.col("reason").is_in(["dedupe.exact", "dedupe.near"])
    twins = copies.join(drops.filter(twin), on="note_id", how="semi")
    # A copy and its origin are a pair: either of them may be the survivor.
    origin = copies.join(drops.filter(twin), left_on="of_note_id", right_on="note_id", how="semi")
    resolved = pl.concat([twins.select("note_id"), origin.select("note_id")]).unique().height
    planted = pl.concat([copies["note_id"], copies["of_note_id"]]).drop_nulls().unique()
    unplanted = drops.filter(twin & ~pl.col("note_id").is_in(planted.implode())).height
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


def kept_by(policy: Policy) -> tuple[str, ...]:
    """Identifiers that the policy leaves in the text: found or not, they are no misses."""
    return tuple(sorted(name for name, action in policy.actions.items() if action == "keep"))


def measure(
    recipe: Recipe, read: Ingested, states: Sequence[ShardState], engine: Engine, progress: Progress,
    staging: Path,
) -> list[Json]:  # fmt: skip
    """Every measurement of this build, on gold whole: `disclosed` makes of it what may leave the PHI zone.

    `staging`: folder of the files that are to be released.
    """
    kept = kept_by(load_policy(recipe.params()["deid.placeholders"].policy))  # type: ignore[attr-defined]
    found: list[Json] = measure_hospital(read, states, kept) if read.gold else []
    digests = gold_digests(recipe.gold)
    params = recipe.params()["deid.detect"].model_dump_json(context="worker")
    present = [item for item in recipe.gold if digests[item.name]]
    progress.start("measure on gold", len(present), fresh=len(present))
    jobs = [GoldJob(f"gold {item.name}", str(item.path.resolve()), params, item.origin, kept) for item in present]
    results = iter(engine.run_shards(_measure_file, jobs, progress.advance))
    for item in recipe.gold:
        figures: dict[str, Any] = (
            next(results) if digests[item.name] else {"measured": False, "cause": "file is absent"}
        )
        found.append({"what": "deid", "gold": item.name, "origin": item.origin, "figures": figures})
    found += check_detection(recipe, read, states, engine, progress) if recipe.measure.selfcheck else []
    found += attack_release(recipe, read, states, staging, engine, progress) if recipe.measure.attack else []
    return found


def source_kind(recipe: Recipe) -> SourceKind:
    """What the release gate asks of a corpus depends on whose text it is."""
    if recipe.source.kind == "synthetic":
        return "synthetic"
    return "public" if recipe.source.public else "private"


def judge_release(recipe: Recipe, measured: Sequence[Json], found: Mapping[str, int], *, patients: bool) -> Decision:
    """The release gate over the measurements of this build; see deid/gate.py.

    `found`: spans by identifier in the corpus. `patients`: whether its source names patients. What is handed back may
    leave the PHI zone.
    """
    policy = load_policy(recipe.params()["deid.placeholders"].policy)  # type: ignore[attr-defined]
    evidence = [
        Evidence(m["gold"], m["origin"], m["figures"] if "leaks" in m["figures"] else None)
        for m in measured
        if m["what"] == "deid"
    ]
    decision = decide(
        evidence, recipe.gate, source=source_kind(recipe), names_patients=patients, kept=kept_by(policy), found=found,
    )  # fmt: skip
    block = decision.block
    if policy.still_phi and policy.name in policy_names():
        block["caveats"].append(f"{policy.name}: {policy.status}")
    for one in block["evidence"]:
        if one["origin"] == "in-domain":
            one["identifiers"] = {k: v for k, v in one["identifiers"].items() if v["notes_holding"] >= FEWEST}
    return Decision(_rounded(block), decision.overrides)


# --- what may leave the PHI zone -----------------------------------------------------------------------------

FEWEST = 11
HIDDEN = "<11"
_OF_KIND = ("full_cover_recall", "full_cover_recall_95")


def disclosed(measured: Sequence[Json]) -> list[Json]:
    """The measurements as the manifest holds them: no file names, six digits, no small cells of in-domain gold."""
    return [{**m, "figures": _rounded(_disclosed(m["what"], m["figures"], m["origin"]))} for m in measured]


def _disclosed(what: str, figures: Json, origin: str) -> Json:
    # The others bring what may leave already.
    if what != "deid" or "leaks" not in figures:
        return figures
    # Files of a folder of gold may be called after a patient.
    figures = {**figures, "slices": {k: v for k, v in figures["slices"].items() if k != "file"}}
    if origin != "in-domain":
        return figures
    named, small = _parted(figures["identifiers"], "gold")
    figures["identifiers"] = named
    if small:
        figures["identifiers_pooled"] = _pooled(small)
    by_class = {k: v for k, v in figures["leaks"]["by_identifier"].items() if k in named}
    figures["leaks"] = {**figures["leaks"], "by_identifier": {k: v for k, v in by_class.items() if not _small(v)}}
    if entities := figures["entities"]:
        kept = {k: v for k, v in entities["identifiers"].items() if k in named and v["entities"] >= FEWEST}
        figures["entities"] = {**entities, "identifiers": kept}
    if kinds := figures["slices"].get("kind"):
        each, few = _parted(kinds["each"], "notes")
        gap = kinds["largest_gap"]
        if gap and {gap["lowest"], gap["highest"]} & set(few):
            gap = None
        # A rare kind may be a title that somebody typed, with a name in it.
        rest = {f"{len(few)} kinds of few notes": {"notes": HIDDEN, "gold": HIDDEN, **dict.fromkeys(_OF_KIND)}}
        figures["slices"] = {"kind": {**kinds, "each": each | (rest if few else {}), "largest_gap": gap}}
    return figures


def _small(counts: Json) -> bool:
    return any(counts.get(name, FEWEST) < FEWEST for name in ("notes_holding", "patients_holding"))


def _parted(table: Mapping[str, Json], size: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """Rows that may be shown, and those to be hidden: small ones, and as many more as hide them from subtraction."""
    by_size = sorted(table, key=lambda name: (table[name][size], name))
    hidden: set[str] = set()
    for name in by_size:
        if table[name][size] < FEWEST or (hidden and sum(table[n][size] for n in hidden) < FEWEST):
            hidden.add(name)
    return {k: v for k, v in table.items() if k not in hidden}, {k: v for k, v in table.items() if k in hidden}


def _pooled(rows: Mapping[str, Json]) -> Json:
    """One row of figures for several identifiers."""
    names = ("gold", "predicted", "full_cover", "any_cover", "strict", "relaxed", "precise")
    sums = {name: sum(row[name] for row in rows.values()) for name in names}
    gold, predicted = sums["gold"], sums["predicted"]
    if gold < FEWEST:
        return {
            "of": sorted(rows), "gold": HIDDEN, "full_cover_recall": None, "full_cover_recall_95": None,
            "any_cover_recall": None, "strict_recall": None, "precision": None,
        }  # fmt: skip
    return {
        "of": sorted(rows), **sums,
        **{f"{name}_recall": sums[name] / gold for name in ("full_cover", "any_cover", "strict", "relaxed")},
        "full_cover_recall_95": list(clopper_pearson(sums["full_cover"], gold)),
        "any_cover_recall_95": list(clopper_pearson(sums["any_cover"], gold)),
        "precision": sums["precise"] / predicted if predicted else None,
        "claim": judge(sums["full_cover"], gold, next(iter(rows.values()))["claim"]["claim"]),
    }  # fmt: skip


def _rounded(value: Any) -> Any:
    """Six digits: enough for any figure here, and few enough to be the same on every machine."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


def policy_block(params: StageParams) -> Json:
    """The policy that ran, for the manifest."""
    policy = load_policy(params.policy)  # type: ignore[attr-defined]
    shipped = Path(str(deid.__file__)).parent / "policies" / f"{policy.name}.yaml"
    file = shipped if params.policy in policy_names() else Path(params.policy)  # type: ignore[attr-defined]
    return {
        "name": policy.name, "sha256": sha256_file(file), "determination": {"status": "not determined"},
        "still_phi": policy.still_phi, "says": policy.status,
    }  # fmt: skip
