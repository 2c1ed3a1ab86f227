"""What was found once is looked for everywhere in a patient's notes, and who is who is told apart.

`link(texts, spans, patients)` takes the merged spans of folded texts and gives them back with what it found, and with an
`entity` on every span that names somebody or something: "Maria Gonzalez", "Ms. Gonzalez", "Gonzalez, M." and "Maria" are
one "NAME:1" in all notes of the patient.

**Found once.** Words of names with a score from 0.65 on, in the forms that `deid.words.alone` allows: a word that stands in
no dictionary in any case, "White" only with a capital within a sentence, "May" and "Pain" never by themselves, and none
before "disease". A word by which people are called twice in the patient's notes and which stands nowhere in small letters as
anything else is somebody at the head of a sentence too ("Kit has set up the calls"). Where these forms do not decide, the
model reads the place once more with a stranger's name in it (`deid.reread`): "Grace weekly". Initials of whoever is named in
any of them. Words that differ by one letter from a name of six letters or more, if no list holds them. Facilities, employers
and cities of two words or of one unknown word; numbers of six signs and more, as they were written.

**Who is who.** Full names make the persons; initials, single names, nicknames and slips are given to the person they fit,
of several to the one named most, then first. Labels count up by the first mention in the order of the texts, so they do
not depend on shards or workers. Time is linear in the text: every word is looked up, none is compared with every name.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from deid import lexicon
from deid.company import forms, initialled
from deid.reread import Read, could_mean_somebody, initials_could, mean_somebody, short_forms
from deid.spans import Span, merge
from deid.vocabulary import STATES
from deid.words import ARTICLES, NEVER_ALONE, TITLES, Words, alone, distance, eponym, trait, unknown

_SAID = 0.8  # a title, a relative, a label stood beside it
_SURE = 0.65  # spans found with less confidence are not carried further
_SCORE = 0.58
_SLIP = 0.55
_PEOPLE = ("NAME", "CLINICIAN")
_PHRASES = ("FACILITY", "EMPLOYER", "CITY", "STREET")
_NUMBERS = frozenset(
    "PHONE FAX EMAIL SSN MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE USERNAME OTHER_ID URL IP".split()
)
_NO_ENTITY = frozenset("DATE AGE".split())
_LONGEST = 8  # words of a phrase
_SKIP = TITLES | frozenset(
    "jr sr ii iii iv md do rn np pa phd dds dpm de la las los del della di da dos du le van der den von bin ibn al el y and".split()
)  # fmt: skip


# Letters that stand for no word and no side.
_SMALL = frozenset("defghjkmnouvyz")
_PAIR_BEFORE = re.compile(r"(?<![\w-])([A-Z])-([A-Z])\.?[ ]\Z")
_INITIAL_LAST = re.compile(
    r"[ \t]*(?:\n|\Z)|[,;)]|[ ]{1,3}\d{1,3}[ ]?(?:[MFmf]|yo|y/o)\b|[ ](?:can|will|is|was|has|says|said|came|called)\b"
)
_NUMBER_NEXT = re.compile(r"\.?[ ]{0,4}[\d=:/<>+-]")


class _Near:
    """Words by what is left of them without one letter: finds those one edit away by lookup."""

    def __init__(self) -> None:
        self._cut: dict[str, list[str]] = {}
        self._shapes: set[tuple[str, int]] = set()  # first letter and length: most words are told apart by them
        self._waiting: list[str] = []

    @staticmethod
    def _cuts(word: str) -> Iterator[str]:
        yield word
        for i in range(len(word)):
            yield word[:i] + word[i + 1 :]

    def add(self, word: str) -> None:
        self._shapes.add((word[0], len(word)))
        self._waiting.append(word)

    def find(self, word: str) -> str | None:
        """A word added that is one edit away and begins with the same letter; the same at every call."""
        first, size = word[0], len(word)
        if size > 40 or not any((first, size + d) in self._shapes for d in (-1, 0, 1)):
            return None
        for added in self._waiting:
            for cut in self._cuts(added):
                found = self._cut.setdefault(cut, [])
                if len(found) < 8 and added not in found:
                    found.append(added)
        self._waiting.clear()
        near = {w for cut in self._cuts(word) for w in self._cut.get(cut, ()) if w[0] == first and w != word}
        return next((w for w in sorted(near) if distance(w, word, 1) == 1), None)


class _Found(NamedTuple):
    """What a patient's notes hold: name words, initials of names, phrases by their words, each with its identifier."""

    names: dict[str, str]
    initials: frozenset[str]
    near: _Near
    phrases: dict[tuple[str, ...], str]
    lengths: dict[str, tuple[int, ...]]
    said: frozenset[str]  # words that a title, a relative, a label or more than one place said to be a name
    somebody: dict[str, str]  # words of names in one sure place or two others
    shortened: dict[str, str]  # what those may be shortened to
    called: frozenset[str]  # words that in these notes are somebody in more than one place and never anything else


