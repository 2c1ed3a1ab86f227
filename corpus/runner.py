"""Runs the stages over the shards and keeps the account of every record and character.

Consecutive note- and patient-stages run in one worker call, a *segment*. Each (segment, shard) has a key: sources
and parameters of its stages, library versions, digest of its input, digest of its slice of the decisions. Output
goes to a folder of that name; `record.json` is written last. What is there and verifies is not run again, and
there is no other resume.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, Protocol

import polars as pl

from corpus.engine import Engine
from corpus.keys import Keys
from corpus.stage import Json, Outcome, StageParams, check_reasons
from corpus.stages import STAGES
from manifests.canonical import canonical, fsync_folder, sha256_bytes, sha256_file

ROOMS = ("clinicorpus_errors", "corpus", "dedupe", "deid", "manifests", "synthetic")
SOURCE_ROOT = Path(__file__).parent.parent


# --- what a stage is made of ---------------------------------------------------------------------------------


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] in ROOMS}


def _file_of(module: str) -> Path | None:
    base = SOURCE_ROOT.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def code_digest(module: str) -> str:
    """SHA-256 over `module`, every first-party module it imports, and the data files beside them."""
    files: dict[str, str] = {}
    waiting, seen = {module}, set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = _file_of(name)
        if path is None:
            continue
        files[str(path.relative_to(SOURCE_ROOT))] = sha256_file(path)
        if name.split(".")[0] in ("deid", "dedupe", "synthetic"):
            for data in path.parent.rglob("*"):
                if data.is_file() and data.suffix not in (".py", ".pyc"):
                    files[str(data.relative_to(SOURCE_ROOT))] = sha256_file(data)
        waiting |= _imported(path) - seen
    return sha256_bytes(canonical(files))


def stage_key(name: str, params: StageParams) -> Json:
    """What a stage's result depends on beside its input."""
    stage = STAGES[name]
    return {
        "name": name,
        "params": params.model_dump(mode="json"),
        "code": code_digest(stage.__name__),
        "libraries": {lib: metadata.version(lib) for lib in ("polars", "pyarrow", *stage.LIBRARIES)},
    }


# --- records on disk -----------------------------------------------------------------------------------------


