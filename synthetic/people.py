"""Who is in the synthetic hospital: patients with their relatives, addresses and numbers, staff, and sites.

Everything is drawn from ``random.Random`` objects seeded by a string of the seed and the person's number, so one
patient never depends on how many others there are. Numbers carry the check digits real ones carry.
"""

from __future__ import annotations

import random
import string
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from synthetic.tables import load, words

NEWBORN_EVERY, MOTHER_AT = 80, 33  # patient 33 of every 80 is a mother, the next one her newborn


class Place(NamedTuple):
    city: str
    county: str
    state: str
    zips: list[str]
    area: str


@dataclass(frozen=True)
class Person:
    """A human being with a name; ``entity`` is the id that every mention of the person carries in the gold."""

    entity: str
    given: str
    middle: str
    family: str
    suffix: str
    sex: str
    nickname: str = ""

    @property
    def initials(self) -> str:
        return "".join(part[0] for part in (self.given, self.middle, self.family) if part).upper()


@dataclass(frozen=True)
class Clinician:
    person: Person
    credential: str
    specialty: str
    pager: str
    npi: str
    dea: str
    license: str
    username: str


@dataclass(frozen=True)
class Site:
    entity: str
    name: str
    place: Place
    phone: str
    fax: str
    url: str
    mrn_style: int


@dataclass(frozen=True)
class Relative:
    relation: str
    person: Person
    phone: str


@dataclass(frozen=True)
class Patient:
    """One patient; the fields from ``street`` on are the planted identifiers."""

    number: int
    person: Person
    birth: date
    place: Place
    street: str
    unit: str
    zip: str
    phone: str
    cell: str
    fax: str
    email: str
    username: str
    ssn: str
    mrn: str
    plan: str
    plan_id: str
    group: str
    account: str
    employer: str
    school: str
    plate: str
    vin: str
    driver_license: str
    biometric: str
    study_id: str
    ip: str
    relatives: tuple[Relative, ...]
    mother: Person | None = None
    mother_mrn: str = ""
    delivery: date | None = None

    @property
    def entity(self) -> str:
        return self.person.entity


# --- names ------------------------------------------------------------------------------------------------------

NICKNAMES = {
    "Robert": "Bob", "William": "Bill", "James": "Jim", "Richard": "Dick", "Margaret": "Peggy", "Elizabeth": "Betty",
    "Thomas": "Tom", "Michael": "Mike", "Patricia": "Patty", "Katherine": "Kate", "Kathleen": "Kathy", "John": "Jack",
    "Charles": "Chuck", "Deborah": "Deb", "Susan": "Sue", "Barbara": "Barb", "Dorothy": "Dot", "Francisco": "Paco",
    "José": "Pepe", "Guadalupe": "Lupe", "Guillermo": "Memo", "Jesús": "Chuy", "Salvatore": "Sal", "Anthony": "Tony",
    "Stanislaw": "Stan", "Benjamin": "Benny", "Lawrence": "Larry", "Rebecca": "Becky", "Venkatesh": "Venky",
    "Oluwaseun": "Seun", "Chukwuemeka": "Emeka", "Konstantinos": "Gus", "Dimitrios": "Jimmy", "Mohammed": "Mo",
    "Vladimir": "Vova", "Consuelo": "Chelo", "Rosalinda": "Linda", "Reginald": "Reggie", "Cornelius": "Neil",
}  # fmt: skip


@cache
def _origins() -> tuple[list[str], list[int]]:
    table = load("names")
    return list(table), [int(record["weight"][0]) for record in table.values()]


@cache
def _names(origin: str, field: str) -> list[str]:
    return words(load("names")[origin][field])


def origin(rng: random.Random) -> str:
    """An origin by its share; names of one person mostly come from one origin."""
    keys, weights = _origins()
    return rng.choices(keys, weights)[0]


def given_name(rng: random.Random, sex: str, source: str) -> str:
    if rng.random() < 0.18:
        source = "anglo"
    return rng.choice(_names(source, sex.lower()))


def family_name(rng: random.Random, source: str) -> str:
    name = rng.choice(_names(source, "family"))
    if rng.random() < 0.03 and " " not in name and "-" not in name:
        name += "-" + rng.choice(_names("anglo", "family")[:60])
    return name


