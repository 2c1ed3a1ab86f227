"""From the source to shards: every row read is either in a shard or rejected with a reason.

Notes get their record key and patient code here, from nonces of the crosswalk, and go to the shard of their
patient. What was the note's own id stays in `ids.parquet`, in the PHI zone, for the gold and for erasure.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clinicorpus_errors import UserError
from corpus.crosswalk import Crosswalk
from corpus.keys import Keys, code
from corpus.patients import FILE, table_file, write_known
from corpus.readers import NOTE_COLUMNS, Batch, input_files, read_notes, rejected_frame, restore_sections
from corpus.recipe import Recipe
from corpus.runner import code_digest, finish, read_record
from corpus.stage import Json
from corpus.zones import Workspace
from manifests.canonical import canonical, sha256_bytes, sha256_file

COLUMNS = ("record", "patient", "group", *(c for c in NOTE_COLUMNS if c not in ("note_id", "patient_id")))
# A type of note on fewer patients than this is withheld: it may be a title that somebody typed, with a name in it.
FEWEST_PATIENTS = 11
SHARD_SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])


class Ingested(NamedTuple):
    """Where the shards are, with their digests; what was read; where gold is, if the source brings its own."""

    folder: Path
    shards: list[tuple[Path, str]]
    account: Json
    gold: Path | None
    source_bytes: int
    source_code: str
    has_patients: bool
    fresh: bool
    used: frozenset[str]
    """Names of the folders this rests on."""
    known: tuple[Path, str] | None = None
    """What the patient table knows, under the codes of the shards, and its digest; None without a table."""


def _synthetic(recipe: Recipe, folder: Path) -> Path:
    """Build the synthetic hospital once for each (patients, seed, sources); return its folder."""
    import synthetic

    source = recipe.source
    key = sha256_bytes(canonical({"code": code_digest("synthetic"), "patients": source.patients, "seed": source.seed}))
    target = folder / "hospital" / key[:24]

    def write(partial: Path) -> Json:
        synthetic.build(partial, seed=source.seed, patients=source.patients)
        return {}

    if read_record(target, key) is None:
        finish(target, key, write)
    return target


def _read(recipe: Recipe, path: Path, kind: str) -> Iterator[Batch]:
    for batch in read_notes(path, kind, recipe.source.fields):
        if recipe.source.restore_sections:
            texts = [restore_sections(text) for text in batch.notes["text"]]
            batch = batch._replace(notes=batch.notes.with_columns(text=pl.Series(texts, dtype=pl.String)))
        yield batch


class _Coder:
    """Record keys and patient codes of a source, through the crosswalk."""

    def __init__(self, crosswalk: Crosswalk, namespace: str, keys: Keys) -> None:
        self.crosswalk, self.namespace, self.keys = crosswalk, namespace, keys

    def codes(self, kind: str, identities: pl.Series) -> pl.Series:
        nonces = self.crosswalk.nonces(self.namespace, kind, identities.drop_nulls().unique().to_list())
        purpose = self.keys.record
        table = {identity: code(purpose, kind.encode() + nonce) for identity, nonce in nonces.items()}
        return pl.Series([table.get(i) if i is not None else None for i in identities], dtype=pl.String)


def _coded(notes: pl.DataFrame, coder: _Coder) -> pl.DataFrame:
    record = coder.codes("note", notes["note_id"])
    group = coder.codes("patient", notes["patient_id"])
    # A note without a patient is its own patient until near-duplicates are known.
    return notes.with_columns(
        record=record,
        group=group,
        patient=pl.coalesce(group, coder.codes("patient of note", notes["note_id"])),
        amends=coder.codes("note", notes["amends"]),
    )


def _first(note_id: str, seen: set[str]) -> bool:
    first = note_id not in seen
    seen.add(note_id)
    return first


def _rare_types(ids: pl.DataFrame) -> pl.DataFrame:
    """note_type: those on fewer than FEWEST_PATIENTS patients (notes, where the source names no patients)."""
    patients = ids.filter(pl.col("note_type").is_not_null()).group_by("note_type").agg(pl.col("patient").n_unique())
    return patients.filter(pl.col("patient") < FEWEST_PATIENTS).select("note_type")


def _write_shards(folder: Path, batches: Iterator[Batch], coder: _Coder, shards: int, *, keep_rare_types: bool) -> Json:
    writers = [pq.ParquetWriter(folder / f"unsorted-{i:05d}", SHARD_SCHEMA) for i in range(shards)]
    ids, rejected = [], []
    seen: set[str] = set()
    chars = 0
    with_patient = 0
    for batch in batches:
        # `seen` costs about 100 bytes a note: 100 MB for a million.
        mask = pl.Series([_first(note_id, seen) for note_id in batch.notes["note_id"]], dtype=pl.Boolean)
        again = batch.notes.filter(~mask).height
        rejected += [batch.rejected, rejected_frame([(-1, "reader.duplicate_id")] * again)]
        notes = _coded(batch.notes.filter(mask), coder)
        with_patient += notes["patient_id"].count()
        ids.append(notes.select("record", "patient", "note_id", "patient_id", "note_type"))
        chars += int(notes["text"].str.len_chars().sum() or 0)
        place = notes["patient"].str.slice(0, 8).str.to_integer(base=16, dtype=pl.Int64) % shards
        for place_of, part in (
            notes.select(COLUMNS).with_columns(_shard=place).partition_by("_shard", as_dict=True).items()
        ):
            writers[int(place_of[0])].write_table(part.select(COLUMNS).to_arrow().cast(SHARD_SCHEMA))
    all_ids, all_rejected = pl.concat(ids), pl.concat(rejected)
    rare = _rare_types(all_ids.head(0) if keep_rare_types else all_ids)
    withheld = all_ids.join(rare, on="note_type", how="semi").height
    common = pl.when(~pl.col("note_type").is_in(rare["note_type"].implode())).then("note_type").alias("note_type")
    for index, writer in enumerate(writers):
        writer.close()
        unsorted = folder / f"unsorted-{index:05d}"
        shard = pl.read_parquet(unsorted).with_columns(common).sort("record")
        shard.write_parquet(folder / f"shard-{index:05d}.parquet")
        unsorted.unlink()
    all_ids.drop("note_type").sort("record").write_parquet(folder / "ids.parquet")
    all_rejected.write_parquet(folder / "rejected.parquet")
    dropped = dict(sorted(all_rejected["reason"].value_counts().iter_rows()))
    return {
        "has_patients": with_patient > 0,
        "stage": {
            "records_in": all_ids.height + all_rejected.height, "records_out": all_ids.height,
            "created": {}, "dropped": dropped,
            # Characters are counted from the first parsed text on: a malformed line has none.
            "chars_in": 0, "chars_out": chars, "inserted": {"reader.read": chars} if chars else {}, "removed": {},
            "details": {"rare_note_types": {"types": rare.height, "notes": withheld}},
        },
    }  # fmt: skip


def source_files(recipe: Recipe, workspace: Workspace) -> tuple[list[Path], str, Path | None]:
    """Input files, their kind, and the folder of the synthetic hospital if that is the source (built here)."""
    if recipe.source.kind == "synthetic":
        hospital = _synthetic(recipe, workspace.build(recipe.name))
        return [hospital / "notes.parquet"], "parquet", hospital
    assert recipe.source.path is not None
    return input_files(recipe.source.path, recipe.source.kind), recipe.source.kind, None


def ingest(recipe: Recipe, workspace: Workspace, keys: Keys) -> Ingested:
    """Read the source into shards by patient, or find that this was done already."""
    files, kind, hospital = source_files(recipe, workspace)
    digests = [sha256_file(file) for file in files]
    table = table_file(recipe.source.patient_table, hospital)
    keep_rare_types = hospital is not None or recipe.source.public
    key = sha256_bytes(
        canonical(
            {
                "code": code_digest("corpus.ingest"), "kind": kind, "suffixes": [file.suffixes for file in files],
                "files": digests, "key": keys.id, "shards": recipe.shards,
                "keep_rare_types": keep_rare_types,
                "fields": recipe.source.fields, "restore_sections": recipe.source.restore_sections,
                "crosswalk_seed": recipe.crosswalk_seed, "namespace": recipe.name,
                "patient_table": sha256_file(table) if table else None,
            }
        )
    )  # fmt: skip
    folder = workspace.build(recipe.name) / "ingest" / key[:24]
    record = read_record(folder, key)
    fresh = record is None
    if record is None:
        crosswalk = Crosswalk(workspace.crosswalk, seed=recipe.crosswalk_seed)
        try:
            coder = _Coder(crosswalk, recipe.name, keys)
            path = files[0] if hospital else recipe.source.path
            assert path is not None

            def write(partial: Path) -> Json:
                batches = _read(recipe, path, kind)
                account = _write_shards(partial, batches, coder, recipe.shards, keep_rare_types=keep_rare_types)
                if table:
                    codes = pl.read_parquet(partial / "ids.parquet")
                    account["stage"]["details"]["patient_table"] = write_known(table, codes, partial / FILE)
                return account

            record = finish(folder, key, write)
        finally:
            crosswalk.close()
    if not record["stage"]["records_out"]:
        reasons = ", ".join(f"{k} {v}" for k, v in record["stage"]["dropped"].items()) or "the input is empty"
        raise UserError("no note could be read", value=reasons, next="check source.kind, source.path and source.fields")
    shards = [(folder / name, digest) for name, digest in sorted(record["files"].items()) if name.startswith("shard-")]
    return Ingested(
        folder, shards, record["stage"], hospital, sum(file.stat().st_size for file in files),
        hmac.new(keys.source, json.dumps(digests).encode(), hashlib.sha256).hexdigest()[:32],
        record["has_patients"], fresh, frozenset({folder.name, hospital.name} if hospital else {folder.name}),
        (folder / FILE, record["files"][FILE]) if table else None,
    )  # fmt: skip