def link(
    texts: Sequence[str],
    spans: Sequence[Sequence[Span]],
    patients: Sequence[str | None] | None,
    read: Read | None = None,
) -> list[list[Span]]:
    """Merged spans of folded `texts` with what linking adds and with entities, in the order of `texts`.

    `patients`, one per text, says which notes belong together; a text whose patient is None, and each where `patients`
    is None, stands alone. `read` finds entities in texts; with it, doubtful words by which somebody is called are read
    once more (`deid.reread`).
    """
    out: list[list[Span]] = [list(row) for row in spans]
    groups: dict[object, list[int]] = {}
    for i in range(len(texts)):
        patient = patients[i] if patients is not None else None
        groups.setdefault(i if patient is None else patient, []).append(i)
    for members in groups.values():
        if not any(out[i] for i in members):
            continue
        words = {i: Words(texts[i]) for i in members}
        found = _collect([(words[i], out[i]) for i in members])
        for i in members:
            if more := list(_everywhere(words[i], out[i], found)):
                out[i] = merge(texts[i], [*out[i], *more])
        initials = set().union(*(forms(texts[i], out[i])[0] for i in members))
        if read:
            for i, more in _by_context(words, out, found, initials, read).items():
                out[i] = merge(texts[i], [*out[i], *more])
        if len(members) > 1 and initials:
            for i in members:
                if more := list(initialled(texts[i], initials)):
                    out[i] = merge(texts[i], [*out[i], *more])
        labelled = _entities([(words[i], out[i]) for i in members])
        for i, row in zip(members, labelled, strict=True):
            out[i] = row
    return out


# --- found once, found everywhere ----------------------------------------------------------------------------


def _inside(words: Words, span: Span) -> range:
    """Words that begin in a span."""
    return range(bisect_left(words.starts, span.start), bisect_left(words.starts, span.end))


def _carried(low: str, score: float) -> bool:
    """Whether a word of a name is looked for elsewhere."""
    facts = trait(low)
    if low == "will":
        return True  # `alone` tells him from the verb
    if len(low) < 2 or low in NEVER_ALONE or low in _SKIP or not low[0].isalpha():
        return False
    if len(low) < 4 and score < 0.8 and not facts.share >= 0.9:
        return False
    if (len(low) == 2 and score < 0.85) or lexicon.flags(low) & (lexicon.NATION | lexicon.STATE):
        return False  # "Li" is a metal too, and a country is no name
    # An eponym or another word ("Patience", "Arava") is somebody's name only where a title or the like said so.
    plain = facts.free or facts.share >= 0.1
    return (plain and not facts.eponym) or score >= _SAID


def _could_be_called(low: str) -> bool:
    facts = trait(low)
    if low in ARTICLES:
        return True  # `alone` tells An from the article
    barred = low in NEVER_ALONE or low in _SKIP or facts.month
    return len(low) > 2 and low.isalpha() and not barred and not lexicon.flags(low) & (lexicon.NATION | lexicon.STATE)


def _places(notes: Sequence[tuple[Words, Sequence[Span]]]) -> dict[str, Counter[str]]:
    """How often each word is one of a name, by class: a sure place counts two, a weak one one."""
    places: dict[str, Counter[str]] = {}
    for words, spans in notes:
        for span in spans:
            if span.identifier in _PEOPLE:
                for i in _inside(words, span):
                    places.setdefault(words.low[i], Counter())[span.identifier] += 1 + (span.score >= _SURE)
    return places


