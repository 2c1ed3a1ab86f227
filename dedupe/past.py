"""Signatures of notes that were kept before, and which new notes repeat them: no old text is read again.

`write` stores what is needed to compare: the key of `exact`, the bands and shingles of `near`, patient, day and versions.
`resolve_exact` and `resolve_near` are the reduces of `exact` and `near` with a past: a new note that repeats an old one goes,
the old one stays, always; the rest is resolved among itself. Nothing here changes a stored note.

The file is read in row groups, and of the sets of shingles, 80% of it, only those of candidates: memory is that of the new
notes and of the old notes that share a band with one. What may match, and how sure a pair is to be found, is as in `near`;
in a bucket the new notes are compared with `leaders` old ones, of as many patients as there are. Answers do not depend on how
the old or the new notes are cut into files, on their order, or on the order of the stores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clinicorpus_errors import UserError
from dedupe import exact, near, stars
from dedupe.exact import ExactParams
from dedupe.near import NearParams
from dedupe.shingles import MIX, U64, mixed, ranges
from dedupe.survivor import components

FORMAT = "clinicorpus/signatures/1"
ROWS_AT_A_TIME = 8192  # a row group; its shingles are about 23 MB, at 350 words a note
NOTES_AT_A_TIME = 65536  # new notes whose candidates are listed together
EXACT, NEAR = "dedupe.past_exact", "dedupe.past_near"
COLUMNS = (
    "note_id", "key", "patient_id", "charted_at", "amends", "numbers", "group", "bands", "n_shingles", "shingles",
)  # fmt: skip


class Store(NamedTuple):
    """Signatures of one corpus, or of one run over a table.

    name: what the ledger calls it. files: in any number and order, each note in one of them. codes: `old`, `new`: patients
    and groups that have another code among the new notes; None where codes are the same.
    """

    name: str
    files: tuple[Path, ...]
    codes: pl.DataFrame | None = None


class Handed(NamedTuple):
    """Stores, and `group`, `rank` for `resolve_near`, as one file names them."""

    stores: tuple[Store, ...]
    ranks: pl.DataFrame | None


class Near(NamedTuple):
    """What `resolve_near` found.

    decisions: `note_id`, `kept_id`, `similarity`, `past` (name of the store `kept_id` is in; null: among the new).
    clusters: `note_id`, `cluster` of every note that no old note took.
    linked: `note_id` of those whose cluster is that of an old note.
    """

    decisions: pl.DataFrame
    clusters: pl.DataFrame
    linked: pl.Series


# --- the file ------------------------------------------------------------------------------------------------


def write(path: Path, notes: pl.DataFrame, exact_params: ExactParams, near_params: NearParams) -> None:
    """Store the signatures of kept notes, sorted by `note_id`.

    Args:
        path: the file to write.
        notes: `note_id`, `key`, `bands`, `n_shingles`, `shingles`, `group` (what is split as one: the patient or the
            cluster), and `patient_id`, `charted_at`, `amends`, `numbers` where they are known.
        exact_params: made `key`.
        near_params: made the rest.
    """
    absent = [pl.lit(None).alias(name) for name in COLUMNS if name not in notes.columns]
    table = (
        notes.with_columns(absent)
        .with_columns(pl.col("patient_id", "charted_at", "amends").cast(pl.String), pl.col("numbers").cast(pl.UInt64))
        .with_columns(pl.col("charted_at").str.head(10))
        .select(COLUMNS)
        .sort("note_id")
        .to_arrow()
    )
    says = {"format": FORMAT, "exact": exact.scheme(exact_params), "near": near.scheme(near_params)}
    # Hashes do not compress and their pages have no use for a dictionary.
    pq.write_table(
        table.replace_schema_metadata({b"clinicorpus": json.dumps(says, sort_keys=True).encode()}), path,
        row_group_size=ROWS_AT_A_TIME, compression="none", use_dictionary=False,
    )  # fmt: skip


def schemes(path: Path) -> dict[str, str]:
    """What a file of signatures says of itself: `exact` and `near`, and how many `notes` it has, as text.

    Raises:
        UserError: it is no such file, or damaged.
    """
    try:
        metadata = pq.read_metadata(path)
        says = json.loads((metadata.metadata or {})[b"clinicorpus"])
        if says["format"] != FORMAT:
            raise ValueError
        return {"exact": says["exact"], "near": says["near"], "notes": str(metadata.num_rows)}
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        raise UserError(
            "this is no file of signatures", value=path, cause=f"it is damaged, absent, or of another format than {FORMAT}",
            next="make it again: clinicorpus dedupe run NOTES --out FOLDER --signatures FILE",
        ) from None  # fmt: skip


def check(stores: Sequence[Store], exact_params: ExactParams, near_params: NearParams, next: str) -> None:
    """Raise UserError unless all stored signatures were made the way the new ones are. `next`: what the user can do."""
    wanted = {"exact": exact.scheme(exact_params), "near": near.scheme(near_params)}
    for store in stores:
        for path in store.files:
            says = schemes(path)
            for kind, scheme in wanted.items():
                if says[kind] != scheme:
                    raise UserError(
                        "stored signatures were made in another way", value=f"{store.name}: {says[kind]}",
                        cause=f"these parameters and versions make {scheme}", next=next,
                    )  # fmt: skip


def hand(path: Path, stores: Sequence[Store], ranks: pl.DataFrame) -> None:
    """Write what `read` gives back: a JSON file, with tables beside it. Files of signatures are named, not copied, by
    their way from the folder of `path`."""
    named = []
    for number, store in enumerate(stores):
        codes = None
        if store.codes is not None:
            codes = f"codes-{number}.parquet"
            store.codes.write_parquet(path.parent / codes)
        named.append({"name": store.name, "files": [str(file) for file in store.files], "codes": codes})
    ranks.write_parquet(path.parent / "ranks.parquet")
    path.write_text(json.dumps({"stores": named, "ranks": "ranks.parquet"}), encoding="utf-8")


def read(path: Path) -> Handed:
    """What `hand` wrote."""
    says = json.loads(path.read_text(encoding="utf-8"))
    folder = path.parent
    stores = (
        Store(
            one["name"], tuple(folder / file for file in one["files"]),
            pl.read_parquet(folder / one["codes"]) if one["codes"] else None,
        )
        for one in says["stores"]
    )  # fmt: skip
    return Handed(tuple(stores), pl.read_parquet(folder / says["ranks"]))


# --- exact ---------------------------------------------------------------------------------------------------


def resolve_exact(keys: pl.DataFrame, stores: Sequence[Store]) -> pl.DataFrame:
    """`exact.resolve` with a past.

    Args:
        keys: output of `exact.keys` for all shards, in any order.
        stores: what was kept before.

    Returns:
        `note_id` (dropped), `kept_id`, `past` (the store `kept_id` is in; null: among the new), by `note_id`.
    """
    new = keys.select("note_id", "key").drop_nulls("key")
    _check_ids(keys["note_id"].dtype, stores)
    wanted = new["key"].unique()
    old = [pl.DataFrame(schema={"kept_id": new["note_id"].dtype, "key": pl.Binary, "past": pl.String})]
    for store in _sorted(stores):
        for path in store.files:
            part = (
                pl.scan_parquet(path).select(kept_id="note_id", key="key").filter(pl.col("key").is_in(wanted.implode()))
            )
            old.append(part.with_columns(past=pl.lit(store.name)).collect())
    first = (
        pl.concat(old, how="vertical_relaxed").sort("past", "kept_id").unique("key", keep="first", maintain_order=True)
    )
    again = new.join(first, on="key").select("note_id", "kept_id", "past")
    rest = exact.resolve(keys.join(again, on="note_id", how="anti"))
    rest = rest.with_columns(past=pl.lit(None, pl.String))
    return pl.concat([again, rest], how="vertical_relaxed").sort("note_id")


# --- near ----------------------------------------------------------------------------------------------------


def resolve_near(
    signatures: pl.DataFrame | Sequence[pl.LazyFrame], params: NearParams, stores: Sequence[Store],
    ranks: pl.DataFrame | None = None,
) -> Near:  # fmt: skip
    """`near.resolve` with a past.

    A new note goes for the old note most like it, at `threshold` or above; of several the first store by name, then the
    lowest id. What stays and is linked to old notes takes the group of one of them as its cluster, with all that is
    clustered with it: that of the lowest rank, then the lowest name.

    Args:
        signatures: output of `near.signatures` for all shards, in any order: one frame, or a table for each shard, of which
            only what is needed is read.
        params: the same that made them.
        stores: what was kept before.
        ranks: `group`, `rank`: which group wins where new notes are linked to several; all alike where None.
    """
    tables = [signatures.lazy()] if isinstance(signatures, pl.DataFrame) else list(signatures)
    if not stores:
        decisions, clusters = near.resolve(tables, params)
        return Near(decisions.with_columns(past=pl.lit(None, pl.String)), clusters, clusters["note_id"].clear())
    found = matches(tables, params, stores)
    best = (
        found.filter("drop")
        .sort("note_id", pl.col("similarity").neg(), "past", "kept_id")
        .unique("note_id", keep="first", maintain_order=True)
        .select("note_id", "kept_id", "similarity", "past")
    )
    gone = best["note_id"].implode()
    decided = near.resolve([table.filter(~pl.col("note_id").is_in(gone)) for table in tables], params)
    order = ranks if ranks is not None else pl.DataFrame(schema={"group": best["note_id"].dtype, "rank": pl.Int64})
    joined = (
        decided.clusters.join(found.select("note_id", "group").drop_nulls(), on="note_id")
        .join(order, on="group", how="left")
        .sort(pl.col("rank").fill_null(0), "group")
        .unique("cluster", keep="first")
        .select("cluster", "group")
    )
    clusters = decided.clusters.join(joined, on="cluster", how="left", maintain_order="left")
    return Near(
        pl.concat([best, decided.decisions.with_columns(past=pl.lit(None, pl.String))]).sort("note_id"),
        clusters.select("note_id", cluster=pl.coalesce("group", "cluster")),
        clusters.filter(pl.col("group").is_not_null())["note_id"],
    )


def matches(tables: Sequence[pl.LazyFrame], params: NearParams, stores: Sequence[Store]) -> pl.DataFrame:
    """Pairs of a new and an old note that were compared and are at `link_threshold` or above.

    Returns:
        `note_id`, `kept_id`, `past`, `group` (of the old note), `similarity`, `drop` (whether the new one goes for it).
    """
    columns = pl.col("^(note_id|patient_id|charted_at|amends|numbers|n_shingles)$")
    heads = pl.collect_all([table.select(columns) for table in tables])
    notes = pl.concat(heads, how="diagonal_relaxed").with_row_index("row").filter(pl.col("n_shingles") > 0)
    ids, rows, sizes = notes["note_id"], notes["row"].to_numpy(), notes["n_shingles"].to_numpy().astype(np.int64)
    _check_ids(ids.dtype, stores)
    keys = _keys(pl.concat(pl.collect_all([table.select("bands") for table in tables]))["bands"])[rows]
    old, hits = _colliding(keys, stores)
    schema: dict[str, Any] = {
        "note_id": ids.dtype, "kept_id": ids.dtype, "past": pl.String, "group": ids.dtype, "similarity": pl.Float64,
        "drop": pl.Boolean,
    }  # fmt: skip
    if not old.height:
        return pl.DataFrame(schema=schema)
    groups, offset = _groups(notes, old, stores), len(ids)
    by_band = {int(band): part for (band,), part in hits.partition_by("band", as_dict=True).items()}
    news, olds = [], []
    for start in range(0, len(ids), NOTES_AT_A_TIME):
        part = np.arange(start, min(start + NOTES_AT_A_TIME, len(ids)))
        new, past = _candidates(keys[part], part, by_band, groups, offset, params.leaders)
        size, other = sizes[new], old["n_shingles"].gather(past).to_numpy().astype(np.int64)
        # Sets are no more similar than their sizes.
        close = np.minimum(size, other) / np.maximum(size, other) >= params.link_threshold
        news.append(new[close])
        olds.append(past[close])
    new, past = np.concatenate(news), np.concatenate(olds)
    met = np.unique(new)
    sets = near.read_sets(tables, [len(head) for head in heads], rows[met], sizes[met])
    similarity = _similarities(sets, old, np.searchsorted(met, new), past, stores)
    linked = similarity >= params.link_threshold
    new, past, similarity = new[linked], past[linked], similarity[linked]
    of = old[past] if len(past) else old.clear()
    return pl.DataFrame(
        {
            "note_id": ids.gather(new), "kept_id": of["note_id"], "past": of["past"], "group": of["group"],
            "similarity": similarity,
            "drop": (similarity >= params.threshold) & (groups.numbers[new] == groups.numbers[past + offset]),
        },
        schema=schema,
    )  # fmt: skip


def _sorted(stores: Sequence[Store]) -> list[Store]:
    return sorted(stores, key=lambda store: store.name)


def _keys(bands: pl.Series) -> U64:
    """One number for each band of each note: equal where the band and its key are."""
    values = bands.to_numpy().reshape(len(bands), int(getattr(bands.dtype, "size", 0)))
    return mixed(values + np.arange(values.shape[1], dtype=np.uint64) * MIX)


def _row_groups(store: Store, columns: Sequence[str]) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Number of the file, number of the row group, and what stands there."""
    for number, path in enumerate(store.files):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield number, group, pl.DataFrame(file.read_row_group(group, columns=list(columns)))


