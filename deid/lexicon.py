"""What a spelling can be: a given name, a surname, a place, an ordinary word, a clinical word, several of these at once.

`flags(word)` answers in bits, `name_share(word)` says how name-like an ordinary spelling is, and `is_safe(word)` names
the spellings that a model need not look at. Other callers draw names and places from the same lists.

The lists are deid/data/*.txt.gz, made by deid/make_lexicon.py from the sources that each names in its first lines.
They are read at the first question and kept as sorted lines, which a binary search answers from. Measured on one core
(Python 3.11): the first question takes 0.1 s and 24 MB resident, a new word 16 microseconds, a word asked before 0.1.
"""

from __future__ import annotations

import gzip
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from deid import vocabulary

DATA = Path(__file__).parent / "data"

GIVEN = 1  # a given name that is common in the US, or that is no ordinary word
GIVEN_RARE = 2  # any other given name of the lists
SURNAME = 4  # among the most common 10,000 US surnames, or a foreign one that is no ordinary word
SURNAME_RARE = 8
CITY = 16  # a US place from 10,000 people, a world city from 300,000
CITY_RARE = 32  # a smaller place, or a word of a larger one's name of several words
COUNTY = 64
WORD = 128  # an ordinary English word
WORD_RARE = 256
CLINICAL = 512
DRUG = 1024  # always with CLINICAL
STATE = 2048  # a state's name or two-letter code; words of names of two ("north", "new") only as the whole name
NATION = 4096
MONTHDAY = 8192

ANY_NAME = GIVEN | GIVEN_RARE | SURNAME | SURNAME_RARE
ANY_PLACE = CITY | CITY_RARE | COUNTY | STATE | NATION

# Per million people: given names from here on are common (Rosetta, Jarrod), and surnames (rank 10,000).
_COMMON_GIVEN = 100
_COMMON_SURNAME = 12
_SAFE_SHARE = 0.05

# How often a capitalised ordinary word of a tier stands in running notes, on the scale of names per million people.
_WORD_MASS = {0: 1.0, 1: 600.0, 2: 120.0, 3: 25.0, 4: 5.0}
_FOREIGN_MASS = 4.0
_CLINICAL_FACTOR = 4.0

# Words of the closed classes and of every note's frame. Some are names too (Will, May, An, So): in a note they are
# words so much more often that only what stands around them can tell.
CLOSED = frozenset(
    """
    a about above across after again against ago all almost along already also although always am amid among an and
    another any anybody anyone anything anyway are around as at away be became because become been before began behind
    being below beneath beside besides between beyond both but by came can cannot come could did do does doing done down
    due during each either else enough et etc even ever every everyone everything except few first five for four from
    further gave get gets getting give given go goes going gone got had has have having he hence her here hers herself
    him himself his how however i if in indeed inside instead into is it its itself just keep kept last later least less
    let like made make makes making many may maybe me might mine more moreover most much must my myself near nearly
    neither never nevertheless next nine no nobody none nor not nothing now of off often on once one only onto or other
    others otherwise our ours ourselves out outside over own per perhaps please put quite rather really said same saw
    say says second see seem seemed seems seen several shall she should since six so some somebody someone something
    sometimes soon still such take taken takes taking ten than that the their theirs them themselves then there
    thereafter therefore these they thing things third this those though three through throughout thus till to today
    together told too took toward towards two under unless unlike until unto up upon us use used uses using usual
    usually very via was we went were what whatever when whenever where whereas wherever whether which while who whoever
    whole whom whose why will with within without would yes yesterday yet you your yours yourself
    ii iii iv vi vii viii ix don't doesn't didn't isn't wasn't aren't weren't won't can't couldn't wouldn't shouldn't
    hasn't haven't hadn't it's he's she's they're i'm i've i'd we're you're that's there's
    patient patients pt pts year years month months week weeks day days hour hours minute minutes old new left right
    normal pain note history exam plan back head hand chest neck arm arms leg legs foot feet eye eyes ear ears nose
    mouth skin blood heart lung lungs liver male female man woman boy girl mother brother sister son daughter
    wife husband family child children good well bad better worse best high low mild moderate severe acute chronic
    stable home room bed date time signed name nurse oral real saline iron bursa free daily read full clear
    """.split()
)

# Words that announce a person, a street or a facility: never safe, for what they announce may be made of safe words
# ("Dr. Will May", "12 Main Street", "General Hospital").
CUES = frozenset(
    """
    dr drs doctor mr mrs ms miss mister prof professor rev reverend father pastor rabbi sir jr sr md rn np pa phd esq
    attorney officer judge sgt lt capt cpt attn
    street st avenue ave road rd lane drive boulevard blvd court circle highway hwy terrace parkway square apt suite
    hospital clinic center centre hospice university college school church department dept company inc llc corp
    memorial mercy glory
    """.split()
)

