"""Earlier corpora that a build is deduplicated against, and the signatures that it leaves for later ones.

Each sealed version has a folder `work/<name>/signatures/<version>/` in the PHI zone: signatures of the released records, a
file for each shard, and the split of their groups. Its key is the digest of the version's manifest, so a folder counts for
one version only, and only if its bytes verify. A build of the same version puts back what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from clinicorpus_errors import UserError
from corpus.crosswalk import Crosswalk
from corpus.engine import Engine
from corpus.ingest import Ingested
from corpus.keys import Keys, code
from corpus.recipe import Recipe
from corpus.runner import Progress, ShardState, StagesRun, code_digest, finish, read_record
from corpus.stage import Json
from corpus.stages import dedupe_exact, dedupe_near, split
from corpus.zones import Workspace
from dedupe import past
from dedupe.exact import ExactParams
from dedupe.near import NearParams
from manifests import CorpusManifest, canonical, load, sealed, sha256_bytes, sha256_file, version_folder

GROUPS = "groups.parquet"


class Past(NamedTuple):
    """One earlier version: its manifest with its digest, and its signatures with the record of their folder."""

    manifest: CorpusManifest
    sha256: str
    folder: Path
    record: Json

    @property
    def name(self) -> str:
        """As the recipe names it."""
        return f"{self.manifest.corpus.name}@{self.manifest.corpus.version}"

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self.folder / name for name in sorted(self.record["files"]) if name != GROUPS)


class SignatureJob(NamedTuple):
    """Signatures of one shard's released records. exact, near: tables of the maps; data: what was released."""

    label: str
    exact: str
    near: str
    data: str
    path: str
    exact_params: ExactParams
    near_params: NearParams


def signatures_folder(workspace: Workspace, name: str, version: str) -> Path:
    """Where the signatures of a sealed version are."""
    return workspace.build(name) / "signatures" / version


# --- what a build leaves -------------------------------------------------------------------------------------


def write_signatures(job: SignatureJob) -> Json:
    """Worker call: of what the maps of one shard made, the released records'."""
    released = pl.read_parquet(job.data, columns=["record", "group"]).rename({"record": "note_id"})
    near = pl.scan_parquet(job.near).rename({"record": "note_id"}).drop("scheme")
    keys = pl.scan_parquet(job.exact).select(note_id="record", key="key")
    notes = released.lazy().join(near, on="note_id").join(keys, on="note_id").collect()
    if notes.height != released.height:
        raise ValueError("a released record has no signature")
    past.write(Path(job.path), notes, job.exact_params, job.near_params)
    return {"notes": notes.height}


def keep_signatures(
    workspace: Workspace, recipe: Recipe, version: str, manifest: Path, run: StagesRun, engine: Engine,
    progress: Progress,
) -> None:  # fmt: skip
    """Write the signatures of a version (to be) sealed as `manifest`, unless they stand there whole."""
    folder, key = signatures_folder(workspace, recipe.name, version), sha256_file(manifest)
    if read_record(folder, key):
        return
    params = recipe.params()
    ways = (dedupe_exact.room(params["dedupe.exact"]), dedupe_near.room(params["dedupe.near"]))

    def write(partial: Path) -> Json:
        jobs = [
            SignatureJob(
                f"signatures {i}", str(run.maps["dedupe.exact"][i]), str(run.maps["dedupe.near"][i]), str(state.data),
                str(partial / f"signatures-{i:05d}.parquet"), *ways,
            )
            for i, state in enumerate(run.states)
        ]  # fmt: skip
        progress.start("signatures", len(jobs), fresh=len(jobs))
        written = engine.run_shards(write_signatures, jobs, progress.advance)
        groups = pl.concat([pl.scan_parquet(state.data).select("group", "split") for state in run.states]).unique()
        groups.collect().sort("group", "split").write_parquet(partial / GROUPS)
        return {"notes": sum(one["notes"] for one in written)}

    finish(folder, key, write)


