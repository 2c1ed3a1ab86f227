"""From text to sets of shingles and their MinHash digests, many notes at a time.

A token is a run of letters and digits, lower-cased, in Unicode NFC; a placeholder such as [NAME] is one token.
Hashes are our own (each token's bytes, eight at a time, then a multilinear hash of the tokens in a row), because stored
ones must outlive versions of polars, whose hash is not promised to be stable.

Texts go through as one array of bytes: 350 words take 35 us, of which a third is the hashing, where a regular expression
takes 100 us to find the same tokens.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from rensa import RMinHash

from dedupe.exact import composed, not_ascii

TOKEN = r"\[[a-z][a-z0-9_]{0,39}\]|[\p{L}\p{M}\p{N}]+"
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# What becomes of a byte: letters and digits lower-cased and at 0x30 or above, as are the bytes of all other letters.
OPEN, CLOSE, LOW_LINE, FIRST_OF_WORD = 1, 2, 3, 0x30
_NAMED = {ord("["): OPEN, ord("]"): CLOSE, ord("_"): LOW_LINE}
_FOLDED = bytes(ord(chr(b).lower()) if chr(b).isalnum() else _NAMED.get(b, 0) for b in range(128)) + bytes(
    range(128, 256)
)
_LETTER = np.array([chr(b).isalpha() and b < 128 for b in range(256)])
_IN_PLACEHOLDER = np.array([b == LOW_LINE or (b < 128 and chr(b).isalnum()) for b in range(256)])
_LONGEST_PLACEHOLDER = 40
_LONGEST_FOLDED = 64  # bytes; each eight take a pass over the tokens that have them
_FIRST_BYTES = np.array([(1 << 8 * k) - 1 for k in range(9)], dtype=np.uint64)


def token_hashes(text: pl.Series) -> tuple[U64, I64]:
    """Hashes of all tokens of `text` in a row, and the number of tokens of each text."""
    folded, start, length, n_tokens = _read(text)
    return _hashed(folded, start, length), n_tokens


def _read(text: pl.Series) -> tuple[Bytes, I64, I64, I64]:
    """All texts as bytes, where each token starts there, its length, and the number of tokens of each text."""
    text = _plain(text)
    whole = f"\n{text.str.join(chr(10)).item()}\n".encode() if len(text) else b"\n"
    folded = np.frombuffer(whole.translate(_FOLDED) + bytes(_LONGEST_PLACEHOLDER + 8), dtype=np.uint8)
    start, length = _tokens(folded)
    ends = np.cumsum(text.str.len_bytes().to_numpy().astype(np.int64) + 1)
    n_tokens = np.diff(np.searchsorted(start, ends), prepend=0)
    return folded, start, length, n_tokens.astype(np.int64)


def _plain(text: pl.Series) -> pl.Series:
    """`text` in which every character beyond ASCII is part of a word, and no other is but the ASCII ones."""
    other = not_ascii(text)
    if not len(other):
        return text
    lower = composed(text.gather(other)).str.to_lowercase()
    return text.scatter(other, lower.str.replace_all(r"[^\p{L}\p{M}\p{N}\x00-\x7f]", " "))


def _tokens(folded: Bytes) -> tuple[I64, I64]:
    """Where each token starts, and its length in bytes."""
    word = folded >= FIRST_OF_WORD
    opened, size = _placeholders(folded)
    word[ranges(opened, size)] = False
    edges = np.flatnonzero(word[1:] != word[:-1]) + 1
    start, length = edges[0::2], edges[1::2] - edges[0::2]
    if not len(opened):
        return start, length
    place = np.searchsorted(start, opened)
    return np.insert(start, place, opened), np.insert(length, place, size)


def _placeholders(folded: Bytes) -> tuple[I64, I64]:
    """Where each placeholder starts, and its length with both brackets."""
    opened = np.flatnonzero(folded == OPEN)
    opened = opened[_LETTER[folded[opened + 1]]]
    inside = folded[opened[:, None] + np.arange(1, _LONGEST_PLACEHOLDER + 2)]
    length = np.argmin(_IN_PLACEHOLDER[inside], axis=1)  # 0 where the name is too long
    closed = (length > 0) & (inside[np.arange(len(opened)), length] == CLOSE)
    return opened[closed], length[closed] + 2


def _hashed(folded: Bytes, start: I64, length: I64) -> U64:
    """A hash of the bytes of each token. Tokens of up to eight bytes never share one."""
    eight = np.ndarray((len(folded) - 7,), dtype="<u8", buffer=folded, strides=(1,))
    hashes = mixed(eight[start] & _FIRST_BYTES[np.minimum(length, 8)])
    done = 8
    more = np.flatnonzero((length > done) & (length <= _LONGEST_FOLDED))
    while len(more):
        part = eight[start[more] + done] & _FIRST_BYTES[np.minimum(length[more] - done, 8)]
        hashes[more] = mixed(hashes[more] + part)
        done += 8
        more = more[length[more] > done]
    for i in np.flatnonzero(length > _LONGEST_FOLDED).tolist():
        digest = blake2b(folded[start[i] : start[i] + length[i]].tobytes(), digest_size=8).digest()
        hashes[i] = int.from_bytes(digest, "little")
    return hashes


def shingle_hashes(tokens: U64, n_tokens: I64, width: int) -> tuple[U64, I64]:
    """Hashes of every `width` tokens in a row inside a note, and their number in each note.

    A note of fewer tokens has one shingle of all of them; a note without tokens has none.
    """
    gap = width - 1
    end = np.cumsum(n_tokens)
    sums = _sums(np.concatenate([tokens, np.zeros(gap, dtype=np.uint64)]), width)
    inside = np.ones(len(tokens), dtype=bool)
    enough = n_tokens >= width
    for k in range(1, width):  # shingles that begin here would reach into the next note
        inside[end[enough] - k] = False
    few = np.flatnonzero(~enough & (n_tokens > 0))
    first = (end - n_tokens)[few]
    inside[ranges(first, n_tokens[few])] = False
    inside[first] = True
    sums[first] = 0
    for k, weight in enumerate(_weights(width)[:gap]):
        has = n_tokens[few] > k
        sums[first[has]] += tokens[first[has] + k] * weight
    return mixed(sums[inside]), np.where(enough, n_tokens - gap, np.minimum(n_tokens, 1))


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
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def band_keys(shingles: U64, count: I64, bands: int, rows: int, seed: int) -> U64:
    """A key for each band of `rows` MinHash values of each note: one row of `bands` keys a note."""
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, bands * rows, seed)
    digests = np.array(matrix.to_rows(), dtype=np.uint32).reshape(len(count), bands, rows)
    keys = np.zeros((len(count), bands), dtype=np.uint64)
    for row in range(rows):
        keys = mixed(keys + digests[:, :, row] + np.uint64(1))
    return keys


def sets(shingles: U64, count: I64) -> tuple[U64, I64]:
    """The distinct shingles of each note, sorted, all in a row, and their number in each note."""
    shingles = shingles.copy()
    ends = np.cumsum(count)
    for start, end in zip((ends - count).tolist(), ends.tolist(), strict=True):
        shingles[start:end].sort()
    new = np.ones(len(shingles), dtype=bool)
    new[1:] = shingles[1:] != shingles[:-1]
    new[(ends - count)[count > 0]] = True
    kept = np.concatenate([[0], np.cumsum(new)])
    return shingles[new], kept[ends] - kept[ends - count]


def lists(values: U64, count: I64) -> pl.Series:
    """`values` as lists of `count` values: List(UInt64)."""
    offsets = np.concatenate([[0], np.cumsum(count)])
    # Of buffers, because pyarrow.array() of numpy's imports pandas where it is installed: 180 ms.
    flat = pa.Array.from_buffers(pa.uint64(), len(values), [None, pa.py_buffer(values)])
    buffers = [None, pa.py_buffer(offsets)]
    return pl.Series(
        "shingles", pa.Array.from_buffers(pa.large_list(pa.uint64()), len(count), buffers, children=[flat])
    )


def _weights(width: int) -> U64:
    """Odd and different weights, so that the order of tokens counts."""
    return mixed(np.arange(1, width + 1, dtype=np.uint64) * MIX) | np.uint64(1)


def ranges(start: I64, length: I64) -> I64:
    """start[0], start[0] + 1, … `length[0]` of them, then the same from start[1], and so on."""
    return np.arange(length.sum()) + np.repeat(start - (np.cumsum(length) - length), length)