def _classes(places: dict[str, Counter[str]]) -> dict[str, str]:
    return {low: max(sorted(by), key=by.__getitem__) for low, by in places.items()}


def _often(places: dict[str, Counter[str]]) -> dict[str, str]:
    """Words by which people are called in a sure place and another, or in three weak ones; of drugs and eponyms one more."""
    thing = {low: trait(low).clinical or trait(low).eponym for low in places}
    return _classes({low: by for low, by in places.items() if by.total() > 2 + thing[low] and _could_be_called(low)})


def _only_called(notes: Sequence[tuple[Words, Sequence[Span]]], often: Collection[str]) -> set[str]:
    """Those of the words by which people are called often that stand nowhere in small letters as anything else."""
    called = set(often)
    for words, spans in notes if called else ():
        if words.few_capitals:
            continue  # there small letters say nothing
        starts = [span.start for span in spans]
        for i, low in enumerate(words.low):
            if low in called and low not in ARTICLES and words.raw[i].islower():
                at = bisect_right(starts, words.starts[i]) - 1
                if at < 0 or spans[at].end <= words.starts[i]:
                    called.discard(low)
    return called


def _nicknames(names: dict[str, str]) -> dict[str, str]:
    """Other forms of the given names found, if they are no words: Kev of Kevin."""
    short: dict[str, str] = {}
    for low, identifier in names.items():
        for form in map(lexicon.fold, lexicon.nicknames(low)):
            if trait(form).free and _carried(form, _SAID):
                short.setdefault(form, identifier)
    return short


def _collect(notes: Sequence[tuple[Words, Sequence[Span]]]) -> _Found:
    names: dict[str, str] = {}
    phrases: dict[tuple[str, ...], str] = {}
    initials: set[str] = set()
    said: set[str] = set()
    for words, spans in notes:
        for span in spans:
            if span.score < _SURE:
                continue
            if span.identifier in _PEOPLE:
                inside = _inside(words, span)
                if 1 < len(inside) <= _LONGEST:
                    form = tuple(words.low[i] for i in inside)
                    bare = tuple(low for low in form if low not in _SKIP)  # without the RN that capitals bring along
                    for part in (form, bare[-2:], bare[:2]):  # "Yellow Horse" of "Delbert Yellow Horse"
                        if _name_carried(part):
                            phrases.setdefault(part, span.identifier)
                for i in inside:
                    low = words.low[i]
                    initials.add(low[0])
                    # A patient's own name wins over a clinician's of the same spelling.
                    if _carried(low, span.score) and names.get(low) != "NAME":
                        names[low] = span.identifier
                    if span.score >= _SAID and low in names and words.capital(i):
                        said.add(low)
            elif span.identifier in _PHRASES or span.identifier in _NUMBERS:
                form = tuple(words.low[i] for i in _inside(words, span))
                if span.identifier == "CITY" and form and form[-1].upper() in STATES:
                    form = form[:-1]
                if form and len(form) <= _LONGEST and _phrase_carried(form, span.identifier):
                    phrases.setdefault(form, span.identifier)
    near = _Near()
    for low in names:
        if len(low) > 5 and low.isalpha():
            near.add(low)
    lengths: dict[str, set[int]] = {}
    for form in phrases:
        lengths.setdefault(form[0], set()).add(len(form))
    longest_first = {first: tuple(sorted(sizes, reverse=True)) for first, sizes in lengths.items()}
    places = _places(notes)
    somebody = _classes({low: by for low, by in places.items() if by.total() > 1})
    often = _often(places)
    called = _only_called(notes, often)
    names = {**_nicknames(names), **often, **names}
    said = {low for low in said if not trait(low).clinical} | often.keys()
    return _Found(
        names,
        frozenset(initials),
        near,
        phrases,
        longest_first,
        frozenset(said),
        somebody,
        short_forms(somebody),
        frozenset(called),
    )


def _name_carried(form: tuple[str, ...]) -> bool:
    """Whether words of a name are looked for together: one of them is nothing else, or none is a little word."""
    whole = [len(w) > 2 and w not in NEVER_ALONE for w in form]
    free = any(good and trait(w).free for good, w in zip(whole, form, strict=True))
    return len(form) > 1 and all(map(str.isalpha, form)) and (free or all(whole) or len(set(form)) == 1)


