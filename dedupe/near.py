"""Notes that are nearly the same: MinHash to find candidates, exact Jaccard to decide, star clusters.

`signatures` is the map: it reads one shard's text once. `resolve` is the reduce: it takes the signatures of all shards,
in any order, and gives the same answer for any partition and order. It holds 160 bytes a note of the bands, and the
shingles of those notes only that share one with another note.

The measure is the Jaccard similarity of two notes' sets of shingles, a shingle being `shingle` tokens in a row.
A token is a run of letters and digits, lower-cased; numbers are tokens like words, because two notes that differ
in their numbers differ; a placeholder such as [NAME] is one token. A note of fewer tokens than a shingle has one
shingle of all its tokens; a note without tokens has none and is like nothing.

Candidates share a band of MinHash values (Broder 1997; Indyk and Motwani 1998): with 20 bands of 6, a pair at
Jaccard 0.8 is found with probability 0.998, at 0.7 with 0.92, at 0.5 with 0.27. Digests come from rensa's R-MinHash,
never from its `rho` calls, which sample and lose a third of the pairs.

Within one patient, notes charted on different days are never near-duplicates unless one is a version of the other
(`amends`): what a note shares with the day before is copy-forward, and the note still has news. A note of a known
patient with no `charted_at` counts as of a different day.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rensa import RMinHash

from clinicorpus_errors import UserError
from dedupe import shingles, stars
from dedupe.exact import with_length
from dedupe.numbers import TOLD, VERSION, hashed
from dedupe.survivor import POLICY_COLUMNS, check_notes, components, policy_columns, ranked

NOTES_AT_A_TIME = 512  # their tokens and shingles are about 10 MB, at 350 words
SETS_AT_A_TIME = 16384  # read from a shard's signatures: about 45 MB


class NearParams(BaseModel):
    """What is nearly the same, and how candidates are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(default=0.8, gt=0, le=1, description="Jaccard from which a note is dropped for another")
    link_threshold: float = Field(
        default=0.5, gt=0, le=1, description="Jaccard from which notes are of one cluster, which is never split"
    )
    shingle: int = Field(default=5, ge=1, le=64, description="tokens in a shingle")
    bands: int = Field(default=20, ge=1, le=256, description="more bands: more candidates")
    rows: int = Field(default=6, ge=1, le=64, description="MinHash values in a band; more rows: fewer candidates")
    leaders: int = Field(
        default=16, ge=1, description="notes of a bucket that are compared with all others in it; bounds the work"
    )
    numbers_apart: bool = Field(default=False, description=TOLD)
    seed: int = Field(default=1, ge=0, lt=2**63, description="of the MinHash permutations")

    @model_validator(mode="after")
    def _links_are_looser(self) -> NearParams:
        if self.link_threshold > self.threshold:
            raise ValueError("link_threshold must not be above threshold")
        return self


class Resolution(NamedTuple):
    """What `resolve` found.

    `decisions`: `note_id` (dropped), `kept_id` (kept, and compared with it), `similarity`, by `note_id`.
    `clusters`: `note_id`, `cluster` (smallest `note_id` of its connected component) for every note, by `note_id`.
    """

    decisions: pl.DataFrame
    clusters: pl.DataFrame


def scheme(params: NearParams) -> str:
    """What two signatures must share to be compared. Changes when tokens, shingles or digests would."""
    numbers = f"-{VERSION}" if params.numbers_apart else ""
    digest = f"rminhash{RMinHash.ALGORITHM_VERSION}-{params.bands}x{params.rows}-s{params.seed}"
    return f"tokens2-w{params.shingle}-{digest}{numbers}"


def signatures(notes: pl.DataFrame, params: NearParams) -> pl.DataFrame:
    """Tokens, MinHash digest and shingles of each note.

    Args:
        notes: `note_id`, `text`, and any columns of `survivor.POLICY_COLUMNS`.
        params: shingle length and size of the digest.

    Returns:
        `note_id`, the policy columns, `n_chars` (code points, where it was not given), `scheme`, `n_tokens`,
        `n_shingles` (distinct), `numbers` (a hash of them in their order, where they keep notes apart), `bands`
        (Array(UInt64, bands): the key of each band of MinHash values) and `shingles` (List(UInt64), sorted, distinct),
        in the order of `notes`. They are derived from the text and stay where the text stays.
    """
    check_notes(notes, ["text"])
    notes = with_length(notes)
    text = notes["text"].fill_null("")
    parts = [_signatures(text[i : i + NOTES_AT_A_TIME], params) for i in range(0, max(len(text), 1), NOTES_AT_A_TIME)]
    return notes.select("note_id", *policy_columns(notes), pl.lit(scheme(params)).alias("scheme")).hstack(
        pl.concat(parts)
    )


