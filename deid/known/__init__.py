"""What the patient table knows is found in the patient's notes, however it is written there.

`load_patient_table(path)` gives `KnownPatients`. Its `matcher(patient_id)` finds in folded text

- **names** of the patient, relatives and clinicians: in any order ("Gonzalez, Maria"), with initials ("M. Gonzalez",
  "Maria G."), as nicknames, misspelt (one edit from five letters on, two from eight), in parts of hyphenated names, without
  accents and in any case. A name that is an ordinary word counts where the text shows that a person is meant
  (`deid.words.alone`), so that Ms. Pain costs no note its pain.
- **numbers** (phone, SSN, MRN, ...) in any grouping, with or without leading zeros; the last four digits after a cue.
- **addresses, cities, employers, facilities**, streets with their usual abbreviations and without the house number.
- **dates of birth and death** in every usual form; month and day alone after a cue.

Numbers and e-mail addresses that can hardly occur by chance are looked for in the notes of **all** patients: wrong charts,
mother and newborn, donors. They are kept as sorted 64-bit keys, 9 bytes each: for 200,000 patients with seven numbers each
13 MB and 3 s, where an Aho-Corasick automaton of the same took 400 MB and 10 s. A number that somebody has by chance once in
10,000 numbers of its length (six digits are too few for 100 patients) needs a cue before it, such as "MRN".

All text in and out is folded (`deid.folding.fold`); spans have score 1.0, misspelt names 0.9, the recognizer
`known.<kind>`, and an `entity` mark ("@patient", "@relative:2") from which `deid.linking` learns who is who.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from deid.known.dates import Dates, spoken
from deid.known.names import Names, people_of
from deid.known.numbers import KIND_LIST, NUMBER_KINDS, Everybody, Numbers
from deid.known.places import (
    Phrase,
    Phrases,
    address_phrases,
    address_zip,
    canonical,
    place_phrases,
    place_words,
    street_phrases,
)
from deid.known.table import KIND, as_rows, read_rows
from deid.spans import Span
from deid.words import Words


class Matcher:
    """Finds what is known of one patient, and everybody's numbers."""

    def __init__(self, rows: Sequence[tuple[str, str]], everybody: Everybody | None = None) -> None:
        self.people = people_of(rows)
        self._names = Names(self.people)
        phrases: list[Phrase] = []
        dates: list[tuple[date, str]] = []
        numbers: list[tuple[str, str]] = []
        for kind, value in rows:
            if kind in ("birth_date", "death_date", "date"):
                day = date.fromisoformat(value)
                dates.append((day, kind))
                phrases += spoken(day, kind)
            elif kind == "address":
                phrases += address_phrases(value)
                numbers += [("zip", found) for found in address_zip(value)]
            elif kind == "street":
                phrases += street_phrases(value)
            elif kind == "unit":
                words = canonical(place_words(value))
                if len(words) > 1:
                    phrases.append(Phrase(words, kind, firm=True))
            elif kind in ("city", "county", "employer", "facility"):
                phrases += place_phrases(value, kind)
            elif kind in NUMBER_KINDS:
                numbers.append((kind, value))
        self._phrases = Phrases(phrases)
        self._dates = Dates(dates)
        self._numbers = Numbers(numbers)
        self._everybody = everybody
        self._first = self._phrases.first | self._dates.first | self._numbers.beginnings

    def find(self, text: str) -> list[Span]:
        """Spans of folded text, sorted; they may overlap."""
        words = Words(text)
        spans = list(self._names.find(words))
        first, phrases, dates, numbers = self._first, self._phrases, self._dates, self._numbers
        low = words.low
        digits = [i for i, w in enumerate(low) if not w.isalpha() and not w.replace("'", "").isalpha()]
        if first:
            begins = {i for i, w in enumerate(low) if w in first}
            begins.update(i for i in digits if low[i][0] == "0")
            done = phrase_end = -1
            for i in sorted(begins):
                w = low[i]
                if w in phrases.first:
                    for span in phrases.at(words, i):
                        if span.end > phrase_end:  # "Oak Street" within "1 Oak Street" is found already
                            spans.append(span)
                            phrase_end = span.end
                if w in dates.first:
                    spans += dates.at(words, i)
                if w in numbers.beginnings or w[0] == "0":
                    for span in numbers.at(words, i):
                        if span.end > done:
                            spans.append(span)
                            done = span.end
            for i in digits:
                if not low[i].isdigit():
                    spans += numbers.inside(words, i)
        if self._everybody is not None:
            own = {(s.start, s.end) for s in spans}
            spans += [s for s in self._everybody.find(words, digits) if (s.start, s.end) not in own]
        return sorted(set(spans))


class KnownPatients:
    """The patient table in memory: values by patient, and everybody's numbers.

    About 60 bytes a value; a matcher is built from a patient's values when it is asked for.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        """`rows` as of `deid.known.table.read_rows`; sorted by patient here, in the order of the table within one."""
        rows = rows.select("patient_id", pl.col("kind").cast(KIND).to_physical(), "value")
        if not rows["patient_id"].is_sorted():
            rows = rows.sort("patient_id", maintain_order=True)
        runs = rows["patient_id"].rle().struct.unnest()
        self._ids: list[str] = runs["value"].to_list()
        self._starts = np.concatenate([[0], np.cumsum(runs["len"].to_numpy())]).astype(np.int64)
        self._kinds = rows["kind"].to_numpy().copy()
        self._values = rows["value"]

    def __len__(self) -> int:
        return len(self._ids)

    @cached_property
    def everybody(self) -> Everybody:
        """Numbers that are looked for in every note."""
        return Everybody(self._kinds, self._values)

    def rows(self, patient_id: str | None) -> list[tuple[str, str]]:
        """(kind, value) of a patient, in the order of the table; nothing for a patient that the table does not hold."""
        if patient_id is None:
            return []
        at = bisect_left(self._ids, patient_id)
        if at >= len(self._ids) or self._ids[at] != patient_id:
            return []
        start, end = int(self._starts[at]), int(self._starts[at + 1])
        kinds = self._kinds[start:end].tolist()
        values = self._values[start:end].to_list()
        return list(dict.fromkeys((KIND_LIST[k], v) for k, v in zip(kinds, values, strict=True)))

    def matcher(self, patient_id: str | None) -> Matcher:
        """What finds this patient's values; for None, or a patient that is not in the table, everybody's numbers only."""
        return Matcher(self.rows(patient_id), self.everybody)

    def find_all(self, texts: Sequence[str], patients: Sequence[str | None] | None) -> list[list[Span]]:
        """Spans of each folded text; each patient's matcher is built once and dropped."""
        found: list[list[Span]] = [[] for _ in texts]
        groups: dict[str | None, list[int]] = {}
        for i in range(len(texts)):
            groups.setdefault(patients[i] if patients is not None else None, []).append(i)
        for patient, members in groups.items():
            matcher = self.matcher(patient)
            for i in members:
                found[i] = matcher.find(texts[i])
        return found


def load_patient_table(path: Path) -> KnownPatients:
    """The patient table of a file; see `deid.known.table`. Raises UserError for a file that cannot be read whole."""
    return KnownPatients(read_rows(path))


def known_patients(values: dict[str, list[tuple[str, str]]]) -> KnownPatients:
    """The same from (kind, value) pairs by patient."""
    return KnownPatients(as_rows(values))
