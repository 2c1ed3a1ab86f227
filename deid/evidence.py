"""What stands for and against a find: what the word lists and the rest of the note say of it.

The model reads a word and five to each side. Whether "Foley" beside a probability of 0.2 is a catheter or a neighbour
depends on more: what the lists call it and the words around it, whether the note holds other identifiers, whether the
same word stands in it elsewhere. Each find becomes a row of FEATURES, which the judge weighs (`deid.judge`).
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid import phrases
from deid.lexicon import (
    CITY,
    CITY_RARE,
    CLINICAL,
    CLOSED,
    COUNTY,
    CUES,
    DRUG,
    GIVEN,
    GIVEN_RARE,
    MONTHDAY,
    NATION,
    STATE,
    SURNAME,
    SURNAME_RARE,
    WORD,
    WORD_RARE,
    flags,
    is_safe,
    name_share,
)  # fmt: skip
from deid.note import CAPITAL, has_few_capitals
from deid.spans import Span, merge
from deid.vocabulary import BRANDS, EPONYM_HEADS, EPONYMS, is_clinical


class Entity(NamedTuple):
    """What a model found: its label, offsets in the text it was given, and the probabilities of "some identifier" of its
    likeliest and its unlikeliest token (1 where the model gives none). `score` is that of the pattern, if one found it.
    """

    label: str
    start: int
    end: int
    probability: float = 1.0
    least: float = 1.0
    score: float = 0.0


_LABELS = ("CITY", "CLINICIAN", "CODE", "DAY", "EMPLOYER", "FACILITY", "NAME", "STREET", "UNIT")
_BITS = (GIVEN, GIVEN_RARE, SURNAME, SURNAME_RARE, CITY, CITY_RARE, COUNTY, WORD, WORD_RARE, CLINICAL, DRUG, STATE, NATION, MONTHDAY)  # fmt: skip
_BIT_NAMES = "given given_rare surname surname_rare city city_rare county word word_rare clinical drug state nation monthday".split()
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
_NEXT_WORD = re.compile(r"[ \t]*[^\w\n]{0,3}[ \t]*([^\W_]+(?:['-][^\W_]+)*)")
_POSSESSIVE = re.compile(r"'s?(?![^\W_])", re.IGNORECASE)
_TITLE_BEFORE = re.compile(r"\b(?:mr|mrs|ms|miss|dr|pt|wife|husband|son|daughter)\.?[ ]$", re.IGNORECASE)
EPONYM_NEXT = re.compile(rf"(?:'s)?[ \t-]+(?:{'|'.join(EPONYM_HEADS)})\b", re.IGNORECASE)
NUMBER_NEXT = re.compile(r"[ \t]{0,2}[=<>]?[ \t]?\d")
DOSE_NEXT = re.compile(
    r"(?:'s)?[ \t-]{0,2}(?:\d[\d.,/-]*[ \t-]?(?:mg|mcg|ml|cc|g\b|units?|%|tabs?|caps?|french|mm|cm|puffs?|drops?|gauge)|drip\b|drops\b|cream\b"
    r"|ointment\b|tablets?\b|capsules?\b|inhaler|nebuli[sz]er|suture|sutures\b|patch\b|spray\b|injections?\b|infusion\b|solution\b|XL\b|XR\b|SR\b|CR\b|ER\b|HCT\b)",
    re.IGNORECASE,
)
# What little words beside a find make of it: "the Foley", "per Foley", "Foley says", "Foley removed".
_ROLES = {
    "determiner": "a an the his her their this that these those no any some",
    "agent": "by per from with w for to told asked called paged via and",
    "when": "of on in at after before until during since",
    "state": "is was are were has had have been",
    "speaks": "says said states stated wants wanted asks asked reports reported denies refuses refused declined will would called calls paged thinks"
    " aware notified updated agrees agreed ok okay here home came comes seen saw sees who",
    "handled": "held hold dose doses level levels daily bid tid qhs prn started stopped restarted resumed refill refills refilled increased decreased"
    " titrated given due removed placed changed inserted intact tolerated infusion taper tapered switch switched disease syndrome sign test score protocol",
    "kin": "wife husband son daughter mom mother dad father sister brother family dtr niece nephew aunt uncle pt patient mr mrs ms miss dr nurse rn",
}  # fmt: skip
_SIGNS = ("/", "-", "(", ":", ".", ",")
_GROUPS = ("\n", ".!?;", ",", ":", "/&+-", "([{", ")]}")
_WORD_FEATURES = (
    *_BIT_NAMES,
    "eponym",
    "thing",
    "abbreviation",
    "safe",
    "ending",
    "closed",
    "cue",
    "capital",
    "capitals",
    "digit",
)


# What a row is made of is packed once for each word and sign: turned into an array as numbers, rows took twice the time.
def _packed(values: Iterable[float]) -> bytes:
    return array("f", values).tobytes()


_ROLE_WORDS = [frozenset(words.split()) for words in _ROLES.values()]
_NO_WORD = _packed((0.0,) * (len(_WORD_FEATURES) + len(_ROLES)))
_LABEL_FEATURES = {label: _packed(label == other for other in _LABELS) for label in _LABELS}


@lru_cache(maxsize=1 << 16)
def _word(word: str) -> tuple[float, ...]:
    """What the lists and its form say of one word."""
    low, bits = word.lower().removesuffix("'s"), flags(word)
    said = (
        low in EPONYMS or low in phrases.words("eponym_surnames"), low in BRANDS or low in phrases.words("things"),
        low in phrases.tokens("abbreviations"), is_safe(word), is_clinical(low), low in CLOSED, low in CUES, word[0].isupper(), word.isupper(),
        any(c.isdigit() for c in word),
    )  # fmt: skip
    return (*(float(bool(bits & bit)) for bit in _BITS), *map(float, said))


@lru_cache(maxsize=1 << 16)
def _beside(word: str) -> bytes:
    low = word.lower()
    return _packed((*_word(word), *(low in words for words in _ROLE_WORDS)))


@lru_cache(maxsize=1 << 14)
def _said(said: str) -> bytes:
    """What the lists and its form say of a whole find."""
    words = _WORD.findall(said) or [said]
    of = [_word(word) for word in words]
    shares = [name_share(word) for word in words]
    n = len(said)
    return _packed((
        len(words), n, sum(map(str.isdigit, said)) / n, sum(map(str.isupper, said)) / n, said.islower(), said.isupper(), said[:1].isupper(),
        "\n" in said, *(map(max, *of) if len(of) > 1 else of[0]), *(map(min, *of) if len(of) > 1 else of[0]), max(shares), min(shares),
    ))  # fmt: skip


@lru_cache(maxsize=1 << 10)
def _sign(sign: str) -> bytes:
    return _packed(sign == other for other in _SIGNS)


@lru_cache(maxsize=1 << 10)
def _group(sign: str) -> bytes:
    return _packed(sign in group for group in _GROUPS)


FEATURES = (
    "log_odds", "log_odds_least", "score", *(f"label_{label}" for label in _LABELS),
    "words", "length", "digits", "capitals", "lower", "upper", "title", "breaks",
    *(f"some_{name}" for name in _WORD_FEATURES), *(f"all_{name}" for name in _WORD_FEATURES), "share_most", "share_least",
    *(f"{side}_{name}" for side in ("before", "after") for name in (*_WORD_FEATURES, *_ROLES)),
    *(f"left_{sign}" for sign in _SIGNS), *(f"right_{sign}" for sign in _SIGNS),
    *(f"left_of_{group[0]!r}" for group in _GROUPS), *(f"right_of_{group[0]!r}" for group in _GROUPS),
    "few_capitals", "many_capitals", "note_length", "one_line", "sure", "sure_people", "sure_density", "gap_sure",
    "same", "same_best", "same_lower", "found", "found_density", "found_in_line", "gap_found", "finds", "eponym_next", "dose_next", "number_next",
    "possessive", *(f"elsewhere_{name}" for name in ("places", "thing", "possessive", "titled", "lower")), "first_here",
    "twins", "drug_twins", "drugs_near", "drugs_line", "eponyms_line", "left_odds", "left_gap", "right_odds", "right_gap", "best_near",
)  # fmt: skip


def _odds(probability: float) -> float:
    p = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(p / (1 - p))


# What patterns may find in passing: a name, a place, a code, a part of a date. A number under its own heading and a full date
# are never doubted: with dates in question 33 of 1,382 true identifiers of mtsamples were lost.
_SOFT = {
    "NAME": "NAME", "CLINICIAN": "CLINICIAN", "CITY": "CITY", "COUNTY": "CITY", "FACILITY": "FACILITY", "EMPLOYER": "EMPLOYER", "STREET": "STREET",
    "UNIT": "UNIT", "DATE": "DAY", "OTHER_ID": "CODE",
}  # fmt: skip
_CERTAIN = {"DATE": 0.9}
# Rules of which the trees, who know one half of a name as a thing and a lone name in long prose as a rarity, would believe too
# few. Names behind "Dr." and "Ms.", before ", RN" and "is a 61-year-old", names that are half a drug or a disease, letters with
# which somebody signs; and every rule that is right 99 times in 100, and a hundred times at least, on the annotated notes; and rules with a cue of
# their own ("corner of", "room five twelve"), too rare in those notes to be counted so.
_BELIEVED = frozenset(
    """
    names.clinician_title names.courtesy_title names.strong_credential names.thing_surname names.person_thing
    names.doctor_little_word names.courtesy_little_word names.header_little_word names.signature names.signature_small names.middle_initial names.name_dictated names.signature_capitals names.signature_line
    names.thing_comma_given names.eponym_family names.thing_acts names.thing_stands names.word_stands names.head_stands
    names.is_somebody names.is_somebody_cased names.age_after names.relative names.relative_one names.person_title_lower names.patient_name names.pt_name
    codes.initials_credential codes.lettered_number codes.long_number codes.six_or_seven_digits codes.digit_groups
    codes.grouped_digits codes.code_after_word codes.other codes.extension_word codes.spaced_signs codes.marks_spoken
    dates.trend dates.weekday_explained dates.this_weekday_short dates.weekday_short_part dates.nth_in_words
    dates.weekday dates.weekday_small dates.weekday_day dates.month_name dates.month_alone dates.month_year_numeric dates.season
    places.street places.street_city places.street_lower places.county places.unit_in_words places.unit_station places.unit_site_of
    places.road_initials places.street_small_usual places.rural_box places.corner places.mile_marker places.county_capitals places.office organisations.works organisations.regiment
    organisations.named_works
    """.split()
)
# In a text with so many spans its patterns are believed: a word too much masked there costs little, the second look time.
_MANY = 5


def may_err(span: Span) -> bool:
    """Whether a pattern's span may be doubted."""
    sure = span.score >= _CERTAIN.get(span.identifier, 0.95) or span.recognizer in _BELIEVED
    return span.identifier in _SOFT and not sure


