"""From text to sets of shingles and their MinHash digests, many notes at a time.

A token is a run of letters and digits, lower-cased, in Unicode NFC; a placeholder such as [NAME] is one token.
Hashes are our own (BLAKE2b of each distinct token, then a multilinear hash of the tokens in a row), because stored
ones must outlive versions of polars, whose hash is not promised to be stable.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from rensa import RMinHash

from dedupe.exact import composed

TOKEN = r"\[[a-z][a-z0-9_]{0,39}\]|[\p{L}\p{M}\p{N}]+"
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


def token_hashes(text: pl.Series) -> tuple[U64, I64]:
    """Hashes of all tokens of `text` in a row, and the number of tokens of each text."""
    tokens = composed(text).str.to_lowercase().str.extract_all(TOKEN)
    flat = tokens.explode(empty_as_null=False, keep_nulls=False)
    vocabulary = flat.unique()
    digests = b"".join(blake2b(token.encode(), digest_size=8).digest() for token in vocabulary.to_list())
    codes = flat.cast(pl.Enum(vocabulary)).to_physical().to_numpy()
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)[codes], tokens.list.len().to_numpy().astype(np.int64)


def shingle_hashes(tokens: U64, n_tokens: I64, width: int) -> tuple[U64, I64]:
    """Hashes of every `width` tokens in a row inside a note, and their number in each note.

    A note of fewer tokens has one shingle of all of them; a note without tokens has none.
    """
    # Zeros between the notes, so that a shingle never reaches into the next.
    gap = width - 1
    start = np.cumsum(n_tokens + gap) - n_tokens - gap
    spaced = np.zeros(int((n_tokens + gap).sum()) + gap, dtype=np.uint64)
    spaced[ranges(start, n_tokens)] = tokens
    count = np.where(n_tokens >= width, n_tokens - gap, np.minimum(n_tokens, 1))
    return mixed(_sums(spaced, width)[ranges(start, count)]), count


def rolled(tokens: U64, width: int) -> U64:
    """Hashes of every `width` tokens in a row, as those of `shingle_hashes`, whatever note they are of."""
    return mixed(_sums(tokens, width))


def _sums(tokens: U64, width: int) -> U64:
    size = max(len(tokens) - width + 1, 0)
    sums = np.zeros(size, dtype=np.uint64)
    for k, weight in enumerate(_weights(width)):
        sums += tokens[k : k + size] * weight
    return sums


def mixed(values: U64) -> U64:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection that spreads every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def digests(shingles: U64, count: I64, permutations: int, seed: int) -> npt.NDArray[np.uint32]:
    """MinHash digest of each note, one row of `permutations` values; of no shingles, rensa's empty digest."""
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, permutations, seed)
    return np.array(matrix.to_rows(), dtype=np.uint32).reshape(len(count), permutations)


def sets(shingles: U64, count: I64) -> pl.Series:
    """The distinct shingles of each note, sorted: List(UInt64)."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(count)]))
    lists = pl.Series("shingles", pa.LargeListArray.from_arrays(offsets, pa.array(shingles)))
    return lists.list.unique().list.sort()


def _weights(width: int) -> U64:
    """Odd and different weights, so that the order of tokens counts."""
    return mixed(np.arange(1, width + 1, dtype=np.uint64) * MIX) | np.uint64(1)


def ranges(start: I64, length: I64) -> I64:
    """start[0], start[0] + 1, … `length[0]` of them, then the same from start[1], and so on."""
    return np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
