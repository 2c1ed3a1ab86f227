"""Evaluation items that stand in training text: found by the word n-grams they share, whatever the case or the wrapping.

An **item** (one question, one summary, one held-out note) has parts: the first is what it asks or says, the others are its
options, context, answer. A part of `ngram` tokens and more is *matched* by a record if `share` of its tokens lie in n-grams
that stand in the record; up to `gap` tokens between two such n-grams count too, so that a masked name or a typing error
hides nothing. A shorter part is matched if all its tokens stand there in a row. A record **holds** an item if

- a matched part has `min_tokens` matched tokens: a whole question, an option that is a sentence, a held-out note; or
- the first part is matched and the matched parts together have as many: a short question with its options.

Eight tokens and 80% are Meditron's rule (2311.16079: a training question goes when 80% of its 8-grams collide with the test
set), with the share taken of the item, because a note is longer than a question and would thin it out. Long options count
alone as in 2406.14833, where training samples with a test option in them were deleted. Thirteen tokens are GPT-3's n
(2005.14165): fewer are everyday language. Any single shared n-gram, as datatrove's filter has it with 12, would take every
note that opens like an exam question. Paraphrase and translation are not found (2311.04850).

The index takes about 70 bytes for each token of the items and is held once in each worker; records are read
`NOTES_AT_A_TIME`, and `PAIRS_AT_A_TIME` bounds what they are compared with, so memory does not grow with the corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from dedupe import shingles
from dedupe.shingles import ranges

NOTES_AT_A_TIME = 1024
PAIRS_AT_A_TIME = 1 << 21
STOPS = re.compile(r"[.,;:!?)\]\"']*")  # go with the words before them
FEWEST = 4  # tokens of a first part that is looked for; shorter ones stand everywhere

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SCHEMA = {
    "row": pl.Int64, "set": pl.String, "item": pl.String, "coverage": pl.Float64, "tokens": pl.Int64, "held": pl.Boolean,
}  # fmt: skip


class ContaminationParams(BaseModel):
    """When a record holds an item."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ngram: int = Field(default=8, ge=4, le=64, description="tokens in a row that a record and an item must share")
    share: float = Field(default=0.8, gt=0, le=1, description="share of a part's tokens in such n-grams")
    min_tokens: int = Field(default=13, ge=4, description="matched tokens below which a match says nothing")
    gap: int = Field(default=4, ge=0, description="tokens between two n-grams of a part that count as matched")


class Index(NamedTuple):
    """Items, ready to be looked for. Made by `index`."""

    names: pl.DataFrame
    """set, item, checkable; one row an item, in order."""
    params: ContaminationParams
    tokens: shingles.U64
    part: Ints
    """Of each token, its part."""
    start: Ints
    length: Ints
    item: Ints
    """Of each part: first token, number of tokens, item."""
    main: Bools
    """Of each part: whether it is its item's first."""
    grams: shingles.U64
    """Distinct n-grams, sorted."""
    offsets: Ints
    places: Ints
    """Tokens at which gram `g` begins: places[offsets[g] : offsets[g + 1]]."""
    seen: Bools
    """By the highest bits of a gram's hash: False means that it is in no item."""
    widths: tuple[int, ...]
    """Lengths of the n-grams, longest last."""


def index(items: pl.DataFrame, params: ContaminationParams) -> Index:
    """Prepare items for `find`.

    Args:
        items: `set`, `item`, `text`; the rows of an item in a row, its first part first.
        params: when a record holds an item.
    """
    items = items.with_columns(_new=(pl.struct("set", "item") != pl.struct("set", "item").shift()).fill_null(True))
    tokens, length = shingles.token_hashes(items["text"].fill_null(""))
    item = items["_new"].cum_sum().to_numpy().astype(np.int64) - 1
    main = items["_new"].to_numpy().astype(np.bool_)
    start = np.cumsum(length) - length
    whole = np.bincount(item, weights=length, minlength=0).astype(np.int64)
    widest = np.zeros(len(whole), dtype=np.int64)
    np.maximum.at(widest, item, length)
    first = length[main]
    checkable = (widest >= params.min_tokens) | ((whole >= params.min_tokens) & (first >= FEWEST))
    names = items.filter("_new").select("set", "item").with_columns(checkable=pl.Series(checkable, dtype=pl.Boolean))

    # Short parts that are not first are looked for only where the first is found: "yes" stands everywhere.
    width = np.where(length >= params.ngram, params.ngram, np.where(main & (length >= FEWEST), length, 0))
    hashes, places, widths = [], [], []
    for k in sorted(set(width.tolist()) - {0}):
        at = np.flatnonzero(width == k)
        found = ranges(start[at], length[at] - k + 1)
        hashes.append(shingles.rolled(tokens, k)[found])
        places.append(found)
        widths.append(k)
    flat = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
    place = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
    order = np.lexsort((place, flat))
    grams, first_of = np.unique(flat[order], return_index=True)
    seen = np.zeros(1 << _bits(len(grams)), dtype=np.bool_)
    seen[_high(grams, len(seen))] = True
    return Index(
        names, params, tokens, np.repeat(np.arange(len(length)), length), start, length, item, main, grams,
        np.append(first_of, len(flat)).astype(np.int64), place[order], seen, tuple(widths),
    )  # fmt: skip