def is_given_name(text: str, find: Entity) -> bool:
    """Whether the model is sure of one capitalised word that is a given name and in no list anything else.

    Right 607 times in 614 on the annotated notes; the trees refuse "they do not bother Karen" in a page without identifiers.
    """
    word = text[find.start : find.end]
    low = word.lower()
    if find.label not in ("NAME", "CLINICIAN") or find.probability < 0.98 or not (word.isalpha() and word.istitle()):
        return False
    bits = flags(low)
    other = SURNAME | CITY | DRUG | CLINICAL | MONTHDAY | NATION | STATE
    listed = low in EPONYMS or low in BRANDS or low in phrases.words("eponym_surnames")
    return bool(bits & GIVEN) and not bits & other and not listed and name_share(low) >= 0.97


def doubts(
    text: str, finds: Sequence[Entity], patterns: Sequence[Span]
) -> tuple[list[Entity], list[Span], NDArray[np.float32]]:
    """What of a folded text is to be judged: finds that no pattern covers, spans of patterns that may err, and one row of
    FEATURES for each of both, in this order.
    """
    found = merge(text, patterns)
    covered = bytearray(len(text))
    for span in found:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    alone = [e for e in finds if not _all(covered, text, e.start, e.end)]
    weak: dict[tuple[int, int], Span] = {}
    if len(found) < _MANY:
        for span in patterns:
            if may_err(span):
                at = (span.start, span.end)
                weak[at] = max(weak.get(at, span), span, key=lambda s: (s.score, s.identifier))
    said = []
    for span in weak.values():
        near = [e for e in finds if e.start < span.end and span.start < e.end]
        high, low = max((e.probability for e in near), default=0.005), min((e.least for e in near), default=0.005)
        said.append(Entity(_SOFT[span.identifier], span.start, span.end, high, low, span.score))
    return alone, list(weak.values()), features(text, [*alone, *said], finds, found)