def _phrase_carried(form: tuple[str, ...], identifier: str) -> bool:
    if identifier in _NUMBERS:
        signs = "".join(form)
        return len(signs) > 5 and any(c.isdigit() for c in signs) and len(set(signs)) > 2
    if len(form) == 1:
        return len(form[0]) > 4 and unknown(form[0])
    return any(len(w) > 3 and w.isalpha() for w in form)


def _firm(form: tuple[str, ...]) -> bool:
    """Whether a phrase is believed in lower case: "brumavale", "three pines hospital", but not "home health care"."""
    twice = len(form) > 1 and len(set(form)) == 1  # "mu mu"
    return twice or any(trait(w).free for w in form) or (len(form) > 2 and not all(map(lexicon.is_safe, form)))


def _everywhere(words: Words, spans: Sequence[Span], found: _Found) -> Iterator[Span]:
    """Spans of what was found in another place, but for those that a better one of `spans` holds already."""
    starts = [span.start for span in spans]

    def held(start: int, end: int, score: float) -> bool:
        at = bisect_right(starts, start) - 1
        return at >= 0 and spans[at].end >= end and spans[at].score > score

    for span in spans:
        inside = _inside(words, span) if span.identifier in _PEOPLE else ()
        if inside:
            start = min(span.start, _with_initials(words, inside[0], found.initials)[0])
            end = max(span.end, _with_initials(words, inside[-1], found.initials)[1])
            if (start, end) != (span.start, span.end):
                yield Span(start, end, span.identifier, _SCORE, "linking.initial")
    names, near, lengths = found.names, found.near, found.lengths
    slips = _slips(words, names, near) if names else {}
    for i, low in enumerate(words.low):
        if low in lengths:
            yield from (span for span in _phrase_at(words, i, found) if not held(*span[:2], span.score))
        if low in names:
            start, end = _with_initials(words, i, found.initials)
            sure = low in found.said
            if not held(start, end, _SCORE) and alone(words, i, sure=sure, called=low in found.called):
                yield Span(start, end, names[low], _SCORE, "linking.name")
        elif low in slips and (words.raw[i][0].isupper() or words.few_capitals):
            start, end = words.starts[i], words.end(i)
            if not held(start, end, _SLIP):
                yield Span(start, end, names[slips[low]], _SLIP, "linking.misspelt")


def _by_context(
    words: dict[int, Words], spans: Sequence[Sequence[Span]], found: _Found, initials: Collection[str], read: Read
) -> dict[int, list[Span]]:
    """Spans of words that call somebody, where nothing but what stands around them tells."""
    might_mean = {**found.shortened, **found.somebody}
    places: list[tuple[int, int, int, str]] = []
    for i, of_text in words.items():
        starts = [span.start for span in spans[i]]

        def masked(first: int, last: int, of_text: Words = of_text, starts: list[int] = starts, i: int = i) -> bool:
            at = bisect_right(starts, of_text.starts[first]) - 1
            return at >= 0 and spans[i][at].end >= of_text.end(last)

        for k, low in enumerate(of_text.low):
            if low in might_mean and could_mean_somebody(of_text, k, called=low in found.somebody) and not masked(k, k):
                places.append((i, k, k, might_mean[low]))
            elif low in initials and initials_could(of_text, k) and not masked(k, k):
                places.append((i, k, k, "OTHER_ID"))
            for size in found.lengths.get(low, ()):
                last = k + size - 1
                identifier = found.phrases.get(tuple(of_text.low[k : last + 1]), "") if last < len(of_text) else ""
                if (
                    identifier in _PEOPLE
                    and not masked(k, last)
                    and all(len(of_text.gap(n)) <= 3 for n in range(k, last))
                ):
                    places.append((i, k, last, identifier))
    if not places:
        return {}
    more: dict[int, list[Span]] = {}
    for (i, first, last, identifier), meant in zip(
        places, mean_somebody(read, [(words[i], first, last) for i, first, last, _ in places]), strict=True
    ):
        if meant:
            start, end = _with_initials(words[i], first, found.initials)[0], words[i].end(last)
            if first == last and identifier != "OTHER_ID":
                end = _with_initials(words[i], last, found.initials)[1]
            more.setdefault(i, []).append(Span(start, end, identifier, _SLIP, "linking.context"))
    return more