def find(texts: pl.Series, items: Index, *, least: float = 0.5) -> pl.DataFrame:
    """Which items stand in which texts.

    Args:
        texts: training text, one a record.
        items: what must not stand there.
        least: items that are not held are named from this coverage of a part on, if it has `min_tokens`.

    Returns:
        `row` (position in `texts`), `set`, `item`, `coverage` (of the part that is covered best), `tokens` (matched in
        all matched parts), `held`; by row, best first.
    """
    texts = texts.fill_null("")
    found = []
    for at in range(0, len(texts), NOTES_AT_A_TIME):
        tokens, count = shingles.token_hashes(texts[at : at + NOTES_AT_A_TIME])
        for row, gram in _portions(*_hits(tokens, count, items), items):
            found.append(_judged(row, gram, tokens, count, items, least).with_columns(pl.col("row") + at))
    frame = pl.concat(found) if found else pl.DataFrame(schema=SCHEMA)
    return frame.sort(
        "row", "held", "coverage", "tokens", "set", "item", descending=[False, True, True, True, False, False]
    )


def passages(text: str, named: pl.DataFrame, items: Index) -> list[tuple[int, int]] | None:
    """Where the items `named` (`set`, `item`) stand in `text`: half-open, in code points, sorted, apart.

    None where the tokens of the text as it stands are not those it was compared by (a letter whose lower case is two, a
    mark that joins with a sign): then nothing can be cut out safely.
    """
    raw = (
        pl.Series([text]).str.extract_all(shingles.TOKEN.replace("[a-z][a-z0-9_]", "[A-Za-z][A-Za-z0-9_]")).to_list()[0]
    )
    tokens, _ = shingles.token_hashes(pl.Series([text]))
    if len(raw) != len(tokens):
        return None
    covered = _covered(tokens, named, items)
    spans: list[tuple[int, int]] = []
    at, last = 0, -1 - items.params.gap
    for position, token in enumerate(raw):
        start = text.index(token, at)
        at = start + len(token)
        if covered[position]:
            if spans and position - last <= items.params.gap + 1:
                spans[-1] = (spans[-1][0], at)
            else:
                spans.append((start, at))
            last = position
    return [(start, STOPS.match(text, end).end()) for start, end in spans]  # type: ignore[union-attr]


def _parts(item: int, items: Index) -> Ints:
    """Parts of an item, the first one first."""
    return np.arange(*np.searchsorted(items.item, [item, item + 1]), dtype=np.int64)


def _of(part: int, items: Index) -> shingles.U64:
    return items.tokens[items.start[part] : items.start[part] + items.length[part]]


def _covered(tokens: shingles.U64, named: pl.DataFrame, items: Index) -> Bools:
    """Which tokens belong to the items `named`. Of parts under FEWEST tokens, only where they follow on what does."""
    ours = items.names.with_row_index("n").join(named.select("set", "item").unique(), on=["set", "item"], how="semi")
    covered = np.zeros(len(tokens), dtype=np.bool_)
    tiny = []
    for part in np.concatenate([_parts(n, items) for n in ours["n"]]) if ours.height else []:
        own = _of(part, items)
        k = min(items.params.ngram, len(own))
        if 0 < k <= len(tokens):
            hit = np.flatnonzero(np.isin(shingles.rolled(tokens, k), shingles.rolled(own, k)))
            if k < FEWEST:
                tiny.append((hit, k))
            else:
                covered[ranges(hit, np.full(len(hit), k))] = True
    near = items.params.ngram + items.params.gap
    for _ in range(2 * len(tiny)):  # options stand one after the other: each lets the next be seen
        before = int(covered.sum())
        for hit, k in tiny:
            sums = np.append(0, np.cumsum(covered))
            close = sums[np.minimum(hit + k + near, len(tokens))] - sums[np.maximum(hit - near, 0)] > 0
            covered[ranges(hit[close], np.full(int(close.sum()), k))] = True
        if int(covered.sum()) == before:
            break
    return covered


def _bits(grams: int) -> int:
    return max(10, int(grams * 16).bit_length())


