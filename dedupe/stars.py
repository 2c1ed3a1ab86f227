"""Candidate pairs from MinHash bands, checked by exact Jaccard, made into stars. Notes are their ranks: 0 is best.

The work is linear in the size of a bucket: in each, one leader after another is compared with the notes below it,
and what a leader drops is compared no more. A form filled in ten thousand times costs ten thousand comparisons.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Groups(NamedTuple):
    """Code of each note's patient, day of charting, document and numbers; -1 where there is none."""

    patient: Ints
    day: Ints
    document: Ints
    numbers: Ints

    def may_match(self, a: Ints, b: Ints) -> npt.NDArray[np.bool_]:
        """Whether the pairs (a, b) may be near-duplicates: not of one patient's different days, unless versions."""
        other_patient = (self.patient[a] != self.patient[b]) | (self.patient[a] < 0)
        return other_patient | _same(self.day, a, b) | _same(self.document, a, b)


class Edges(NamedTuple):
    """Compared pairs at the looser threshold or above: the better note, the other, their Jaccard similarity, and
    whether one may be dropped for the other: they are at the stricter threshold, and their numbers do not differ."""

    best: Ints
    other: Ints
    similarity: Floats
    strong: npt.NDArray[np.bool_]


def _same(codes: Ints, a: Ints, b: Ints) -> npt.NDArray[np.bool_]:
    return (codes[a] == codes[b]) & (codes[a] >= 0)


class Sets(NamedTuple):
    """Shingles of note i: values[offsets[i] : offsets[i + 1]], sorted, distinct."""

    values: npt.NDArray[np.uint64]
    offsets: Ints

    def sizes(self) -> Ints:
        """Shingles of each note."""
        return np.diff(self.offsets)

    def jaccard(self, a: Ints, b: Ints) -> Floats:
        """Jaccard similarity of the sets at `a` with those at `b`, none of them empty."""
        starts, ends = self.offsets[:-1], self.offsets[1:]
        both = np.empty(len(a), dtype=np.int64)
        places = zip(starts[a].tolist(), ends[a].tolist(), starts[b].tolist(), ends[b].tolist(), strict=True)
        for i, (a0, a1, b0, b1) in enumerate(places):
            # numpy sorts 700 numbers in 3 us; a merge or a hash table takes more, in anything we may call.
            pair = np.concatenate((self.values[a0:a1], self.values[b0:b1]))
            pair.sort()
            both[i] = np.count_nonzero(pair[1:] == pair[:-1])
        return both / (self.sizes()[a] + self.sizes()[b] - both)


def buckets(bands: npt.NDArray[np.uint64], notes: Ints, groups: Groups) -> pl.DataFrame:
    """Notes that share the key of a band: `bucket`, `note`, sorted by both.

    Args:
        bands: keys of the bands, one row for each of `notes`.
        notes: rank of each.
        groups: codes by rank.

    A band's bucket is there as a whole, if two of its notes may be of different patients, and also by day within a
    patient, by document, and by numbers where they keep notes apart: so a patient's long series of daily notes, or a form
    filled in with other values, neither costs comparisons nor hides a re-save.
    """
    parts = [pl.DataFrame(schema={"bucket": pl.Int64, "note": pl.Int64})]
    codes = {name: code[notes] for name, code in groups._asdict().items()}
    for key in bands.T:
        shared = pl.DataFrame({"key": key, "note": notes, **codes}).filter(pl.col("key").is_duplicated())
        patients = pl.col("patient")
        whole = shared.filter((patients.min() != patients.max()).over("key") | (patients < 0))
        same_day = shared.filter((patients >= 0) & (pl.col("day") >= 0))
        versions = shared.filter(pl.col("document") >= 0)
        same_numbers = shared.filter(pl.col("numbers") >= 0)
        for part, by in (
            (whole, ["key"]),
            (same_day, ["key", "patient", "day"]),
            (versions, ["key", "document"]),
            (same_numbers, ["key", "numbers"]),
        ):
            part = part.filter(pl.len().over(by) > 1).sort(*by, "note")
            parts.append(part.select(pl.struct(by).rle_id().cast(pl.Int64).alias("bucket"), "note"))
    starts = accumulate(map(len, parts), initial=0)
    return pl.concat(part.with_columns(pl.col("bucket") + start) for part, start in zip(parts, starts, strict=False))


def search(
    buckets: pl.DataFrame, sets: Sets, groups: Groups, *, threshold: float, link_threshold: float, leaders: int
) -> tuple[Edges, Ints]:
    """Compare the candidates and find the stars.

    In each bucket the best note still kept is compared with the others still kept, then the second best, up to
    `leaders`; then all over again, until a round finds no new pair. So at the end every two kept notes that share a
    bucket, one of them among its first `leaders`, have been compared and are apart.

    Returns:
        The pairs found at `link_threshold` or above, and for each note the one it is dropped for (-1: kept).
    """
    bucket, note = buckets["bucket"].to_numpy(), buckets["note"].to_numpy()
    size = sets.sizes()
    n_notes = len(size)
    compared = np.zeros(0, dtype=np.int64)
    none = np.zeros(0, np.int64)
    found = [Edges(none, none, np.zeros(0, np.float64), np.zeros(0, np.bool_))]
    keeper = np.full(n_notes, -1, dtype=np.int64)
    new = True
    while new:
        new = False
        for leader in range(leaders):
            kept = keeper[note] < 0
            bucket_kept, note_kept = bucket[kept], note[kept]
            pairs = _pairs(bucket_kept, note_kept, leader, n_notes)
            if pairs is None:
                break
            pairs = np.setdiff1d(pairs, compared, assume_unique=True)
            compared = np.union1d(compared, pairs)
            a, b = pairs // n_notes, pairs % n_notes
            # Sets are no more similar than their sizes.
            close = groups.may_match(a, b) & (
                np.minimum(size[a], size[b]) / np.maximum(size[a], size[b]) >= link_threshold
            )
            a, b = a[close], b[close]
            similarity = sets.jaccard(a, b)
            linked = similarity >= link_threshold
            strong = (similarity >= threshold) & (groups.numbers[a] == groups.numbers[b])
            found.append(Edges(a[linked], b[linked], similarity[linked], strong[linked]))
            if strong.any():
                new = True
                keeper = _stars(Edges(*map(np.concatenate, zip(*found, strict=True))), n_notes)
    return Edges(*map(np.concatenate, zip(*found, strict=True))), keeper


def _pairs(bucket: Ints, note: Ints, leader: int, n_notes: int) -> Ints | None:
    """Distinct pairs, as a * n_notes + b, of the `leader`-th note of each bucket with those after it; None: no more."""
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    length = np.diff(starts, append=len(bucket))
    starts, length = starts[length > leader + 1], length[length > leader + 1]
    if not len(starts):
        return None
    rest = length - leader - 1
    first = np.repeat(note[starts + leader], rest)
    position = np.arange(rest.sum()) - np.repeat(np.cumsum(rest) - rest, rest)
    return np.unique(first * n_notes + note[np.repeat(starts + leader + 1, rest) + position])


def _stars(edges: Edges, n_notes: int) -> Ints:
    """Best note first, each kept note drops those below it by strong edges: the note each is dropped for, or -1."""
    best_of, other_of = edges.best[edges.strong], edges.other[edges.strong]
    order = np.lexsort((other_of, best_of))
    keeper = [-1] * n_notes
    for best, other in zip(best_of[order].tolist(), other_of[order].tolist(), strict=True):
        if keeper[best] < 0 and keeper[other] < 0:
            keeper[other] = best
    return np.array(keeper, dtype=np.int64)
