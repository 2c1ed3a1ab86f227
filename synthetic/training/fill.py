"""Fills the slots of the training templates and damages the result as notes are damaged.

A template is plain text with slots in braces: `{p.full}`, `{c1.last}`, `{hospital}`, `{date.md}`, `{mrn}`. `p` is the
patient, `r1`.. relatives and others, `c1`.. clinicians; one of them is the same person all through a template. What a
slot stands for, and so what is marked as an identifier, is in the tables below; slots that are no identifiers
(`{age}`, `{dose}`, `{p.he}`) are filled and not marked.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from clinicorpus_errors import UserError
from synthetic import people
from synthetic.damage import _NEAR, mistype, recase
from synthetic.training import values
from synthetic.training.annotated import MARK, annotated, refill
from synthetic.training.values import Someone, Vocabulary, name_form, someone
from synthetic.writer import Piece, assemble, mark, pieces

FOLDER = Path(__file__).parent
LOWER = "#! lower\n"
_SLOT = re.compile(r"\{([a-z_]+(?:90|\d)?)(?:\.([a-zA-Z_]+))?\}")
_PERSON = re.compile(r"(p|r\d|c\d)$")


class Labelled(NamedTuple):
    """A text and its identifiers as (start, end, identifier), sorted."""

    text: str
    spans: list[tuple[int, int, str]]


_PRONOUNS = {
    "he": ("he", "she"), "his": ("his", "her"), "him": ("him", "her"), "He": ("He", "She"), "His": ("His", "Her"), "Him": ("Him", "Her"),
    "man": ("man", "woman"), "m": ("M", "F"), "son": ("son", "daughter"), "Son": ("Son", "Daughter"), "himself": ("himself", "herself"),
    "Man": ("Man", "Woman"), "brother": ("brother", "sister"), "husband": ("husband", "wife"), "father": ("father", "mother"), "boy": ("boy", "girl"),
}  # fmt: skip
_STATE_NAMES = "Ohio Texas California Florida Georgia Maine Oregon Nevada Utah Iowa Kansas Vermont Virginia Michigan Washington Illinois Indiana Maryland Tennessee Alabama".split()
_COUNTRIES = "Mexico India Vietnam Ethiopia Guatemala Poland Haiti Nigeria China Korea Iran Somalia Honduras Ukraine Brazil Philippines Pakistan Egypt Cuba Colombia Canada Germany Italy Kenya Laos Burma Syria".split()
_DRUGS = (
    "metoprolol lisinopril Lasix Coumadin Lipitor Zosyn vancomycin Keppra Ativan Zofran heparin Eliquis metformin Lantus Norvasc gabapentin Plavix prednisone Flomax Synthroid amiodarone Tylenol Dilaudid "
    "ceftriaxone levofloxacin Protonix Xarelto sertraline Zoloft Seroquel trazodone Cymbalta tramadol Percocet Humira methotrexate Jardiance Ozempic albuterol Advair Spiriva Bactrim Flagyl doxycycline"
).split()
_EPONYMS = "Parkinson's disease|Foley catheter|Babinski sign|Crohn's disease|Hashimoto thyroiditis|Lewy body dementia|Murphy's sign|Homans sign|Bell's palsy|Graves' disease|Addison's disease|Cushing syndrome|Hodgkin lymphoma|Swan-Ganz|Hickman line|Kerley B lines|Glasgow Coma Scale|Raynaud's|Wilson disease|Paget disease|McBurney's point|Dupuytren contracture|Whipple procedure|Romberg|Allen test|Baker's cyst|Barrett's esophagus|Ewing sarcoma|Apgar|Ranson criteria".split("|")  # fmt: skip
_DX = "CHF|COPD exacerbation|type 2 diabetes|hypertension|pneumonia|UTI|atrial fibrillation|CKD stage 3|GERD|anxiety|depression|asthma|stroke|NSTEMI|sepsis|cellulitis|hip fracture|migraine|hypothyroidism|DVT|breast cancer|back pain".split("|")  # fmt: skip
_LABS = "WBC 11.2|Hgb 9.8|Na 134|K 4.1|Cr 1.3|BUN 28|A1c 7.4|INR 2.3|troponin 0.04|TSH 2.1|lactate 1.8|plt 212|glucose 148|BNP 890|AST 34".split(
    "|"
)
_SCORES = "GCS 15|PHQ-9 of 12|MELD 18|NIHSS 4|CHA2DS2-VASc 3|Braden 16|Apgar 8/9|ECOG 1|MMSE 24/30|Morse 45|CURB-65 2|Wells 1.5".split(
    "|"
)

_Random = random.Random
_Value = Callable[[_Random, "Vocabulary"], str]


def _any_case(rng: _Random, word: str) -> str:
    return rng.choice([word, word, word.capitalize(), word.capitalize(), word.upper()])


def _address(rng: _Random, vocabulary: Vocabulary) -> str:
    town, state = values.city(rng, vocabulary)
    state = state if len(state) == 2 else rng.choice(values.STATES)
    first = mark("STREET", values.street(rng, vocabulary))
    if rng.random() < 0.3:
        first += rng.choice([", ", " "]) + mark("UNIT", values.unit(rng))
    if rng.random() < 0.1:
        return f"{first}{rng.choice([', ', ' in '])}{mark('CITY', town)}"
    between = rng.choice([", ", ", ", "\n", ",\n", " "])
    zip_code = people.digits(rng, 5) + (f"-{people.digits(rng, 4)}" if rng.random() < 0.15 else "")
    return f"{first}{between}{mark('CITY', town)}{rng.choice([', ', ', ', ' '])}{state}{rng.choice([' ', ' ', '  ', ', '])}{mark('ZIP', zip_code)}"


def _email(rng: _Random, vocabulary: Vocabulary) -> str:
    who = someone(rng, vocabulary)
    given, family = people.ascii_word(who.given), people.ascii_word(who.family)
    local = rng.choice(
        [
            f"{given}.{family}",
            f"{given[0]}{family}",
            f"{family}{people.digits(rng, 2)}",
            f"{given}_{family[0]}",
            f"{given}{people.digits(rng, 3)}",
        ]
    )
    host = rng.choice(
        [
            "gmail.com",
            "yahoo.com",
            "outlook.com",
            "hotmail.com",
            "aol.com",
            "icloud.com",
            "mail.org",
            f"{family}health.org",
            "med.univ.edu",
            "comcast.net",
        ]
    )
    return f"{local}@{host}"


def _username(rng: _Random, vocabulary: Vocabulary) -> str:
    who = someone(rng, vocabulary)
    given, family = people.ascii_word(who.given), people.ascii_word(who.family)
    return rng.choice(
        [
            f"{given[0]}{family}",
            f"{family}{people.digits(rng, 2)}",
            f"{given}.{family}",
            f"{given}{family[0]}{people.digits(rng, 1)}",
            f"@{given}_{family}",
        ]
    )


def _phone(rng: _Random, _: Vocabulary) -> str:
    d = people.phone(rng, str(rng.randint(201, 989)))
    a, b, c = d[:3], d[3:6], d[6:]
    return rng.choice(
        [
            f"({a}) {b}-{c}",
            f"{a}-{b}-{c}",
            f"{a}.{b}.{c}",
            f"{a} {b} {c}",
            f"+1 {a} {b} {c}",
            f"1-{a}-{b}-{c}",
            f"{b}-{c}",
            d,
            f"{a}/{b}-{c}",
            f"({a}){b}-{c}",
            f"{a}-{b}-{c} x{people.digits(rng, 3)}",
        ]
    )


def _pager(rng: _Random, _: Vocabulary) -> str:
    return people.pattern(rng, rng.choice(["####", "#####", "#-####", "##-###", "###-####"]))


def _shaped(*shapes: str) -> _Value:
    """A number of one of the usual shapes, or, one time in four, of a shape that nobody has seen."""
    return lambda rng, _: people.pattern(rng, rng.choice(shapes)) if rng.random() < 0.75 else _odd_code(rng)


def _odd_code(rng: _Random) -> str:
    """Groups of digits and letters with any separator."""
    separator = rng.choice(["-", "-", "-", " ", " ", "/", ".", "", "", "_", ":"])
    groups = [
        people.pattern(
            rng, rng.choice(["#", "##", "###", "####", "#####", "@", "@@", "@@@", "@#", "#@", "@##", "##@", "*****"])
        )
        for _ in range(rng.randint(2, 4))
    ]
    text = separator.join(groups)
    if sum(c.isdigit() for c in text) < 3:
        text += separator + people.digits(rng, rng.randint(3, 5))
    if rng.random() < 0.1:
        text = rng.choice("#@") + text
    return text.lower() if rng.random() < 0.1 else text


def _org(kind: str) -> _Value:
    return lambda rng, vocabulary: values.organisation(rng, vocabulary, kind)


def _date(form: str) -> _Value:
    return lambda rng, _: values.date_form(rng, form)


def _age90(rng: _Random, _: Vocabulary) -> str:
    from synthetic.dates import number_words

    age = rng.randint(90, 106)
    return rng.choice([str(age)] * 5 + [number_words(age)])


def _url(rng: _Random, vocabulary: Vocabulary) -> str:
    name = people.ascii_word(values.flat(rng, vocabulary.surnames["us"]))
    return rng.choice(
        [
            f"https://www.{name}health.org/portal",
            f"www.{name}.com",
            f"http://{name}clinic.net/p/{people.digits(rng, 5)}",
            f"facebook.com/{name}{people.digits(rng, 2)}",
            f"mychart.{name}.org",
            f"linkedin.com/in/{name}",
        ]
    )


# slot: identifier, value. Numbers of every class are trained as one class: what kind it is, the patterns decide.
_MARKED: dict[str, tuple[str, _Value]] = {
    "hospital": ("FACILITY", _org("hospital")), "hospital.short": ("FACILITY", _org("hospital.short")), "clinic": ("FACILITY", _org("clinic")),
    "facility": ("FACILITY", _org("clinic")), "nursing_home": ("FACILITY", _org("nursing_home")), "pharmacy": ("FACILITY", _org("pharmacy")),
    "employer": ("EMPLOYER", _org("employer")), "school": ("EMPLOYER", _org("school")), "church": ("EMPLOYER", _org("church")),
    "city": ("CITY", lambda r, v: values.city(r, v)[0]), "hometown": ("CITY", lambda r, v: values.city(r, v)[0]),
    "county": ("COUNTY", lambda r, v: r.choice(v.counties)), "street": ("STREET", values.street),
    "unit": ("UNIT", lambda r, _: values.unit(r) if r.random() < 0.6 else values.room(r)), "room": ("UNIT", lambda r, _: values.room(r)), "zip": ("ZIP", _shaped("#####", "#####", "#####-####")),
    "date": ("DATE", _date("date")), "dob": ("DATE", _date("dob")), "date.md": ("DATE", _date("date.md")), "date.my": ("DATE", _date("date.my")),
    "date.weekday": ("DATE", _date("date.weekday")), "date.holiday": ("DATE", _date("date.holiday")), "date.range": ("DATE", _date("date.range")),
    "date.spoken": ("DATE", _date("date.spoken")), "datetime": ("DATE", _date("datetime")), "age90": ("AGE", _age90),
    "phone": ("PHONE", _phone), "fax": ("FAX", _phone), "pager": ("PHONE", _pager), "email": ("EMAIL", _email), "url": ("URL", _url),
    "ip": ("IP", lambda r, _: ".".join(str(r.randint(1, 254)) for _ in range(4))), "username": ("USERNAME", _username),
    "ssn": ("SSN", lambda r, _: r.choice([people.ssn(r), people.ssn(r).replace("-", ""), people.ssn(r).replace("-", " "), "xxx-xx-" + people.digits(r, 4)])),
    "ssn4": ("SSN", _shaped("####")),
    "mrn": ("MRN", _shaped("########", "#######", "######", "##-##-##", "E#######", "MR######", "###-###-###", "@@#######", "#########", "H##-#####", "0000####")),
    "account": ("ACCOUNT", _shaped("#########", "V##########", "7########", "A##-#####", "HAR #######", "############", "##-####-##")),
    "encounter": ("ACCOUNT", _shaped("#########", "E########", "ENC-######", "CSN #########", "########")),
    "accession": ("ACCOUNT", _shaped("@@-##-#####", "@##-####", "########", "##-@@-####", "@@########", "S##-#####", "##:@######")),
    "plan_id": ("HEALTH_PLAN", _shaped("#@*#-@*#-@@##", "@@@#########", "W#### #####", "########-01", "H#########", "@@*######", "#@*#@*#@@##")),
    "license": ("LICENSE", _shaped("@@-#####", "A######", "MD######", "#######", "@###-####-####")), "npi": ("LICENSE", lambda r, _: people.npi(r)),
    "dea": ("LICENSE", lambda r, _: people.dea(r, "Xu")), "vin": ("VEHICLE", lambda r, _: people.vin(r)), "plate": ("VEHICLE", lambda r, v: r.choice([people.plate(r)] * 4 + ["N" + people.pattern(r, "###@@"), f"{people.plate(r)} {r.choice(values.STATES)}", f"F/V {values.flat(r, v.given['us']['F'])}"])),
    "device": ("DEVICE", _shaped("@@@######", "SN ########", "########@", "@#######", "PJN######S", "######-##@")),
    "udi": ("DEVICE", lambda r, _: people.udi(r, values.day(r))), "biometric": ("BIOMETRIC", _shaped("VP-######", "PALM-****-****", "FP########", "IRIS-######", "VPRT####@")),
    "other_id": ("OTHER_ID", _shaped("@@@-##-####", "########", "@##-####", "*****-****", "@@####", "####-@@-##", "@*#*@*#*", "####", "#####", "#-#-#-#-#", "##-###")),
    "study_id": ("OTHER_ID", _shaped("@@@-##-####", "S##-###", "0##-@@@-##", "@@@####", "PT-####")),
    "dictation": ("OTHER_ID", _shaped("@@/@@@", "#######", "@@@:@@")),
}  # fmt: skip
_PLAIN: dict[str, _Value] = {
    "state": lambda r, _: r.choice(_STATE_NAMES), "st": lambda r, _: r.choice(values.STATES), "country": lambda r, _: r.choice(_COUNTRIES),
    "year": lambda r, _: str(r.randint(1960, 2025)), "time": lambda r, _: r.choice([f"{r.randint(0, 23):02d}{r.randint(0, 59):02d}", f"{r.randint(1, 12)}:{r.randint(0, 59):02d} {r.choice(['AM', 'PM', 'am', 'p.m.'])}", f"{r.randint(0, 23)}:{r.randint(0, 59):02d}"]),
    "age": lambda r, _: str(r.randint(18, 89)), "drug": lambda r, v: r.choice(_DRUGS) if r.random() < 0.4 else _any_case(r, r.choice(v.drugs)), "dose": lambda r, _: f"{r.choice([1, 2, 5, 10, 20, 25, 40, 50, 81, 100, 250, 500])} {r.choice(['mg', 'mg', 'mcg', 'units', 'mL'])}",
    "bp": lambda r, _: f"{r.randint(88, 190)}/{r.randint(45, 105)}", "hr": lambda r, _: str(r.randint(48, 130)), "temp": lambda r, _: r.choice([f"{r.randint(970, 1030) / 10}", f"{r.randint(360, 394) / 10}"]),
    "lab": lambda r, _: r.choice(_LABS), "num": lambda r, _: str(r.randint(1, 99)), "eponym": lambda r, v: r.choice(_EPONYMS if r.random() < 0.2 else v.eponyms), "dx": lambda r, _: r.choice(_DX), "score": lambda r, _: r.choice(_SCORES),
}  # fmt: skip


def _slot_name(kind: str, form: str | None) -> str:
    """`city2` is another city, `age90` and `ssn4` are slots of their own."""
    bare = kind if kind in ("age90", "ssn4") else re.sub(r"\d$", "", kind)
    return bare + (f".{form}" if form else "")


class _Note:
    """The people and repeated values of one filled template."""

    def __init__(self, rng: random.Random, vocabulary: Vocabulary, ambiguous: bool) -> None:
        self.rng, self.vocabulary = rng, vocabulary
        self.people: dict[str, Someone] = {}
        self.ambiguous = ambiguous

    def person(self, key: str) -> Someone:
        if key not in self.people:
            patient = self.people.get("p")
            family = patient.family if key.startswith("r") and patient and self.rng.random() < 0.45 else ""
            self.people[key] = someone(self.rng, self.vocabulary, family, ambiguous=self.ambiguous)
        return self.people[key]

    def slot(self, match: re.Match[str]) -> str:
        kind, form = match[1], match[2]
        if _PERSON.match(kind):
            return self._of_person(kind, form or "full")
        name = _slot_name(kind, form)
        if name == "address":
            return _address(self.rng, self.vocabulary)
        if name in _PLAIN:
            return _PLAIN[name](self.rng, self.vocabulary)
        identifier, value = _MARKED[name]
        return mark(identifier, value(self.rng, self.vocabulary))

    def _of_person(self, key: str, form: str) -> str:
        who = self.person(key)
        if form == "title":
            return who.title
        if form in ("cred", "credential"):
            return who.credential
        if form in _PRONOUNS:
            return _PRONOUNS[form][who.sex == "F"]
        if form == "initials":
            return mark("OTHER_ID", name_form(self.rng, who, form))
        return mark("CLINICIAN" if key.startswith("c") else "NAME", name_form(self.rng, who, form))


def check(template: str) -> list[str]:
    """Slots of a template that no table knows, and stray braces."""
    wrong = []
    for match in _SLOT.finditer(template):
        kind, form = match[1], match[2]
        if _PERSON.match(kind):
            known = form is None or form in _PRONOUNS or form in _FORMS
        else:
            name = _slot_name(kind, form)
            known = name in _MARKED or name in _PLAIN or name == "address"
        if not known:
            wrong.append(match[0])
    rest = _SLOT.sub("", template)
    return wrong + re.findall(r"[{}][^{}\s]{0,12}", rest)


_FORMS = frozenset(
    "full full_mid last_first first last last_comma_i i_last nick initials caps last_caps_first any title cred credential".split()
)


def _uncommented(part: str) -> str:
    """A template without its comments; one that says "lower" there is written in lower case always."""
    lines = part.strip("\n").split("\n")
    body = "\n".join(line for line in lines if not line.startswith("#!")).strip("\n")
    lower = any("lower" in line for line in lines if line.startswith("#!"))
    return LOWER + body if lower and body else body


def training_digest() -> str:
    """sha256 over the files of text, by name."""
    digest = hashlib.sha256()
    for path in sorted([*FOLDER.glob("*.txt"), *FOLDER.glob("annotated/*.txt")]):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Templates(NamedTuple):
    """What the authors wrote: whole notes, lines with slots, lines without, and those of the first whose people should be
    called by words and eponyms, for they were written beside harmless lines of the same making.
    """

    notes: list[str]
    with_slots: list[str]
    without: list[str]
    ambiguous: list[str]


@cache
def templates() -> Templates:
    """The templates of every author. Raises UserError for a slot nobody knows."""
    notes: list[str] = []
    with_slots: list[str] = []
    without: list[str] = []
    ambiguous: list[str] = []
    for path in sorted(FOLDER.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if path.stem.endswith("_lines"):
            for line in filter(None, map(str.strip, text.split("\n"))):
                if not line.startswith("#!"):
                    (with_slots if _SLOT.search(line) else without).append(line)
                    if _SLOT.search(line) and path.stem.startswith("ambiguous"):
                        ambiguous.append(line)
        else:
            notes += filter(None, (_uncommented(part) for part in text.split("\n=====")))
    for template in (*notes, *with_slots, *without):
        if wrong := check(template):
            raise UserError(
                "a training template has an unknown slot", value=wrong[0], next="see synthetic/training/fill.py"
            )
    return Templates(notes, with_slots, without, ambiguous)


def _ocr(rng: random.Random, parts: list[Piece]) -> list[Piece]:
    """Letters read wrongly by a scanner, inside identifiers too."""
    swap = {"o": "0", "l": "1", "i": "l", "e": "c", "s": "5", "m": "rn", "O": "0", "I": "l", "S": "5", "B": "8"}

    rate, split = rng.choice([0.02, 0.05, 0.1]), rng.choice([0.0, 0.01, 0.02])

    def damage(text: str) -> str:
        out = (swap.get(c, c) if rng.random() < rate else c for c in text)
        return (
            "".join(c + " " if c.isalpha() and rng.random() < split else c for c in out).rstrip(" ")
            if text.strip()
            else text
        )

    return [part._replace(text=damage(part.text)) for part in parts]


def _squeeze(rng: random.Random, parts: list[Piece]) -> list[Piece]:
    """Line breaks lost, as in exports that turn them into spaces or commas."""
    join = rng.choice([" ", ", ", ",", ",", "  ", " | ", "\\n"])
    return [part._replace(text=re.sub(r"\n+", lambda _: join, part.text)) for part in parts]


def _bare(parts: list[Piece]) -> list[Piece]:
    """Without full stops and commas outside identifiers, as hurried notes are."""
    return [part if part.identifier else part._replace(text=re.sub(r"[.,](?=\s|$)", "", part.text)) for part in parts]


def _misspelt_names(rng: random.Random, parts: list[Piece]) -> list[Piece]:
    out = []
    for part in parts:
        if part.identifier in ("NAME", "CLINICIAN", "CITY", "FACILITY") and rng.random() < 0.12 and len(part.text) > 4:
            at = rng.randrange(1, len(part.text) - 1)
            if part.text[at].isalpha():
                kind, c = rng.randrange(3), part.text[at]
                new = c + c if kind == 0 else "" if kind == 1 else _NEAR.get(c, c)
                part = part._replace(text=part.text[:at] + new + part.text[at + 1 :])
        out.append(part)
    return out


def _damaged(rng: random.Random, parts: list[Piece]) -> list[Piece]:
    """In one of the states notes come in."""
    draw = rng.random()
    if draw < 0.17:
        parts = recase(parts, "lower")
    elif draw < 0.25:
        parts = recase(parts, "upper")
    if rng.random() < 0.08:
        parts = _bare(parts)
    if rng.random() < 0.12:
        parts = mistype(parts, rng, 0.05)
    if rng.random() < 0.12:
        parts = _misspelt_names(rng, parts)
    if rng.random() < 0.10:
        parts = _squeeze(rng, parts)
    if rng.random() < 0.06:
        parts = _ocr(rng, parts)
    return parts


_LONG_WORD = re.compile(r"[A-Za-z]{5,}")


def _other_terms(rng: random.Random, vocabulary: Vocabulary, parts: list[Piece]) -> list[Piece]:
    """In one text of two, a third of the clinical words outside identifiers become others that end alike: the templates
    name a few thousand of them, notes all.
    """
    if rng.random() < 0.5:
        return parts

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        alike = vocabulary.by_ending.get(word[-2:].lower(), ())
        if rng.random() > 0.3 or word.lower() not in vocabulary.known_terms:
            return word
        new = rng.choice(alike)
        return new.upper() if word.isupper() else new.capitalize() if word[0].isupper() else new

    return [part if part.identifier else part._replace(text=_LONG_WORD.sub(swap, part.text)) for part in parts]


def _labelled(parts: list[Piece]) -> Labelled:
    text, gold = assemble(parts)
    return Labelled(text, [(g.start, g.end, g.identifier) for g in gold])


def from_annotated(marked: str, rng: random.Random, vocabulary: Vocabulary) -> Labelled:
    """An annotated note with other identifiers, two in five undamaged."""
    parts = _other_terms(rng, vocabulary, refill(marked, rng, vocabulary))
    return _labelled(_damaged(rng, parts) if rng.random() < 0.6 else parts)


def fill(
    template: str, rng: random.Random, vocabulary: Vocabulary, *, damage: bool = True, ambiguous: bool | None = None
) -> Labelled:
    """One filling of a template; with `damage`, in one of the states notes come in. People are `ambiguous` (see `someone`)
    in one filling of ten, if it is not given.
    """
    note = _Note(rng, vocabulary, rng.random() < 0.1 if ambiguous is None else ambiguous)
    parts = _other_terms(rng, vocabulary, pieces(_SLOT.sub(note.slot, template.removeprefix(LOWER))))
    if template.startswith(LOWER):
        parts = recase(parts, "lower")
    elif _SLOT.sub("", template).isupper():
        parts = recase(parts, "upper")
    if damage:
        parts = _damaged(rng, parts)
    return _labelled(parts)


# What a placeholder of a de-identified note becomes when the note carries training text.
_CARRIED = {
    "NAME": "{p.any}", "CLINICIAN": "{c1.any}", "EMPLOYER": "{employer}", "FACILITY": "{hospital}", "STREET": "{street}", "CITY": "{city}",
    "COUNTY": "{county}", "ZIP": "{zip}", "UNIT": "{room}", "DATE": "{date}", "AGE": "{age90}", "PHONE": "{phone}", "FAX": "{fax}", "EMAIL": "{email}", "SSN": "{ssn}", "MRN": "{mrn}",
    "HEALTH_PLAN": "{plan_id}", "ACCOUNT": "{account}", "LICENSE": "{license}", "VEHICLE": "{plate}", "DEVICE": "{device}", "URL": "{url}", "IP": "{ip}", "BIOMETRIC": "{biometric}",
    "USERNAME": "{username}", "OTHER_ID": "{other_id}",
}  # fmt: skip
_PLACEHOLDER = re.compile(rf"\[({'|'.join(_CARRIED)})\]")


def carrier(text: str) -> str:
    """A de-identified note, its identifiers placeholders as a released corpus has them, as a template.

    Names take turns among the patient and three others; braces of the note are dropped, for they mean slots here.
    """
    people_of = {
        "NAME": itertools.cycle(("p", "p", "r1", "p", "r2")),
        "CLINICIAN": itertools.cycle(("c1", "c2", "c1", "c3")),
    }

    def slot(match: re.Match[str]) -> str:
        kind = match[1]
        return f"{{{next(people_of[kind])}.any}}" if kind in people_of else _CARRIED[kind]

    return _PLACEHOLDER.sub(slot, re.sub(r"[{}]", "", text))


def _list(rng: random.Random, vocabulary: Vocabulary) -> str:
    """Drugs or clinical terms one after the other, as in a list of medications or problems: no identifier in it."""
    lines = []
    for number in range(1, rng.randint(3, 9)):
        draw = rng.random()
        if draw < 0.45:
            word = rng.choice(vocabulary.drugs)
            tail = f" {rng.choice([2.5, 5, 10, 20, 25, 40, 81, 100, 500])} {rng.choice(['mg', 'mcg', 'units', 'mg/mL', 'mEq'])} {rng.choice(['daily', 'BID', 'PO q6h', 'qhs prn', 'tid', 'IV', 'po qd', ''])}"
        elif draw < 0.7:
            word, tail = rng.choice(vocabulary.eponyms), rng.choice(["", "", " neg", " positive", ", stable", " noted"])
        else:
            word, tail = (
                " ".join(rng.sample(vocabulary.terms, rng.randint(1, 3))),
                rng.choice(["", "", ", stable", " (resolved)", ": unchanged", ", s/p"]),
            )
        if not 0.45 <= draw < 0.7:  # an eponym keeps its capitals
            word = rng.choice([word, word.title(), word.capitalize(), word.capitalize(), word.upper()])
        lines.append(rng.choice([f"{number}. ", "- ", "", "* "]) + word + (tail if rng.random() < 0.7 else ""))
    return rng.choice(["\n", "\n", ", ", "; "]).join(lines)


def texts(seed: int, number: int, vocabulary: Vocabulary, carriers: Sequence[str] = ()) -> Iterator[Labelled]:
    """Round `number` of training text: every template and annotated note once, each round with other people and places.

    `carriers` are notes of the user's own whose identifiers are placeholders; each is filled in every fourth round.

    Lines are put together by one to ten, so that the model sees sentences beside other sentences. Lines without any
    identifier come once more each alone, for that is where a model that knows whole notes sees people, and so do those
    of ambiguous people and the annotated snippets.
    """
    notes, with_slots, without, ambiguous = templates()
    written, snippets = annotated()
    rng = random.Random(f"{seed}:training:{number}")
    for template in notes:
        yield fill(template, rng, vocabulary)
    for note in carriers[number % 4 :: 4]:
        yield fill(carrier(note), rng, vocabulary)
    for one in (*written, *snippets):
        yield from_annotated(one, rng, vocabulary)
    for some in _groups(rng, snippets, 8):
        yield from_annotated(rng.choice(["\n", "\n", "\n\n", " "]).join(some), rng, vocabulary)
    yield from (Labelled(_list(rng, vocabulary), []) for _ in range(len(notes) // 4))
    for some in _groups(rng, [*with_slots, *with_slots, *without], 10):
        yield fill(rng.choice(["\n", " ", "\n", "\n\n", ". "]).join(some), rng, vocabulary)
    for line in without:
        yield fill(line, rng, vocabulary)
    for line in ambiguous:
        yield fill(line, rng, vocabulary, ambiguous=True)


def _groups(rng: random.Random, lines: Sequence[str], most: int) -> Iterator[list[str]]:
    """The lines in any order, by one to `most`."""
    order = rng.sample(lines, len(lines))
    at = 0
    while at < len(order):
        size = rng.randint(1, most)
        yield order[at : at + size]
        at += size


def literal() -> Iterator[str]:
    """What the authors of templates and annotated notes wrote themselves, without slots and marks."""
    notes, with_slots, without, _ = templates()
    for template in (*notes, *with_slots, *without):
        yield _SLOT.sub(" | ", template)
    for marked in itertools.chain(*annotated()):
        yield MARK.sub(" | ", marked)
