"""Notes that repeat another one once case and everything but letters and digits is ignored.

`keys` is the map: it reads one shard's text and gives 16 bytes a note. `resolve` is the reduce: it takes the keys of
all shards, concatenated in any order, and says which notes are dropped for which.
"""

from __future__ import annotations

from hashlib import blake2b

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from dedupe.numbers import TOLD, VERSION, numbers
from dedupe.survivor import check_notes, policy_columns, ranked

UPPER = bytes(range(256)).upper()
NOTES_AT_A_TIME = 512  # small enough to stay in the processor's cache from one step to the next
STRIPPED = bytes(code for code in range(128) if not chr(code).isalnum())


class ExactParams(BaseModel):
    """What counts as a repetition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_chars: int = Field(
        default=1, ge=1, description="notes with fewer letters and digits than this have no key and are never dropped"
    )
    numbers_apart: bool = Field(default=False, description=TOLD)


def scheme(params: ExactParams) -> str:
    """What two keys must share to be compared. Changes when `normalized` or the hash would."""
    return "alnum1-blake2b16" + (f"-{VERSION}" if params.numbers_apart else "")


def normalized(text: pl.Series) -> pl.Series:
    """Letters and digits of each text, upper case, in Unicode NFC; null becomes "".

    Upper case and not lower, because it also joins the two small sigmas, and "ß" with "SS".
    """
    texts = text.fill_null("").cast(pl.Binary).to_list()
    # One Python object a note, because nothing strips ASCII faster: 7 us for 350 words, against 44 with a regex.
    stripped = [t.translate(UPPER, STRIPPED) if t.isascii() else t for t in texts]
    bare = pl.Series(stripped, dtype=pl.Binary).cast(pl.String)
    other = not_ascii(bare)
    upper = composed(bare.gather(other)).str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}]+", "")
    return bare.scatter(other, composed(upper))


def not_ascii(text: pl.Series) -> pl.Series:
    """Positions of the texts with any character beyond ASCII."""
    return (text.str.len_bytes() != text.str.len_chars()).arg_true()


def composed(text: pl.Series) -> pl.Series:
    """`text` in Unicode NFC. Only texts that are not ASCII are touched: NFC costs as much as all else together."""
    other = not_ascii(text)
    return text.scatter(other, text.gather(other).str.normalize("NFC"))


def keys(notes: pl.DataFrame, params: ExactParams) -> pl.DataFrame:
    """A key for each note: equal keys, equal text.

    Args:
        notes: `note_id`, `text`, and any columns of `survivor.POLICY_COLUMNS`.
        params: what counts as a repetition.

    Returns:
        `note_id`, the policy columns, `n_chars` (code points of the text, where it was not given) and `key`: BLAKE2b
        of `normalized`, and of the numbers where they keep notes apart, 16 bytes, null where too little text is left. The key
        does not change with versions of libraries, but it is derived from the text and stays where the text stays.
    """
    check_notes(notes, ["text"])
    texts = notes["text"]
    parts = [_keys(texts[i : i + NOTES_AT_A_TIME], params) for i in range(0, max(len(texts), 1), NOTES_AT_A_TIME)]
    notes = with_length(notes)
    return notes.select("note_id", *policy_columns(notes), pl.concat(parts).alias("key"))


def _keys(text: pl.Series, params: ExactParams) -> pl.Series:
    bare = normalized(text)
    enough = (bare.str.len_chars() >= params.min_chars).to_list()
    if params.numbers_apart:
        bare = bare + "\0" + numbers(text)
    key = [
        blake2b(part, digest_size=16).digest() if enough_of_it else None
        for part, enough_of_it in zip(bare.cast(pl.Binary).to_list(), enough, strict=True)
    ]
    return pl.Series(key, dtype=pl.Binary)


def with_length(notes: pl.DataFrame) -> pl.DataFrame:
    """`notes` with `n_chars`, counted from the text where the column is missing."""
    if "n_chars" in notes.columns:
        return notes
    return notes.with_columns(pl.col("text").fill_null("").str.len_chars().alias("n_chars"))


def resolve(keys: pl.DataFrame) -> pl.DataFrame:
    """The notes to drop: of each group with one key the best by `survivor` stays.

    Args:
        keys: output of `keys` for all shards, in any order.

    Returns:
        `note_id` (dropped) and `kept_id` (the note kept for it), by `note_id`.
    """
    check_notes(keys, ["key"])
    return (
        ranked(keys)
        .filter(pl.col("key").is_not_null() & pl.col("key").is_duplicated())
        .select("note_id", pl.col("note_id").first().over("key").alias("kept_id"))
        .filter(pl.col("note_id") != pl.col("kept_id"))
        .sort("note_id")
    )