# --- what a build is compared with ---------------------------------------------------------------------------


def opened(recipe: Recipe, workspace: Workspace, keys: Keys) -> list[Past]:
    """The versions of `against`, by name, each with signatures that verify and were made as this recipe makes them.

    Raises:
        UserError: a version is not sealed here, was made under another key or with other codes, or its signatures are
            missing, damaged or of another scheme.
    """
    return [_opened(recipe, workspace, keys, *named.split("@")) for named in sorted(recipe.against)]


def _opened(recipe: Recipe, workspace: Workspace, keys: Keys, name: str, version: str) -> Past:
    named = f"{name}@{version}"
    path = version_folder(workspace.root, name, version) / "manifest.json"
    if not path.is_file():
        there = [f"{p.parts[-3]}@{p.parts[-2]}" for p in sealed(workspace.root)]
        raise UserError(
            "a version of `against` is not sealed in this workspace", value=named,
            cause=f"sealed: {', '.join(there) or 'none'}", next="correct `against`, or build that version here first",
        )  # fmt: skip
    manifest, sha256 = load(path), sha256_file(path)
    if manifest.key.id != keys.id:
        raise UserError(
            "a version of `against` was made under another key", value=f"{named}: key {manifest.key.id}",
            cause=f"this recipe builds under key {keys.id}; codes of patients and splits differ",
            next=f"name the key of {name} in the recipe, for example key: {name}",
        )  # fmt: skip
    seed = manifest.recipe.resolved.get("crosswalk_seed")
    if name == recipe.name and seed != recipe.crosswalk_seed:
        raise UserError(
            "a version of `against` has other codes", value=named, cause=f"its crosswalk_seed is {seed}",
            next="give this recipe the same crosswalk_seed, or another name",
        )  # fmt: skip
    if seed is None and not workspace.crosswalk.exists():
        raise UserError(
            "the crosswalk is missing", value=workspace.crosswalk,
            cause=f"without it no patient gets the code and the place in the split that {named} has",
            next="put back a backup of it, or leave `against` out",
        )  # fmt: skip
    folder = signatures_folder(workspace, name, version)
    again = f"build {name} again with the recipe of {version} (clinicorpus corpus build …): it puts its signatures back"
    record = read_record(folder, sha256)
    if record is None:
        raise UserError(
            "the signatures of a version of `against` are "
            + ("damaged, or of another version" if folder.exists() else "missing"),
            value=named, cause=f"work/{name}/signatures/{version}", next=again,
        )  # fmt: skip
    found = Past(manifest, sha256, folder, record)
    params = recipe.params()
    past.check(
        [past.Store(found.name, found.files)], dedupe_exact.room(params["dedupe.exact"]),
        dedupe_near.room(params["dedupe.near"]),
        f"give `numbers_apart`, and shingle, bands, rows of stages.dedupe.near the values they have in {named}, or build {name} "
        "again with these; after a change of versions, a build of the same recipe makes a new version with new signatures",
    )  # fmt: skip
    return found


class Handed(NamedTuple):
    """Files for the stages, with digests of what they say: signatures for the duplicates, groups for the split."""

    signatures: tuple[Path, str]
    groups: tuple[Path, str]
    used: frozenset[str]