_MONTH_DAYS = frozenset(vocabulary.MONTHS) | frozenset(
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun".split()
)
_STATE_NAMES = frozenset(s.lower() for s in vocabulary.STATES.values()) | frozenset(vocabulary.STATES)
# Words that stand in the vocabulary's list of nations only as a part of a name of several words.
_NATION_PARTS = frozenset(
    "north south east west central united states kingdom new black white el sri ivory coast".split()
)

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss", "ı": "i", "ə": "a", "ŋ": "n",
     "ħ": "h", "’": "'", "ʻ": "'", "ʼ": "'", "‘": "'", "`": "'", "ɓ": "b", "ɗ": "d", "ƙ": "k"}
)  # fmt: skip
_POSSESSIVE = re.compile(r"(?<=..)'s$|(?<=s)'$")


class Facts(NamedTuple):
    """What the lists say of one spelling: weights per million people (US), tiers, bits."""

    given: float
    surname: float
    foreign: bool
    tier: int
    bits: int


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """Lower case, without accents, with a straight apostrophe, without the possessive: `Núñez's` to `nunez`."""
    word = word.lower()
    if not word.isascii():
        word = word.translate(_LETTERS)
        word = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return _POSSESSIVE.sub("", word) if "'" in word else word


@cache
def _text(name: str) -> bytes:
    return gzip.decompress((DATA / f"{name}.txt.gz").read_bytes())


@cache
def _lines(name: str) -> list[bytes]:
    """The rows of a list in lower case, as they are sorted, without the header."""
    lines = gzip.decompress((DATA / f"{name}.txt.gz").read_bytes()).lower().rstrip(b"\n").split(b"\n")
    start = next(i for i, line in enumerate(lines) if not line.startswith(b"# "))
    return lines[start:]


def _find(name: str, key: bytes) -> Iterator[list[bytes]]:
    """The fields after the name of every row that has this name."""
    lines = _lines(name)
    index = bisect_left(lines, key)
    while index < len(lines) and lines[index].startswith(key):
        yield lines[index][len(key) :].split(b"\t")
        index += 1


@cache
def _city_parts() -> frozenset[bytes]:
    """Words of the names of larger places that have several ("antonio", "angeles"), of four letters or more."""
    parts: set[bytes] = set()
    for line in _lines("cities"):
        if b" " in line and line[-1:] in b"12":
            parts.update(w for w in line.split(b"\t")[0].split(b" ") if len(w) > 3)
    return frozenset(parts)


def _named(name: str, word: str, key: bytes) -> list[list[bytes]]:
    """Rows of a name list; a spelling with a hyphen or apostrophe is also looked for without (the census has none)."""
    rows = list(_find(name, key))
    if not rows and ("'" in word or "-" in word):
        rows = list(_find(name, word.replace("'", "").replace("-", "").encode() + b"\t"))
    return rows


@lru_cache(maxsize=1 << 17)
def _facts(word: str) -> Facts:
    """The facts of a folded spelling."""
    key = word.encode() + b"\t"
    tier = next((int(row[0]) for row in _find("words", key)), 0)
    given = surname = 0.0
    foreign_given = foreign_surname = False
    for _, weight, origin in _named("given", word, key):
        if origin == b"us":
            # A weight counts the people of one sex.
            given += int(weight) / 2
        elif origin in (b"en", b"en_us", b"en_gb") and not given:
            given = 1.0
        else:
            foreign_given = True
    for weight, origin in _named("surnames", word, key):
        if origin == b"us":
            surname = float(weight)
        else:
            foreign_surname = True
    bits = 0
    kind = next((row[0] for row in _find("clinical", key)), b"")
    if kind:
        bits |= CLINICAL | (DRUG if kind == b"drug" else 0)
    ordinary = 0 < tier < 4 or bool(kind)
    if given or foreign_given:
        bits |= GIVEN if given >= _COMMON_GIVEN / 2 or not ordinary else GIVEN_RARE
    if surname or foreign_surname:
        bits |= SURNAME if surname >= _COMMON_SURNAME or (foreign_surname and not ordinary) else SURNAME_RARE
    sizes = {size for _, size in _find("cities", key)}
    if sizes & {b"1", b"2"}:
        bits |= CITY
    elif sizes or key[:-1] in _city_parts():
        bits |= CITY_RARE
    if next(_find("counties", key), None):
        bits |= COUNTY
    if tier:
        bits |= WORD if tier < 4 else WORD_RARE
    if word in _STATE_NAMES:
        bits |= STATE
    if word in vocabulary.NATIONS and word not in _NATION_PARTS:
        bits |= NATION
    if word in _MONTH_DAYS:
        bits |= MONTHDAY
    return Facts(given, surname, foreign_given or foreign_surname, tier, bits)


