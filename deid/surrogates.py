"""Made-up values in the place of a patient's own: one for one person, place or number, in all of the patient's notes.

What is drawn is HMAC-SHA256(surrogate key, patient || kind || label || attempt): the same key gives the same values,
and without the key nothing leads back. `label` is the span's `entity`, the label of one person or thing within one
patient's notes; where it is empty, the words of the span itself stand for it, so that "Gonzalez" is one surrogate, but
"Maria" by herself is known for the same person's only if "Maria Gonzalez" is written out somewhere.

Names are drawn by how common they are in the US, whoever is replaced: the origin of a name is not matched, for it would
tell what somebody took the patient to be. Only a title that stays in the text ("Ms.") decides for a woman's or a man's
name. A name found in the notes of the patient is never drawn for that patient, and no two of the patient's people get
the same; of other patients' names nothing is known here, since a list of what is never drawn would show every leak.

Numbers keep their shape and are no real ones where such are set apart: 555-01xx in area codes that are never assigned,
social security numbers of areas 000 and 666, documentation addresses (RFC 2606, 3849, 5737, 7042). A check digit never fits.
A record number of the same shape may by chance be another person's.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from itertools import accumulate
from typing import NamedTuple

from deid import checksums, lexicon
from deid.folding import fold
from deid.policy import placeholder
from deid.spans import Span

_ATTEMPTS = 64
_LONGEST = 200  # what is longer is no name or number, and becomes a placeholder
_PERSONS = ("NAME", "CLINICIAN")

Draw = Callable[[str], int]
"""From the name of what is drawn to a number of 64 bits."""

# --- fictional places ----------------------------------------------------------------------------------------

_HEADS = (
    "Alder Amber Arrow Ash Aspen Bay Beck Birch Black Blue Bram Bright Bristle Brook Cedar Clear Cliff Cloud Clover Copper "
    "Coral Crane Crest Dawn Deer Dove Drift Eagle East Elder Elm Ember Fair Falcon Fern Finch Flint Fox Frost Glen Gold "
    "Grand Gray Green Hale Harrow Haven Hawk Hazel Heather Heron Hollow Holly Iron Ivy Jade Juniper Kestrel Lake Lark "
    "Laurel Linden Long Maple Marsh Mead Mill Mist Moss North Oak Ochre Olive Orchard Otter Pebble Pine Plum Quail Quarry "
    "Raven Red Reed Ridge River Robin Rowan Rush Sage Sand Silver South Spruce Star Stone Summer Swan Thistle Thorn Tull "
    "Umber Vale Wheat White Wild Willow Winter Wolf Wren Yarrow"
).split()
_TAILS = (
    "bank bend bourne bridge brook burn bury by combe cote crest croft dale den don fall fell field firth ford gate glen "
    "grove ham haven heath hill holm holt hurst lake land lea ley line mere mead mont moor mouth ness pass point pool port "
    "ridge rock shaw shore side stead stoke stone stow thorpe ton vale view ville wade water way well wick wold wood worth"
).split()
_STREETS = "Street Avenue Road Lane Drive Court Place Way Terrace Boulevard".split()
_STREET_KIND = re.compile(
    r"\b(street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|place|pl|way|terrace|ter|boulevard|blvd|circle|cir|highway"
    r"|hwy|parkway|pkwy|route|rte|trail|trl|square|sq)\b\.?",
    re.IGNORECASE,
)
_BOX = re.compile(r"p\.?\s?o\.?\s?box", re.IGNORECASE)
_FACILITY_KIND = re.compile(
    r"\b((?:(?:general|community|regional|memorial|university|children'?s|county|veterans|rehabilitation|family|surgical|cancer"
    r"|heart|women'?s|specialty|skilled|assisted|outpatient|urgent|primary|medical|health|nursing|dialysis|imaging|eye|dental"
    r"|pain|wound|sleep|birth)\s+)*(?:hospitals?|medical cent(?:er|re)|cent(?:er|re)|clinics?|infirmary|hospice|home|facility|practice"
    r"|associates|group|pharmacy|laborator(?:y|ies)|labs?|institute|health system|healthcare|health|care|rehab|manor|village|living"
    r"|sanatorium|department|office|pavilion|unit))\b",
    re.IGNORECASE,
)
_EMPLOYER_KIND = re.compile(
    r"\b((?:elementary|middle|high|public|law|police|fire)\s+)*(inc|llc|l\.l\.c|ltd|corp|corporation|company|co|industries|enterprises"
    r"|holdings|partners|llp|plc|gmbh|incorporated|brothers|bros|sons|school district|school|academy|college|university|preschool"
    r"|daycare|department|prison|penitentiary|correctional facility|bank|airlines|farms?|motors|logistics|construction|restaurant"
    r"|store|stores|market|church|insurance|foods?|services?|systems?|hotel|bakery|works|mill|plant|factory|foundation)\b\.?",
    re.IGNORECASE,
)
_EMPLOYERS = (
    "Supply Logistics Foods Services Works Industries Motors Trading Systems Partners Builders Textiles".split()
)
_LOCAL = "amber birch cedar delta ember fjord grove hazel indigo juniper kite lumen maple nova opal pebble quill river sage tundra".split()


# --- drawing -------------------------------------------------------------------------------------------------


def _number(key: bytes, patient: str, kind: str, label: str, attempt: int, what: str) -> int:
    message = "\0".join((patient, kind, label, str(attempt), what)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big")


@cache
def _names(kind: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of a kind (surname, m, f, any) and their weights added up."""
    sex = None if kind == "any" else kind
    pool = lexicon.surnames("us") if kind == "surname" else lexicon.given_names(sex, "us")
    pool = tuple((name, weight) for name, weight in pool if len(name) > 1 and name.isalpha())
    return tuple(name for name, _ in pool), tuple(accumulate(max(1, weight) for _, weight in pool))


