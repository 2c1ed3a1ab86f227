"""Numbers of the patient table, found in text: the patient's own in any grouping, everybody's where chance hardly makes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import polars as pl

from deid.folding import fold
from deid.known.table import KINDS
from deid.spans import Span
from deid.words import Words, unknown

KIND_LIST = tuple(KINDS)
NUMBER_KINDS = (
    "phone", "emergency_contact_phone", "fax", "ssn", "mrn", "insurance_id", "account", "license", "vin", "plate", "device",
    "ip", "username", "biometric", "other_id", "email", "url", "zip",
)  # fmt: skip
_PHONES = ("phone", "emergency_contact_phone", "fax")
_EVERYWHERE = ("phone", "emergency_contact_phone", "fax", "ssn", "mrn", "insurance_id", "account", "license", "vin", "device", "other_id", "email")  # fmt: skip

# Words before a number that say what it is.
_CUE = re.compile(
    r"(?:\b(?:mrn|mr|record|chart|unit|acct|account|visit|encounter|id|ids|identifier|number|no|num|policy|member|plan|group|"
    r"medicare|medicaid|insurance|ssn|social|security|licen[sc]e|serial|device|phone|tel|fax|cell|patient|pt|ref|har|csn|fin)"
    r"\b|#)[^\w\n]{0,4}(?:(?:number|no|num|id|is|of|#)[^\w\n]{0,3}){0,2}$"
)
_LAST_FOUR = re.compile(
    r"(?:\b(?:last\s(?:four|4)|ssn?#?|social(?:\ssecurity)?(?:\s(?:number|no))?|end(?:ing|s)\s(?:in|with))|[x*]{2,3}[- .]?[x*]{0,2}[- .]?|"
    r"[x*]{4,})[^\w\n]{0,4}(?:(?:digits|of|ssn|ss|is|are|social|security|number|his|her|the|phone)[^\w\n]{0,3}){0,4}$"
)

_PREFIXED = re.compile(r"[a-z]{1,12}(?=\d+$)")


class _Key(NamedTuple):
    kind: str
    cue: str = ""


# --- the patient's own -------------------------------------------------------------------------------------


def _fold(value: str) -> str:
    return fold(value)[0]


def _plain(value: str) -> str:
    return re.sub(r"[\W_]+", "", _fold(value)).lower()


def _degenerate(digits: str) -> bool:
    """Numbers typed where there is none: 000-00-0000, 1234567890."""
    return len(set(digits)) <= 2 or digits in "01234567890123456789" or digits in "98765432109876543210"


def _own_keys(kind: str, value: str) -> Iterator[tuple[str, _Key]]:
    """Spellings of a number without its punctuation, each with the cue that it needs."""
    plain = _plain(value)
    if kind == "zip":
        digits = re.sub(r"\D", "", value)
        digits = digits.zfill(5) if 3 <= len(digits) < 5 else digits
        if len(digits) in (5, 9):
            yield digits[:5], _Key(kind)
            if len(digits) == 9:
                yield digits, _Key(kind)
        elif plain:
            yield plain, _Key(kind)
        return
    if not plain or (plain.isdigit() and _degenerate(plain)):
        return
    if kind in _PHONES:
        digits = re.sub(r"\D", "", re.split(r"(?i)\b(?:x|ext)", value)[0])
        if len(digits) == 11 and digits[0] == "1":
            digits = digits[1:]
        if len(digits) < 7 or _degenerate(digits):
            return
        yield digits, _Key(kind)
        if len(digits) >= 10:
            yield "1" + digits[-10:], _Key(kind)
            yield digits[-10:], _Key(kind)
            yield digits[-7:], _Key(kind)
        yield digits[-4:], _Key(kind, "last")
        return
    if kind == "ssn":
        digits = re.sub(r"\D", "", value)
        digits = digits.zfill(9) if 7 <= len(digits) < 9 else digits
        if len(digits) == 9:
            yield digits, _Key(kind)
            yield digits[-4:], _Key(kind, "last")
        elif len(digits) == 4:
            yield digits, _Key(kind, "last")
        return
    if kind == "email":
        local = value.partition("@")[0]
        yield plain, _Key(kind)
        yield _plain(f"{local} at {value.partition('@')[2].replace('.', ' dot ')}"), _Key(kind)
        if re.search(r"\d", local) and len(_plain(local)) > 5:
            yield _plain(local), _Key("username")
        return
    if kind == "url":
        yield re.sub(r"^(?:https?)?(?:www)?", "", plain), _Key(kind)
        return
    if plain.isdigit():
        bare = plain.lstrip("0")
        if len(bare) >= 6 or (len(plain) >= 6 and len(bare) >= 5):
            yield bare, _Key(kind)
        elif len(bare) >= 3:
            yield bare, _Key(kind, "cue")
    elif any(c.isdigit() for c in plain):
        yield plain, _Key(kind, "" if len(plain) >= 5 and len(set(plain)) > 2 else "cue")
        # "MRN44100" of the table is "44100" of the note.
        digits = re.sub(r"\D", "", plain)
        bare = digits.lstrip("0")
        if kind in ("mrn", "account", "insurance_id", "other_id") and plain.endswith(digits) and len(bare) >= 4:
            yield bare, _Key(kind, "" if len(bare) >= 6 else "cue")
    elif len(plain) >= 5:
        yield plain, _Key(kind, "" if unknown(plain) else "cue")


class Numbers:
    """The numbers of one patient, with every beginning of them, so that a text is left as soon as it differs."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self.keys: dict[str, _Key] = {}
        for kind, value in rows:
            for text, key in _own_keys(kind, value):
                # Without a cue wins over with one; else the first row.
                if text not in self.keys or (self.keys[text].cue and not key.cue):
                    self.keys[text] = key
        self.beginnings = frozenset(text[:n] for text in self.keys for n in range(1, len(text) + 1))

    def at(self, words: Words, i: int, skip: int = 0) -> Iterator[Span]:
        """The longest of the numbers that begins at word i, after `skip` letters of it ("MRN00482913")."""
        low = words.low[i][skip:]
        begins = [low.lstrip("0")] if low[0] == "0" and low not in self.beginnings else [low]
        if low[0] == "0" and low in self.beginnings:
            begins = [low, low.lstrip("0")]
        found: tuple[int, _Key, str] | None = None
        for text in begins:
            k, acc = i, text
            while acc in self.beginnings:
                key = self.keys.get(acc)
                if (
                    key
                    and (found is None or k > found[0])
                    and self._fits(words, words.starts[i] + skip, i, k, acc, key)
                ):
                    found = (k, key, acc)
                if k + 1 >= len(words):
                    break
                gap = words.gap(k)
                if len(gap) > 3 or "\n" in gap or "," in gap:
                    break
                k += 1
                acc += words.low[k]
        if found:
            last, key, _ = found
            yield Span(words.starts[i] + skip, words.ends[last], KINDS[key.kind], 1.0, f"known.{key.kind}")

    def inside(self, words: Words, i: int) -> Iterator[Span]:
        """A number within a run of letters and digits: "MRN00482913", "MRN916-811-1038", "X00482913Y"."""
        prefix = _PREFIXED.match(words.low[i])
        if prefix:
            yield from self.at(words, i, prefix.end())
            return
        for match in re.finditer(r"\d{5,}", words.raw[i]):
            start, end = words.starts[i] + match.start(), words.starts[i] + match.end()
            for digits in (match.group(), match.group().lstrip("0")):
                key = self.keys.get(digits)
                if key and not key.cue and key.kind != "zip":
                    yield Span(start, end, KINDS[key.kind], 1.0, f"known.{key.kind}")
                    break

    def _fits(self, words: Words, start: int, i: int, k: int, acc: str, key: _Key) -> bool:
        end = words.ends[k]
        text = words.text
        if key.cue == "last":
            return i == k and bool(_LAST_FOUR.search(text[max(0, start - 48) : start].lower()))
        if key.cue and not _CUE.search(text[max(0, start - 40) : start].lower()):
            return False
        if len(acc) < 7 and acc.isdigit():
            # Five or six digits within a longer or a decimal number are another number.
            if re.search(r"\d[.,/]$|\$$", text[max(0, start - 2) : start]) or re.match(r"[.,/]\d", text[end : end + 2]):
                return False
            if key.kind == "zip" and k > i:
                return False
        return key.kind != "zip" or k == i or words.gap(i) in ("-", " - ", " ")


