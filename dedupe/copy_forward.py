"""Passages of a note that already stand in an earlier note of the same patient.

Half the words of a hospital's notes were copied from the patient's own notes (Steinkamp et al. 2022). Dropping whole
notes would lose what is new in them, so what goes is decided piece by piece: a sentence, a list item, a heading.

Words decide. A word is a run of letters or of digits in any case, a sign that changes a meaning (+, <, ?), or a
placeholder; a date is one word, and any other date is the same word, because copying systems put a new date on old
text and the note has its own. White space, line breaks, bullets and other punctuation do not count. Under a heading
that turns what is said (`UNDER_HEADING`: a drug is no allergy, a disease of the father's is not the patient's) a word
is the same only under the same heading.

A piece is a copy if all its words stand, in this order, in what an earlier note says, from the begin to the end of a
sentence there. Numbers that changed, negations, words put in or left out make it new: it stays whole, whatever
around it was copied. Only an article, an "and" or "is", or a slip of the pen in a long word make no difference
(`tolerated`, `misspelt`). A short piece counts as a copy only inside a passage of `min_words` words: "Afebrile." is
true anew each day.

The first occurrence stays: notes are read in the order of time, version and id, and each is compared with what the
earlier ones say, where a piece found to be a copy reads as its first occurrence reads. So each passage is compared
with text that is kept, and small differences do not add up.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain as chained
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from dedupe.alignment import Alignment, Stream, align
from dedupe.exact import composed
from dedupe.sentences import Headings, Piece, cut, no_headings
from dedupe.survivor import check_notes, later_versions

MONTHS = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
TIME = r"(?:[t,@\s]{1,3}(?:at\s+)?\d{1,2}:\d\d(?::\d\d)?(?: ?[ap]\.?m\b)?)?"
DATE = (
    rf"\b(?:(?:19|20)\d\d-\d{{1,2}}-\d{{1,2}}{TIME}|\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:(?:19|20)\d\d|\d\d){TIME}|"
    rf"(?:{MONTHS})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d{TIME}|"
    rf"\d{{1,2}}(?:\s+|-)(?:{MONTHS})(?:,?\s+|-)(?:19|20)?\d\d{TIME})\b"
)
NUMBERED = r"^\s*\(?(?:\d{1,3}|[a-z])[.)]\s+"  # the number of a list item says nothing
WORD = r"\[[a-z][a-z0-9_]{0,79}\]|\p{L}[\p{L}\p{M}]*|\p{N}+|\(-\)|[+<>≥≤↑↓±?]"
UNDER_HEADING = ("allergies", "family history")
LIGHT = frozenset({"a", "an", "the", "and", "is", "are"})
WORDS_AT_A_TIME = 1_000_000  # about 300 MB


IsWord = Callable[[str], bool]


class CopyForwardParams(BaseModel):
    """What counts as copied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_words: int = Field(
        default=8,
        ge=2,
        le=1000,
        description="words that a passage must share with an earlier note to be taken for a copy",
    )
    exempt: tuple[str, ...] = Field(default=(), description="titles of sections whose pieces are found, but stay")


class CopyForward(NamedTuple):
    """What `find` found.

    `passages`: note_id, start, end (of the text), section, from_id (the note in which its words are kept), n_words,
    exempt (found, but to stay); in the order of notes and offsets. Passages of a note are apart or of another section.
    `notes`: note_id, n_words, copied, exempt, changed (words of an earlier note in pieces that are new), new (whether
    any piece is new); for every note of a known patient, in the order of `notes_in_order`.
    """

    passages: pl.DataFrame
    notes: pl.DataFrame


PASSAGES = {
    "note_id": pl.String, "start": pl.Int64, "end": pl.Int64, "section": pl.String, "from_id": pl.String,
    "n_words": pl.Int64, "exempt": pl.Boolean,
}  # fmt: skip
NOTES = {
    "note_id": pl.String, "n_words": pl.Int64, "copied": pl.Int64, "exempt": pl.Int64, "changed": pl.Int64,
    "new": pl.Boolean,
}  # fmt: skip


def find(
    notes: pl.DataFrame,
    params: CopyForwardParams,
    headings: Headings = no_headings,
    is_word: IsWord | None = None,
) -> CopyForward:
    """The passages of each note that stand in an earlier note of the same patient.

    Args:
        notes: `note_id`, `text`, `patient_id`, and where they are there `charted_at`, `signed_at`, `amends` and
            `shown`: List(Struct(start, end, value)), what is to be read in the place of a stretch of the text.
            A note without a patient is compared with nothing.
        params: what counts as copied.
        headings: finds the sections of a text.
        is_word: whether a small-letter string is a word and no misspelling; see `misspelt`.

    Raises:
        UserError: a column is missing, or note ids are empty or repeated.
    """
    check_notes(notes, ["text", "patient_id"])
    ordered = notes_in_order(notes)
    passages: list[tuple] = []
    lines: list[tuple] = []
    for group in _groups(ordered):
        read = _read(group, headings, is_word)
        for first, last in _patients(group["patient_id"].to_list()):
            _patient(read, first, last, params, passages, lines)
    ids = notes["note_id"].dtype
    return CopyForward(
        pl.DataFrame(passages, schema={**PASSAGES, "note_id": ids, "from_id": ids}, orient="row"),
        pl.DataFrame(lines, schema={**NOTES, "note_id": ids}, orient="row"),
    )