def read_record(folder: Path, key: str) -> Json | None:
    """The record of a finished folder, or None if it is not there, is of another key, or a file does not verify."""
    try:
        record = json.loads((folder / "record.json").read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("key") != key:
        return None
    for name, digest in record["files"].items():
        if not (folder / name).is_file() or sha256_file(folder / name) != digest:
            return None
    return dict(record)


def finish(folder: Path, key: str, write: Callable[[Path], Json]) -> Json:
    """Let `write` fill a temporary folder, add record.json last, and give the folder its name."""
    # Workers on two machines can have one process number.
    partial = folder.with_name(f".partial-{folder.name}-{socket.gethostname()}-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        account = write(partial)
        files = {}
        for path in sorted(p for p in partial.iterdir() if p.is_file()):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.name] = sha256_file(path)
        record = {"key": key, "files": files, **account}
        with (partial / "record.json").open("wb") as file:
            file.write(canonical(record))
            file.flush()
            os.fsync(file.fileno())
        # Where a cluster took a worker for dead that was not, the other one may have finished; later stages read its files.
        if read_record(folder, key) is None:
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
            fsync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return record


# --- in the worker -------------------------------------------------------------------------------------------


class Op(NamedTuple):
    """One stage in a segment. decisions: this shard's slice, for a stage of scope corpus; table: a file handed to `load`."""

    stage: str
    params: Json
    decisions: str | None = None
    table: str | None = None


class SegmentJob(NamedTuple):
    label: str
    input: str
    ops: tuple[Op, ...]
    folder: str
    key: str
    columns: tuple[str, ...]
    keys: Keys


class MapJob(NamedTuple):
    label: str
    input: str
    stage: str
    params: Json
    folder: str
    key: str


class ReduceJob(NamedTuple):
    label: str
    tables: tuple[str, ...]
    stage: str
    params: Json
    folder: str
    key: str
    table: str | None = None


@cache
def resources(stage: str, params: str, keys: Keys, table: str | None = None) -> Any:
    """What a stage's `load` gives, once a process. `params` is their JSON, so that calls can be told apart."""
    module = STAGES[stage]
    if not hasattr(module, "load"):
        return None
    checked = module.Params.model_validate_json(params)
    return module.load(checked, keys, Path(table)) if table else module.load(checked, keys)


def _chars(frame: pl.DataFrame) -> int:
    return int(frame["text"].str.len_chars().sum() or 0)


def account(before: pl.DataFrame, outcome: Outcome) -> Json:
    """The stage's line in the ledger. Raises ValueError when its records or characters do not add up."""
    after, drops, edits, created = outcome.batch, outcome.drops, outcome.edits, outcome.created
    kept = before.join(after.select("record"), on="record", how="semi")
    if kept.height != after.height or after["record"].n_unique() != after.height:
        raise ValueError("a stage gave out records it did not take in")
    gone = before.join(after.select("record"), on="record", how="anti")
    dropped: dict[str, int] = {}
    if drops is not None and drops.height:
        dropped = dict(drops.group_by("reason").len().iter_rows())
        check_reasons(set(dropped))
    if sorted(gone["record"]) != (sorted(drops["record"]) if drops is not None else []):
        raise ValueError("a stage dropped records without a reason")
    removed = {"dropped": _chars(gone)} if gone.height else {}
    inserted: dict[str, int] = {}
    if edits is not None and edits.height:
        for reason, out, put in edits.group_by("reason").agg(pl.sum("removed"), pl.sum("inserted")).iter_rows():
            removed[reason] = removed.get(reason, 0) + out
            inserted[reason] = inserted.get(reason, 0) + put
    made: dict[str, int] = {}
    if created is not None and created.height:
        for reason, records, chars in created.group_by("reason").agg(pl.len(), pl.sum("chars")).iter_rows():
            made[reason] = records
            inserted[reason] = inserted.get(reason, 0) + chars
    made_chars = sum(inserted.get(reason, 0) for reason in made)
    line: Json = {
        "records_in": before.height, "records_out": after.height + sum(made.values()),
        "created": made, "dropped": dropped,
        "chars_in": _chars(before), "chars_out": _chars(after) + made_chars,
        "inserted": inserted, "removed": removed, "details": outcome.details,
    }  # fmt: skip
    if line["chars_in"] + sum(inserted.values()) != line["chars_out"] + sum(removed.values()):
        raise ValueError("characters of a stage do not add up")
    return line


def _texts(notes: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Notes and records made from them, as far as the account looks at them."""
    text = made.select("record", text=pl.col("prompt") + pl.col("completion"))
    return pl.concat([notes.select("record", "text"), text])


def _joined(notes: Outcome, made: Outcome) -> Outcome:
    """What a stage says of the notes and of the records made from them, as one."""

    def both(one: pl.DataFrame | None, other: pl.DataFrame | None) -> pl.DataFrame | None:
        frames = [frame for frame in (one, other) if frame is not None]
        return pl.concat(frames, how="diagonal") if frames else None

    return notes._replace(
        batch=_texts(notes.batch, made.batch), drops=both(notes.drops, made.drops),
        findings=both(notes.findings, made.findings),
    )  # fmt: skip


def run_segment(job: SegmentJob) -> Json:
    """Worker call: read a shard, apply the stages of a segment, write what is left with the account."""

    def write(folder: Path) -> Json:
        frame = pl.read_parquet(job.input)
        stages: Json = {}
        drops: list[pl.DataFrame] = []
        created: list[pl.DataFrame] = []
        for op in job.ops:
            module = STAGES[op.stage]
            params = module.Params.model_validate(op.params)
            extra = (
                pl.read_parquet(op.decisions)
                if op.decisions
                else resources(op.stage, params.model_dump_json(context="worker"), job.keys, op.table)
            )
            outcome = module.apply(frame, params, extra)
            before, told = frame, outcome
            if created and hasattr(module, "screen"):
                made = pl.concat(created)
                screened = module.screen(made, outcome, params, extra)
                created = [screened.batch]
                before, told = _texts(frame, made), _joined(outcome, screened)
            stages[op.stage] = account(before, told)
            frame = outcome.batch.sort("record")
            if told.drops is not None and told.drops.height:
                drops.append(told.drops.with_columns(stage=pl.lit(op.stage)))
            if told.findings is not None and told.findings.height:
                told.findings.write_parquet(folder / f"findings-{op.stage}.parquet")
            if outcome.created is not None and outcome.created.height:
                created.append(outcome.created)
        frame.select(c for c in job.columns if c in frame.columns).write_parquet(folder / "data.parquet")
        if drops:
            pl.concat(drops, how="diagonal").sort("record").write_parquet(folder / "drops.parquet")
        if created:
            pl.concat(created).sort("record").write_parquet(folder / "created.parquet")
        return {"stages": stages, "rows": frame.height}

    return finish(Path(job.folder), job.key, write)


def run_map(job: MapJob) -> Json:
    """Worker call: the small table that a corpus-scope stage needs of one shard."""

    def write(folder: Path) -> Json:
        module = STAGES[job.stage]
        table = module.map(pl.read_parquet(job.input), module.Params.model_validate(job.params))
        # Mostly hashes, which nothing compresses: trying with zstd took as long as making them.
        table.write_parquet(folder / "table.parquet", compression="lz4")
        return {"rows": table.height}

    return finish(Path(job.folder), job.key, write)


def run_reduce(job: ReduceJob) -> Json:
    """Worker call: decide over all shards, and cut the decisions into one slice for each shard."""

    def write(folder: Path) -> Json:
        module = STAGES[job.stage]
        tables = [pl.scan_parquet(path) for path in job.tables]
        by = getattr(module, "BY", "record")
        handed = (Path(job.table),) if job.table else ()
        decisions = module.reduce(tables, module.Params.model_validate(job.params), *handed).sort(by)
        for index, table in enumerate(tables):
            decisions.join(table.select(by).collect(), on=by, how="semi").sort(by).write_parquet(
                folder / f"slice-{index:05d}.parquet"
            )
        return {"rows": decisions.height}

    return finish(Path(job.folder), job.key, write)


# --- in the parent -------------------------------------------------------------------------------------------


class ShardState(NamedTuple):
    """Where a shard stands: its current data, and the folders of finished segments it went through."""

    data: Path
    digest: str
    folders: tuple[Path, ...]


class StagesRun(NamedTuple):
    """Final state of each shard, how many worker calls had to run, the names of all folders the result needs, and of each
    stage of scope corpus the tables of its `map`, one for each shard."""

    states: list[ShardState]
    ran: int
    used: frozenset[str]
    maps: dict[str, list[Path]]


class Progress(Protocol):
    """What the runner tells the terminal; the command hands in one that draws."""

    def start(self, label: str, total: int, *, fresh: int) -> None:
        """`total` shards, of which `fresh` have to be run."""

    def advance(self) -> None:
        """One shard is done."""


def _run_missing(
    engine: Engine, fn: Callable[[Any], Json], jobs: Sequence[Any], progress: Progress, label: str
) -> tuple[list[Json], int]:
    records = [read_record(Path(job.folder), job.key) for job in jobs]
    # Shards with the same content (empty ones, in a small corpus) have the same key and the same folder.
    missing = {job.folder: job for job, record in zip(jobs, records, strict=True) if record is None}
    progress.start(label, len(jobs), fresh=len(missing))
    fresh = dict(zip(missing, engine.run_shards(fn, list(missing.values()), progress.advance), strict=True))
    return [fresh[job.folder] if record is None else record for job, record in zip(jobs, records, strict=True)], len(
        fresh
    )


def _short(key: str) -> str:
    return key[:24]


def run_stages(
    pipeline: Sequence[str],
    params: dict[str, StageParams],
    shards: Sequence[tuple[Path, str]],
    *,
    keys: Keys,
    folder: Path,
    released: Sequence[str],
    engine: Engine,
    progress: Progress,
    tables: Mapping[str, tuple[Path, str]] = MappingProxyType({}),
) -> StagesRun:
    """Run `pipeline` over `shards` (path, sha256).

    `tables`: by stage, a file that its `load` (scope corpus: its `reduce`) is handed, with a digest of what it says, which
    becomes part of the stage's key.
    `released` are the columns that the release needs; a column that neither a later stage nor the release reads is
    not carried on.
    """
    states = [ShardState(path, digest, ()) for path, digest in shards]
    ran = 0
    used: set[str] = set()
    mapped: dict[str, list[Path]] = {}
    segment: list[tuple[str, list[tuple[Path, str]] | None]] = []

    def flush(position: int) -> None:
        nonlocal states, segment, ran
        if not segment:
            return
        later = {c for name in pipeline[position:] for c in STAGES[name].READS}
        columns = tuple(sorted({"record", "patient", "group", "text", *later, *released}))
        names = [name for name, _ in segment]
        jobs = []
        for i, state in enumerate(states):
            ops, parts = [], []
            for name, slices in segment:
                decisions, digest = (str(slices[i][0]), slices[i][1]) if slices else (None, None)
                table, table_digest = tables.get(name, (None, None)) if not slices else (None, None)
                ops.append(
                    Op(
                        name,
                        params[name].model_dump(mode="json", context="worker"),
                        decisions,
                        str(table) if table else None,
                    )
                )
                part: Json = {**stage_key(name, params[name]), "decisions": digest}
                parts.append(part | {"table": table_digest} if table else part)
            key = sha256_bytes(
                canonical({"stages": parts, "input": state.digest, "key": keys.id, "columns": list(columns)})
            )
            target = folder / "segments" / names[-1] / _short(key)
            jobs.append(
                SegmentJob(f"{'+'.join(names)} shard {i}", str(state.data), tuple(ops), str(target), key, columns, keys)
            )
        records, fresh = _run_missing(engine, run_segment, jobs, progress, " → ".join(names))
        ran += fresh
        used.update(_short(job.key) for job in jobs)
        states = [
            ShardState(
                Path(job.folder) / "data.parquet", record["files"]["data.parquet"], (*state.folders, Path(job.folder))
            )
            for state, job, record in zip(states, jobs, records, strict=True)
        ]
        segment = []

    for position, name in enumerate(pipeline):
        stage: ModuleType = STAGES[name]
        if stage.SCOPE == "corpus":
            flush(position)
            own = stage_key(name, params[name])
            maps = []
            for i, state in enumerate(states):
                key = sha256_bytes(canonical({"map": own, "input": state.digest}))
                target = folder / "maps" / name / _short(key)
                maps.append(
                    MapJob(
                        f"{name} map shard {i}", str(state.data), name, params[name].model_dump(mode="json"),
                        str(target), key,
                    )
                )  # fmt: skip
            records, fresh = _run_missing(engine, run_map, maps, progress, f"{name}: read")
            ran += fresh
            mapped[name] = [Path(job.folder) / "table.parquet" for job in maps]
            handed, digest = tables.get(name, (None, None))
            depends: Json = {"reduce": own, "tables": [r["files"]["table.parquet"] for r in records]}
            key = sha256_bytes(canonical(depends | {"table": digest} if handed else depends))
            target = folder / "reduces" / name / _short(key)
            reduce = ReduceJob(
                f"{name} reduce", tuple(map(str, mapped[name])), name, params[name].model_dump(mode="json"), str(target),
                key, str(handed) if handed else None,
            )  # fmt: skip
            decided, fresh = _run_missing(engine, run_reduce, [reduce], progress, f"{name}: decide")
            ran += fresh
            used.update(_short(job.key) for job in maps)
            used.add(_short(reduce.key))
            slices = [
                (target / f"slice-{i:05d}.parquet", decided[0]["files"][f"slice-{i:05d}.parquet"])
                for i in range(len(states))
            ]
            segment.append((name, slices))
        else:
            segment.append((name, None))
        if stage.KEEP:
            flush(position + 1)
    flush(len(pipeline))
    return StagesRun(states, ran, frozenset(used), mapped)


def add_up(states: Sequence[ShardState]) -> dict[str, Json]:
    """The accounts of all shards, stage by stage, added up."""
    total: dict[str, Json] = {}

    def add(into: Json, line: Json) -> None:
        for field, value in line.items():
            if isinstance(value, dict):
                add(into.setdefault(field, {}), value)
            else:
                into[field] = into.get(field, 0) + value

    for state in states:
        for folder in state.folders:
            for name, line in json.loads((folder / "record.json").read_bytes())["stages"].items():
                add(total.setdefault(name, {}), line)
    return total