def _all(mask: bytearray, text: str, start: int, end: int) -> bool:
    return mask.find(0, start, end) < 0 or all(mask[i] for i in range(start, end) if text[i].isalnum())


def features(
    text: str, entities: Sequence[Entity], finds: Sequence[Entity], found: Sequence[Span] = ()
) -> NDArray[np.float32]:
    """One row of FEATURES for each entity of a folded text, given all `finds` of the model and what the patterns `found`."""
    if not entities:
        return np.zeros((0, len(FEATURES)), dtype=np.float32)
    sure = [e for e in finds if e.probability >= 0.5]
    people = sum(e.label in ("NAME", "CLINICIAN") for e in sure)
    shape = (
        float(has_few_capitals(text)),
        float(2 * len(CAPITAL.findall(text)) > sum(map(str.isalpha, text))),
        math.log(len(text)),
        float("\n" not in text),
    )
    per = 100 / len(text)
    said = [text[e.start : e.end] for e in entities]
    low_said = [s.lower() for s in said]
    same = Counter(low_said)
    best: dict[str, tuple[float, float]] = {}  # the two highest probabilities of each spelling
    for s, e in zip(low_said, entities, strict=True):
        first, second = best.get(s, (0.0, 0.0))
        best[s] = (max(first, e.probability), max(second, min(first, e.probability)))
    parts = [[w for w in _PART.findall(s) if w != "s"] or [s] for s in low_said]
    stood = [(match.start(), match.group()) for match in _PART.finditer(text)]
    places = _places(text, stood, {w for words in parts for w in words})
    around = _around(stood, {w[:_HEAD] for words in parts for w in words if len(w) > _HEAD})
    others = sorted({(e.start, e.end, e.probability) for e in finds})
    starts = sorted((s.start, s.end) for s in found)
    sure_at = sorted((e.start, e.end) for e in sure)
    rows: list[bytes] = []
    for e, s, low, words in zip(entities, said, low_said, parts, strict=True):
        before, after = text[max(0, e.start - 40) : e.start], text[e.end : e.end + 40]
        # Read backwards, what stands before is tried at one place and not at forty.
        owns = _POSSESSIVE.match(after)
        left, right = _NEXT_WORD.match(before[::-1]), _NEXT_WORD.match(after, owns.end() if owns else 0)
        near_left, near_right = before.rstrip(" ")[-1:] or "\n", after.lstrip(" ")[:1] or "\n"
        first, second = best[low]
        other = second if e.probability == first else first
        i = bisect_right(starts, (e.start, e.end))
        line_end = text.find("\n", e.end, e.end + _LINE)
        line = (
            max(text.rfind("\n", max(0, e.start - _LINE), e.start), e.start - _LINE),
            line_end if line_end >= 0 else e.end + _LINE,
        )
        in_line = sum(line[0] < a < line[1] for a, _ in starts[max(0, i - 12) : i + 12])
        rows += (
            _packed((_odds(e.probability), _odds(e.least), e.score)), _LABEL_FEATURES[e.label], _said(s),
            _beside(left[1][::-1]) if left else _NO_WORD, _beside(right[1]) if right else _NO_WORD,
            _sign(before[-1:]), _sign(after[:1]), _group(near_left), _group(near_right),
            _packed((
            *shape, len(sure), people, len(sure) * per, _gap(sure_at, e),
            same[low] - 1, other if same[low] > 1 else 0.0, float(not s.islower() and all(w in places and places[w].lower for w in words)),
            len(starts), len(starts) * per, in_line, _gap(starts, e), len(finds),
            EPONYM_NEXT.match(after) is not None, DOSE_NEXT.match(after) is not None, NUMBER_NEXT.match(after) is not None,
            owns is not None or low.endswith("'s"), *_elsewhere(places.get(words[-1]), e),
            *_twins(around, words), _others(around.drugs, e, e.start - _NEAR, e.end + _NEAR), _others(around.drugs, e, *line),
            _others(around.eponyms, e, *line), *_finds_beside(others, e),
        )))  # fmt: skip
    return np.frombuffer(b"".join(rows), dtype=np.float32).reshape(-1, len(FEATURES))