def make_person(rng: random.Random, entity: str, sex: str, source: str, family: str | None = None) -> Person:
    """A person with middle name or initial, suffix and nickname in realistic shares."""
    given = given_name(rng, sex, source)
    middle = rng.choice([given_name(rng, sex, source), rng.choice(string.ascii_uppercase), rng.choice("AEJLMR"), ""])
    suffix = rng.choice(["Jr.", "Jr", "III", "Sr.", "II", "IV"]) if sex == "M" and rng.random() < 0.07 else ""
    nickname = NICKNAMES.get(given) or rng.choice(
        ["Skipper", "Buddy", "Kiki", "Bubba", "Junior", "Coco", "Tito", "Mimi"]
    )
    return Person(entity, given, middle, family or family_name(rng, source), suffix, sex, nickname)


def ascii_word(name: str) -> str:
    """Lower-case ASCII letters of a name, as in an e-mail address."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(char for char in folded.lower() if char.isalpha()) or "user"


# --- numbers ----------------------------------------------------------------------------------------------------


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def pattern(rng: random.Random, shape: str) -> str:
    """``#`` a digit, ``@`` a capital letter, ``*`` either; other characters stand for themselves."""
    pools = {"#": string.digits, "@": "ABCDEFGHJKLMNPRSTUVWXYZ", "*": "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"}
    return "".join(rng.choice(pools[char]) if char in pools else char for char in shape)


def luhn_digit(number: str) -> str:
    """Check digit that makes ``number`` + digit pass the Luhn test."""
    total = 0
    for place, char in enumerate(reversed(number)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def npi(rng: random.Random) -> str:
    """National Provider Identifier: ten digits, Luhn over the prefix 80840 (45 CFR 162.406)."""
    body = rng.choice("12") + digits(rng, 8)
    return body + luhn_digit("80840" + body)


def dea(rng: random.Random, family: str) -> str:
    """DEA number: two letters, six digits, check digit (sum of odd places + twice the even ones)."""
    body = digits(rng, 6)
    check = sum(map(int, body[::2])) + 2 * sum(map(int, body[1::2]))
    return rng.choice("ABFM") + ascii_word(family)[0].upper() + body + str(check % 10)


_VIN_VALUE = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)
_VIN_WEIGHT = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin_check(number: str) -> str:
    """Check digit of a 17-character vehicle identification number (49 CFR 565.15)."""
    total = sum((_VIN_VALUE.get(char) or int(char)) * weight for char, weight in zip(number, _VIN_WEIGHT, strict=True))
    return "X" if total % 11 == 10 else str(total % 11)


def vin(rng: random.Random) -> str:
    maker = rng.choice(["1FT", "1HG", "2T1", "3FA", "1G1", "4T1", "5YJ", "JN8", "KMH", "WVW"])
    number = maker + pattern(rng, "*****0**######")
    return number[:8] + vin_check(number) + number[9:]


def ssn(rng: random.Random) -> str:
    area = rng.choice([rng.randint(1, 665), rng.randint(667, 899)])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def phone(rng: random.Random, area: str) -> str:
    """Ten digits; exchanges as the numbering plan allows them, never the reserved 555."""
    exchange = rng.randint(200, 989)
    while exchange % 100 == 11 or exchange == 555:
        exchange = rng.randint(200, 989)
    return f"{area}{exchange}{rng.randint(0, 9999):04d}"


def udi(rng: random.Random, made: date) -> str:
    """GS1 unique device identifier: item number with its check digit, expiry, lot, serial."""
    item = "00" + digits(rng, 11)
    check = -sum(int(char) * (3 if place % 2 == 0 else 1) for place, char in enumerate(item)) % 10
    expiry = made + timedelta(days=rng.randint(400, 1500))
    return f"(01){item}{check}(17){expiry:%y%m%d}(10){pattern(rng, '@####*')}(21){pattern(rng, '########')}"


def plan_number(rng: random.Random, plan: str) -> str:
    if plan == "Medicare":
        return pattern(rng, rng.choice(["#@*#-@*#-@@##", "#@*#@*#@@##"]))
    return pattern(
        rng, rng.choice(["@@@#########", "W#### #####", "########-01", "H#########", "@@*######", "9########"])
    )