def _slips(words: Words, names: dict[str, str], near: _Near) -> dict[str, str]:
    """Words of a text that misspell one of the names."""
    shapes = {(n[0], len(n) + d) for n in names if len(n) > 5 for d in (-1, 0, 1)}
    slips = {}
    for low in set(words.low):
        if (low[0], len(low)) in shapes and low not in names and unknown(low) and (target := near.find(low)):
            slips[low] = target
    return slips


def _with_initials(words: Words, i: int, initials: frozenset[str]) -> tuple[int, int]:
    """Start and end of name word i with the initials beside it: "M. Gonzalez", "Gonzalez, M."."""
    start, end = words.starts[i], words.end(i)
    first = i
    while first and i - first < 3 and words.gap(first - 1) in (". ", ".") and _letter(words, first - 1, initials):
        first -= 1
        start = words.starts[first]
    if first == i and i and words.raw[i].islower() and words.raw[i - 1].islower() and words.low[i - 1] in initials:
        dotted = words.gap(i - 1) == ". "  # "a. long soldier"
        if dotted or (words.gap(i - 1) == " " and words.raw[i - 1] in _SMALL):
            first, start = i - 1, words.starts[i - 1]  # "uncle y potts"
    pair = _PAIR_BEFORE.search(words.text, max(0, start - 5), start) if first == i else None
    if pair and initials.issuperset(map(str.lower, pair.groups())):
        start = pair.start()  # "M-C Fontenot"
    after = end == words.ends[i] and i + 1 < len(words) and words.gap(i) in (", ", " ")
    if after and _letter(words, i + 1, initials):
        tail = words.text[words.ends[i + 1] : words.ends[i + 1] + 2]
        if tail[:1] == "." and not tail[1:].isalpha():  # "Gonzalez, D.O." is no Gonzalez, D.
            end = words.ends[i + 1] + 1
        elif _INITIAL_LAST.match(words.text, words.ends[i + 1]):
            end = words.ends[i + 1]  # "GRAVES P 43F"
    elif after and words.low[i + 1] in initials and words.raw[i + 1].islower() == words.raw[i].islower():
        at = words.ends[i + 1]
        small = words.raw[i + 1] in _SMALL and not _NUMBER_NEXT.match(words.text, at)
        if small or _INITIAL_LAST.match(words.text, at):
            end = at  # "dmytro k visit 5", but not "dmytro k 4.2"
    return start, end


def _letter(words: Words, i: int, initials: frozenset[str]) -> bool:
    return len(words.raw[i]) == 1 and words.raw[i].isupper() and words.low[i] in initials


def _phrase_at(words: Words, i: int, found: _Found) -> Iterator[Span]:
    for size in found.lengths[words.low[i]]:
        form = tuple(words.low[i : i + size])
        identifier = found.phrases.get(form)
        if identifier is None or len(form) < size or any(len(words.gap(k)) > 3 for k in range(i, i + size - 1)):
            continue
        start, end = words.starts[i], words.ends[i + size - 1]
        if identifier in _PEOPLE:
            said = all(map(words.capital, range(i, i + size)))
            cased = words.few_capitals or all(words.raw[k].isupper() for k in range(i, i + size))
            if not (said or (cased and _firm(form))) or eponym(words, i + size - 1):
                continue
            start = _with_initials(words, i, found.initials)[0]
        elif identifier in _NUMBERS:
            before, after = words.text[max(0, start - 2) : start], words.text[end : end + 2]
            # A part of a longer or a decimal number is another number.
            if (before[-1:] in (".", ",") and before[:1].isdigit()) or (after[:1] == "." and after[1:].isdigit()):
                continue
        elif not _firm(form) and not all(
            words.raw[k][0].isupper() or len(words.raw[k]) < 4 or words.raw[k].isdigit() for k in range(i, i + size)
        ):  # fmt: skip
            continue
        yield Span(start, end, identifier, _SCORE, "linking.phrase")
        return