# --- order ---------------------------------------------------------------------------------------------------

_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d(?:\.\d+)?))?)?")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ ,T]+(\d{1,2}):(\d\d)(?::(\d\d))?\s*([AaPp])?)?")


def moment(value: str | None) -> str | None:
    """A time that sorts as text, of ISO 8601 or month/day/year; None where it cannot be told. Zones are not read."""
    if found := _ISO.match((value or "").strip()):
        return "".join(part or "00" for part in found.groups())
    if found := _SLASHED.match((value or "").strip()):
        month, day, year, hour, minute, second, half = found.groups()
        hours = int(hour or 0) % 12 + 12 * (half in ("p", "P")) if half else int(hour or 0)
        return f"{year}{int(month):02d}{int(day):02d}{hours:02d}{minute or '00'}{second or '00'}"
    return None


def notes_in_order(notes: pl.DataFrame) -> pl.DataFrame:
    """Notes of known patients by patient, day and time, version, signature and id.

    A later version of a document comes after the earlier one where both have the same time. A note without a time comes
    last: whatever it shares with another stands there already.
    """
    ids = notes["note_id"]
    later = later_versions(notes)
    names = [name for name in ("charted_at", "signed_at") if name in notes.columns]
    moments = [
        pl.Series(f"_{name}", [moment(value) for value in notes[name].cast(pl.String)], dtype=pl.String)
        for name in names
    ]
    missing = [pl.lit(None, pl.String).alias(f"_{name}") for name in ("charted_at", "signed_at") if name not in names]
    versions = pl.Series(
        "_later", [later.get(one, 0) for one in ids.to_list()] if later else [0] * len(ids), dtype=pl.Int64
    )
    return (
        notes.with_columns(*moments, versions, *missing)
        .filter(pl.col("patient_id").is_not_null())
        .sort(
            "patient_id", "_charted_at", "_later", "_signed_at", "note_id",
            descending=[False, False, True, False, False], nulls_last=True,
        )
        .drop("_charted_at", "_later", "_signed_at")
    )  # fmt: skip


