"""Where the pieces of a note stand, word for word or nearly so, in what was written before.

A note and everything before it are rows of numbers, one for each word, cut into pieces (sentences, list items). Each
piece is compared with a few places: where the piece before it would go on, the next pieces there, where the very same
piece stands, and where some words of it stand in a row (seeds). The place that holds most of its words wins. Pieces
that follow each other there and here, with little put in or left out between them, are a chain.

Every piece is compared with a bounded number of places, and at each only words around it are looked at, so the cost is
linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

SEED = 5
"""Words in a row by which a piece that was changed is found."""
NEAR = 5
"""Words that may differ inside a piece before it goes on as before."""
PIECES = 6
"""Pieces that may be left out of what was copied before the next is looked for elsewhere."""
GAP = 20
"""Words put in or left out after which two pieces are one chain still. Standard phrases in their usual order, each typed
anew, are no passage."""
HEADS = 3
"""Chains that may go on side by side."""
SEEDED = 4
"""Places found by seeds that a piece is compared with."""
PAD = 2 * NEAR + 2
"""Fillers between two notes, so that no comparison reaches from one into the next."""
FILLER = -1

_STEPS = sorted(
    ((a, b) for a in range(NEAR + 1) for b in range(NEAR + 1) if a + b), key=lambda step: (sum(step), abs(step[0] - step[1]))
)  # fmt: skip


class Alignment(NamedTuple):
    """For each word of a note its place in the stream and its chain (-1: none), and the words matched in each chain."""

    place: list[int]
    chain: list[int]
    matched: list[int]


class Stream:
    """Everything a patient's notes said so far, one number a word, with where pieces begin and which note a word is of."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self.starts: list[int] = []  # places where a piece begins; the end of a note is one too
        self.start_index: list[int] = []  # of each place: pieces begun up to and with it
        self.note: list[int] = []  # of each place: running number of the note it stands in
        self.origin: list[int] = []  # of each place: the note in which the word is kept
        # Of both the latest place counts: notes are copied from the day before.
        self._seeds: dict[int, int] = {}
        self._pieces: dict[int, int] = {}
        self._notes = 0

    def begins(self, place: int) -> bool:
        """Whether a piece begins at `place`, or a note ends there."""
        index = self.start_index[place]
        return index > 0 and self.starts[index - 1] == place

    def following(self, place: int, count: int) -> list[int]:
        """The next places after `place`, in the same note, where a piece begins."""
        after = self.start_index[place]
        return [t for t in self.starts[after : after + count] if self.note[t] == self.note[place]]

    def add(self, pieces: Sequence[Sequence[int]], origin: Sequence[int]) -> None:
        """Put a note at the end. `origin`: the note in which each of its words is kept."""
        base = at = len(self.words)
        self._notes += 1
        for piece in pieces:
            self.starts.append(at)
            self.start_index += [len(self.starts)] * len(piece)
            self._pieces[hash(tuple(piece))] = at
            self.words += piece
            at += len(piece)
        self.starts.append(at)
        self.start_index += [len(self.starts)] * PAD
        self.note += [self._notes] * (at - base + PAD)
        self.origin += [*origin, *[FILLER] * PAD]
        self._seeds.update(zip(seeds(self.words[base:at]), range(base, at), strict=False))
        self.words += [FILLER] * PAD

    def same_piece(self, piece: Sequence[int]) -> int:
        """Where a piece of the same words begins, or -1."""
        place = self._pieces.get(hash(tuple(piece)), -1)
        return place if place >= 0 and self.words[place : place + len(piece)] == piece else -1

    def find(self, words: Sequence[int]) -> list[int]:
        """For each place of a note where a seed begins, where that seed stands in the stream, or -1."""
        get = self._seeds.get
        return [get(seed, -1) for seed in seeds(words)]


def seeds(words: Sequence[int]) -> list[int]:
    """A number for each `SEED` words in a row."""
    if len(words) < SEED:
        return []
    row = np.asarray(words, dtype=np.uint64)
    size = len(row) - SEED + 1
    total = np.zeros(size, dtype=np.uint64)
    for k in range(SEED):
        total = (total ^ row[k : k + size]) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total.tolist()