# --- everybody's ---------------------------------------------------------------------------------------------


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_ONE_IN = 10_000  # a number this rare by chance needs no cue
_LONGEST = 18  # digits; more do not fit into 64 bits
_GROUPINGS = ((3, 3, 4), (1, 3, 3, 4), (3, 2, 4), (3, 7), (3, 4, 4))
_PHONE_GAPS = frozenset([") ", ")", ")-", ").", ") -"])


class Everybody:
    """Numbers of all patients as sorted 64-bit keys with the code of their kind."""

    def __init__(self, kinds: np.ndarray, values: pl.Series) -> None:
        wanted = np.isin(kinds, [KIND_LIST.index(k) for k in _EVERYWHERE])
        table = (
            pl.DataFrame({"kind": kinds[wanted], "value": values.filter(pl.Series(wanted))})
            .lazy()
            .with_columns(plain=pl.col("value").str.to_lowercase().str.replace_all(r"[^0-9a-z]", ""))
            .unique(["kind", "plain"], maintain_order=True)
            .collect()
        )
        email = table["kind"] == KIND_LIST.index("email")
        digits = table.filter(~email & table["plain"].str.contains(r"^\d{6,18}$"))
        phones = pl.col("kind").is_in([KIND_LIST.index(k) for k in _PHONES])
        digits = digits.with_columns(
            plain=pl.when(phones & pl.col("plain").str.contains(r"^1\d{10}$"))
            .then(pl.col("plain").str.slice(1))
            .otherwise("plain")
        ).filter(~phones | (pl.col("plain").str.len_chars() >= 10))
        keyed = (
            digits.with_columns(key=pl.col("plain").cast(pl.UInt64))
            .filter(pl.col("key") >= 100_000)
            .sort("key", "kind")
        )
        self.keys, self.kinds = keyed["key"].to_numpy(), keyed["kind"].to_numpy()
        lengths = (
            keyed.select("kind", size=pl.col("key").cast(pl.String).str.len_chars()).group_by("kind", "size").len()
        )
        self.common = {
            (kind, size) for kind, size, count in lengths.iter_rows() if count * _ONE_IN > 10 ** int(size)
        }  # fmt: skip
        mixed = table.filter(
            email.__or__(
                table["plain"].str.contains(r"[a-z]") & (table["plain"].str.count_matches(r"\d") >= 3)
                & (table["plain"].str.len_chars() >= 7)
            )
        )  # fmt: skip
        texts = [
            value.strip().lower() if is_email else plain
            for value, plain, is_email in zip(
                mixed["value"], mixed["plain"], mixed["kind"] == KIND_LIST.index("email"), strict=True
            )
        ]
        hashes = np.fromiter(map(_hash, texts), dtype=np.uint64, count=len(texts))
        order = np.argsort(hashes, kind="stable")
        self.hashes, self.hash_kinds = hashes[order], mixed["kind"].to_numpy()[order]
        self.any_email = bool(email.any())
        self.shapes, self.beginnings, self.letters_first = self._shapes(
            digits, mixed.filter(mixed["kind"] != KIND_LIST.index("email"))
        )

    @cached_property
    def _single(self) -> frozenset[int]:
        return frozenset(s[0] for s in self.shapes if len(s) == 1)

    @cached_property
    def _second(self) -> frozenset[tuple[int, ...]]:
        return frozenset(s for s in self.beginnings if len(s) == 2)

    def _shapes(
        self, digits: pl.DataFrame, mixed: pl.DataFrame
    ) -> tuple[frozenset[tuple[int, ...]], frozenset[tuple[int, ...]], bool]:
        """Groupings that numbers are written in: those of the table, one run, and those of phones and SSN."""
        shapes = set(_GROUPINGS) | {(n,) for n in range(6, _LONGEST + 1)}
        for frame in (digits, mixed):
            marks = (
                frame["value"].str.replace_all(r"[0-9A-Za-z]", "x").str.replace_all(r"[^x]+", "-").unique().to_list()
            )
            shapes |= {tuple(map(len, mark.strip("-").split("-"))) for mark in marks if 0 < mark.count("-") < 6}
        shapes |= {(n,) for n in mixed["plain"].str.len_chars().unique().to_list()}
        shapes = {shape for shape in shapes if len(shape) < 6 and max(shape) > 1}
        letters = bool(mixed["value"].str.contains(r"^[A-Za-z]{1,5}[^0-9A-Za-z]").any())
        return frozenset(shapes), frozenset(s[:n] for s in shapes for n in range(1, len(s) + 1)), letters

    def find(self, words: Words, numbers: list[int]) -> list[Span]:
        """Everybody's numbers in a text; `numbers` are the words that hold a digit."""
        found: list[tuple[int, int, str]] = []
        begins = numbers
        if self.letters_first:
            begins = sorted(
                {*numbers, *(i - 1 for i in numbers if i and words.low[i - 1].isalpha() and len(words.low[i - 1]) < 6)}
            )
        second = self._second
        for i in begins:
            low = words.low[i]
            size = len(low)
            if size > 3 and not low[0].isdigit() and (m := _PREFIXED.match(low)):
                found += self._groups(words, i, m.end())
            if size in self._single or (i + 1 < len(words) and (size, len(words.low[i + 1])) in second):
                found += self._groups(words, i)
        spans = self._known(words.text, found)
        if self.any_email and "@" in words.text:
            for match in _EMAIL.finditer(words.text):
                mail = match.group().rstrip(".-_").lower()
                if self._hashed(mail) is not None:
                    spans.append(Span(match.start(), match.start() + len(mail), "EMAIL", 1.0, "known.any_email"))
        return spans

    def _groups(self, words: Words, i: int, skip: int = 0) -> Iterator[tuple[int, int, str]]:
        """Start, end and signs of the groups that begin at word i, after `skip` letters of it."""
        acc, k, sign = words.low[i][skip:], i, ""
        shape: tuple[int, ...] = (len(acc),)
        while shape in self.beginnings:
            if shape in self.shapes:
                yield words.starts[i] + skip, words.ends[k], acc
            if k + 1 >= len(words) or len(shape) > 5:
                return
            gap = words.gap(k)
            if gap in _PHONE_GAPS:
                if shape not in ((3,), (1, 3)):
                    return
            elif gap not in ("-", ".", " ", "/", " (", "-(") or (sign and gap != sign):
                return
            elif gap not in (" (", "-("):
                sign = gap
            k += 1
            acc += words.low[k]
            shape = (*shape, len(words.low[k]))

    def _known(self, text: str, found: list[tuple[int, int, str]]) -> list[Span]:
        spans = []
        numeric = [
            (a, b, acc)
            for a, b, acc in found
            if acc.isdigit() and acc.isascii() and 6 <= len(acc) <= _LONGEST and not _degenerate(acc)
        ]
        if numeric and len(self.keys):
            more = [(a, b, acc[1:]) for a, b, acc in numeric if len(acc) == 11 and acc[0] == "1"]
            numeric += more
            values = np.fromiter((int(acc) for _, _, acc in numeric), dtype=np.uint64, count=len(numeric))
            places = np.searchsorted(self.keys, values)
            for (start, end, acc), value, place in zip(numeric, values, places, strict=True):
                while place < len(self.keys) and self.keys[place] == value:
                    kind = int(self.kinds[place])
                    if self._fits(text, start, acc, kind):
                        spans.append(self._span(start, end, kind))
                        break
                    place += 1
        for start, end, acc in found:
            if len(acc) >= 7 and not acc.isdigit() and any(c.isdigit() for c in acc):
                place_of = self._hashed(acc)
                if place_of is not None:
                    spans.append(self._span(start, end, int(self.hash_kinds[place_of])))
        return spans

    def _span(self, start: int, end: int, kind: int) -> Span:
        name = KIND_LIST[kind]
        return Span(start, end, KINDS[name], 1.0, f"known.any_{name}")

    def _hashed(self, text: str) -> int | None:
        if not len(self.hashes):
            return None
        value = np.uint64(_hash(text))
        place = int(np.searchsorted(self.hashes, value))
        return place if place < len(self.hashes) and self.hashes[place] == value else None

    def _fits(self, text: str, start: int, acc: str, kind: int) -> bool:
        name = KIND_LIST[kind]
        if name == "ssn" and len(acc) != 9:
            return False
        if name in _PHONES and len(acc) < 10:
            return False
        if (kind, len(acc.lstrip("0"))) in self.common:
            return bool(_CUE.search(text[max(0, start - 40) : start].lower()))
        return True
