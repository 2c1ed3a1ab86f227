"""The people that the patient table names, found in text: any order, initials, nicknames, misspelt, in parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from deid import lexicon
from deid.folding import fold
from deid.known.table import KINDS
from deid.spans import Span
from deid.words import NEVER_ALONE, TITLES, TOKEN, Words, alone, distance, trait, unknown

MISSPELT = 0.9
SHARED = 0.6  # "Elena Gonzalez" in the notes of Maria Gonzalez: whoever found the whole name knows better whose it is
_PARTICLES = frozenset(
    "de la las los del della di da dos du le van der den von bin ibn al el y ter ten st san mac mc o d".split()
)
_NO_NAME = TITLES | frozenset("jr sr ii iii iv the aka nee fka".split())
_SURNAMES_TOO = frozenset(("nurse", "sir"))
_CREDENTIALS = frozenset("md do rn np pa phd dds esq dpm".split())
_GENERATION = frozenset("jr sr ii iii iv".split())
_JOIN = frozenset(" \t,.-'\"()")


class Person(NamedTuple):
    """Somebody the table names. mark: who, for `Span.entity`; parts in lower case without accents."""

    mark: str
    identifier: str
    kind: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    nicknames: tuple[str, ...]
    particles: frozenset[str]


def _fold(value: str) -> str:
    return fold(value)[0]


def _name_words(value: str) -> list[str]:
    """Words of a name, folded, without titles, suffixes and credentials; "Do" and "Pa" are names, "DO" behind one is not,
    nor is "Nurse Hale" called Nurse as "Hale Nurse" is.
    """
    value = _fold(value)
    words: list[str] = []
    found = TOKEN.findall(value)
    for i, raw in enumerate(found):
        low = lexicon.fold(raw)
        credential = low in _CREDENTIALS and raw.isupper() and not value.isupper()
        title = low in _NO_NAME and not (low in _SURNAMES_TOO and (words or i + 1 == len(found)))
        if not title and not credential and not low.isdigit():
            words.append(low)
    return words


def parse_name(value: str) -> tuple[list[str], list[str]]:
    """(given and middle, family) of "Given Middle Family" or "Family, Given Middle"."""
    head, comma, tail = _fold(value).partition(",")
    if comma and any(w not in _CREDENTIALS for w in _name_words(tail)):
        return _name_words(tail), _name_words(head)
    words = _name_words(head)
    if len(words) < 2:
        return [], words
    # The last word, the whole of it where it has a hyphen, with the particles before it.
    parts = [own for part in head.split() if (own := _name_words(part))]
    cut = max(1, len(words) - len(parts[-1]))
    while cut > 1 and words[cut - 1] in _PARTICLES:
        cut -= 1
    return words[:cut], words[cut:]


def _spellings(word: str) -> Iterator[str]:
    yield word
    if "'" in word:
        yield word.replace("'", "")
        tail = word.split("'")[-1]
        if len(tail) > 3:
            yield tail


def _person(mark: str, identifier: str, kind: str, given: list[str], family: list[str], nicknames: list[str]) -> Person:
    particles = {w for w in (*given, *family) if w in _PARTICLES}
    return Person(mark, identifier, kind, tuple(given), tuple(family), tuple(nicknames), frozenset(particles))


def people_of(rows: Sequence[tuple[str, str]]) -> list[Person]:
    """The patient first, then relatives, then clinicians, in the order of the table."""
    given: list[str] = []
    family: list[str] = []
    nicknames: list[str] = []
    for kind, value in rows:
        if kind in ("first_name", "middle_name"):
            given += _name_words(value)
        elif kind == "last_name":
            family += _name_words(value)
        elif kind == "nickname":
            nicknames += _name_words(value)
        elif kind in ("name", "former_name"):
            one, other = parse_name(value)
            given += one
            family += other
    people = []
    if given or family or nicknames:
        people.append(_person("@patient", "NAME", "name", _distinct(given), _distinct(family), _distinct(nicknames)))
    for wanted, label in (("relative_name", "relative"), ("clinician", "clinician")):
        for n, value in enumerate(v for kind, v in rows if kind == wanted):
            one, other = parse_name(value)
            if one or other:
                people.append(_person(f"@{label}:{n}", KINDS[wanted], wanted, one, other, []))
    return people


def _distinct(words: list[str]) -> list[str]:
    return list(dict.fromkeys(words))


class Names:
    """The people of one patient, looked up by word."""

    def __init__(self, people: list[Person]) -> None:
        self.people = people
        self.index: dict[str, list[tuple[int, str]]] = {}
        self.initials: list[frozenset[str]] = []
        for n, person in enumerate(people):
            self._add_person(n, person)
        # Names by the first letter and the length of the words that could misspell them.
        self._targets: dict[tuple[str, int], list[tuple[str, int]]] = {}
        for word in self.index:
            if len(word) >= 5 and word.isalpha() and any(role in "gf" for _, role in self.index[word]):
                most = 1 if len(word) < 8 else 2
                for size in range(len(word) - most, len(word) + most + 1):
                    self._targets.setdefault((word[0], size), []).append((word, most))
        self._close: dict[str, str] = {}
        self._read: set[str] = set()
        self._initial_forms = tuple(self._letters())

    def _put(self, word: str, n: int, role: str) -> None:
        given = role == "g" and len(word) > 2  # "Della", "Von"
        if (
            len(word) > 1
            and (given or word not in _PARTICLES)
            and (n, role) not in (found := self.index.setdefault(word, []))
        ):
            found.append((n, role))

    def _add_person(self, n: int, person: Person) -> None:
        given, family = person.given, person.family
        for role, words in (("g", given), ("f", family), ("k", person.nicknames)):
            for word in words:
                for form in _spellings(word):
                    self._put(form, n, role)
            for a, b in pairwise(words):
                if len(a) > 1 and len(b) > 1:
                    self._put(a + b, n, role)
            if len(words) > 2:
                self._put("".join(words), n, role)
        for word in (*given, *person.nicknames):
            for other in lexicon.nicknames(word):
                self._put(lexicon.fold(other), n, "n")
        self.initials.append(frozenset(w[0] for w in (*given, *family, *person.nicknames)))
        for a in given[:1]:
            for b in _distinct([*family[:1], *family[-1:], "".join(family)]) if family else ():
                for login in (a + b, b + a, a[0] + b, b + a[0]):
                    if len(login) > 5 and login.isalpha() and login not in self.index and unknown(login):
                        self.index[login] = [(n, "u")]

    def _meant(self, word: str, targets: list[tuple[str, int]]) -> str | None:
        """The name that a word misspells."""
        letters = set(word)
        for target, most in targets:
            if len(letters.symmetric_difference(target)) <= 2 * most and distance(word, target, most) <= most:
                facts = trait(word)
                if not facts.free or facts.eponym:
                    return None
                # A name of its own ("Marta" for "Maria") is a slip only if it differs by one letter.
                if unknown(word) or (lexicon.flags(word) and distance(word, target, 1) == 1):
                    return target
        return None

    def misspelt(self, words: Words) -> dict[str, str]:
        """Words of this text, or of one read before, that misspell a name. Each different word is judged once."""
        targets = self._targets
        if targets:
            new = set(words.low).difference(self._read)
            self._read |= new
            for word in new:
                if (found := targets.get((word[0], len(word)))) and word not in self.index:
                    target = self._meant(word, found)
                    if target:
                        self._close[word] = target
        return self._close

    def find(self, words: Words) -> Iterator[Span]:
        """Spans of names."""
        if not self.people:
            return
        index = self.index
        misspelt = self.misspelt(words)
        at = [i for i, w in enumerate(words.low) if w in index or w in misspelt]
        hits = {i: index.get(words.low[i]) or self._slip(words, i, misspelt) for i in at}
        done = -1
        for i in at:
            if i <= done or not hits[i]:
                continue
            run = max((self._run(words, hits, i, n) for n in dict.fromkeys(n for n, _ in hits[i])), key=_weight)
            accepted = self._accept(words, hits, run)
            if accepted:
                done = run.last
                person = self.people[run.person]
                close = any(words.low[k] in misspelt and words.low[k] not in index for k in run.members)
                user = len(run.members) == 1 and all(role == "u" for n, role in hits[i] if n == run.person)
                yield Span(
                    words.starts[run.first], words.end(run.last), "USERNAME" if user else person.identifier,
                    MISSPELT if close else SHARED if self._of_another(words, run) else 1.0, f"known.{'username' if user else person.kind}", person.mark,
                )  # fmt: skip
        yield from self._initials(words)

    def _slip(self, words: Words, i: int, misspelt: dict[str, str]) -> list[tuple[int, str]]:
        """Who a misspelt word means; a word that is a name of its own must have a capital."""
        word = words.low[i]
        if lexicon.flags(word) and not words.capital(i):
            return []
        return [(n, role) for n, role in self.index[misspelt[word]] if role in "gf"]

    def _run(self, words: Words, hits: dict[int, list[tuple[int, str]]], i: int, n: int) -> _Run:
        """The longest stretch from word i on that names person n."""
        person, initials = self.people[n], self.initials[n]
        members, used, letters, last = [i], {words.low[i]}, 0, i
        k = i + 1
        while k < len(words) and _joined(words, k - 1):
            low = words.low[k]
            if "," in words.gap(k - 1) and not self._before_comma(hits, k - 1, n) and low not in _GENERATION:
                break
            if low not in used and any(m == n for m, _ in hits.get(k, ())):
                members.append(k)
                used.add(low)
                last = k
            elif len(low) == 1 and low in initials and self._is_initial(words, k):
                letters += 1
                last = k
            elif low not in person.particles and low not in _GENERATION and not self._middle(words, hits, k, n):
                break
            k += 1
        if len(members) > 1 and last + 1 < len(words) and self._trails(words, last):
            last += 1
        first = i
        while first > 0 and i - first < 4 and _joined(words, first - 1):
            low = words.low[first - 1]
            if (
                len(low) == 1
                and low in initials
                and self._is_initial(words, first - 1)
                and "," not in words.gap(first - 1)
            ):
                letters += 1
            elif low not in person.particles or len(low) == 1:
                break
            first -= 1
        return _Run(n, first, last, tuple(members), letters)

    def _before_comma(self, hits: dict[int, list[tuple[int, str]]], k: int, n: int) -> bool:
        """What stands before a comma within a name is a family name, or a suffix: "Gonzalez Jr., Maria", not "Ann, Annie"."""
        return k not in hits or any(m == n and role == "f" for m, role in hits[k])

    def _middle(self, words: Words, hits: dict[int, list[tuple[int, str]]], k: int, n: int) -> bool:
        """An initial that the table does not know, between two names of the person: "Maria Q. Gonzalez"."""
        inside = k + 1 < len(words) and _joined(words, k) and any(m == n for m, _ in hits.get(k + 1, ()))
        return inside and len(words.low[k]) == 1 and (words.raw[k].isupper() or words.few_capitals)

    def _trails(self, words: Words, last: int) -> bool:
        """An initial that the table does not know, behind the name: "Gonzalez, Maria Q"."""
        k = last + 1
        if words.low[k] in _GENERATION and words.gap(last) in (" ", ", "):
            return True
        one = len(words.raw[k]) == 1 and (words.raw[k].isupper() or (words.few_capitals and words.raw[k].isalpha()))
        if not one or words.gap(last) not in (" ", "  "):
            return False
        after = words.text[words.ends[k] : words.ends[k] + 2]
        return words.raw[k] not in "AaIi" or after[:1] in ("", ".", ",", "\n", ")") or after == "  "

    def _is_initial(self, words: Words, k: int) -> bool:
        """A single letter that is an initial: with a full stop, or a capital that is no word of its own ("A", "I")."""
        dotted = words.text[words.ends[k] : words.ends[k] + 1] == "."
        return dotted or (words.raw[k].isupper() and words.raw[k] not in "AI")

    def _accept(self, words: Words, hits: dict[int, list[tuple[int, str]]], run: _Run) -> bool:
        traits = [trait(words.low[k]) for k in run.members]
        strong = any(t.free or (t.share >= 0.9 and not t.clinical) for t in traits)
        if len(run.members) > 1:
            capitals = all(words.raw[k][0].isupper() for k in run.members)
            weak = all(t.share < 0.1 and not t.free for t in traits)
            shouted = weak and all(words.raw[k].isupper() for k in run.members)
            family = run.members[0]
            if words.low[family + 1] in _GENERATION:
                family += 1
            comma = "," in words.gap(family)  # "ATIVAN, RICH", "ATIVAN JR., RICH"
            if capitals:
                return not shouted or comma or words.person_signs(run.first, run.last)
            # "hand, will s", "will s hand": in the order or with the initial of a name, though each word is an ordinary one
            ordered = comma or run.last - run.first + 1 > len(run.members)
            # "re fang he, fax", but "hope he is better": a name that is half a little word ends where something else does.
            ends = not words.next_word(run.last) and max(t.share for t in traits) >= 0.05
            return strong or (
                words.few_capitals and (ordered or ends or not any(t.share < 0.1 and not t.free for t in traits))
            )
        i = run.members[0]
        roles = {role for n, role in hits[i] if n == run.person}
        if run.letters and words.raw[i][0].isupper() and words.low[i] not in NEVER_ALONE:
            dotted = "." in words.text[words.starts[run.first] : words.ends[run.last] + 1]
            if dotted or (traits[0].share >= 0.1 or traits[0].free):
                return True
        if roles == {"n"} and not (traits[0].share >= 0.3 and words.raw[i][0].isupper()) and not (
            traits[0].free and len(words.low[i]) > 3
        ):  # fmt: skip
            return words.title_before(i) and words.raw[i][0].isupper()
        return alone(words, i, sure=True)

    def _letters(self) -> list[str]:
        """The patient's initials, as they stand in a text."""
        if not self.people or self.people[0].mark != "@patient":
            return []
        own = self.people[0]
        pairs: set[tuple[str, ...]] = {(g[0], f[0]) for g in own.given[:1] for f in own.family}
        pairs |= {(g[0], m[0], f[0]) for g in own.given[:1] for m in own.given[1:] for f in own.family}
        return [sign.join(p).upper() for p in sorted(pairs) for sign in (".", ". ", "")]

    def _of_another(self, words: Words, run: _Run) -> bool:
        """Whether one word of a name stands beside a name that is not the person's."""
        if len(run.members) > 1 or run.letters:
            return False
        for k, gap in ((run.first - 1, run.first - 1), (run.last + 1, run.last)):
            if (
                0 <= k < len(words)
                and words.gap(gap) in (" ", ", ")
                and words.raw[k][0].isupper()
                and len(words.low[k]) > 1
            ):
                facts = trait(words.low[k])
                listed = bool(lexicon.flags(words.low[k]) & lexicon.ANY_NAME)
                comma = words.gap(gap) == ", "
                if listed and (facts.free or facts.share >= 0.9) and not (comma and k < run.first):
                    return True
        return False

    def _initials(self, words: Words) -> Iterator[Span]:
        """ "Pt M.G. was seen", "initials MG"."""
        text = words.text
        ends = {(form[0], form[-1]) for form in self._initial_forms if form.isalpha()}
        for match in _BEFORE_BIRTH.finditer(text) if ends else ():
            letters = match["v"].upper()
            if (letters[0], letters[-1]) in ends:  # the middle one may be of a name that the table does not know
                yield Span(*match.span("v"), "OTHER_ID", 1.0, "known.initials", "@patient")
        for form in self._initial_forms:
            at = text.find(form)
            while at >= 0:
                end = at + len(form)
                cue = _INITIALS.search(text[max(0, at - 14) : at])
                dotted = "." in form and text[end : end + 1] == "."
                if cue and (dotted or cue["c"][0] in "Ii") and not text[end : end + 1].isalnum():
                    yield Span(at, end, "OTHER_ID", 1.0, "known.initials", "@patient")
                at = text.find(form, end)


class _Run(NamedTuple):
    person: int
    first: int
    last: int
    members: tuple[int, ...]
    letters: int


def _weight(run: _Run) -> tuple[int, int, int]:
    return len(run.members), run.letters, -run.person


_BEFORE_BIRTH = re.compile(r"(?<![\w.])(?P<v>[A-Za-z]{2,3})(?=[, (]{1,3}(?:d\.?o\.?b|mrn)\b)", re.IGNORECASE)
_INITIALS = re.compile(
    r"\b(?P<c>[Ii]nitials|INITIALS|[Pp]t|[Pp]atient|PATIENT|PT|[Mm]r|[Mm]rs|[Mm]s)\b[.:]?[ \t]{1,2}$"
)


def _joined(words: Words, i: int) -> bool:
    """Whether word i and the next can be parts of one name."""
    gap = words.gap(i)
    if not gap or len(gap) > 4 or any(c not in _JOIN for c in gap):
        return gap == ",\n"
    return not ("." in gap and len(words.low[i]) > 1 and words.low[i] not in _GENERATION)