def align(words: list[int], ends: Sequence[int], stream: Stream) -> Alignment:
    """Match a note against the stream. `ends`: the places of the note where its pieces end, in order."""
    size = len(words)
    found = Alignment([-1] * size, [-1] * size, [])
    if not stream.words:
        return found
    seeded = stream.find(words)
    heads: list[
        tuple[int, int, int]
    ] = []  # where a chain goes on in the stream and ended here, and the chain; latest first
    start = 0
    for end in ends:
        if end > start and (match := _place(words, start, end, seeded, stream, heads)):
            first, last = match[0][1], match[-1][1]
            chain = next(
                (
                    c
                    for s, i, c in heads
                    if 0 <= first - s <= GAP and start - i <= GAP and stream.note[first] == stream.note[s]
                ),
                -1,
            )
            if chain < 0:
                chain = len(found.matched)
                found.matched.append(0)
            for i, t in match:
                found.place[i], found.chain[i] = t, chain
            found.matched[chain] += len(match)
            heads = [(last + 1, end, chain), *(head for head in heads if head[2] != chain)][:HEADS]
        start = end
    return found


Match = list[tuple[int, int]]
"""Pairs of a place in the note and one in the stream, both rising."""


def _place(
    words: list[int], start: int, end: int, seeded: list[int], stream: Stream, heads: list[tuple[int, int, int]]
) -> Match | None:
    """The words of a piece with their places where most of them stand; None where that is less than half."""
    piece, size, old = words[start:end], end - start, stream.words
    near = [t for s, _, _ in heads for t in [s, *stream.following(s, PIECES)]]
    first = seeded[start : start + 1] if size < SEED else []  # a seed reaches beyond a short piece
    for t in [*near, *first]:
        if old[t] == piece[0] and old[t : t + size] == piece:
            return list(zip(range(start, end), range(t, t + size), strict=True))
    if size >= SEED and (t := stream.same_piece(piece)) >= 0:
        return list(zip(range(start, end), range(t, t + size), strict=True))
    best: Match = []
    for t in dict.fromkeys([*_alike(piece, near, stream), *_seeded(seeded, start, end)]):
        match = _walk(words, start, end, old, t)
        if len(match) > len(best):
            best = match
    return best if 2 * len(best) >= size and len(best) >= 2 else None


def _alike(piece: list[int], near: list[int], stream: Stream) -> Iterator[int]:
    """Of the pieces that may follow, those that begin or end with the same words."""
    for t in near:
        if stream.words[t] == piece[0] or piece[1:2] == stream.words[t + 1 : t + 2]:
            yield t
            continue
        after = stream.start_index[t]
        stop = stream.starts[after] if after < len(stream.starts) else t + 1
        if stream.words[stop - 1] == piece[-1]:
            yield t


def _seeded(seeded: list[int], start: int, end: int) -> list[int]:
    """Where a piece would begin, by the seeds that begin in it; the places that most of them tell.

    A seed may reach into the next pieces, so a list of short items is found by its items together.
    """
    votes: dict[int, int] = {}
    for k, t in enumerate(seeded[start:end], start):
        if t >= 0:
            begin = max(t - (k - start) - 2, 0)  # two words early: some may have been left out
            votes[begin] = votes.get(begin, 0) + 1
    return sorted(votes, key=lambda begin: (-votes[begin], -begin))[:SEEDED]


def _walk(words: list[int], start: int, end: int, old: list[int], t: int) -> Match:
    """Words of a piece that stand at `t` and after, in order; a few on either side may be passed over at a time."""
    match: Match = []
    i = start
    while i < end:
        if words[i] == old[t]:
            match.append((i, t))
            i, t = i + 1, t + 1
            continue
        for a, b in _STEPS:
            if i + a >= end or t + b + 1 >= len(old) or words[i + a] != old[t + b]:
                continue
            if i + a + 1 == end or words[i + a + 1] == old[t + b + 1]:
                i, t = i + a, t + b
                break
        else:
            return match
    return match