def _name(number: int, kind: str) -> str:
    names, ends = _names(kind)
    name = names[bisect_right(ends, number % ends[-1])]
    return name.title() if name.isupper() or name.islower() else name


def bare(text: str) -> str:
    """Letters and digits alone, without case and accents: what makes two spellings the same."""
    plain = unicodedata.normalize("NFKD", fold(text)[0])
    return "".join(c for c in plain if c.isalnum()).casefold()


def _plain(text: str) -> str:
    """Folded text on one line, without marks that are neither ASCII nor letters or digits: vowel signs, bullets."""
    return re.sub(r"\s+", " ", "".join(c for c in fold(text)[0] if c.isascii() or c.isalnum()))


# --- persons -------------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:'(?!s\b)[^\W_]+)*", re.IGNORECASE)
_TITLES = frozenset("mr mrs ms miss mx dr prof professor doctor sir rev".split())
_TITLE_BEFORE = re.compile(r"\b(mr|mister|mrs|ms|miss|mx|dr|drs|doctor|prof|professor)\.?\s{1,3}$", re.IGNORECASE)
_SEX = {"mr": "m", "mister": "m", "mrs": "f", "ms": "f", "miss": "f"}
_PARTICLES = frozenset("de la los las del della di da dos du le van der den von bin ibn al el y".split())
_SUFFIXES = frozenset("jr sr ii iii iv".split())
_LINKS = frozenset("and or aka nee née the of".split())


class _Part(NamedTuple):
    """A piece of a mention: what stands there, and its role: keep, drop, given, middle, surname, word, or initial-*."""

    start: int
    end: int
    role: str


class _Mention(NamedTuple):
    text: str
    parts: tuple[_Part, ...]
    title: str
    clinician: bool


