"""What the people found in a note say of the rest of it: identifiers come in company.

"GL" alone is an abbreviation, "tmarsh" alone a slip; beside Georgia Lyle and after "T. Marsh" they are not. What other dates
say of "11/5" is in `recognizers/dates.py`, and what other identifiers say of a doubtful word in `evidence.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from deid.note import LETTER
from deid.recognizers.codes import SHORTHAND
from deid.spans import Span
from deid.words import CREDENTIALS, TITLES

_WORD = re.compile(rf"{LETTER}+")
_NO_NAME = CREDENTIALS | TITLES | frozenset("jr sr ii iii iv".split())
# Initials in capitals; before a slash, after one, in brackets, at the end of a line or before a time they sign.
_INITIALS = re.compile(r"(?<![\w.'’&-])(?P<v>[A-Z]{2,4}|(?:[A-Z]\.[ ]?){1,3}[A-Z]\.?)(?![\w'’&-])")
_PERSON_BEFORE = re.compile(
    r"\b(?:(?:pt|patient|client|resident|mr|mrs|ms)\.?|asked|told|paged|reminded|informed|thanked)[ ]$", re.IGNORECASE
)
_SIGN_BEFORE = re.compile(
    r"(?:[(/~+]|--|\b(?:by|to|To|from|per)[ ]|\bw/[ ]?|\n[ \t]*|[.;,][ ]|[ \t]{2,}|\|[ ]?|:[ ]?)$"
)
_SIGN_AFTER = re.compile(r"[ \t]*(?:\n|\Z|[)/+|]|[,;]?[ ]\d{1,2}[:/]?\d\d\b)")
_CREDENTIAL_NEXT = r"[ ,]{1,3}(?:pa-c|rn|md|np|do|lpn|crna|rrt|cna|ot|pt|pharmd)\b"
_SMALL_INITIALS = re.compile(
    rf"(?:[ \t]{{2,}}|/|\n[ \t]*|~|[.][ ])(?P<v>(?P<a>[a-z]{{2,4}})(?:[/:](?P<b>[a-z]{{2,4}}))?)(?=[ \t]*(?:\n|\Z)|{_CREDENTIAL_NEXT})"
)
# What stands for staff, not for somebody of the staff, whoever works there.
ROLES = frozenset(
    "md do rn np pa rt pt ot lpn cna ma st sw cm or er ed icu pm am po iv im sc sq hs bid tid qid prn dr mr ms".split()
)
_SIGNS = str.maketrans("", "", "._")
_USER = re.compile(r"(?<![\w@./\\-])(?P<v>[a-z]{3,20}\d{0,5}|[a-z]{1,16}[._][a-z]{1,20}\d{0,5})(?![\w@/\\-])(?!\.\w)")

# "Gladys Tubbs, 93", "BIRGIT IS 98, DNR": after a name a number over 89 is an age, where no unit makes it a measurement.
_AGE_NEXT = re.compile(
    r"(?:,?[ ]{1,2}|[ ]?[(][ ]?|[ ]-[ ]|,?[ ](?:is|was|turns|turned|now)[ ])(?P<v>9\d|10\d|11[0-5])(?![\w%/:-])(?!\.\d)"
    r"(?![ ]?(?:mg|mcg|mEq|ml|cc|cm|mm|kg|lbs?|units?|bpm|beats|degrees|over|percent|on[ ](?:RA|room|\d)|sats?|\d|[FC]\b|days?|hours?|hrs?|min|weeks?|wks?))",
    re.IGNORECASE,
)
# "6112 Castellanos", "7-22B Pale" at the head of a line, "Haddad is in T2": what could be an hour or a year is left.
_ROOM_BEFORE = re.compile(
    r"(?:\A|\n)[ \t]{0,4}(?P<v>(?!(?:[01]\d|2[0-4])[0-5]\d\b)(?!(?:19|20)\d\d\b)\d{3,4}[A-DW]?|\d{1,2}[A-D]|\d{1,2}-\d{1,2}[A-D]?)[ \t]{1,3}(?:(?:mr|mrs|ms|miss|pt)\.?[ ])?[\"“]?\Z",
    re.IGNORECASE,
)
_ROOM_NEXT = re.compile(
    r",?[ ](?:is[ ])?in[ ](?P<v>(?!(?:19|20)\d\d\b)(?:[A-Z]\d{1,3}|\d{3,4}[A-D]?|\d{1,2}-?[A-D]))(?![\w/%:-])(?!\.\d)"
)


def _name_words(said: str) -> list[str]:
    return [low for low in map(str.lower, _WORD.findall(said)) if low not in _NO_NAME]


def forms(text: str, spans: Sequence[Span]) -> tuple[set[str], set[str]]:
    """Initials of the people named in folded `text`, as "gl"; and what their user names may be, as "glyle", "georgialyle", "lyleg"."""
    initials: set[str] = set()
    users: set[str] = set()
    for span in spans:
        if span.identifier not in ("NAME", "CLINICIAN"):
            continue
        said = text[span.start : span.end]
        words = _name_words(said)
        if not 2 <= len(words) <= 5:
            continue
        if "," in said:  # Gonzalez, Maria L
            family = len(_name_words(said[: said.index(",")]))
            words = words[family:] + words[:family]
        letters = "".join(w[0] for w in words)
        initials.update((letters, letters[0] + letters[-1]))
        if len(letters) > 2:
            initials.add(letters[:2])  # "Georgia Lyle Haas": of hyphenated and second names the first counts
        first, last = words[0], words[-1]
        if len(last) > 2:
            users.update((first[0] + last, first + last, last + first[0], first + last[0], last + first))
    return {i for i in initials if 2 <= len(i) <= 4}, users


def _beside_people(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Ages over 89 and rooms that a name stands beside."""
    for span in spans:
        if span.identifier != "NAME":
            continue
        if match := _AGE_NEXT.match(text, span.end):
            yield Span(*match.span("v"), "AGE", 0.7, "company.age")
        if match := _ROOM_NEXT.match(text, span.end):
            yield Span(*match.span("v"), "UNIT", 0.6, "company.room")
        head = max(0, span.start - 20)
        if match := _ROOM_BEFORE.search(text[head : span.start]):
            yield Span(head + match.start("v"), head + match.end("v"), "UNIT", 0.6, "company.room")