# --- who is who ----------------------------------------------------------------------------------------------


class _Mention(NamedTuple):
    """How somebody is named: words of the name, initials, who the patient table says it is, the sex that a title tells,
    whether a label such as "Patient:" stands before."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    initials: tuple[str, ...]
    mark: str
    identifier: str
    sex: str
    labelled: bool

    @property
    def words(self) -> tuple[str, ...]:
        return (*self.given, *self.family)


class _Somebody:
    """A person of a patient's notes."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.mentions = 0
        self.classes: Counter[str] = Counter()
        self.given: set[str] = set()
        self.family: set[str] = set()
        self.initials: set[str] = set()
        self.labelled = 0

    def may_be(self, sex: str) -> bool:
        """False for Mr. of a person with a woman's name, and the other way round."""
        return (
            not sex or not any(_sex(g) not in ("", sex) for g in self.given) or any(_sex(g) == sex for g in self.given)
        )


@cache
def _sexes() -> tuple[dict[str, int], dict[str, int]]:
    return tuple({n.lower(): w for n, w in lexicon.given_names(s, "us")} for s in "mf")  # type: ignore[return-value]


@lru_cache(maxsize=1 << 14)
def _sex(name: str) -> str:
    """m or f where nine in ten of a name's bearers in the US are one, and there are enough of them to tell."""
    m, f = (table.get(name, 0) for table in _sexes())
    if m + f < 100:
        return ""
    return "m" if m > 9 * f else "f" if f > 9 * m else ""


_TITLE_SEX = {"mr": "m", "mister": "m", "sir": "m", "mrs": "f", "ms": "f", "miss": "f", "madam": "f"}
_LABELS = frozenset("patient pt name re client resident".split())


def _mention(words: Words, span: Span) -> _Mention:
    """The parts of a name. Without a comma the last word is the family name."""
    inside = list(_inside(words, span))
    names = [i for i in inside if len(words.low[i]) > 1 and words.low[i] not in _SKIP and words.low[i][0].isalpha()]
    initials = tuple(words.low[i] for i in inside if len(words.low[i]) == 1)
    mark = span.entity if span.entity.startswith("@") else ""
    # "Dr. Jones April" was read too far.
    while len(names) > 1 and trait(words.low[names[-1]]).month and "," not in words.gap(names[-1] - 1):
        names.pop()
    low = [words.low[i] for i in names]
    before = words.low[inside[0] - 1] if inside and inside[0] else ""
    sex = _TITLE_SEX.get(before, "")
    gap = words.gap(inside[0] - 1).strip() if before else ""
    last = (mark, span.identifier, sex, before in _LABELS and gap in (":", "="))
    if len(names) < 2:
        return _Mention((), tuple(low), initials, *last)
    cut = next(
        (n + 1 for n in range(len(names) - 1) if "," in words.text[words.ends[names[n]] : words.starts[names[n + 1]]]),
        0,
    )
    if cut:
        return _Mention(tuple(low[cut:]), tuple(low[:cut]), initials, *last)
    family = len(low) - 1
    while family > 1 and words.gap(names[family] - 1) == "-":
        family -= 1
    return _Mention(tuple(low[:family]), tuple(low[family:]), initials, *last)


def _entities(notes: Sequence[tuple[Words, list[Span]]]) -> list[list[Span]]:
    """The spans with their labels; see the head of this file."""
    mentions: dict[_Mention, int] = {}  # how often, in order of the first
    placed: list[list[_Mention | None]] = []
    for words, spans in notes:
        row: list[_Mention | None] = []
        for span in spans:
            mention = _mention(words, span) if span.identifier in _PEOPLE else None
            row.append(mention)
            if mention is not None:
                mentions[mention] = mentions.get(mention, 0) + 1
        placed.append(row)
    somebody = _people(mentions)
    labels: dict[object, str] = {}
    counts: Counter[str] = Counter()
    out = []
    for (words, spans), row in zip(notes, placed, strict=True):
        done = []
        for span, mention in zip(spans, row, strict=True):
            if span.identifier in _NO_ENTITY:
                done.append(Span(*span[:5]))
                continue
            key: object
            if mention is not None:
                person = somebody[mention]
                key, identifier = person.number, _class_of(person)
            else:
                identifier = span.identifier
                key = (identifier, "".join(words.low[i] for i in _inside(words, span)))
            if key not in labels:
                counts[identifier] += 1
                labels[key] = f"{identifier}:{counts[identifier]}"
            done.append(Span(*span[:5], labels[key]))
        out.append(done)
    return out


