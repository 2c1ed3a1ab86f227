"""One build: ingest, stages, measurements, release, seal. Also its plan, and the cleaning up after it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from clinicorpus_errors import UserError
from corpus import evaluation, measure, past
from corpus.cluster import open_engine
from corpus.engine import Engine, disk_full, is_disk_full
from corpus.examples import write_examples, write_review
from corpus.ingest import Ingested, ingest
from corpus.keys import DEMO_KEY, Keys, purpose_keys, release_key
from corpus.readers import read_notes
from corpus.recipe import Recipe
from corpus.release import NEEDS, file_entry, plan_files, write_file, year
from corpus.runner import Progress, ShardState, StagesRun, add_up, code_digest, run_stages, stage_key
from corpus.stage import Json
from corpus.stages import STAGES, contamination
from corpus.tokens import tokenizer_file
from corpus.zones import Workspace
from manifests import (
    canonical,
    corpus_folder,
    environment,
    load,
    newest,
    predecessor,
    sealed,
    sha256_bytes,
    sha256_file,
    verify,
    version_folder,
    write_atomic,
)  # fmt: skip
from manifests.card import render_card
from manifests.corpus_manifest import SCHEMA, CorpusManifest, suppress
from manifests.report import render_report
from manifests.versions import next_version

RETAIN_YEARS = 6  # 45 CFR 164.316(b)(2)(i)
EXECUTION = ("shards", "workers", "engine")  # do not change the result
READER = "reader"


class Built(NamedTuple):
    """What a build reports."""

    manifest: Path
    corpus: Path
    version: str
    state: str
    """sealed: a new version; unchanged: nothing was run; same: run again, the bytes are those of this version;
    restored: missing or damaged files were put back."""
    notices: tuple[str, ...]


def build_keys(recipe: Recipe, workspace: Workspace) -> tuple[Keys, list[str]]:
    """The purpose keys of this build, and what to tell the user about the key."""
    if recipe.source.kind == "synthetic" and recipe.key in (None, "demo"):
        return purpose_keys(DEMO_KEY, "demo"), []
    name = recipe.key or recipe.name
    key, made = release_key(name, root=workspace.root)
    notices = [f"made release key “{name}” in the key folder (CLINICORPUS_KEYS); back it up, never commit it"]
    return purpose_keys(key, "release"), notices if made else []


def build(recipe: Recipe, given: Json, workspace: Workspace, progress: Progress) -> Built:
    """Build the corpus of `recipe` and seal its manifest, or find that nothing changed.

    Whatever ends this early leaves no version that looks finished; the next call goes on from the last finished
    (stage, shard).
    """
    with workspace.enter():
        folder = workspace.build(recipe.name)
        remove_partials(workspace, recipe.name)
        params = recipe.params()
        # What the recipe names must be there before any work, not after an hour of it.
        gold = measure.gold_digests(recipe.gold)
        items = evaluation.items_file(recipe.evaluation, contamination.room(params["contamination"]), folder)
        measure.policy_block(params["deid.placeholders"])
        tokenizer = sha256_file(tokenizer_file(recipe.release.tokenizer))
        keys, notices = build_keys(recipe, workspace)
        pasts = past.opened(recipe, workspace, keys)
        notices += past.notices(pasts)
        if recipe.crosswalk_seed is None and not workspace.crosswalk.exists() and sealed(workspace.root, recipe.name):
            notices.append(
                "work/crosswalk.sqlite was not there: patients get other codes, and other places in the split, than "
                "in the versions sealed before; restore it from a backup if that is not meant"
            )
        try:
            with open_engine(recipe, folder / "engine") as engine:
                progress.start("read notes", 1, fresh=1)
                read = ingest(recipe, workspace, keys)
                progress.advance()
                before = past.handed(pasts, recipe, read, workspace, keys)
                run = run_stages(
                    list(STAGES), params, read.shards, keys=keys, folder=folder, released=NEEDS, engine=engine,
                    progress=progress, tables={
                        **({"deid.detect": read.known} if read.known else {}),
                        **({"contamination": items.table} if items else {}),
                        **({"dedupe.exact": before.signatures, "dedupe.near": before.signatures} if before else {}),
                        **({"split": before.groups} if before else {}),
                    },
                )  # fmt: skip
                identity = sha256_bytes(
                    canonical(
                        {
                            "states": sorted(_digests(run.states)), "recipe": _content(recipe.resolved()),
                            "code": code_digest("corpus.build"), "tokenizer": tokenizer,
                            "gold": gold, "evaluation": items.counts if items else {},
                        }
                    )
                )  # fmt: skip
                _write_pages(
                    folder,
                    read,
                    run.states,
                    run.used | read.used.union(*(more.used for more in (items, before) if more)),
                    engine,
                    progress,
                )
                same = _sealed_as(folder).get(identity)
                if same and not run.ran and not read.fresh:
                    manifest = version_folder(workspace.root, recipe.name, same) / "manifest.json"
                    if manifest.is_file() and not verify(manifest, workspace.root):
                        past.keep_signatures(workspace, recipe, same, manifest, run, engine, progress)
                        return Built(
                            manifest, corpus_folder(workspace.root, recipe.name, same), same, "unchanged",
                            tuple(notices),
                        )  # fmt: skip
                return _release(
                    recipe, given, workspace, keys, read, run, engine, progress, identity, notices, items, pasts
                )
        except Exception as error:
            if is_disk_full(error):
                raise disk_full() from None
            if isinstance(error, sqlite3.DatabaseError):
                raise UserError(
                    "the crosswalk cannot be read", value=workspace.crosswalk, cause="the file is damaged",
                    next="put back a backup of it: without it nobody gets the same code again",
                ) from None  # fmt: skip
            if not isinstance(error, OSError):
                raise
            raise UserError(
                "a file of the workspace could not be read or written", value=error.strerror,
                cause="permissions, or another program changed the workspace", next="run again",
            ) from None  # fmt: skip


def remove_partials(workspace: Workspace, name: str) -> None:
    """Remove what a killed build left half-written. Called under the lock, so nobody else is writing."""
    roots = (workspace.build(name), workspace.root / "corpora" / name, workspace.root / "manifests" / "versions" / name)
    # A kill between the two renames: the files have their name, their manifest has not. Nothing else is removed from
    # corpora/: a version whose manifest is only elsewhere (another branch, another machine) is not ours to delete.
    corpora, manifests = roots[1:]
    for unsealed in manifests.glob(".partial-*"):
        if not (version := unsealed.with_name(unsealed.name.removeprefix(".partial-"))).exists():
            shutil.rmtree(corpora / version.name, ignore_errors=True)
    for root in roots:
        for partial in root.rglob(".partial-*") if root.is_dir() else ():
            shutil.rmtree(partial, ignore_errors=True)
    for leftover in workspace.temporary.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _content(resolved: Json) -> Json:
    return {key: value for key, value in resolved.items() if key not in EXECUTION}


def _digests(states: Sequence[ShardState]) -> list[str]:
    digests = []
    for state in states:
        record = json.loads((state.folders[-1] / "record.json").read_bytes())
        digests += [record["files"]["data.parquet"], record["files"].get("created.parquet", "")]
    return digests


def _sealed_as(folder: Path) -> dict[str, str]:
    """Versions by identity of the build; empty where the file is not there or damaged."""
    try:
        return dict(json.loads((folder / "sealed.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _remember(folder: Path, identity: str, version: str) -> None:
    write_atomic(folder / "sealed.json", canonical({**_sealed_as(folder), identity: version}))


def _stage_lines(recipe: Recipe, read: Ingested, states: Sequence[ShardState]) -> list[Json]:
    params = recipe.params()
    lines = [
        {
            "name": READER, "scope": "source", "code": code_digest("corpus.ingest"),
            "params": {"restore_sections": recipe.source.restore_sections}, **read.account,
        }
    ]  # fmt: skip
    totals = add_up(states)
    for name, module in STAGES.items():
        details = dict(totals[name].get("details", {}))
        # What only few notes have is told apart from what none has only in the PHI zone.
        for few in ("rules", "review", "boilerplate"):
            if few in details:
                details[few] = {key: suppress(count) for key, count in details[few].items()}
        if hasattr(module, "disclose"):
            details = module.disclose(details)
        if hasattr(module, "describe"):
            details |= module.describe(params[name])
        lines.append(
            {
                "name": name, "scope": module.SCOPE, "code": stage_key(name, params[name])["code"],
                "params": params[name].model_dump(mode="json"), **totals[name], "details": details,
            }
        )  # fmt: skip
    return lines


def _split_block(recipe: Recipe, read: Ingested, notes: Sequence[Path]) -> Json:
    rows = pl.concat([pl.scan_parquet(p).select("group", "split") for p in notes]).collect()
    groups = rows.unique()
    shares = recipe.params()["split"].model_dump()
    return {
        "unit": "patient_id" if read.has_patients else "near_duplicate_cluster",
        "shares": shares,
        "records": dict(sorted(rows["split"].value_counts().iter_rows())),
        "groups": dict(sorted(groups["split"].value_counts().iter_rows())),
        "groups_in_two_splits": groups.height - groups["group"].n_unique(),
    }


def _statistics(notes: Sequence[Path]) -> dict[str, dict[str, str]]:
    columns = pl.selectors.by_name(
        "note_type", "charted_at", require_all=False
    )  # and not the text of all notes at once
    rows = pl.concat([pl.scan_parquet(p) for p in notes], how="diagonal").select(columns).collect()
    found: dict[str, dict[str, str]] = {}
    for title, column in (("note_type", pl.col("note_type")), ("year", year(pl.col("charted_at")))):
        if ("charted_at" if title == "year" else title) not in rows.columns:
            continue
        counts = rows.select(column.cast(pl.String).fill_null("(none)").alias("value"))["value"].value_counts()
        table = {value: suppress(count) for value, count in sorted(counts.iter_rows())}
        if len(table) <= 200:  # more distinct types than that are no types: they may hold anything
            found[title] = table
    return found


def _retain_until(now: datetime) -> str:
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    return now.replace(year=now.year + RETAIN_YEARS, day=day).date().isoformat()


def _release(
    recipe: Recipe, given: Json, workspace: Workspace, keys: Keys, read: Ingested, run: StagesRun,
    engine: Engine, progress: Progress, identity: str, notices: list[str],
    items: evaluation.Items | None, pasts: Sequence[past.Past],
) -> Built:  # fmt: skip
    root, name, states = workspace.root, recipe.name, run.states
    notes = [state.data for state in states]
    created = [p for state in states for f in state.folders if (p := f / "created.parquet").is_file()]
    version = next_version(root, name, recipe.version)
    staging = corpus_folder(root, name, f".partial-{version}")
    shutil.rmtree(staging, ignore_errors=True)
    jobs = plan_files(
        notes, created, staging, rows_per_file=recipe.release.rows_per_file, tokenizer=recipe.release.tokenizer
    )
    progress.start("release", len(jobs), fresh=len(jobs))
    counts = engine.run_shards(write_file, jobs, progress.advance)
    files = [file_entry(job, staging, count) for job, count in zip(jobs, counts, strict=True)]
    measured = measure.measure(recipe, read, states, engine, progress, staging)
    measured += evaluation.report(recipe.evaluation, items.counts if items else {}, states)
    stages = _stage_lines(recipe, read, states)
    found: dict[str, int] = next((s["details"].get("spans", {}) for s in stages if s["name"] == "deid.detect"), {})
    gate = measure.judge_release(recipe, measured, found, patients=read.has_patients)
    now = datetime.now(UTC).replace(microsecond=0)
    previous = predecessor(root, name)
    policy = measure.policy_block(recipe.params()["deid.placeholders"])
    body: Json = {
        "schema": SCHEMA,
        "corpus": {
            "name": name, "version": version, "created_at": now.isoformat(), "retain_until": _retain_until(now),
            "previous": {"version": previous[0], "sha256": previous[1]} if previous else None,
        },
        "recipe": {"given": given, "resolved": recipe.resolved()},
        "source": {
            "kind": recipe.source.kind, "holder": recipe.source.holder, "legal_basis": recipe.source.legal_basis,
            "agreement": recipe.source.agreement, "purpose": recipe.source.purpose,
            "public": recipe.source.public or recipe.source.kind == "synthetic", "bytes": read.source_bytes,
            "code": read.source_code, "patient_unit": "patient_id" if read.has_patients else "near_duplicate_cluster",
        },
        "key": {
            "id": keys.id, "kind": keys.kind, "nonces": "random" if recipe.crosswalk_seed is None else "seeded",
        },
        "stages": stages,
        "policy": policy,
        "measured": measure.disclosed(measured),
        "gate": gate.block,
        "split": _split_block(recipe, read, notes),
        "tokenizer": {"name": recipe.release.tokenizer if recipe.release.tokenizer == "smollm2" else "local file",
                      "sha256": sha256_file(tokenizer_file(recipe.release.tokenizer))},
        "files": files,
        "statistics": _statistics(notes),
        "environment": environment(),
        "overrides": gate.overrides,
        "against": past.report(pasts, states),
    }  # fmt: skip
    same = _same_content(root, name, body)
    if same:
        built = _install_again(workspace, name, same, staging, identity, notices)
        past.keep_signatures(workspace, recipe, built.version, built.manifest, run, engine, progress)
        return built
    card = render_card(CorpusManifest.model_validate(body))
    (staging / "README.md").write_text(card, encoding="utf-8")
    body["files"] = [*files, _plain_entry(staging / "README.md", "corpus", "card")]
    manifests_staging = version_folder(root, name, f".partial-{version}")
    shutil.rmtree(manifests_staging, ignore_errors=True)
    manifests_staging.mkdir(parents=True)
    report = manifests_staging / "report.html"
    report.write_text(render_report(CorpusManifest.model_validate(body)), encoding="utf-8")
    body["files"].append(_plain_entry(report, "manifest", "report"))
    manifest = CorpusManifest.model_validate(body)
    write_atomic(manifests_staging / "manifest.json", canonical(manifest.dump()))
    # Before the seal, so that every sealed version can be deduplicated against.
    past.keep_signatures(workspace, recipe, version, manifests_staging / "manifest.json", run, engine, progress)
    for path in (
        manifests_staging,
        *manifests_staging.iterdir(),
        manifests_staging.parent,
        manifests_staging.parent.parent,
    ):
        path.chmod(0o755 if path.is_dir() else 0o644)
    final = corpus_folder(root, name, version)
    staging.rename(final)
    sealed_folder = version_folder(root, name, version)
    manifests_staging.rename(sealed_folder)  # the seal: from here on the version exists
    _remember(workspace.build(name), identity, version)
    problems = verify(sealed_folder / "manifest.json", root)
    if problems:
        raise UserError("the sealed corpus does not verify", value="; ".join(problems), exit_code=1)
    return Built(sealed_folder / "manifest.json", final, version, "sealed", tuple(notices))


def _write_pages(
    folder: Path, read: Ingested, states: Sequence[ShardState], used: frozenset[str], engine: Engine,
    progress: Progress,
) -> None:  # fmt: skip
    """Ledger, examples and list for review of this run, unless they stand there; last, what they and the release rest on."""
    pages = [folder / name for name in ("ledger.parquet", "examples.html", "review.html", "boilerplate.csv")]
    if sorted(used) != _needed(folder) or not all(page.is_file() for page in pages):
        partial = folder / ".partial-page"
        write_ledger(partial, read, states)
        partial.replace(pages[0])
        write_examples(partial, states)
        partial.replace(pages[1])
        write_review(partial, states, engine, progress)
        partial.replace(pages[2])
        write_boilerplate(partial, states)
        partial.replace(pages[3])
        write_atomic(folder / "needed.json", canonical(sorted(used)))


def write_ledger(path: Path, read: Ingested, states: Sequence[ShardState]) -> None:
    """Where every row that was read ended: note_id, record, stage, reason, kept, similarity, item, parent, past; PHI zone.

    `reason` is null for a note that was released; `kept` is the record a duplicate was dropped for, in the corpus `past`
    where that is not null, `item` the set and item of an evaluation that a record held. Rows that the reader refused have no record; `input_row` says where they stood (-1: a
    note_id that occurs again). Instruction records that went have no note_id; `parent` is the record of their note.
    """
    ids = pl.read_parquet(read.folder / "ids.parquet").select("note_id", "record")
    drops = [pl.read_parquet(p) for s in states for f in s.folders if (p := f / "drops.parquet").is_file()]
    schema = {"record": pl.String, "reason": pl.String, "stage": pl.String, "kept": pl.String, "similarity": pl.Float64, "item": pl.String, "parent": pl.String, "past": pl.String}  # fmt: skip
    dropped = pl.concat([pl.DataFrame(schema=schema), *drops], how="diagonal").select(*schema)
    rejected = pl.read_parquet(read.folder / "rejected.parquet").with_columns(stage=pl.lit(READER))
    made = dropped.join(ids, on="record", how="anti")
    ledger = pl.concat([ids.join(dropped, on="record", how="left"), rejected, made], how="diagonal")
    ledger.sort("note_id", "input_row", "record", nulls_last=True).write_parquet(path)


def write_boilerplate(path: Path, states: Sequence[ShardState]) -> None:
    """The sentences that recur across patients, most patients first, for whoever chooses the policy; PHI zone."""
    found = [
        pl.read_parquet(p)
        for s in states
        for f in s.folders
        if (p := f / "findings-dedupe.boilerplate.parquet").is_file()
    ]
    schema = {"patients": pl.Int64, "notes": pl.Int64, "places": pl.Int64, "chars": pl.Int64, "sentence": pl.String}
    frame = pl.concat(found, how="vertical_relaxed") if found else pl.DataFrame(schema={"unit": pl.UInt64, **schema})
    (
        frame.group_by("unit")
        .agg(pl.first("patients"), pl.sum("notes", "places", "chars"), pl.min("sentence"))
        .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        .sort("patients", "sentence", descending=[True, False])
        .write_csv(path)
    )


def _plain_entry(path: Path, zone: str, product: str) -> Json:
    return {
        "path": path.name, "zone": zone, "product": product, "split": None, "rows": None, "tokens": None,
        "bytes": path.stat().st_size, "sha256": sha256_file(path),
    }  # fmt: skip


def _same_content(root: Path, name: str, body: Json) -> CorpusManifest | None:
    """The newest sealed version, if its released data and its recipe (but for how it was executed) are these."""
    if not sealed(root, name):
        return None
    before = load(newest(root, name))
    files = {f.path: f.sha256 for f in before.files if f.product not in ("card", "report")}
    same_files = files == {f["path"]: f["sha256"] for f in body["files"]}
    same_recipe = _content(before.recipe.resolved) == _content(body["recipe"]["resolved"])
    same_measures = [m.model_dump(mode="json") for m in before.measured] == body["measured"]
    same_gate = before.gate is not None and before.gate.model_dump(mode="json") == body["gate"]
    return before if same_files and same_recipe and same_measures and same_gate else None


def _install_again(
    workspace: Workspace, name: str, manifest: CorpusManifest, staging: Path, identity: str, notices: list[str]
) -> Built:
    """The staged bytes are those of a sealed version: put back what is missing or damaged, seal nothing."""
    version = manifest.corpus.version
    folder = corpus_folder(workspace.root, name, version)
    path = version_folder(workspace.root, name, version) / "manifest.json"
    state = "same"
    if verify(path, workspace.root):
        bare = manifest.model_copy(update={"files": [f for f in manifest.files if f.product not in ("card", "report")]})
        (staging / "README.md").write_text(render_card(bare), encoding="utf-8")
        with_card = [f for f in manifest.files if f.product != "report"]
        report = render_report(manifest.model_copy(update={"files": with_card}))
        write_atomic(path.parent / "report.html", report.encode("utf-8"))
        if folder.exists():
            folder.rename(folder.with_name(f".partial-old-{version}"))
        staging.rename(folder)
        shutil.rmtree(folder.with_name(f".partial-old-{version}"), ignore_errors=True)
        problems = verify(path, workspace.root)
        if problems:
            raise UserError("the sealed version cannot be restored", value="; ".join(problems), exit_code=1)
        state = "restored"
    else:
        shutil.rmtree(staging)
    _remember(workspace.build(name), identity, version)
    return Built(path, folder, version, state, tuple(notices))


# --- plan and clean ------------------------------------------------------------------------------------------

# Measured on two cores with the demo corpus (benchmarks/results/corpus.md): characters a CPU-second
# of the whole line. Bytes on disk for each of its 4.97 million characters: 17.5 MB in work/, 6.2 MB released; signatures
# besides, 3.1 KB a note of 2,100 characters.
CHARS_PER_CPU_SECOND = 25_000
WORK_BYTES_PER_CHAR = 5.1
RELEASE_BYTES_PER_CHAR = 1.3


def plan(recipe: Recipe, workspace: Workspace) -> Json:
    """What a build would read, need and take, before anything runs.

    Counts the rows of a file; for the synthetic hospital estimates them.
    """
    if recipe.source.kind == "synthetic":
        records, chars, rejected = recipe.source.patients * 13, recipe.source.patients * 15_500, 0
    else:
        assert recipe.source.path is not None
        records = chars = rejected = 0
        for batch in read_notes(recipe.source.path, recipe.source.kind, recipe.source.fields):
            records += batch.notes.height
            rejected += batch.rejected.height
            chars += int(batch.notes["text"].str.len_chars().sum() or 0)
    workers = recipe.worker_count()
    free = shutil.disk_usage(workspace.root if workspace.root.exists() else Path()).free
    disk = int(chars * (WORK_BYTES_PER_CHAR + RELEASE_BYTES_PER_CHAR))
    return {
        "name": recipe.name, "records": records, "rejected": rejected, "characters": chars,
        "estimated": recipe.source.kind == "synthetic",
        "shards": recipe.shards, "workers": workers, "stages": list(STAGES),
        "cpu_seconds": round(chars / CHARS_PER_CPU_SECOND), "seconds": round(chars / CHARS_PER_CPU_SECOND / workers) + 10,
        "disk_bytes": disk, "free_bytes": free, "fits": disk < free,
    }  # fmt: skip


def clean(workspace: Workspace) -> Json:
    """Remove outputs in work/ that the last build of each corpus does not use.

    Keeps the crosswalk, the signatures of sealed versions, and everything the last build of each corpus needs to be found
    unchanged.
    """
    removed = kept = 0
    with workspace.enter():
        for folder in sorted(
            p for p in workspace.work.iterdir() if p.is_dir() and p not in (workspace.temporary, workspace.cache)
        ):
            needed = set(_needed(folder))
            for group in ("segments", "maps", "reduces", "ingest", "hospital", "evaluation", "past"):
                for output in sorted(p for p in (folder / group).rglob("record.json")):
                    size = sum(f.stat().st_size for f in output.parent.iterdir())
                    if output.parent.name in needed:
                        kept += size
                    else:
                        removed += size
                        shutil.rmtree(output.parent)
    return {"removed_bytes": removed, "kept_bytes": kept}


def _needed(folder: Path) -> list[str]:
    try:
        return list(json.loads((folder / "needed.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return []


def usage(started: float) -> Json:
    """Wall and CPU seconds of this command with its workers, and the largest process in MB."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return {
        "wall_seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(cpu, 1),
        "largest_process_mb": round(max(own.ru_maxrss, children.ru_maxrss) / 1024), "cores": len(os.sched_getaffinity(0)),
    }  # fmt: skip