def plate(rng: random.Random) -> str:
    return pattern(rng, rng.choice(["@@@ ####", "#@@@###", "@@@-###", "### @@@", "@@ #####", "@@@####"]))


# --- places, sites, staff ---------------------------------------------------------------------------------------


@cache
def places() -> list[Place]:
    rows = [row.split("|") for row in load("places")["places"]["rows"]]
    return [Place(city, county, state, zips.split(","), area) for city, county, state, zips, area in rows]


def county_name(place: Place) -> str:
    """The county without its generic word (County, Parish, Borough)."""
    for generic in (" Parish", " Borough", " Municipality", " City"):
        if place.county.endswith(generic):
            return place.county[: -len(generic)]
    return place.county


def street(rng: random.Random) -> str:
    table = load("places")["places"]
    name = f"{rng.choice(words(table['streets']))} {rng.choice(words(table['street_types']))}"
    if rng.random() < 0.05:
        return f"P.O. Box {rng.randint(11, 9899)}"
    if rng.random() < 0.06:
        return f"{rng.choice(['RR', 'County Road', 'State Route', 'Hwy'])} {rng.randint(2, 412)}"
    return f"{rng.choice([rng.randint(11, 999), rng.randint(1000, 19999)])} {name}"


def organisation(rng: random.Random, kind: str, place: Place) -> str:
    """A made-up organisation: ``kind`` is hospitals, other_facilities or employers."""
    table = load("places")["places"]
    return rng.choice(words(table[kind])).format(
        saint=rng.choice(words(table["saints"])),
        tree=rng.choice(words(table["trees"])),
        city=place.city,
        county_name=county_name(place),
        surname=family_name(rng, rng.choice(["anglo", "german", "italian", "irish", "nordic", "slavic", "jewish"])),
    )


@cache
def sites(seed: int) -> list[Site]:
    """Fourteen hospitals and clinics, each with its own number style and portal."""
    out: list[Site] = []
    for number in range(14):
        rng = random.Random(f"{seed}:site:{number}")
        place = rng.choice(places())
        name = organisation(rng, "hospitals", place)
        short = "".join(ascii_word(word)[0] for word in name.split()) + rng.choice(["health", "care", "med", "connect"])
        domain = f"{short}.{rng.choice(['org', 'com', 'net', 'edu'])}"
        link = rng.choice(
            ["https://my{}/login", "www.{}/portal", "https://mychart.{}", "{}/mychart", "http://portal.{}/u"]
        )
        main, fax = phone(rng, place.area), phone(rng, place.area)
        out.append(Site(f"F{number:03d}", name, place, main, fax, link.format(domain), rng.randrange(6)))
    return out


SPECIALTIES = (
    ["Internal Medicine"] * 5 + ["Family Medicine"] * 4 + ["Emergency Medicine"] * 4 + ["Radiology"] * 3
    + ["General Surgery"] * 3 + ["Orthopedics"] * 2 + ["Cardiology"] * 3 + ["Neurology"] * 2 + ["Oncology"] * 2
    + ["Nephrology", "Gastroenterology", "Pulmonology", "Endocrinology", "Rheumatology", "Psychiatry", "Urology"]
    + ["Obstetrics", "Pediatrics", "Pathology", "Pathology", "Nursing", "Nursing", "Nursing", "Nursing", "Social Work"]
)  # fmt: skip


@cache
def staff(seed: int) -> list[Clinician]:
    """Clinicians of all sites; the first ``len(SPECIALTIES)`` hold one post of each kind."""
    out: list[Clinician] = []
    for number in range(4 * len(SPECIALTIES)):
        rng = random.Random(f"{seed}:staff:{number}")
        specialty = SPECIALTIES[number % len(SPECIALTIES)]
        who = make_person(rng, f"C{number:03d}", rng.choice("MF"), origin(rng))
        credential = rng.choice(["MD", "MD", "MD", "DO", "M.D.", "MD, PhD", "MBBS", "MD, FACP", "D.O."])
        if specialty in ("Internal Medicine", "Family Medicine") and rng.random() < 0.25:
            credential = rng.choice(["NP", "PA-C", "FNP-BC", "APRN"])
        if specialty == "Nursing":
            credential = rng.choice(["RN", "RN, BSN", "LPN", "RN"])
        if specialty == "Social Work":
            credential = rng.choice(["LCSW", "MSW", "LICSW"])
        state = rng.choice(places()).state
        license_no = rng.choice(
            [f"{state}-{digits(rng, 5)}", f"A{digits(rng, 6)}", f"MD{digits(rng, 6)}", digits(rng, 7)]
        )
        username = (ascii_word(who.given)[0] + ascii_word(who.family)[:6] + rng.choice(["", "1", "2", "3"]))[:8]
        pager = rng.choice([digits(rng, 4), digits(rng, 5), f"{rng.randint(2, 9)}-{digits(rng, 4)}"])
        out.append(Clinician(who, credential, specialty, pager, npi(rng), dea(rng, who.family), license_no, username))
    return out


