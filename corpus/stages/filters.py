"""Drops notes that teach nothing: too short, encoded, garbled, in another language, repetitive.

Web filters (Gopher, C4, FineWeb) reject ordinary structured progress notes, so the rules here ask only for what
tells junk from a telegraphic note. They read the text with placeholders: these count as words, but say nothing of letters
and language, for detection takes much of a garbled or foreign text for names and codes. One polars pass, no Python per note.
"""

from __future__ import annotations

import polars as pl
from pydantic import Field

from corpus.stage import Outcome, StageParams, drop

NAME = "filters"
SCOPE = "note"
READS = ("text",)
WRITES = ()
LIBRARIES = ()
KEEP = False


class Params(StageParams):
    min_words: int = Field(default=8, ge=0)
    """Notes with fewer words go."""
    max_encoded_share: float = Field(default=0.3, ge=0, le=1)
    """Highest share of characters in unbroken strings of 60 and more."""
    min_letter_share: float = Field(default=0.35, ge=0, le=1)
    """Lowest share of letters among characters that are no white space; lab tables stand near 0.5."""
    max_damage_share: float = Field(default=0.02, ge=0, le=1)
    """Highest share of control, replacement and double-encoded characters."""
    max_foreign_share: float = Field(default=0.12, ge=0, le=1)
    """Highest share of Spanish, French, German or Portuguese function words, where it exceeds the English one."""
    max_masked_share: float = Field(default=0.5, ge=0, le=1)
    """Highest share of placeholders among the words: what is left of a note beyond that is a form without its content."""
    min_distinct_lines: float = Field(default=0.3, ge=0, le=1)
    """Lowest share of distinct lines, for notes of ten lines and more."""


ENGLISH = (
    "the of and to a in is was with for on at no he she her his has had be are this that from as by it or not were "
    "which patient denies reports will after without over per if than"
).split()
# No English words; "de" and "la" stand in names and abbreviations, but never for one word in eight.
FOREIGN = (
    "de la el los las del una un y en se al su con por para que como pero fue sin sus muy dolor "
    "le les des du au et une dans pour avec sur est pas sont qui cette il elle ne "
    "der die das und ist nicht mit ein eine von zu wird auf dem den im sich bei "
    "em do da dos das um uma com não foi mais pelo pela há"
).split()


def _share(words: pl.Expr, vocabulary: list[str]) -> pl.Expr:
    return words.list.eval(pl.element().is_in(vocabulary)).list.sum() / words.list.len()


def apply(batch: pl.DataFrame, params: Params, resources: None) -> Outcome:
    """Drop by the first rule that a note breaks."""
    text = pl.col("text")
    solid = text.str.replace_all(r"\s+", "")
    length = pl.max_horizontal(solid.str.len_chars(), pl.lit(1))
    marks = text.str.count_matches(r"\[[A-Z_]+\]")
    bare = text.str.replace_all(r"\[[A-Z_]+\]", "")
    bare_length = pl.max_horizontal(bare.str.replace_all(r"\s+", "").str.len_chars(), pl.lit(1))
    words = bare.str.to_lowercase().str.extract_all(r"\p{L}+")
    lines = text.str.split("\n").list.eval(pl.element().str.strip_chars()).list.filter(pl.element() != "")
    measured = batch.with_columns(
        _words=text.str.split(" ").list.eval(pl.element().str.strip_chars()).list.filter(pl.element() != "").list.len(),
        _encoded=text.str.extract_all(r"\S{60,}").list.join("").str.len_chars() / length,
        _letters=bare.str.extract_all(r"\p{L}+").list.join("").str.len_chars() / bare_length,
        _masked=marks / pl.max_horizontal(marks + words.list.len(), pl.lit(1)),
        _damage=bare.str.extract_all(r"[\x00-\x08\x0B\x0E-\x1F\x7F-\x9F\uFFFD]|[ÃÂâ][\u0080-\u00BF€™œ\u201C\u201D]")
        .list.join("")
        .str.len_chars()
        / bare_length,
        _english=_share(words, ENGLISH),
        _foreign=_share(words, FOREIGN),
        _lines=lines.list.len(),
        _distinct=lines.list.n_unique() / lines.list.len(),
    )
    reason = (
        pl.when(pl.col("_encoded") > params.max_encoded_share)
        .then(pl.lit("filters.encoded"))
        .when((pl.col("_letters") < params.min_letter_share) | (pl.col("_damage") > params.max_damage_share))
        .then(pl.lit("filters.garbled"))
        .when((pl.col("_foreign") > params.max_foreign_share) & (pl.col("_foreign") > pl.col("_english")))
        .then(pl.lit("filters.language"))
        .when(pl.col("_masked") > params.max_masked_share)
        .then(pl.lit("filters.masked"))
        .when((pl.col("_lines") >= 10) & (pl.col("_distinct") < params.min_distinct_lines))
        .then(pl.lit("filters.repetitive"))
        .when(pl.col("_words") < params.min_words)
        .then(pl.lit("filters.short"))
    )
    kept, drops = drop(measured, reason)
    return Outcome(kept.select(batch.columns), drops)