def handed(pasts: Sequence[Past], recipe: Recipe, read: Ingested, workspace: Workspace, keys: Keys) -> Handed | None:
    """Write what the stages are handed of earlier versions, unless it stands there; None without any."""
    if not pasts:
        return None
    own = {one.name: one.record["files"] for one in pasts}
    key = sha256_bytes(
        canonical(
            {"code": code_digest("corpus.past"), "pasts": own, "ingest": read.folder.name, "name": recipe.name,
             "manifests": [one.sha256 for one in pasts]}
        )
    )  # fmt: skip
    target = workspace.build(recipe.name) / "past" / key[:24]

    def write(partial: Path) -> Json:
        stores, groups = [], []
        for one in pasts:
            codes = _codes(one, recipe, read, workspace, keys)
            files = tuple(Path(os.path.relpath(path, target)) for path in one.files)
            stores.append(past.Store(one.name, files, codes))
            known = pl.read_parquet(one.folder / GROUPS)
            if codes is not None:
                known = known.join(codes, left_on="group", right_on="old", how="left").select(
                    pl.coalesce("new", "group").alias("group"), "split"
                )
            groups.append(known)
        order = pl.DataFrame({"split": split.ORDER, "rank": range(len(split.ORDER))})
        # Where earlier versions disagree, held out stays held out.
        settled = (
            pl.concat(groups).join(order, on="split").sort("rank", "group").unique("group", keep="first").sort("group")
        )
        past.hand(partial / "past.json", stores, settled.select("group", pl.col("rank").cast(pl.Int64)))
        settled.select("group", "split").write_parquet(partial / GROUPS)
        return {}

    record = read_record(target, key) or finish(target, key, write)
    said = {name: digest for name, digest in record["files"].items() if name != "past.json"}
    return Handed(
        (target / "past.json", sha256_bytes(canonical({"pasts": own, "files": said}))),
        (target / GROUPS, record["files"][GROUPS]),
        frozenset({target.name}),
    )


def _codes(one: Past, recipe: Recipe, read: Ingested, workspace: Workspace, keys: Keys) -> pl.DataFrame | None:
    """Codes that patients of this build have in another corpus (`old`), with those they have here; None in the same."""
    name = one.manifest.corpus.name
    if name == recipe.name:
        return None
    ids = pl.read_parquet(read.folder / "ids.parquet", columns=["patient", "patient_id"]).drop_nulls().unique()
    crosswalk = Crosswalk(workspace.crosswalk, seed=one.manifest.recipe.resolved.get("crosswalk_seed"))
    try:
        nonces = crosswalk.known(name, "patient", ids["patient_id"].to_list())
    finally:
        crosswalk.close()
    old = {identity: code(keys.record, b"patient" + nonce) for identity, nonce in nonces.items()}
    there = ids.filter(pl.col("patient_id").is_in(list(old))).sort("patient")
    return pl.DataFrame(
        {"old": [old[i] for i in there["patient_id"]], "new": there["patient"]},
        schema={"old": pl.String, "new": pl.String},
    )


# --- what the manifest says ----------------------------------------------------------------------------------


def report(pasts: Sequence[Past], states: Sequence[ShardState]) -> list[Json]:
    """Entries of the manifest: what was compared with, and how many records went for it."""
    found = [pl.read_parquet(p) for s in states for f in s.folders if (p := f / "drops.parquet").is_file()]
    drops = pl.concat([pl.DataFrame(schema={"past": pl.String, "reason": pl.String}), *found], how="diagonal")
    return [
        {
            "name": one.manifest.corpus.name, "version": one.manifest.corpus.version, "sha256": one.sha256,
            "notes": one.record["notes"], "schemes": _schemes(one),
            "dropped": dict(sorted(drops.filter(pl.col("past") == one.name)["reason"].value_counts().iter_rows())),
        }
        for one in pasts
    ]  # fmt: skip


def _schemes(one: Past) -> Json:
    says = past.schemes(one.files[0])
    return {kind: says[kind] for kind in ("exact", "near")}


def notices(pasts: Sequence[Past]) -> list[str]:
    """What to tell of versions that were themselves compared with others, which this recipe does not name."""
    named = {one.name for one in pasts}
    told = []
    for one in pasts:
        beyond = [f"{other.name}@{other.version}" for other in one.manifest.against]
        if left := sorted(set(beyond) - named):
            told.append(f"{one.name} was itself deduplicated against {', '.join(left)}, which `against` does not name")
    return told