def clinician(rng: random.Random, seed: int, *specialties: str) -> Clinician:
    """Some clinician of one of the specialties, of any when none holds one."""
    pool = [member for member in staff(seed) if not specialties or member.specialty in specialties]
    return rng.choice(pool or staff(seed))


# --- patients ---------------------------------------------------------------------------------------------------


def _birth(rng: random.Random) -> date:
    """Most are adults in 2016; one in eight is or becomes older than 89 while in care."""
    draw = rng.random()
    if draw < 0.06:
        year = rng.randint(1917, 1923)
    elif draw < 0.13:
        year = rng.randint(1924, 1929)
    elif draw < 0.20:
        year = rng.randint(1998, 2010)
    else:
        year = int(rng.triangular(1930, 1997, 1952))
    return date(year, 1, 1) + timedelta(days=rng.randrange(365))


def is_mother(number: int) -> bool:
    return number % NEWBORN_EVERY == MOTHER_AT


def is_newborn(number: int) -> bool:
    return number % NEWBORN_EVERY == MOTHER_AT + 1


def _newborn_person(seed: int, number: int, family: str) -> Person:
    rng = random.Random(f"{seed}:newborn:{number}")
    return make_person(rng, f"P{number:06d}", rng.choice("MF"), origin(rng), family)


def mrn_text(rng: random.Random, style: int) -> str:
    shapes = ["########", "#######", "##-##-##", "E#######", "MR######", "###-###-####"]
    return rng.choice("123456789") + pattern(rng, shapes[style])[1:] if style < 3 else pattern(rng, shapes[style])


def home_site(seed: int, number: int) -> Site:
    return random.Random(f"{seed}:home:{number}").choice(sites(seed))