def _groups(ordered: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Slices of whole patients, each of some million characters."""
    sizes = ordered["text"].fill_null("").str.len_chars().to_list()
    first = chars = 0
    for start, stop in _patients(ordered["patient_id"].to_list()):
        chars += sum(sizes[start:stop])
        if chars > 6 * WORDS_AT_A_TIME:
            yield ordered[first:stop]
            first, chars = stop, 0
    if first < ordered.height:
        yield ordered[first:]


def _patients(patients: Sequence[object]) -> Iterator[tuple[int, int]]:
    """First and last (excluded) row of each patient."""
    first = 0
    for row in range(1, len(patients) + 1):
        if row == len(patients) or patients[row] != patients[first]:
            yield first, row
            first = row


# --- reading -------------------------------------------------------------------------------------------------


class _Read(NamedTuple):
    """Notes as pieces and numbers. The words of piece p are words[ends[p - 1] : ends[p]]; of note n the pieces likewise."""

    ids: list
    texts: list[str]
    pieces: list[Piece]
    piece_ends: list[int]
    words: list[int]
    word_ends: list[int]
    vocabulary: list[str]
    kinds: int
    is_word: IsWord | None

    def word(self, number: int) -> str:
        return self.vocabulary[number // self.kinds]


def _read(notes: pl.DataFrame, headings: Headings, is_word: IsWord | None) -> _Read:
    texts = notes["text"].fill_null("").to_list()
    shown = notes["shown"].to_list() if "shown" in notes.columns else [None] * len(texts)
    pieces: list[Piece] = []
    contents: list[str] = []
    piece_ends = []
    for text, values in zip(texts, shown, strict=True):
        own = cut(text, headings)
        pieces += own
        contents += _contents(text, own, values) if values else [text[p.start : p.end] for p in own]
        piece_ends.append(len(pieces))
    column = composed(pl.Series(contents, dtype=pl.String)).str.to_lowercase()
    column = column.str.replace(NUMBERED, "").str.replace_all(DATE, "[date]")
    found = column.str.extract_all(WORD)
    flat = found.explode(empty_as_null=False, keep_nulls=False)
    vocabulary = flat.unique()
    codes = flat.cast(pl.Enum(vocabulary)).to_physical().to_numpy().astype(np.int64)
    counts = found.list.len().to_numpy().astype(np.int64)
    # Under some headings a word says something else.
    kind = {title: number for number, title in enumerate(UNDER_HEADING, 1)}
    kinds = np.array([kind.get(piece.section, 0) for piece in pieces], dtype=np.int64)
    numbers = codes * (len(kind) + 1) + np.repeat(kinds, counts)
    return _Read(
        notes["note_id"].to_list(), texts, pieces, piece_ends, numbers.tolist(), np.cumsum(counts).tolist(),
        vocabulary.to_list(), len(kind) + 1, is_word,
    )  # fmt: skip


def _contents(text: str, pieces: Sequence[Piece], values: Sequence[dict]) -> list[str]:
    """Text of each piece, with values in the place of what they stand for."""
    out, k = [], 0
    for piece in pieces:
        parts, at = [], piece.start
        while k < len(values) and values[k]["start"] < piece.end:
            one = values[k]
            if one["start"] >= at and one["end"] <= piece.end:
                parts += [text[at : one["start"]], one["value"]]
                at = one["end"]
            k += 1
        out.append("".join([*parts, text[at : piece.end]]))
    return out


# --- one patient ---------------------------------------------------------------------------------------------


def _patient(
    read: _Read, first: int, last: int, params: CopyForwardParams, passages: list[tuple], lines: list[tuple]
) -> None:
    stream = Stream()
    for note in range(first, last):
        piece = read.piece_ends[note - 1] if note else 0
        own = range(piece, read.piece_ends[note])
        at = read.word_ends[piece - 1] if piece else 0
        ends = [read.word_ends[p] - at for p in own]
        words = read.words[at : at + ends[-1]] if ends else []
        starts = [0, *ends][: len(ends)]
        found = align(words, ends, stream)
        spell(read, words, found, stream)
        source = [
            copied(read, words, found, stream, start, end, params.min_words)
            for start, end in zip(starts, ends, strict=True)
        ]
        pieces = [read.pieces[p] for p in own]
        sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        verdict = settled(pieces, sizes, [one is not None for one in source])
        _note(read, note, pieces, sizes, starts, verdict, source, found, stream, params, passages, lines)
        if note + 1 < last:
            _remember(stream, note, words, starts, ends, source)


def _remember(
    stream: Stream, note: int, words: list[int], starts: list[int], ends: list[int], source: list[range | None]
) -> None:
    """Add the note to the stream; what was copied reads there as what it was copied from."""
    said: list[list[int]] = []
    origin: list[int] = []
    for start, end, place in zip(starts, ends, source, strict=True):
        if start == end:
            continue
        if place is None:
            said.append(words[start:end])
            origin += [note] * (end - start)
        else:
            said.append(stream.words[place.start : place.stop])
            origin += stream.origin[place.start : place.stop]
    stream.add(said, origin)


def spell(read: _Read, words: list[int], found: Alignment, stream: Stream) -> None:
    """Match each word that is only misspelt with the word in its place; the words next to it say where that is."""
    place, chain = found.place, found.chain
    for side, order in ((-1, range(1, len(words))), (1, range(len(words) - 2, -1, -1))):
        for i in order:
            if place[i] >= 0 or place[i + side] < 0:
                continue
            t = place[i + side] - side
            if t >= 0 and t not in place[max(i - 1, 0) : i + 2] and _same_spelling(read, words[i], stream.words[t]):
                place[i], chain[i] = t, chain[i + side]


def _same_spelling(read: _Read, ours: int, theirs: int) -> bool:
    if ours == theirs:
        return True
    if theirs < 0 or ours % read.kinds != theirs % read.kinds:
        return False
    return misspelt(read.word(ours), read.word(theirs), read.is_word)


def misspelt(one: str, other: str, is_word: IsWord | None = None) -> bool:
    """Whether two words differ by a slip of the pen: a letter left out, put in, replaced, or two swapped (Damerau 1964).

    Never at the begin of a word (afebrile), and of the two one must be a word and the other none: many pairs of words
    in medicine differ by one letter (dysphagia, dysphasia; abduction, adduction). Without `is_word` only what makes no
    other word counts: neighbours swapped, a letter doubled, or one left out inside a long word.
    """
    if len(one) > len(other):
        one, other = other, one
    if len(one) < 4 or len(other) < 5 or len(other) - len(one) > 1 or not (one.isalpha() and other.isalpha()):
        return False
    k = next((k for k in range(len(one)) if one[k] != other[k]), len(one))
    if k == 0:
        return False
    if len(one) < len(other):
        slip = one[k:] == other[k + 1 :]
        safe = slip and k < len(one) and (other[k] == other[k - 1] or (len(other) >= 8 and 2 <= k < len(other) - 2))
    else:
        safe = one[k : k + 2] == other[k : k + 2][::-1] and one[k + 2 :] == other[k + 2 :]
        slip = safe or one[k + 1 :] == other[k + 1 :]
    if is_word is None or not slip:
        return safe
    known = is_word(one), is_word(other)
    return any(known) != all(known) or (safe and not any(known))


def copied(
    read: _Read, words: list[int], found: Alignment, stream: Stream, start: int, end: int, min_words: int
) -> range | None:
    """The places of the stream that say what words[start:end] say, or None where that is new."""
    place, chain = found.place, found.chain
    known = [i for i in range(start, end) if place[i] >= 0]
    if not known or found.matched[chain[known[0]]] < min_words:
        return None
    if any(place[i] < 0 and not _light(read, words[i]) for i in range(start, end)):
        return None
    first, last = place[known[0]], place[known[-1]]
    for i, j in pairwise(known):
        if chain[i] != chain[j] or place[j] <= place[i] or not _all_light(read, stream, place[i] + 1, place[j]):
            return None
    before = place[start - 1] if start else -1
    while not stream.begins(first) and first - 1 != before:
        if not _light(read, stream.words[first - 1]):
            return None
        first -= 1
    after = place[end] if end < len(words) else -1
    while not stream.begins(last + 1) and last + 1 != after:
        if not _light(read, stream.words[last + 1]):
            return None
        last += 1
    return range(first, last + 1)


def _light(read: _Read, number: int) -> bool:
    return number >= 0 and read.word(number) in LIGHT


def _all_light(read: _Read, stream: Stream, first: int, last: int) -> bool:
    return last - first <= 3 and all(_light(read, stream.words[k]) for k in range(first, last))


def settled(pieces: Sequence[Piece], sizes: Sequence[int], copies: Sequence[bool]) -> list[bool]:
    """Which pieces are copies, once headings and pieces without words follow those they belong to.

    A heading goes with all under it, and stays with anything under it; one with nothing under it is a sentence. A rule
    or a bullet alone goes with both its neighbours.
    """
    out = list(copies)
    count = len(pieces)
    following = True  # whether what comes after is a copy, or the note ends
    for k in range(count - 1, -1, -1):
        if sizes[k]:
            following = out[k]
        else:
            out[k] = following
    before = True
    for k in range(count):
        if sizes[k]:
            before = out[k]
        else:
            out[k] = out[k] and before
    k = 0
    while k < count:
        if not pieces[k].heading:
            k += 1
            continue
        stop = next((j for j in range(k + 1, count) if pieces[j].heading), count)
        if any(sizes[k + 1 : stop]):
            out[k] = all(out[k + 1 : stop])
        k = stop
    return out


def _note(
    read: _Read, note: int, pieces: Sequence[Piece], sizes: Sequence[int], starts: Sequence[int],
    verdict: Sequence[bool], source: Sequence[range | None], found: Alignment, stream: Stream,
    params: CopyForwardParams, passages: list[tuple], lines: list[tuple],
) -> None:  # fmt: skip
    exempt = [verdict[k] and pieces[k].section in params.exempt for k in range(len(pieces))]
    k = 0
    while k < len(pieces):
        if not verdict[k]:
            k += 1
            continue
        stop = k + 1
        while stop < len(pieces) and verdict[stop] and pieces[stop].section == pieces[k].section:
            stop += 1
        places = chained.from_iterable(source[j] or () for j in range(k, stop))
        origins = Counter(stream.origin[place] for place in places)
        if origins:
            origin = min(origins, key=lambda one: (-origins[one], one))
            passages.append(
                (read.ids[note], pieces[k].start, pieces[stop - 1].end, pieces[k].section, read.ids[origin],
                 sum(sizes[k:stop]), exempt[k])
            )  # fmt: skip
        k = stop
    changed = sum(
        found.place[i] >= 0
        for k in range(len(pieces))
        if not verdict[k]
        for i in range(starts[k], starts[k] + sizes[k])
    )
    new = any(sizes[k] and not verdict[k] and not _bare_heading(pieces, sizes, k) for k in range(len(pieces)))
    new = new or not any(size and one for size, one in zip(sizes, verdict, strict=True))
    lines.append(
        (read.ids[note], sum(sizes), sum(s for s, v in zip(sizes, verdict, strict=True) if v),
         sum(s for s, e in zip(sizes, exempt, strict=True) if e), changed, new)
    )  # fmt: skip


def _bare_heading(pieces: Sequence[Piece], sizes: Sequence[int], k: int) -> bool:
    """Whether a piece is a heading with nothing under it."""
    if not pieces[k].heading:
        return False
    after = next((j for j in range(k + 1, len(pieces)) if pieces[j].heading or sizes[j]), len(pieces))
    return after == len(pieces) or pieces[after].heading
