"""The true identifiers of mtsamples, a public set of real dictated reports that were de-identified by hand.

    python benchmarks/deid_mtsamples.py mtsamples.jsonl.gz adjudicated.jsonl

What the people left standing is listed by the rules below, so that masking it does not count as over-masking, and
whether it is masked can be measured. The rules are narrow: a city, a hospital, an untitled name or a date of day and
month in figures is not listed, and masking one counts against the system that does it. Nothing under test is used.

- `DATE`: day, month and year, in figures or words. `NAME`: a name in mixed case after Mr., Mrs., Ms. or Dr. `AGE`: 90
  and over, in figures. `PHONE`: ten digits. These are expected to be masked.
- `partial_date`: a month in words with a day or a year; month and year in figures. `stand_in`: "Dr. X", "Mr. Abc",
  "Mr. Sample Patient", written where a name was. Whether these are masked counts neither way.

The list holds offsets and digests, no text: a note is named by the SHA-256 of its text.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TRUE = ("DATE", "NAME", "AGE", "PHONE")

_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|"
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
)
_MONTH = rf"(?:{_MONTHS}|{_MONTHS.upper()})\.?"
_DAY, _YEAR = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?", r"(?:19|20)\d\d"
_NUMBER_DAY, _NUMBER_MONTH = r"(?:3[01]|[12]\d|0?[1-9])", r"(?:1[0-2]|0?[1-9])"
_TITLE = r"\b(?:Mr|Mrs|Ms|Dr)\b\.?[ ]"
_STAND_IN = (
    r"(?:[A-Z]\b|X+\b|X[Xx]+\b|XYZ?\b|Xyz\b|ABCD?\b|Abcd?\b|Sample\b(?: (?:Patient|Doctor)\b)?)(?!['’-]?[a-rt-z])"
)
_WORD = r"(?:Mc|Mac|O['’])?[A-Z][a-z]{2,}\b(?:-[A-Z][a-z]+\b)?"
_NOT_NAMES = r"(?:The|No|Jun|Mitral|Speech|Sample|Patient|Doctor|Contin|Office|Both|Unfortunately)\b"

# The first rule that fits a stretch of text takes it.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("DATE", rf"(?<![\d/.-]){_NUMBER_MONTH}([/-]){_NUMBER_DAY}\1(?:{_YEAR}|\d\d)(?![\d/-])"),
        ("DATE", rf"\b{_MONTH},?\s+{_DAY},?,?\s+(?:of )?{_YEAR}\b"),
        ("DATE", rf"\b{_DAY}(?: of)?\s+{_MONTH},?\s+{_YEAR}\b"),
        ("partial_date", rf"\b{_MONTH},?\s+(?:of )?{_YEAR}\b"),
        ("partial_date", rf"\b{_MONTH}\s+{_DAY}\b(?!\s*(?:mg|mcg|%|mL|cm))"),
        ("partial_date", rf"(?<![\d/.-]){_NUMBER_MONTH}/{_YEAR}(?![\d/-])"),
        ("NAME", rf"{_TITLE}(?:(?:[A-Z]|XYZ) )?(?P<span>(?!{_NOT_NAMES}|{_STAND_IN}){_WORD}(?: {_WORD})?)"),
        ("stand_in", rf"{_TITLE}(?P<span>{_STAND_IN})"),
        ("AGE", r"(?<![\d.])(?P<span>9\d|1[01]\d)[ -]?(?:years?|yrs?)[ -]?old\b"),
        ("AGE", r"\b[Aa](?:ge|ged)(?: of)?:? (?P<span>9\d|1[01]\d)\b(?![.]\d|[ ]?(?:/|%|to\b|months|days|weeks))"),
        ("PHONE", r"(?<!\d)(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?!\d)"),
    )
)


class Listed(NamedTuple):
    start: int
    end: int
    kind: str


def adjudicate(text: str) -> list[Listed]:
    """Sorted, non-overlapping spans of one report."""
    taken: list[Listed] = []
    for kind, rule in _RULES:
        for match in rule.finditer(text):
            start, end = match.span("span") if "span" in rule.groupindex else match.span()
            if all(end <= other.start or start >= other.end for other in taken):
                taken.append(Listed(start, end, kind))
    return sorted(taken)


def unique_texts(path: Path) -> list[str]:
    """The reports without their repeats, in the order of the file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return list(dict.fromkeys(str(json.loads(line)["text"]) for line in lines))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def rows(texts: list[str]) -> Iterator[dict[str, object]]:
    """The list, without text."""
    for text in texts:
        if found := adjudicate(text):
            yield {
                "note": digest(text),
                "spans": [[s.start, s.end, s.kind, digest(text[s.start : s.end])] for s in found],
            }


def main() -> None:
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.write_text("".join(json.dumps(row) + "\n" for row in rows(unique_texts(source))), encoding="utf-8")


if __name__ == "__main__":
    main()