@cache
def make_patient(seed: int, number: int) -> Patient:
    """Patient ``number`` (from 0), the same for every number of patients."""
    rng = random.Random(f"{seed}:patient:{number}")
    mother = make_patient(seed, number - 1) if is_newborn(number) else None
    sex = "F" if is_mother(number) else rng.choice("MF")
    source = origin(rng)
    birth = _birth(rng)
    delivery = None
    if is_mother(number):
        delivery = date(2013, 1, 1) + timedelta(days=rng.randrange(3200))
        birth = delivery - timedelta(days=rng.randrange(20 * 365, 39 * 365))
    who = make_person(rng, f"P{number:06d}", sex, source)
    if mother is not None:
        who, birth = _newborn_person(seed, number, mother.person.family), mother.delivery or birth
    site = home_site(seed, number if mother is None else number - 1)
    near = [place for place in places() if place.state == site.place.state]
    place = mother.place if mother else rng.choice([site.place, site.place, rng.choice(near), rng.choice(places())])
    address = mother.street if mother else street(rng)
    base = ascii_word(who.family) if rng.random() < 0.6 else ascii_word(who.given)
    username = rng.choice(
        [
            ascii_word(who.given)[0] + base,
            base + str(rng.randint(2, 99)),
            f"{base}_{birth:%y}",
            f"{base}.{rng.choice('abcd')}{digits(rng, 2)}",
        ]
    )
    domain = rng.choice(
        ["gmail.com", "yahoo.com", "hotmail.com", "aol.com", "comcast.net", "outlook.com", "icloud.com", "q.com"]
    )
    local = rng.choice(
        [
            f"{ascii_word(who.given)}.{ascii_word(who.family)}",
            username,
            f"{base}{digits(rng, 3)}",
            f"{ascii_word(who.given)[0]}{ascii_word(who.family)}{rng.choice(['', '1', '77'])}",
        ]
    )
    plan = rng.choice(words(load("places")["places"]["plans"]))
    if birth.year < 1950:
        plan = "Medicare"
    return Patient(
        number=number,
        person=who,
        birth=birth,
        place=place,
        street=address,
        unit=mother.unit
        if mother
        else pattern(rng, rng.choice(["#@", "##", "1##", "2#@"]))
        if rng.random() < 0.3
        else "",
        zip=mother.zip
        if mother
        else rng.choice(place.zips) + (f"-{rng.randint(1001, 9899)}" if rng.random() < 0.15 else ""),
        phone=phone(rng, place.area),
        cell=phone(rng, rng.choice(places()).area if rng.random() < 0.3 else place.area),
        fax=phone(rng, place.area),
        email=f"{local}@{domain}",
        username=username,
        ssn=ssn(rng),
        mrn=mrn_text(rng, site.mrn_style),
        plan=plan,
        plan_id=plan_number(rng, plan),
        group=pattern(rng, rng.choice(["######", "@@@##", "0#####-##"])),
        account=pattern(rng, rng.choice(["#########", "V##########", "7########", "A##-#####"])),
        employer=organisation(rng, "employers", place),
        school=rng.choice(
            [
                f"{place.city} High School",
                f"{place.city} Community College",
                f"{family_name(rng, 'anglo')} University",
                f"{place.city} Middle School",
            ]
        ),
        plate=plate(rng),
        vin=vin(rng),
        driver_license=pattern(rng, rng.choice(["@###-####-####", "@#######", "########", "@@######@"])),
        biometric=pattern(rng, rng.choice(["VP-######", "PALM-****-****", "FP########", "IRIS-######"])),
        study_id=pattern(rng, rng.choice(["@@@-##-####", "S##-###", "0##-@@@-##", "HARBOR-####"])),
        ip=".".join(str(rng.randint(low, 254)) for low in (24, 0, 0, 1)),
        relatives=_relatives(rng, who, source, birth, number, seed, delivery, mother, place),
        mother=mother.person if mother else None,
        mother_mrn=mother.mrn if mother else "",
        delivery=delivery,
    )


def _relatives(
    rng: random.Random, who: Person, source: str, birth: date, number: int, seed: int, delivery: date | None,
    mother: Patient | None, place: Place,
) -> tuple[Relative, ...]:  # fmt: skip
    """Two to four relatives that fit the patient's age; a newborn's mother and a mother's newborn are patients too."""
    if mother is not None:
        kinds = [("father", "M"), ("grandmother", "F")]
    elif birth.year > 1994:
        kinds = [("mother", "F"), ("father", "M"), ("sister", "F"), ("grandmother", "F"), ("stepfather", "M")]
    elif birth.year > 1970:
        kinds = [
            ("husband", "M") if who.sex == "F" else ("wife", "F"),
            ("mother", "F"),
            ("brother", "M"),
            ("sister", "F"),
            ("partner", rng.choice("MF")),
        ]
    else:
        kinds = [
            ("husband", "M") if who.sex == "F" else ("wife", "F"),
            ("daughter", "F"),
            ("son", "M"),
            ("sister", "F"),
            ("niece", "F"),
            ("nephew", "M"),
            ("granddaughter", "F"),
            ("neighbor", rng.choice("MF")),
        ]
    chosen = (
        kinds[:2] if mother is not None else kinds[:1] + rng.sample(kinds[1:], min(len(kinds) - 1, rng.randint(1, 3)))
    )
    out: list[Relative] = []
    if mother is not None:
        out.append(Relative("mother", mother.person, mother.cell))
    if delivery is not None:
        out.append(Relative("newborn", _newborn_person(seed, number + 1, who.family), phone(rng, place.area)))
    for relation, sex in chosen:
        same = rng.random() < (0.1 if relation == "neighbor" else 0.65)
        entity = f"P{number:06d}-R{len(out) + 1}"
        relative = make_person(rng, entity, sex, source, who.family if same else None)
        out.append(Relative(relation, relative, phone(rng, place.area)))
    return tuple(out)