@lru_cache(maxsize=1 << 17)
def flags(word: str) -> int:
    """The bits of a word or of a name of several words ("new york"), whatever its case, accents and possessive.

    A state's two-letter code counts in capitals only, for `in`, `or` and `me` are words.
    """
    bits = _facts(fold(word)).bits
    return bits | STATE if word in vocabulary.STATES else bits


@lru_cache(maxsize=1 << 17)
def name_share(word: str) -> float:
    """How likely a person is meant by this spelling, capitalised within a sentence, from 0 (no name) to 1 (no word).

    N / (N + W): N is how many of a million people carry it (surname, plus given name over both sexes; 4 where only
    lists from abroad have it), W how often it stands as a word, 600, 120, 25, 5 for tier 1 to 4, four times that for
    a clinical word and ten times for a word of the closed classes, 1 for a spelling that is neither.
    """
    facts = _facts(folded := fold(word))
    people = facts.given + facts.surname
    if not people:
        people = _FOREIGN_MASS if facts.foreign else 0.0
    mass = _WORD_MASS[facts.tier]
    if facts.bits & CLINICAL:
        mass = max(mass, _WORD_MASS[3]) * _CLINICAL_FACTOR
    if folded in CLOSED:
        mass = _WORD_MASS[1] * 10
    return round(people / (people + mass), 4)


@lru_cache(maxsize=1 << 17)
def is_safe(word: str) -> bool:
    """Whether a model need not look at the word, because it is so rarely a name or a place.

    Yes for the closed classes and the frame of a note (CLOSED: also will and may); for ordinary and clinical words,
    months and weekdays with a name share under 0.05 that are no state, nation, county or larger place, and no small
    place either unless they are very common (tier 1) or clinical. So `bill`, `mark` and `grant` are not safe, `stent`
    and `afternoon` are. Never for the words of CUES, nor for a state's code in capitals.
    """
    folded = fold(word)
    if folded in CLOSED:
        return True
    bits = _facts(folded).bits
    if not bits & (WORD | WORD_RARE | CLINICAL | MONTHDAY) or folded in CUES or word in vocabulary.STATES:
        return False
    if bits & (CITY | COUNTY | STATE | NATION):
        return False
    if bits & CITY_RARE and not (bits & CLINICAL or _facts(folded).tier == 1):
        return False
    return name_share(word) < _SAFE_SHARE


def _rows(name: str) -> Iterator[list[str]]:
    for line in _text(name).decode().splitlines():
        if not line.startswith("# "):
            yield line.split("\t")


@cache
def given_names(sex: str | None = None, origin: str | None = None) -> tuple[tuple[str, int], ...]:
    """(name, weight) of the given names of a sex (m or f; those of either, u, come with both) and an origin (us, de_DE, ...).

    Weights are comparable within one origin only.
    """
    rows = _rows("given")
    return tuple((n, int(w)) for n, s, w, o in rows if sex in (None, s) or s == "u" if origin in (None, o))


@cache
def surnames(origin: str | None = None) -> tuple[tuple[str, int], ...]:
    """(name, weight) of the surnames of an origin; weights are comparable within one origin only."""
    return tuple((n, int(w)) for n, w, o in _rows("surnames") if origin in (None, o))


@cache
def cities() -> tuple[tuple[str, str, int], ...]:
    """(name, US state or country code, tier 1 to 3) of the places."""
    return tuple((n, where, int(tier)) for n, where, tier in _rows("cities"))


@cache
def counties() -> tuple[tuple[str, str, str], ...]:
    """(name, state, kind) of the US counties: ("Orleans", "LA", "Parish")."""
    return tuple((n, state, kind) for n, state, kind in _rows("counties"))


@cache
def _nicknames() -> dict[str, tuple[str, ...]]:
    table: dict[str, set[str]] = {}
    for name, short in _rows("nicknames"):
        for nick in short.split(" "):
            table.setdefault(name.lower(), set()).add(nick)
            table.setdefault(nick.lower(), set()).add(name)
    return {name: tuple(sorted(others)) for name, others in table.items()}


def nicknames(name: str) -> tuple[str, ...]:
    """Short forms of a given name, and the names that it is a short form of: `Bob` to Robert, `Robert` to Bob, Rob, ..."""
    return _nicknames().get(fold(name), ())


@cache
def origins(table: str) -> tuple[str, ...]:
    """Origins in the list of given names ("given") or of surnames ("surnames")."""
    return tuple(sorted({row[-1] for row in _rows(table)}))


def clinical_words() -> tuple[tuple[str, str], ...]:
    """(word, "drug" or "med") of the clinical words."""
    return tuple((row[0], row[1]) for row in _rows("clinical"))


def nickname_table() -> dict[str, list[str]]:
    """Nicknames by given name, as the list has them."""
    table: dict[str, list[str]] = {}
    for name, short in _rows("nicknames"):
        table.setdefault(name, []).extend(short.split(" "))
    return table