def _parts(text: str) -> tuple[_Part, ...]:
    """The words of a name with their roles; `word` is one that stands alone."""
    words = [m for m in _WORD.finditer(text) if m.group().lower() != "s" or text[m.start() - 1 : m.start()] != "'"]
    roles = [""] * len(words)
    for i, match in enumerate(words):
        word, last = match.group(), i == len(words) - 1
        low = word.lower()
        title = i == 0 and low in _TITLES and not last and not text.isupper()
        link = low in _LINKS and word.islower() and i > 0 and not last
        particle = low in _PARTICLES and word.islower() and not last and not text.islower()
        suffix = low in _SUFFIXES and last and i > 0
        roles[i] = "keep" if title or link else "drop" if particle or suffix else ""
    names = [i for i, role in enumerate(roles) if not role]
    comma = next(
        (i for i in names[:-1] if "," in text[words[i].end() : words[names[names.index(i) + 1]].start()]), None
    )
    # Words joined by a hyphen are one name of two words.
    groups: list[list[int]] = []
    for i in names:
        joined = groups and text[words[groups[-1][-1]].end() : words[i].start()] == "-"
        groups[-1].append(i) if joined else groups.append([i])
    for place, group in enumerate(groups):
        if comma is not None:
            behind = [g for g in groups if g[0] > comma]
            role = "surname" if group[0] <= comma else ("given" if behind and group == behind[0] else "middle")
        elif len(groups) == 1:
            role = "word" if len(group) == 1 else "surname"
        else:
            role = "surname" if place == len(groups) - 1 else "given" if place == 0 else "middle"
        for n, i in enumerate(group):
            initial = len(words[i].group()) == 1 or (
                len(words[i].group()) <= 3
                and words[i].group().isupper()
                and not text.isupper()
                and role in ("given", "middle")
            )
            roles[i] = f"{'initial-' if initial else ''}{role}{n or ''}"
    return tuple(_Part(m.start(), m.end(), role) for m, role in zip(words, roles, strict=True))


def _mention(text: str, span: Span) -> _Mention:
    plain = _plain(text[span.start : span.end]) if span.end - span.start <= _LONGEST else ""
    before = _TITLE_BEFORE.search(text[max(0, span.start - 14) : span.start])
    title = before[1].lower() if before else ""
    first = re.match(r"(mr|mrs|ms|miss)\b", plain, re.IGNORECASE)
    return _Mention(plain, _parts(plain), title or (first[1].lower() if first else ""), span.identifier == "CLINICIAN")