def in_company(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """More spans of folded `text`, given its merged ones; they may overlap, so merge again."""
    yield from _beside_people(text, spans)
    initials, users = forms(text, spans)
    if not initials:
        return
    yield from initialled(text, initials)
    # Signs dropped, a user name stands in the text as it is made of the name: most texts need no closer look.
    squeezed = text.translate(_SIGNS)
    if not any(user in squeezed for user in users):
        return
    for match in _USER.finditer(text):
        if match["v"].rstrip("0123456789").replace(".", "").replace("_", "") in users:
            yield Span(*match.span("v"), "USERNAME", 0.6, "company.username")


def initialled(text: str, initials: Collection[str]) -> Iterator[Span]:
    """Where somebody with these initials signs, or is meant: "/GL", "MT/gl:rk", "pt GL"."""
    for match in _INITIALS.finditer(text):
        said = match["v"]
        low = re.sub(r"[^A-Za-z]", "", said).lower()
        if low not in initials or low in ROLES:
            continue
        start, end = match.span("v")
        signs = bool(_SIGN_BEFORE.search(text, max(0, start - 6), start)) + bool(_SIGN_AFTER.match(text, end))
        signs = 2 if _PERSON_BEFORE.search(text, max(0, start - 10), start) else signs
        if signs == 2 or ((signs or "." in said) and low not in SHORTHAND):
            yield Span(start, end, "OTHER_ID", 0.55, "company.initials")
    for match in _SMALL_INITIALS.finditer(text):
        if any(part in initials and part not in ROLES for part in match.group("a", "b")):
            yield Span(*match.span("v"), "OTHER_ID", 0.55, "company.initials")
