"""The numbers of a note: vitals, labs, doses. Where `numbers_apart` is set, notes whose numbers differ are never the same.

A number is a run of digits with the sign or point that stands right before it, so that ".5 mg" is not "5 mg", "<5" not
">5", and "1.5" (two runs, the second with a point) not "15". Only digits count: "two tablets" has no number.
"""

from __future__ import annotations

from hashlib import blake2b

import polars as pl

NUMBER = r"[<>≤≥+\-]?\.?\p{N}+"
VERSION = "numbers1"  # goes into the schemes of stored signatures

TOLD = "notes whose numbers differ, or their order, are never dropped for each other"


def numbers(text: pl.Series) -> pl.Series:
    """The numbers of each text in their order, joined by spaces."""
    return text.fill_null("").str.extract_all(NUMBER).list.join(" ")


def hashed(text: pl.Series) -> pl.Series:
    """8 bytes of BLAKE2b of `numbers`, as UInt64: equal where the numbers and their order are."""
    codes = [int.from_bytes(blake2b(n.encode(), digest_size=8).digest(), "little") for n in numbers(text).to_list()]
    return pl.Series("numbers", codes, dtype=pl.UInt64)
