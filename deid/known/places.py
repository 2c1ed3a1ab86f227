"""Streets, cities, employers and facilities of the patient table, found in text as phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from deid import lexicon
from deid.folding import fold
from deid.known.table import KINDS
from deid.spans import Span
from deid.words import TOKEN, Words, trait, unknown

_PLACE_BEFORE = frozenset("in from near of at to around for outside by with".split())

_STREET_WORDS: dict[str, str] = {
    form: forms.split()[0]
    for forms in (
        "st street str", "ave avenue av aven", "rd road", "dr drive drv", "ln lane", "blvd boulevard boul blv", "ct court crt",
        "pl place", "cir circle circ", "ter terrace terr", "pkwy parkway pky pkway", "hwy highway hiway", "sq square",
        "trl trail", "xing crossing", "way wy", "aly alley", "plz plaza", "pt point", "cres crescent", "hts heights",
        "expy expressway", "fwy freeway", "tpke turnpike pike", "mt mount", "ft fort", "n north", "s south", "e east", "w west",
        "ne northeast", "nw northwest", "se southeast", "sw southwest", "apt apartment", "ste suite", "fl floor", "bldg building",
        "rm room", "rte route", "saint",
    )
    for form in forms.split()
}  # fmt: skip
_SUFFIXES = frozenset(
    "st ave rd dr ln blvd ct pl cir ter pkwy hwy sq trl xing way aly plz cres expy fwy tpke loop run row path".split()
)
_DIRECTIONS = frozenset("n s e w ne nw se sw".split())
_UNITS = frozenset("apt ste unit fl bldg rm lot trlr no".split())
_COMPANY_ENDS = frozenset("inc llc ltd co corp corporation company incorporated llp plc".split())
BIRTH_CUE = re.compile(r"(?:\b(?:d\.?o\.?b|born|birth\w*|bday|b-day|birth\sdate|turn(?:s|ed|ing)\s\d{1,3})\b)[^\w\n]{0,4}(?:(?:on|is|of|date|the|this|:)[^\w\n]{0,3}){0,3}$")  # fmt: skip


class Phrase(NamedTuple):
    """Words in their canonical form that stand side by side. firm: ordinary words in lower case are enough."""

    words: tuple[str, ...]
    kind: str
    firm: bool
    cue: str = ""


def canonical(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(_STREET_WORDS.get(w, w) for w in words)


def _ordinary(word: str) -> bool:
    return not trait(word).free or len(word) < 4


def place_words(value: str) -> list[str]:
    return [lexicon.fold(w) for w in TOKEN.findall(fold(value)[0])]


def street_phrases(value: str) -> Iterator[Phrase]:
    """The line as it is, without the house number, without suffix or direction; a unit ("Apt 4B") by itself."""
    words = list(canonical(place_words(value)))
    for i in range(1, len(words) - 1):
        if words[i] in _UNITS or (words[i] == "rm" and i):
            yield Phrase(tuple(words[i:]), "unit", firm=True)
            words = words[:i]
            break
    if len(words) < 2:
        if words and len(words[0]) > 4 and not _ordinary(words[0]):
            yield Phrase(tuple(words), "street", firm=True)
        return
    numbered = words[0][0].isdigit()
    yield Phrase(tuple(words), "street", firm=numbered or len(words) > 2)
    number, name = (words[0], words[1:]) if numbered else ("", words)
    inner = [w for k, w in enumerate(name) if not (w in _DIRECTIONS and k in (0, len(name) - 1) and len(name) > 1)]
    forms = {tuple(name), tuple(inner)}
    for form in sorted(forms):
        if not form or form[0] in _SUFFIXES:
            continue
        ends = form[-1] in _SUFFIXES
        bare = form[:-1] if ends and len(form) > 1 else form
        if number:
            yield Phrase((number, *form), "street", firm=True)
            if ends and any(len(w) > 2 for w in bare):
                yield Phrase((number, *bare), "street", firm=not all(map(_ordinary, bare)))
        if len(form) > 1:
            yield Phrase(form, "street", firm=not all(map(_ordinary, bare)))
    if words[:2] == ["po", "box"]:
        yield Phrase(("p", "o", *words[1:]), "street", firm=True)
    elif words[:3] == ["p", "o", "box"]:
        yield Phrase(("po", *words[2:]), "street", firm=True)


def address_phrases(value: str) -> Iterator[Phrase]:
    """Parts of a whole address between commas: the street, a unit, the city, "ST 12345" by its number."""
    parts = [p.strip() for p in re.split(r"[,\n]", value) if p.strip()]
    for n, part in enumerate(parts):
        words = place_words(part)
        if not words:
            continue
        if n == 0:
            yield from street_phrases(part)
        elif canonical(words)[0] in _UNITS:
            yield Phrase(canonical(words), "unit", firm=True)
        elif words[-1].isdigit() and len(words[-1]) in (4, 5, 9):
            if len(words) > 2:
                yield from place_phrases(" ".join(words[:-2]), "city")
        elif not any(c.isdigit() for c in part) and not (len(words) == 1 and len(words[0]) == 2):
            yield from place_phrases(part, "city")


def address_zip(value: str) -> Iterator[str]:
    for match in re.finditer(r"\b(\d{5})(?:-\d{4})?\b", "\n".join(re.split(r"[,\n]", value)[1:])):
        yield match.group()


def place_phrases(value: str, kind: str) -> Iterator[Phrase]:
    """A city, county, employer or facility; with and without "the" and the company's form."""
    words = place_words(value)
    if kind == "county" and len(words) > 1 and words[-1] in ("county", "parish", "borough"):
        words = words[:-1]
    if words[:1] == ["the"] and len(words) > 1:
        words = words[1:]
    while len(words) > 1 and words[-1] in _COMPANY_ENDS:
        words = words[:-1]
    if not words or (len(words) == 1 and (len(words[0]) < 3 or words[0].isdigit())):
        return
    form = canonical(words)
    if kind == "county":
        yield from (Phrase((*form, word), kind, firm=not _ordinary(words[0])) for word in ("county", "parish"))
    if len(words) > 1:
        yield Phrase(form, kind, firm=not all(map(_ordinary, words)))
        # "Virtanen" alone is said of the "Virtanen Law Group".
        if kind in ("employer", "facility") and len(words[0]) > 4 and unknown(words[0]):
            yield Phrase(form[:1], kind, firm=True)
    elif kind == "county" and _ordinary(words[0]):
        pass
    else:
        yield Phrase(form, kind, firm=len(words[0]) > 4 and not _ordinary(words[0]))