def _recoded(frame: pl.DataFrame, column: str, codes: pl.DataFrame | None) -> pl.DataFrame:
    if codes is None:
        return frame
    named = codes.select(pl.col("old").alias(column), "new")
    return (
        frame.join(named, on=column, how="left", maintain_order="left")
        .with_columns(pl.coalesce("new", column).alias(column))
        .drop("new")
    )


def _colliding(keys: U64, stores: Sequence[Store]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Old notes that share a band with a new one, with where their shingles stand; and `band`, `key`, `old` (row there)."""
    wanted = np.unique(keys)
    columns = ("note_id", "patient_id", "charted_at", "amends", "numbers", "group", "n_shingles", "bands")
    notes: list[pl.DataFrame] = []
    hits: list[pl.DataFrame] = []
    seen = 0
    for index, store in enumerate(_sorted(stores)):
        for file, group, rows in _row_groups(store, columns):
            filled = rows["n_shingles"].to_numpy() > 0
            keys = _keys(rows["bands"])
            place = np.minimum(np.searchsorted(wanted, keys), max(len(wanted) - 1, 0))
            hit = (wanted[place] == keys) & filled[:, None] if len(wanted) else np.zeros(keys.shape, dtype=bool)
            found = np.flatnonzero(hit.any(axis=1))
            if not len(found):
                continue
            row, band = np.nonzero(hit)
            hits.append(pl.DataFrame({"band": band, "key": keys[row, band], "old": np.searchsorted(found, row) + seen}))
            seen += len(found)
            part = rows.drop("bands")[found].with_columns(
                pl.lit(store.name).alias("past"), store=pl.lit(index), file=pl.lit(file), at=pl.lit(group),
                row=pl.Series(found),
            )  # fmt: skip
            for column in ("patient_id", "group"):
                part = _recoded(part, column, store.codes)
            notes.append(part)
    if not notes:
        return pl.DataFrame(), pl.DataFrame()
    # The order must not tell how the notes were cut into files.
    old = pl.concat(notes, how="vertical_relaxed").with_row_index("before").sort("past", "note_id")
    after = np.empty(len(old), dtype=np.int64)
    after[old["before"].to_numpy()] = np.arange(len(old))
    met = pl.concat(hits)
    return old.drop("before"), met.with_columns(old=pl.Series(after[met["old"].to_numpy()]))


def _groups(notes: pl.DataFrame, old: pl.DataFrame, stores: Sequence[Store]) -> stars.Groups:
    """Codes of the new notes, then of the old ones."""
    columns = ("note_id", "patient_id", "charted_at", "amends", "numbers")
    absent = [pl.lit(None).alias(name) for name in columns if name not in notes.columns]
    new = notes.with_columns(absent).select(pl.col(name).cast(pl.String) for name in columns)
    both = pl.concat([new, old.select(pl.col(name).cast(pl.String) for name in columns)])
    pairs = list(new.drop_nulls("amends").select("note_id", "amends").iter_rows())
    # A chain may run through old notes that are like none of the new.
    for store in _sorted(stores):
        for _file, _group, rows in _row_groups(store, ("note_id", "amends")):
            pairs += rows.drop_nulls("amends").select(pl.all().cast(pl.String)).iter_rows()
    root = components(pairs)
    # A note that has the id of an old one is another version of it, too.
    ids = zip(both["note_id"].to_list(), both["note_id"].is_duplicated().to_list(), strict=True)
    document = pl.Series("document", [root.get(i, i if again else None) for i, again in ids], dtype=pl.String)
    both = both.with_columns(pl.col("charted_at").str.head(10), document)
    names = ("patient_id", "charted_at", "document", "numbers")
    return stars.Groups(*(both[name].rank("dense").cast(pl.Int64).fill_null(-1).to_numpy() for name in names))


def _candidates(
    keys: U64, notes: stars.Ints, hits: dict[int, pl.DataFrame], groups: stars.Groups, offset: int, leaders: int
) -> tuple[stars.Ints, stars.Ints]:
    """Pairs (new note, row of the old one) to compare: those that share a band and may match, in buckets as in `stars`."""
    pairs = np.zeros(0, dtype=np.int64)
    width = len(groups.patient)
    for band, bucketed in sorted(hits.items()):
        new = pl.DataFrame({"key": keys[:, band], "note": notes}).with_columns(_coded(groups, notes))
        old = bucketed.join(new.select("key").unique(), on="key", how="semi").sort("key", "old")
        old = old.with_columns(_coded(groups, old["old"].to_numpy() + offset))
        for by in ([], ["patient", "day"], ["document"], ["numbers"]):
            known = [pl.col(name) >= 0 for name in by]
            bucket = old.filter(known) if by else old
            # Round by round one note of each patient, so that a long stay does not hide the other patients.
            turn = pl.int_range(pl.len()).over("key", *by, "patient")
            leading = (
                bucket.with_columns(turn.alias("turn"))
                .sort("key", *by, "turn", "old")
                .filter(pl.int_range(pl.len()).over("key", *by) < leaders)
            )
            met = (new.filter(known) if by else new).join(leading, on=["key", *by])
            a, b = met["note"].to_numpy(), met["old"].to_numpy()
            fits = groups.may_match(a, b + offset)
            pairs = np.union1d(pairs, a[fits] * width + b[fits])
    return pairs // width, pairs % width


def _coded(groups: stars.Groups, notes: npt.NDArray[Any]) -> list[pl.Series]:
    return [pl.Series(name, codes[notes]) for name, codes in groups._asdict().items()]


def _similarities(
    sets: stars.Sets, old: pl.DataFrame, new: stars.Ints, past: stars.Ints, stores: Sequence[Store]
) -> stars.Floats:
    """Jaccard similarity of each pair, one row group of old shingles at a time; `new` are places in `sets`."""
    similarity = np.zeros(len(new))
    where = old.select("store", "file", "at", "row").with_row_index("old")
    pairs = pl.DataFrame({"pair": np.arange(len(new)), "new": new, "old": past.astype(np.uint32)}).join(where, on="old")
    ordered = _sorted(stores)
    for (store, file, at), part in pairs.sort("store", "file", "at", "pair").group_by(
        "store", "file", "at", maintain_order=True
    ):
        with pq.ParquetFile(ordered[int(store)].files[int(file)]) as parquet:
            there = pl.DataFrame(parquet.read_row_group(int(at), columns=["shingles"]))["shingles"]
        rows, b = np.unique(part["row"].to_numpy(), return_inverse=True)
        notes, a = np.unique(part["new"].to_numpy(), return_inverse=True)
        theirs = there.gather(rows)
        count = np.concatenate([sets.sizes()[notes], theirs.list.len().to_numpy().astype(np.int64)])
        ours = sets.values[ranges(sets.offsets[notes], sets.sizes()[notes])]
        both = stars.Sets(np.concatenate([ours, theirs.explode().to_numpy()]), np.concatenate([[0], np.cumsum(count)]))
        similarity[part["pair"].to_numpy()] = both.jaccard(a, b + len(notes))
    return similarity


def _check_ids(dtype: pl.DataType, stores: Sequence[Store]) -> None:
    for store in stores:
        for path in store.files:
            other = pl.read_parquet_schema(path)["note_id"]
            if dtype != pl.Null and other not in (dtype, pl.Null):
                raise UserError(
                    "note_id is of another type than in the stored signatures", value=f"{store.name}: {other} there, {dtype} here",
                    next="cast the column",
                )  # fmt: skip