def _cased(name: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return name.upper()
    return name.lower() if like.islower() else name


def _known_roles(mentions: Iterable[_Mention]) -> dict[str, str]:
    """The role of each word, from the mentions in which its place tells it."""
    known: dict[str, str] = {}
    for mention in mentions:
        for part in mention.parts:
            if part.role.removesuffix("1") in ("given", "surname", "middle"):
                known.setdefault(bare(mention.text[part.start : part.end]), part.role)
    return known


def _role(word: str, mention: _Mention, known: dict[str, str]) -> str:
    """The role of a word that stands alone: as elsewhere, behind a title a surname, else what the lists say."""
    if found := known.get(bare(word)):
        return found
    if mention.title or mention.clinician:
        return "surname"
    return "given" if lexicon.flags(word) & (lexicon.GIVEN | lexicon.GIVEN_RARE) else "surname"


def _person(mentions: Sequence[_Mention], draw: Callable[[str, str], str], known: dict[str, str]) -> list[str | None]:
    """The mentions with every name replaced; `draw(role, original word)` gives the new one."""
    out: list[str | None] = []
    for mention in mentions:
        pieces: list[str] = []
        at = 0
        for part in mention.parts:
            word = mention.text[part.start : part.end]
            gap = mention.text[at : part.start]
            at = part.end
            if part.role == "keep":
                pieces.append(gap + word)
                continue
            if part.role == "drop":
                # A suffix goes with the comma before it, a particle with the space behind it.
                if pieces and part is mention.parts[-1]:
                    at = len(mention.text)
                    continue
                at += len(mention.text[at:]) - len(mention.text[at:].lstrip())
                pieces.append(gap)
                continue
            role = part.role.removeprefix("initial-")
            if role == "word":
                role = _role(word, mention, known)
            new = draw(role, word)
            if part.role.startswith("initial-") or len(word) == 1:
                letters = [new, draw("middle", word), draw("middle1", word)][: len(word)]
                new = "".join(n[0] for n in letters)
            pieces.append(gap + _cased(new, word))
        out.append(
            "".join(pieces) + mention.text[at:] if any(p.role not in ("keep", "drop") for p in mention.parts) else None
        )
    return out


def _pool(role: str, sex: str) -> str:
    return "surname" if role.startswith("surname") else sex


# --- numbers, addresses, codes -------------------------------------------------------------------------------

_KEPT_WORDS = frozenset(
    "ext extension x phone tel fax pager cell home work mobile no num number id mrn acct account unit room rm bed ward floor fl apt "
    "apartment suite ste pod bay wing tower building bldg north south east west main icu micu sicu ccu nicu picu cvicu pacu po box".split()
)
_MBI = re.compile(r"[1-9][A-Z][A-Z0-9]\d[A-Z][A-Z0-9]\d[A-Z]{2}\d\d")


def _fits_a_check(value: str) -> bool:
    """Whether a number passes the check of some kind of number that exists."""
    plain = "".join(c for c in value.upper() if c.isalnum())
    digits = "".join(c for c in plain if c.isdecimal())
    if _MBI.fullmatch(plain) or checksums.vin(plain) or _iban(plain):
        return True
    if re.fullmatch(r"[A-Z]{2}\d{7}|[A-Z]9\d{7}", plain) and checksums.dea(plain):
        return True
    return (
        (len(digits) >= 12 and checksums.luhn(digits))
        or checksums.npi(digits)
        or (len(digits) == 14 and checksums.gtin14(digits))
    )


def _iban(plain: str) -> bool:
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _shape(text: str, draw: Draw) -> str | None:
    """The same letters-and-digits shape; words that name a kind of number stay. None for running words."""
    if not any(c.isdecimal() for c in text) and len(re.findall(r"[^\W_]+", text)) > 3:
        return None
    out = list(text)
    for match in re.finditer(r"[^\W_]+", text):
        if match.group().lower() in _KEPT_WORDS and any(c.isdecimal() for c in text):
            continue
        for i in range(match.start(), match.end()):
            number = draw(f"char {i}")
            if text[i].isdecimal():
                out[i] = str(number % 10)
            elif text[i].isupper():
                out[i] = "ABCDEFGHJKLMNPRSTUVWXYZ"[number % 23]
            else:
                out[i] = "abcdefghijkmnpqrstuvwxyz"[number % 24]
    return "".join(out)


def _into(text: str, digits: str) -> str:
    """`text` with its digits, and letters outside known words, replaced one after another; of `digits` the last fit."""
    places = [
        i
        for match in re.finditer(r"[^\W_]+", text)
        for i in range(match.start(), match.end())
        if text[i].isdecimal() or match.group().strip("0123456789").lower() not in _KEPT_WORDS
    ]
    out = list(text)
    for i, digit in zip(places, digits, strict=True):
        out[i] = digit
    return "".join(out)


def _slots(text: str) -> int:
    return sum(
        c.isdecimal() or m.group().strip("0123456789").lower() not in _KEPT_WORDS
        for m in re.finditer(r"[^\W_]+", text)
        for c in m.group()
    )


def _phone(text: str, draw: Draw) -> str | None:
    """N9X area codes are kept for an expansion that is not to come soon, 555-01xx for fiction, +999 for nobody."""
    count = _slots(text)
    local = f"55501{draw('line') % 100:02d}"
    area = f"{2 + draw('area') % 8}9{draw('area 2') % 10}"
    more = "".join(str(draw(f"more {i}") % 10) for i in range(max(0, count)))
    if count < 7:
        digits = f"0{more}"[:count]
    elif count == 7:
        digits = local
    elif count == 10:
        digits = area + local
    elif count == 11 and fold(text)[0].lstrip("+( ")[:1] == "1":
        digits = "1" + area + local
    elif text.lstrip().startswith(("+", "00")):
        digits = ("00999" if text.lstrip().startswith("00") else "999") + more
    elif count > 10:
        digits = area + local + more
    else:
        digits = local + more
    return _into(text, digits[:count]) if count else None


def _ssn(text: str, draw: Draw) -> str | None:
    count = sum(c.isdecimal() for c in text)
    if re.sub(r"[^\W\d_]", "", text) != re.sub(r"[xX]", "", text):
        return None
    if count == 9:
        digits = f"{('000', '666')[draw('area') % 2]}{draw('group') % 99 + 1:02d}{draw('serial') % 9999 + 1:04d}"
    else:
        digits = "0" * count  # a serial of 0000 is never issued, and every other one is somebody's
    places = iter(digits)
    return "".join(next(places) if c.isdecimal() else c for c in text) if count else None


def _email(text: str, draw: Draw) -> str:
    local = f"{_LOCAL[draw('a') % len(_LOCAL)]}.{_LOCAL[draw('b') % len(_LOCAL)]}{draw('n') % 1000:03d}"
    made = f"{local}@example.{('com', 'org', 'net')[draw('tld') % 3]}"
    return made.upper() if text.isupper() else made


def _url(text: str, draw: Draw) -> str:
    scheme = re.match(r"https?://", text, re.IGNORECASE)
    host = "www.example." if re.search(r"\bwww\.", text, re.IGNORECASE) else "example."
    return (
        f"{scheme.group() if scheme else ''}{host}{('com', 'org', 'net')[draw('tld') % 3]}/{draw('path') % 16**8:08x}"
    )


def _ip(text: str, draw: Draw) -> str:
    port = re.search(r"(?<=\d):\d{2,5}$", text) if "." in text else None
    if re.fullmatch(r"(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}", text):
        mark = text[2]
        return mark.join(("00", "00", "5E", "00", "53", f"{draw('mac') % 256:02X}"))
    if ":" in text and not port:
        return f"2001:db8::{draw('a') % 0xFFFF + 1:x}:{draw('b') % 0xFFFF + 1:x}"
    net = ("192.0.2", "198.51.100", "203.0.113")[draw("net") % 3]
    return f"{net}.{draw('host') % 254 + 1}" + (f":{1024 + draw('port') % 60000}" if port else "")


def _compound(draw: Draw, what: str) -> str:
    head, tail = _HEADS[draw(f"{what} head") % len(_HEADS)], _TAILS[draw(f"{what} tail") % len(_TAILS)]
    return f"{head}{tail}" if not head.lower().endswith(tail) else f"{head}ton"


def _place(identifier: str, text: str, draw: Draw) -> str | None:
    name = _compound(draw, "place")
    if identifier == "CITY":
        return name
    if identifier == "COUNTY":
        kind = re.search(r"\b(county|parish|borough|co\.?)\s*$", text, re.IGNORECASE)
        return f"{name} {kind[1]}" if kind else name
    if identifier == "STREET":
        if _BOX.search(text):
            return f"PO Box {draw('box') % 9000 + 1000}"
        kind = _STREET_KIND.search(text)
        number = f"{draw('house') % 900 + 100} " if text[:1].isdecimal() else ""
        return f"{number}{name} {kind[1] if kind else _STREETS[draw('kind') % len(_STREETS)]}"
    abbreviation = text.isalpha() and text.isupper() and len(text) <= 6
    if abbreviation:
        return "".join("ABCDEFGHJKLMNPRSTUVWXYZ"[draw(f"letter {i}") % 23] for i in range(len(text)))
    kinds = (_FACILITY_KIND, _EMPLOYER_KIND) if identifier == "FACILITY" else (_EMPLOYER_KIND, _FACILITY_KIND)
    found = [m[0] for kind in kinds for m in list(kind.finditer(text))[-1:]]
    other = "Hospital" if identifier == "FACILITY" else _EMPLOYERS[draw("kind") % len(_EMPLOYERS)]
    if not found and " " not in text and identifier == "FACILITY":
        return name
    return f"{name} {found[0] if found else other}"


def _thing(identifier: str, text: str, draw: Draw) -> str | None:
    """A surrogate of a span that names no person."""
    if identifier in ("FACILITY", "EMPLOYER", "STREET", "CITY", "COUNTY"):
        made = _place(identifier, text, draw)
        if made and text.isupper() and len(text) > 1:
            return made.upper()
        return made.lower() if made and text.islower() else made
    special = {"PHONE": _phone, "FAX": _phone, "SSN": _ssn, "EMAIL": _email, "URL": _url, "IP": _ip}.get(identifier)
    return special(text, draw) if special else _shape(text, draw)


# --- all spans of a patient ----------------------------------------------------------------------------------


def surrogates(
    patient: str, notes: Sequence[tuple[str, Sequence[Span]]], key: bytes, wanted: Iterable[str]
) -> list[list[str | None]]:
    """For every span of every note of one patient its surrogate; None where there is none, or it is not wanted.

    `notes` are (text, spans) in offsets of the text, `wanted` the identifiers whose policy asks for a surrogate. A
    surrogate never equals what it stands for, without regard to case; where none can be drawn it is None. The order of
    the notes does not matter.
    """
    wanted = frozenset(wanted)
    out: list[list[str | None]] = [[None] * len(spans) for _, spans in notes]
    persons: dict[str, list[tuple[int, int, _Mention]]] = {}
    forbidden: set[str] = set()
    for n, (text, spans) in enumerate(notes):
        for i, span in enumerate(spans):
            original = text[span.start : span.end]
            if span.identifier in _PERSONS:
                mention = _mention(text, span)
                forbidden |= {bare(mention.text[p.start : p.end]) for p in mention.parts}
                if span.identifier in wanted and original != placeholder(span.identifier):
                    persons.setdefault(getattr(span, "entity", ""), []).append((n, i, mention))
            elif span.identifier in wanted and original != placeholder(span.identifier):
                out[n][i] = _drawn_thing(key, patient, span, original)
    taken = set(forbidden)
    for label, found in sorted(persons.items(), key=lambda item: item[0]):
        # The order of the notes must not decide which of two readings of a word is seen first.
        mentions = sorted({m for _, _, m in found})
        made = _drawn_person(key, patient, label, mentions, taken)
        values = dict(zip(mentions, made, strict=True))
        for n, i, mention in found:
            out[n][i] = values[mention]
    return out


def _drawn_thing(key: bytes, patient: str, span: Span, original: str) -> str | None:
    if len(original) > _LONGEST:
        return None
    plain = _plain(original)
    label = getattr(span, "entity", "") or bare(original)
    for attempt in range(_ATTEMPTS):
        made = _thing(span.identifier, plain, partial(_number, key, patient, span.identifier, label, attempt))
        if made is None:
            return None
        if bare(made) != bare(original) and not _fits_a_check(made):
            return made
    return None


def _drawn_person(
    key: bytes, patient: str, label: str, mentions: Sequence[_Mention], taken: set[str]
) -> list[str | None]:
    """The mentions of one person, or of all who have no label. Names drawn are added to `taken`."""
    sexes = sorted({_SEX[m.title] for m in mentions if m.title in _SEX}) if label else []
    sex = sexes[0] if len(sexes) == 1 else "any"
    known = _known_roles(mentions)
    people: dict[tuple[str, str], str] = {}

    def fresh(role: str, what: str, first_attempt: int) -> str:
        for attempt in range(first_attempt, first_attempt + _ATTEMPTS):
            name = _name(_number(key, patient, "PERSON", what, attempt, role), _pool(role, sex))
            if bare(name) not in taken and name not in people.values():
                return name
        return name

    def by_role(role: str, word: str, attempt: int) -> str:
        # A person has one name for each role; without a label, every word is its own.
        what = label or _written_out(word, role, known)
        if (role, what) not in people:
            people[role, what] = fresh(role, what, attempt * _ATTEMPTS)
        return people[role, what]

    made: list[str | None] = []
    for attempt in range(_ATTEMPTS):
        people.clear()
        made = _person(mentions, partial(by_role, attempt=attempt), known)
        same = [bare(new or "") == bare(m.text) for m, new in zip(mentions, made, strict=True)]
        if not any(same):
            break
        if not label and attempt > 3:
            made = [None if equal else new for new, equal in zip(made, same, strict=True)]
            break
    taken |= {bare(name) for name in people.values()}
    return [None if new is None or bare(new) == bare(m.text) else new for m, new in zip(mentions, made, strict=True)]


def _written_out(word: str, role: str, known: dict[str, str]) -> str:
    """What an unlabelled word draws by: itself, or for an initial the one word of this role that begins with it."""
    own = bare(word)
    if len(own) == 1:
        fitting = sorted(
            w for w, r in known.items() if len(w) > 1 and w[0] == own and r.rstrip("1") == role.rstrip("1")
        )
        if len(fitting) == 1:
            return fitting[0]
    return own