def _high(hashes: shingles.U64, size: int) -> Ints:
    return (hashes >> np.uint64(64 - (size.bit_length() - 1))).astype(np.int64)


def _hits(tokens: shingles.U64, count: Ints, items: Index) -> tuple[Ints, Ints]:
    """Rows and the grams of items that stand in them, each pair once, by row."""
    end = np.cumsum(count)
    row = np.repeat(np.arange(len(count)), count)
    rows, grams = [], []
    for width in items.widths:
        hashes = shingles.rolled(tokens, width)
        at = np.flatnonzero(items.seen[_high(hashes, len(items.seen))])
        at = at[at + width <= end[row[at]]]
        gram = np.searchsorted(items.grams, hashes[at])
        gram[gram == len(items.grams)] = 0
        same = items.grams[gram] == hashes[at]
        rows.append(row[at][same])
        grams.append(gram[same])
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    pair = np.unique(np.concatenate(rows) * (len(items.grams) + 1) + np.concatenate(grams))
    return pair // (len(items.grams) + 1), pair % (len(items.grams) + 1)


def _portions(row: Ints, gram: Ints, items: Index) -> Iterator[tuple[Ints, Ints]]:
    """The hits, cut between rows so that no portion stands for more than PAIRS_AT_A_TIME places, but for single rows."""
    if not len(row):
        return
    work = np.cumsum(items.offsets[gram + 1] - items.offsets[gram])
    at = 0
    while at < len(row):
        done = work[at - 1] if at else 0
        stop = int(np.searchsorted(work, done + PAIRS_AT_A_TIME, side="right"))
        if stop < len(row):
            stop = int(np.searchsorted(row, row[stop]))
        if stop <= at:
            stop = int(np.searchsorted(row, row[at], side="right"))
        yield row[at:stop], gram[at:stop]
        at = stop


def _judged(row: Ints, gram: Ints, tokens: shingles.U64, count: Ints, items: Index, least: float) -> pl.DataFrame:
    params = items.params
    n = items.offsets[gram + 1] - items.offsets[gram]
    place = items.places[ranges(items.offsets[gram], n)]
    key = np.sort(np.repeat(row, n) * (len(items.tokens) + 1) + place)
    row, place = key // (len(items.tokens) + 1), key % (len(items.tokens) + 1)
    part = items.part[place]
    width = np.minimum(params.ngram, items.length[part])
    new = np.append(True, (row[1:] != row[:-1]) | (part[1:] != part[:-1]))
    step = np.append(np.diff(place), 0)
    step[np.append(new[1:], True)] = 0
    bridged = (step > 0) & (step <= width + params.gap)
    covered = np.add.reduceat(np.where(bridged, step, width), np.flatnonzero(new))
    row, part = row[new], part[new]
    coverage = covered / items.length[part]
    matched = coverage >= params.share
    table = pl.DataFrame(
        {
            "row": row, "n": items.item[part], "coverage": coverage, "tokens": np.where(matched, covered, 0),
            "long": matched & (covered >= params.min_tokens), "main": matched & items.main[part],
            "told": np.where(covered >= params.min_tokens, coverage, 0.0),
        }
    )  # fmt: skip
    each = (
        table.group_by("row", "n")
        .agg(pl.max("coverage", "told"), pl.sum("tokens"), pl.any("long", "main"))
        .sort("row", "n")
    )
    short = each.filter(pl.col("main") & ~pl.col("long"))
    more = [_short_parts(r, n, tokens, count, items) for r, n in short.select("row", "n").iter_rows()]
    added = short.select("row", "n").with_columns(more=pl.Series(more, dtype=pl.Int64))
    return (
        each.join(added, on=["row", "n"], how="left")
        .with_columns(pl.col("tokens") + pl.col("more").fill_null(0))
        .with_columns(held=pl.col("long") | (pl.col("main") & (pl.col("tokens") >= params.min_tokens)))
        .filter(pl.col("held") | (pl.col("told") >= least))
        .join(items.names.with_row_index("n").with_columns(pl.col("n").cast(pl.Int64)), on="n", how="left")
        .select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    )


def _short_parts(row: int, item: int, tokens: shingles.U64, count: Ints, items: Index) -> int:
    """Tokens of an item's parts that are too short for the index, where they stand in the record in a row."""
    stop = int(count[: row + 1].sum())
    own = tokens[stop - int(count[row]) : stop]
    total = 0
    for part in _parts(item, items)[1:]:
        wanted = _of(part, items)
        if 0 < len(wanted) < items.params.ngram and len(own) >= len(wanted):
            same = shingles.rolled(own, len(wanted)) == shingles.rolled(wanted, len(wanted))[0]
            total += len(wanted) if same.any() else 0
    return total