@dataclass(frozen=True)
class _Places:
    """Where a word stands in a text, as what, and, if that is asked, what stands around each of these places."""

    text: str
    starts: list[int]
    forms: list[str]

    @cached_property
    def lower(self) -> bool:
        return any(map(str.islower, self.forms))

    @cached_property
    def around(self) -> list[tuple[bool, bool, bool, bool]]:
        """Whether it stands before a thing, as a possessive, after a title, with a small letter first."""
        text = self.text
        return [
            (
                any(sign.match(text, start + len(form)) for sign in (EPONYM_NEXT, DOSE_NEXT, NUMBER_NEXT)),
                _POSSESSIVE.match(text, start + len(form)) is not None,
                _TITLE_BEFORE.search(text[max(0, start - 9) : start]) is not None,
                form[0].islower(),
            )
            for start, form in zip(self.starts, self.forms, strict=True)
        ]

    @cached_property
    def sums(self) -> list[int]:
        """How often each of that in all."""
        return [sum(column) for column in zip(*self.around, strict=True)]


def _places(text: str, stood: Iterable[tuple[int, str]], words: set[str]) -> dict[str, _Places]:
    """The places of `words`, in small letters and without hyphens or possessives, among all that `stood` in a text."""
    out: dict[str, _Places] = {}
    for start, form in stood:
        if (low := form.lower()) in words:
            places = out.get(low) or out.setdefault(low, _Places(text, [], []))
            places.starts.append(start)
            places.forms.append(form)
    return out