def _class_of(person: _Somebody) -> str:
    return max(_PEOPLE, key=lambda c: person.classes[c])


class _People:
    """The persons of a group, by the words of their names."""

    def __init__(self) -> None:
        self.all: list[_Somebody] = []
        self.by_word: dict[str, list[_Somebody]] = {}
        self.by_mark: dict[str, _Somebody] = {}
        self.near = _Near()

    def new(self) -> _Somebody:
        person = _Somebody(len(self.all))
        self.all.append(person)
        return person

    def learn(self, person: _Somebody, mention: _Mention, times: int) -> None:
        """Add what a mention tells of a person."""
        person.mentions += times
        person.labelled += mention.labelled * times
        person.classes[mention.identifier] += times
        person.given.update(mention.given)
        person.family.update(mention.family)
        person.initials.update(w[0] for w in mention.words)
        person.initials.update(mention.initials)
        for word in mention.words:
            known = self.by_word.setdefault(word, [])
            if person not in known:
                known.append(person)
                if len(known) == 1 and len(word) > 5:
                    self.near.add(word)

    def with_word(self, word: str) -> list[_Somebody]:
        """Persons whose name holds the word, or a word of which it is a slip, or whose nickname it is."""
        found = self.by_word.get(word)
        if not found and len(word) > 4 and (near := self.near.find(word)):
            found = self.by_word.get(near)
        if not found:
            found = [p for n in lexicon.nicknames(word) for p in self.by_word.get(lexicon.fold(n), ())]
        return found or []


def _same_given(person: _Somebody, mention: _Mention) -> bool:
    """Whether the given names of a full name fit those of a person."""
    theirs = person.given or {""}
    for word in mention.given:
        if word in theirs:
            return True
        folded = {lexicon.fold(n) for n in lexicon.nicknames(word)}
        if folded & theirs or any(
            len(t) > 4 and len(word) > 4 and distance(t, word, 1) <= 1 for t in sorted(theirs)[:20]
        ):
            return True
    return False


def _best(found: Iterable[_Somebody], mention: _Mention) -> _Somebody | None:
    """Of several persons the one of the same class and of no other sex, then the patient, then named most, then first."""
    fit = (p for p in found if p.may_be(mention.sex))
    return max(
        fit, key=lambda p: (p.classes[mention.identifier] > 0, p.labelled > 0, p.mentions, -p.number), default=None
    )


def _people(mentions: dict[_Mention, int]) -> dict[_Mention, _Somebody]:
    """Who each mention means: first whom the table marks, then full names, then a name with an initial, then one word."""
    people = _People()
    who: dict[_Mention, _Somebody] = {}

    def place(mention: _Mention, person: _Somebody | None) -> None:
        person = person or people.new()
        people.learn(person, mention, mentions[mention])
        who[mention] = person

    marked = [m for m in mentions if m.mark]
    for mention in marked:
        place(mention, people.by_mark.get(mention.mark))
        people.by_mark.setdefault(mention.mark, who[mention])
    rest = [m for m in mentions if not m.mark]
    for mention in (m for m in rest if m.given and m.family):
        found = [
            p
            for word in mention.family
            for p in people.with_word(word)[:50]
            if _same_given(p, mention) or len(({*p.given, *p.family}) & set(mention.words)) > 1
        ]
        place(mention, _best(found, mention))
    for mention in (m for m in rest if not (m.given and m.family) and m.initials and m.words):
        found = [p for word in mention.words for p in people.with_word(word)[:50] if set(mention.initials) & p.initials]
        place(mention, _best(found, mention))
    for mention in (m for m in rest if not (m.given and m.family) and not (m.initials and m.words)):
        found = [p for word in mention.words for p in people.with_word(word)[:50]]
        place(mention, _best(found, mention))
    return who