def resolve(signatures: pl.DataFrame | Sequence[pl.LazyFrame], params: NearParams) -> Resolution:
    """The notes to drop, and the cluster of every note.

    Every dropped note is at `threshold` or above with the very note kept for it, and no two kept notes among the
    candidates are: greedily, best note first by `survivor`, each drops the ones below it that pass the check.
    Clusters are the connected components of the compared pairs at `link_threshold`; a pair so far apart is found
    with the probability given above, so a cluster is what was seen, not a proof that nothing else is alike.

    Args:
        signatures: output of `signatures` for all shards, in any order: one frame, or a table for each shard, of which
            only what is needed is read (`polars.scan_parquet`).
        params: the same that made them.

    Raises:
        UserError: the signatures were made in another way.
    """
    tables = [signatures.lazy()] if isinstance(signatures, pl.DataFrame) else list(signatures)
    columns = ("note_id", *POLICY_COLUMNS, "scheme", "n_shingles", "numbers")
    heads = pl.collect_all([table.select(pl.col(f"^({'|'.join(columns)})$")) for table in tables])
    table = pl.concat(heads, how="diagonal")
    check_notes(table, ["n_shingles", "scheme"])
    other = set(table["scheme"].unique().to_list()) - {scheme(params)}
    if other:
        raise UserError(
            "signatures were made in another way",
            value=", ".join(sorted(map(str, other))),
            cause=f"these parameters and versions make {scheme(params)}",
            next="make the signatures again from the text",
        )
    notes = ranked(table.drop("scheme", "n_shingles"))
    row, ids = notes["row"].to_numpy(), notes["note_id"]
    groups = stars.Groups(*(_codes(notes, column) for column in ("patient_id", "charted_at", "document", "numbers")))
    with_tokens = np.flatnonzero(table["n_shingles"].to_numpy()[row])
    bands = np.concatenate([part["bands"].to_numpy() for part in pl.collect_all([t.select("bands") for t in tables])])
    buckets = stars.buckets(bands[row[with_tokens]], with_tokens, groups)
    del bands
    # From here on notes are called by their rank among those that share a bucket.
    shared = buckets["note"].unique().sort().to_numpy()
    sets = read_sets(tables, [len(head) for head in heads], row[shared], table["n_shingles"].to_numpy()[row[shared]])
    edges, keeper = stars.search(
        buckets.with_columns(note=np.searchsorted(shared, buckets["note"].to_numpy())),
        sets,
        stars.Groups(*(codes[shared] for codes in groups)),
        threshold=params.threshold,
        link_threshold=params.link_threshold,
        leaders=params.leaders,
    )
    dropped = np.flatnonzero(keeper >= 0)
    decisions = pl.DataFrame(
        {
            "note_id": ids.gather(shared[dropped]),
            "kept_id": ids.gather(shared[keeper[dropped]]),
            "similarity": sets.jaccard(keeper[dropped], dropped),
        }
    )
    linked = components(
        zip(ids.gather(shared[edges.best]).to_list(), ids.gather(shared[edges.other]).to_list(), strict=True)
    )
    linked_to = pl.DataFrame(
        {"note_id": list(linked), "cluster": list(linked.values())},
        schema=dict.fromkeys(("note_id", "cluster"), ids.dtype),
    )
    clusters = (
        ids.to_frame()
        .join(linked_to, on="note_id", how="left")
        .with_columns(pl.col("cluster").fill_null(pl.col("note_id")))
    )
    return Resolution(decisions.sort("note_id"), clusters.sort("note_id"))


def read_sets(
    tables: Sequence[pl.LazyFrame], heights: Sequence[int], rows: stars.Ints, count: stars.Ints
) -> stars.Sets:
    """Shingles of the notes that stand at `rows` of the tables, one table at a time."""
    offsets = np.concatenate([[0], np.cumsum(count.astype(np.int64))])
    values = np.empty(offsets[-1], dtype=np.uint64)
    order = np.argsort(rows)
    start = 0
    for table, height in zip(tables, heights, strict=True):
        wanted = order[slice(*np.searchsorted(rows[order], [start, start + height]))]
        column = table.select("shingles").collect()["shingles"] if len(wanted) else None
        for at in range(0, len(wanted), SETS_AT_A_TIME):
            some = wanted[at : at + SETS_AT_A_TIME]
            found = column.gather(rows[some] - start).explode().to_numpy()  # type: ignore[union-attr]
            values[shingles.ranges(offsets[some], count[some].astype(np.int64))] = found
        start += height
    return stars.Sets(values, offsets)


def _signatures(text: pl.Series, params: NearParams) -> pl.DataFrame:
    tokens, n_tokens = shingles.token_hashes(text)
    hashes, count = shingles.sets(*shingles.shingle_hashes(tokens, n_tokens, params.shingle))
    keys = shingles.band_keys(hashes, count, params.bands, params.rows, params.seed)
    numbers = {"numbers": hashed(text)} if params.numbers_apart else {}
    return pl.DataFrame(
        {
            "n_tokens": pl.Series(n_tokens, dtype=pl.UInt32),
            "n_shingles": pl.Series(count, dtype=pl.UInt32),
            **numbers,
            "bands": pl.Series(keys, dtype=pl.Array(pl.UInt64, params.bands)),
            "shingles": shingles.lists(hashes, count),
        }
    )


def _codes(notes: pl.DataFrame, column: str) -> stars.Ints:
    """A number for each value of `column` (for each day, of a time), -1 where it is null or missing."""
    if column not in notes.columns:
        return np.full(len(notes), -1, dtype=np.int64)
    value = notes[column].cast(pl.String)
    day = value.str.head(10) if column == "charted_at" else value
    return day.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
