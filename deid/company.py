"""What the identifiers found in a note say of the rest of it: identifiers come in company.

"GL" alone is an abbreviation, "11/5" alone a fraction, "tmarsh" alone a slip; beside Georgia Lyle, among other dates and
after "T. Marsh" they are not. Each rule here needs something that was found in the same note with confidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from deid.note import LETTER
from deid.recognizers.codes import SHORTHAND
from deid.recognizers.dates import UNITS, cannot_be_date
from deid.spans import Span

_WORD = re.compile(rf"{LETTER}+")
_NO_NAME = frozenset(
    "md do rn np pa phd lpn aprn lcsw pharmd dpm dds mbbs dpt crna cnm fnp msw jr sr ii iii iv dr mr mrs ms".split()
)
# Initials in capitals; before a slash, after one, in brackets, at the end of a line or before a time they sign.
_INITIALS = re.compile(r"(?<![\w.'’&-])(?P<v>[A-Z]{2,4}|(?:[A-Z]\.[ ]?){1,3}[A-Z]\.?)(?![\w'’&-])")
_SIGN_BEFORE = re.compile(r"(?:[(/~+]|--|\bby[ ]|\bw/[ ]?|\n[ \t]*|[.;,][ ]|[ \t]{2,}|\|[ ]?|:[ ]?)$")
_SIGN_AFTER = re.compile(r"[ \t]*(?:\n|\Z|[)/+|]|[,;]?[ ]\d{1,2}[:/]?\d\d\b)")
_CREDENTIAL_NEXT = r"[ ,]{1,3}(?:pa-c|rn|md|np|do|lpn|crna|rrt|cna|ot|pt|pharmd)\b"
_SMALL_INITIALS = re.compile(
    rf"(?:[ \t]{{2,}}|/|\n[ \t]*|~|[.][ ])(?P<v>(?P<a>[a-z]{{2,4}})(?:[/:](?P<b>[a-z]{{2,4}}))?)(?=[ \t]*(?:\n|\Z)|{_CREDENTIAL_NEXT})"
)
# What stands for staff, not for somebody of the staff, whoever works there.
_ROLES = frozenset(
    "md do rn np pa rt pt ot lpn cna ma st sw cm or er ed icu pm am po iv im sc sq hs bid tid qid prn dr mr ms".split()
)
_USER = re.compile(r"(?<![\w@./\\-])(?P<v>[a-z]{3,20}\d{0,5}|[a-z]{1,16}[._][a-z]{1,20}\d{0,5})(?![\w@/\\-])(?!\.\w)")
_MONTH_DAY = re.compile(
    r"(?<![\w/.%+:-])(?P<v>(?P<a>1[0-2]|0?[1-9])/(?P<b>3[01]|[12]\d|0?[1-9]))(?![\w/%+])(?!\.\d)(?!-\d)"
)
_MONTH = re.compile(r"(?:(?:19|20)\d\d[-/.])?(?P<a>1[0-2]|0?[1-9])[-/.]")
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH_NAME = re.compile(rf"\b(?P<m>{'|'.join(_MONTH_NAMES)})[a-z]{{0,6}}\b", re.IGNORECASE)
# Beyond a score of ten only these are measured in parts: "MoCA 11/30", "PHQ-9 9/27".
_SCORE_BEFORE = re.compile(
    r"(?:\b[A-Za-z]{2,6}-?\d{1,2}|\b(?:moca|mmse|slums|audit|epds|cows|ciwa|ftt|chat|srs|cars|asrs|faces|nips|score[ds]?|scale|total|sum)|of|in)[ \t:=(]{1,3}$",
    re.IGNORECASE,
)


def in_company(text: str, spans: Sequence[Span]) -> list[Span]:
    """More spans of folded `text`, given its merged ones; they may overlap, so merge again."""
    return [*_of_people(text, spans), *_of_dates(text, spans)]


def _forms(text: str, spans: Sequence[Span]) -> tuple[set[str], set[str]]:
    """Initials of the people named, as "gl"; and what their user names may be, as "glyle", "georgialyle", "lyleg"."""
    initials: set[str] = set()
    users: set[str] = set()
    for span in spans:
        if span.identifier not in ("NAME", "CLINICIAN"):
            continue
        said = text[span.start : span.end]
        words = [w.lower() for w in _WORD.findall(said) if w.lower() not in _NO_NAME]
        if not 2 <= len(words) <= 5:
            continue
        if "," in said:  # Gonzalez, Maria L
            comma = len(_WORD.findall(said[: said.index(",")]))
            words = words[comma:] + words[:comma]
        letters = "".join(w[0] for w in words)
        initials.update((letters, letters[0] + letters[-1]))
        if len(letters) > 2:
            initials.add(letters[:2])  # "Georgia Lyle Haas": of hyphenated and second names the first counts
        first, last = words[0], words[-1]
        if len(last) > 2:
            users.update((first[0] + last, first + last, last + first[0], first + last[0], last + first))
    return {i for i in initials if 2 <= len(i) <= 4}, users


def _of_people(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    initials, users = _forms(text, spans)
    if not initials:
        return
    for match in _INITIALS.finditer(text):
        said = match["v"]
        low = re.sub(r"[^A-Za-z]", "", said).lower()
        if low not in initials or low in _ROLES:
            continue
        start, end = match.span("v")
        signs = bool(_SIGN_BEFORE.search(text, max(0, start - 6), start)) + bool(_SIGN_AFTER.match(text, end))
        if signs == 2 or ((signs or "." in said) and low not in SHORTHAND):
            yield Span(start, end, "OTHER_ID", 0.55, "company.initials")
    for match in _SMALL_INITIALS.finditer(text):
        if any(part in initials and part not in _ROLES for part in match.group("a", "b")):
            yield Span(*match.span("v"), "OTHER_ID", 0.55, "company.initials")
    for match in _USER.finditer(text):
        if match["v"].rstrip("0123456789").replace(".", "").replace("_", "") in users:
            yield Span(*match.span("v"), "USERNAME", 0.6, "company.username")


def _of_dates(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Month and day with a slash where the note has other dates: more than its whole can no fraction be, and a day of a
    month that another date names is likelier than a score.
    """
    dates = [span for span in spans if span.identifier == "DATE"]
    if not dates:
        return
    months = {int(m["a"]) for span in dates if (m := _MONTH.match(text, span.start))} | {
        _MONTH_NAMES.index(m["m"].lower()) + 1
        for span in dates
        if (m := _MONTH_NAME.search(text, span.start, span.end))
    }
    for match in _MONTH_DAY.finditer(text):
        a, b = int(match["a"]), int(match["b"])
        if a in months and b > 10 and not _SCORE_BEFORE.search(text, max(0, match.start() - 24), match.start()):
            if UNITS.match(text, match.end()) is None:
                yield Span(*match.span("v"), "DATE", 0.55, "company.date")
            continue
        if cannot_be_date(match):
            continue
        if a > b or (a in months and (b not in (2, 4, 5, 6, 10) or len(dates) > 3)):
            yield Span(*match.span("v"), "DATE", 0.55, "company.date")