_NOWHERE = (0.0,) * 6


def _elsewhere(places: _Places | None, entity: Entity) -> Sequence[float]:
    """How often the word stands elsewhere, how often so before a thing, as a possessive, after a title and in small letters,
    and whether all these places come later.
    """
    if places is None:
        return _NOWHERE
    first, last = bisect_left(places.starts, entity.start), bisect_left(places.starts, entity.end)
    count = len(places.starts) - (last - first)
    if not count:  # most words stand once
        return _NOWHERE
    here = [sum(column) for column in zip(*places.around[first:last], strict=True)] or [0] * len(places.sums)
    return count, *(a - b for a, b in zip(places.sums, here, strict=True)), float(first == 0)


_HEAD = 4  # so many first letters make "Ozempik" and "ozempic" twins
_NEAR = 60


class _Around(NamedTuple):
    """Of a text: the sorted places of its drugs and eponyms, and how many of its words, and drugs, begin with some letters."""

    drugs: list[int]
    eponyms: list[int]
    words_like: Counter[str]
    drugs_like: Counter[str]


def _around(stood: Iterable[tuple[int, str]], heads: set[str]) -> _Around:
    out = _Around([], [], Counter(), Counter())
    seen: set[str] = set()
    for start, form in stood:
        if len(form) < _HEAD:
            continue
        one, head, is_drug, is_eponym = _kind(form)
        if is_drug:
            out.drugs.append(start)
        elif is_eponym:
            out.eponyms.append(start)
        if head in heads and one not in seen:
            seen.add(one)
            out.words_like[head] += 1
            out.drugs_like[head] += is_drug
    return out


@lru_cache(maxsize=1 << 16)
def _kind(form: str) -> tuple[str, str, bool, bool]:
    """A word in the singular, how it begins, and whether it is a drug or an eponym."""
    low = form.lower()
    return low.removesuffix("s"), low[:_HEAD], bool(flags(low) & DRUG), low in EPONYMS


def _twins(around: _Around, words: Sequence[str]) -> tuple[int, int]:
    """How many other words of the text, and other drugs, begin as these do: "Ozempik took ozempic", by one who can spell it."""
    long = [w for w in words if len(w) > _HEAD]
    return (
        sum(around.words_like[w[:_HEAD]] - 1 for w in long),
        sum(around.drugs_like[w[:_HEAD]] - bool(flags(w) & DRUG) for w in long),
    )


def _others(places: list[int], entity: Entity, start: int, end: int) -> int:
    """How many of the sorted places lie from start to end, and not in the entity."""
    here = bisect_left(places, entity.end) - bisect_left(places, entity.start)
    return bisect_left(places, end) - bisect_left(places, start) - here


_NO_FIND = (-10.0, 200.0)


def _finds_beside(finds: list[tuple[int, int, float]], entity: Entity) -> tuple[float, ...]:
    """Odds and distance of the nearest of the sorted finds on the left and on the right, and the best probability _NEAR it."""
    start, end = entity.start, entity.end
    i = bisect_left(finds, (start, 0, 0.0))
    before = behind = _NO_FIND
    best = 0.0
    for _, b, p in finds[max(0, i - 5) : i]:
        if b <= start:
            before = (_odds(p), min(_NO_FIND[1], start - b))
            best = max(best, p) if start - b < _NEAR else best
    for a, _, p in finds[i : i + 6]:
        if a >= end:
            if behind is _NO_FIND:
                behind = (_odds(p), min(_NO_FIND[1], a - end))
            best = max(best, p) if a - end < _NEAR else best
    return *before, *behind, best


_LINE = 2000  # a line is looked along so far: a megabyte without a break costs no more than a note
_FAR = 500


def _gap(places: list[tuple[int, int]], entity: Entity) -> int:
    """How many characters lie between an entity and the nearest of the sorted places that do not overlap it."""
    start, end = entity.start, entity.end
    i = bisect_right(places, (start, end))
    nearest = _FAR
    for a, b in places[max(0, i - 3) : i + 3]:
        gap = a - end if a - end > start - b else start - b
        if 0 <= gap < nearest:
            nearest = gap
    return nearest