class Phrases:
    """Phrases by their first word."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self.by_first: dict[str, list[Phrase]] = {}
        for phrase in dict.fromkeys(phrases):
            self.by_first.setdefault(phrase.words[0], []).append(phrase)
        for found in self.by_first.values():
            found.sort(key=lambda p: (-len(p.words), p))
        self.first = frozenset(self.by_first) | {w for w, c in _STREET_WORDS.items() if c in self.by_first}

    def at(self, words: Words, i: int) -> Iterator[Span]:
        """The longest phrase that starts at word i."""
        low = words.low[i]
        for phrase in self.by_first.get(_STREET_WORDS.get(low, low), ()):
            last = _matches(words, i, phrase.words)
            if last is None or not self._means(words, i, last, phrase):
                continue
            end = last
            if (
                phrase.kind in ("employer", "facility")
                and last + 1 < len(words)
                and words.low[last + 1] in _COMPANY_ENDS
            ):
                end = last + 1 if len(words.gap(last)) <= 2 else last
            yield Span(words.starts[i], words.end(end), KINDS[phrase.kind], 1.0, f"known.{phrase.kind}")
            return

    def _means(self, words: Words, i: int, last: int, phrase: Phrase) -> bool:
        if phrase.cue:
            return bool(BIRTH_CUE.search(words.text[max(0, words.starts[i] - 40) : words.starts[i]].lower()))
        if phrase.firm:
            return True
        before = words.low[i - 1] if i and words.gap(i - 1) == " " else ""
        if last > i:
            capital = all(
                words.raw[k][0].isupper() or words.raw[k][0].isdigit() or len(words.raw[k]) < 4
                for k in range(i, last + 1)
            )
            # "three pines bakery" is read in lower case, "home health care" is not.
            if capital or (len(phrase.words) > 2 and not all(map(lexicon.is_safe, phrase.words))):
                return True
            return words.few_capitals and (before in _PLACE_BEFORE or phrase.words[0][0].isdigit())
        raw = words.raw[i]
        followed = bool(_STATE_OR_ZIP.match(words.text, words.ends[i])) or self._after_street(words, i)
        if len(raw) < 4 and raw.isupper() and not followed:
            return False
        if not words.capital(i) and not (
            followed or (words.few_capitals and before in _PLACE_BEFORE and trait(words.low[i]).free)
        ):
            return False
        if trait(words.low[i]).free or followed:
            return True
        return before in _PLACE_BEFORE and i not in words.starts_sentence

    def _after_street(self, words: Words, i: int) -> bool:
        """ "3254 Mill Way, Reno" """
        if not i or words.gap(i - 1) not in (", ", ",", "\n", ",\n"):
            return False
        before = words.low[i - 1]
        return "," in words.gap(i - 1) and (_STREET_WORDS.get(before, before) in _SUFFIXES or before.isdigit())


_STATE_OR_ZIP = re.compile(r",?[ ](?:[A-Z]{2}\b(?=[ ,.;\n]|$)|(?:[A-Za-z]{2}[ ])?\d{5}\b)")


def _matches(words: Words, i: int, wanted: tuple[str, ...]) -> int | None:
    """The last word of a phrase that starts at word i, or None."""
    for k, word in enumerate(wanted):
        at = i + k
        if at >= len(words) or _STREET_WORDS.get(words.low[at], words.low[at]) != word:
            return None
        if k:
            gap = words.gap(at - 1)
            if len(gap) > 4 or gap.count("\n") > 1:
                return None
    return i + len(wanted) - 1
