"""Whether a word by which a patient's notes call somebody means that somebody in another place, by what stands around it.

"Grace weekly", "WALKER USED A ROLLATOR", "gave it to Than": the model knows such words as words and seldom takes them for a
name. So each is replaced by one that stands in no list and no training text, written in the same case, and the model reads
the place once more: what it says then, the context says. Initials and names of two ordinary words are read so too. Of 4,740
people whose names in 17 authors' charts were replaced by words, drugs, eponyms and little words, 142 stand somewhere without it
and 69 with it; in the charts of ten unread authors it masks 0.08% more of what is no identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deid.company import ROLES
from deid.evidence import Entity
from deid.lexicon import CLINICAL, CLOSED, DRUG, flags
from deid.vocabulary import common_words
from deid.words import CREDENTIALS, NEVER_ALONE, RELATIONS, TITLES, Words, eponym

Read = Callable[[Sequence[str]], list[list[Entity]]]

_STRANGER = "Tarvonik"
_AROUND = 80  # letters to each side; the model sees five tokens
_LEAST = 0.12
# Words of the closed classes that are names too, where the notes call somebody so.
_LITTLE = frozenset("an do may my no so than too".split())
# What one is beside one's name: "Pastor Koval", "aide Precious"
_ROLES = frozenset(
    "pastor deacon coach foreman landlord aide client baby doctor agency interpreter chaplain medicine law self".split()
)
_NEVER = (CLOSED | NEVER_ALONE | RELATIONS | TITLES | CREDENTIALS | _ROLES) - _LITTLE


def short_forms(names: Mapping[str, str]) -> dict[str, str]:
    """What names are shortened to, whatever else it means: "yaz" of Yazmin, "norm" of Normand."""
    return {
        name[:size]: names[name]
        for name in sorted(names)
        if name.isalpha()
        for size in range(3, len(name) - 1)
        if not _is_common(name[:size])
    }


def _is_common(word: str) -> bool:
    """Words that notes are full of shorten no name: "Chest" none of Chester, "Car" none of Carlos."""
    bits = flags(word)
    return word in common_words() or bool(bits & CLINICAL and not bits & DRUG)


def could_mean_somebody(words: Words, i: int, *, called: bool) -> bool:
    """Whether it is worth reading word i, by which somebody is `called` or might be, once more."""
    low, capital = words.low[i], words.raw[i][0].isupper()
    if low in _NEVER or len(set(low)) < 2 or not low.isalpha() or eponym(words, i):  # "XXXX" was masked before
        return False
    return capital or (low != "may" and (called or words.few_capitals))


def initials_could(words: Words, i: int) -> bool:
    """Whether it is worth reading word i, the initials of somebody, once more: in capitals, its neighbours not."""
    raw = words.raw[i]
    return 1 < len(raw) < 4 and raw.isupper() and words.low[i] not in ROLES and not words.shouting(i)


def mean_somebody(read: Read, places: Sequence[tuple[Words, int, int]]) -> list[bool]:
    """For the words from one to another of each text, whether `read` takes a stranger in their place for a person."""
    texts, starts = [], []
    for words, first, last in places:
        start, end = words.starts[first], words.end(last)
        raw = words.text[start:end]
        loud = raw.isupper() and (len(raw) > 3 or words.shouting(first))
        stranger = _STRANGER.upper() if loud else _STRANGER if raw[0].isupper() else _STRANGER.lower()
        before = words.text[max(0, start - _AROUND) : start]
        texts.append(before + stranger + words.text[end : end + _AROUND])
        starts.append(len(before))
    return [
        any(e.label in ("NAME", "CLINICIAN") and e.probability >= _LEAST and e.start <= at < e.end for e in found)
        for at, found in zip(starts, read(texts), strict=True)
    ]
