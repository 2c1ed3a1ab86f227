"""One note's point of view: who writes about whom, on which day, and what each ``{slot}`` of a template says there."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta

from synthetic import dates, people
from synthetic.medicine import Problem, State, problems
from synthetic.people import Clinician, Patient, Person, Site
from synthetic.tables import expand, load, words
from synthetic.writer import mark

_FILED_ELSEWHERE = 900_001  # patient 0 has nobody below; this one is in no table

# Lines that make sense only on the ward, or only in the office.
_WARD = re.compile(
    r"\b(IV|NPO|to OR|OR \[|inpatient|drip|PCA|nebs|Duoneb|Permissive|Swallow|CIWA|Net negative|WBAT|DVT|Dispo|"
    r"Code status|Toradol|Expectant)\b"
)
_OFFICE = re.compile(r"Return in|Health maintenance|before next visit|next visit")

# What an optional part of a template leaves behind when it is empty.
_SPACES = re.compile(r" {2,}")
_STOPS = re.compile(r"\.\.+(?=\s|$)")
_SPACE_BEFORE = re.compile(r" ([.,:;)])(?=\s|$)")


class Deck:
    """Deals the lines of a list without repeating one before all were dealt."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._left: dict[str, list[str]] = {}

    def deal(self, key: str, lines: list[str], count: int) -> list[str]:
        out: list[str] = []
        for _ in range(min(count, len(lines))):
            if not self._left.get(key):
                self._left[key] = self._rng.sample(lines, len(lines))
            line = self._left[key].pop()
            if line not in out:
                out.append(line)
        return out


def misspell(rng: random.Random, name: str) -> str:
    """A name as a tired hand types it: two letters swapped, one doubled, one dropped."""
    if len(name) < 5:
        return name
    at = rng.randrange(1, len(name) - 2)
    return rng.choice(
        [
            name[:at] + name[at + 1] + name[at] + name[at + 2 :],
            name[:at] + name[at] + name[at:],
            name[:at] + name[at + 1 :],
        ]
    )


class Scene:
    """Resolves slots for one note. ``seed`` finds the staff, ``rng`` draws everything else."""

    def __init__(
        self, seed: int, rng: random.Random, patient: Patient, state: State, site: Site, day: date, deck: Deck,
        team: dict[str, Clinician], main: str, encounter: str,
    ) -> None:  # fmt: skip
        self.seed, self.rng, self.patient, self.state, self.site, self.day = seed, rng, patient, state, site, day
        self.deck, self.team, self.main, self.encounter = deck, team, main, encounter
        self.admitted = day
        self.office = False
        self.topic = main
        self.style = dates.pick_style(rng)
        self.age = (day - patient.birth).days * 4 // 1461
        self.room = people.pattern(rng, rng.choice(["4##", "2##", "#12", "6##-A", "3##B", "8##", "1#"]))
        self.caller = rng.choice(patient.relatives) if patient.relatives else None
        if self.age < 16 and patient.relatives:
            self.caller = patient.relatives[0]
        self.history: list[str] = []
        self.surgeries: list[str] = []
        self.allergies: list[str] = []

    # --- reading templates

    def say(self, template: str) -> str:
        """A template with every choice made and every slot filled; a sentence starts with a capital letter."""
        said = _SPACES.sub(" ", expand(template, self.rng, self.slot))
        return _STOPS.sub(".", _SPACE_BEFORE.sub(r"\1", said))

    def lines(self, table: str, field: str, count: int) -> list[str]:
        """``count`` lines of a phrase table, dealt from the patient's deck; children have lines of their own."""
        if self.age < 13 and f"{field}_child" in load("phrases")[table]:
            field += "_child"
        return self._deal(f"{table}.{field}", load("phrases")[table][field], count)

    def about(self, key: str, field: str, count: int) -> list[str]:
        """``count`` lines of a problem's field, with that problem as topic."""
        self.topic = key
        return self._deal(f"{key}.{field}", problems()[key].lines.get(field, []), count)

    def _deal(self, key: str, lines: list[str], count: int) -> list[str]:
        """Lines from the deck, without those that belong to the ward in the office, and the other way round."""
        wrong = _WARD if self.office else _OFFICE
        fit = [line for line in lines if not wrong.search(line)]
        return [self.say(line) for line in self.deck.deal(f"{key}.{self.office}", fit, count)]

    @property
    def problem(self) -> Problem:
        return problems()[self.topic]

    def slot(self, name: str, argument: str) -> str:
        return str(getattr(self, f"_{name}")(argument))

    # --- marks

    def date_mark(self, text: str, day: date) -> str:
        if text.startswith("the "):
            return "the " + mark("DATE", text[4:], f"D{day}")
        return mark("DATE", text, f"D{day}")

    def full_date(self, day: date, style: int | None = None) -> str:
        return self.date_mark(dates.full(day, self.style if style is None else style), day)

    def phone_text(self, number: str) -> str:
        area, exchange, line = number[:3], number[3:6], number[6:]
        forms = (
            f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}",
            f"({area}){exchange}-{line}", f"{area} {exchange} {line}", f"1-{area}-{exchange}-{line}",
            f"+1 {area} {exchange} {line}", f"{area}/{exchange}-{line}", number, f"{exchange}-{line}",
        )  # fmt: skip
        return self.rng.choices(forms, [10, 12, 4, 3, 2, 2, 1, 1, 1, 3])[0]

    def phone_mark(self, number: str, entity: str, kind: str = "PHONE", extension: bool = False) -> str:
        text = self.phone_text(number)
        if extension and self.rng.random() < 0.25:
            text += self.rng.choice([" ext. ", " x", " ext ", ", extension "]) + people.digits(self.rng, 4)
        return mark(kind, text, entity)

    def name_mark(self, person: Person, text: str, kind: str = "NAME") -> str:
        if self.rng.random() < 0.008:
            text = misspell(self.rng, text)
        return mark(kind, text, person.entity)

    def full_name(self, person: Person, kind: str = "NAME") -> str:
        middle = person.middle if self.rng.random() < 0.35 else ""
        if middle and (len(middle) == 1 or self.rng.random() < 0.5):
            middle = middle[0] + self.rng.choice([".", ".", ""])
        text = " ".join(part for part in (person.given, middle, person.family) if part)
        if person.suffix and self.rng.random() < 0.6:
            text += self.rng.choice([" ", ", "]) + person.suffix
        return self.name_mark(person, text, kind)

    def header_name(self, person: Person) -> str:
        """A name as a header block prints it, often reversed or in capitals."""
        middle = f" {person.middle[0]}" if person.middle and self.rng.random() < 0.6 else ""
        last = person.family + (f" {person.suffix}" if person.suffix else "")
        forms = (
            f"{last}, {person.given}{middle}", f"{last.upper()}, {person.given.upper()}{middle}",
            f"{last.upper()}, {person.given}{middle}{'.' if middle else ''}", f"{person.given}{middle} {last}",
            f"{person.given} {last}".upper(), f"{last},{person.given}".upper(),
        )  # fmt: skip
        return self.name_mark(person, self.rng.choice(forms))

    def title(self, person: Person) -> str:
        if person.sex == "M":
            return "Mr."
        return self.rng.choice(["Ms.", "Mrs.", "Ms."])

    def titled(self) -> str:
        who = self.patient.person
        if self.age < 16:
            return self.name_mark(who, who.given)
        draw = self.rng.random()
        if draw < 0.62:
            return f"{self.title(who)} {self.name_mark(who, who.family)}"
        if draw < 0.82:
            return self.full_name(who)
        return f"{self.title(who)} {self.full_name(who)}"

    def clinician_full(self, who: Clinician, credential: bool = True) -> str:
        name = self.full_name(who.person, "CLINICIAN")
        return f"{name}, {who.credential}" if credential else name

    def surname(self, who: Clinician) -> str:
        person = who.person
        draw = self.rng.random()
        text = person.family if draw < 0.8 else f"{person.given} {person.family}"
        if draw > 0.95:
            text = f"{person.given[0]}. {person.family}"
        return self.name_mark(person, text, "CLINICIAN")

    def member(self, role: str, *specialties: str) -> Clinician:
        """The same clinician for a role all through a note."""
        if role not in self.team:
            self.team[role] = people.clinician(self.rng, self.seed, *specialties)
        return self.team[role]

    def relative_mark(self, role: people.Relative) -> str:
        person = role.person
        text = person.given if self.rng.random() < 0.55 else f"{person.given} {person.family}"
        return self.name_mark(person, text)

    # --- slots: words about the patient

    @property
    def female(self) -> bool:
        return self.patient.person.sex == "F"

    def _pt(self, _: str) -> str:
        draw = self.rng.random()
        return "the patient" if draw < 0.55 else "pt" if draw < 0.7 else self.titled()

    def _Pt(self, _: str) -> str:
        draw = self.rng.random()
        return "The patient" if draw < 0.5 else "Pt" if draw < 0.62 else self.titled()

    def _name(self, _: str) -> str:
        return self.titled()

    def _namecaps(self, _: str) -> str:
        return self.header_name(self.patient.person)

    def _ptinitials(self, _: str) -> str:
        letters = self.patient.person.initials
        if self.rng.random() < 0.5:
            return mark("OTHER_ID", letters, self.patient.entity)
        return mark("OTHER_ID", ".".join(letters), self.patient.entity) + "."

    def _nickname(self, _: str) -> str:
        return mark("NAME", self.patient.person.nickname, self.patient.entity)

    def _he(self, _: str) -> str:
        return "she" if self.female else "he"

    def _He(self, _: str) -> str:
        return "She" if self.female else "He"

    def _him(self, _: str) -> str:
        return "her" if self.female else "him"

    def _his(self, _: str) -> str:
        return "her" if self.female else "his"

    def _His(self, _: str) -> str:
        return "Her" if self.female else "His"

    def age_mark(self, age: int) -> str:
        """Digits or words; an age over 89 is an identifier."""
        text = dates.number_words(age) if self.rng.random() < (0.3 if age > 89 else 0.06) else str(age)
        return mark("AGE", text, f"{self.patient.entity}-age") if age > 89 else text

    def _old(self, _: str) -> str:
        age = self.rng.randint(91, 101)
        return mark(
            "AGE", dates.number_words(age) if self.rng.random() < 0.35 else str(age), f"{self.patient.entity}-kin-age"
        )

    def _agesex(self, _: str) -> str:
        days = (self.day - self.patient.birth).days
        sex = "female" if self.female else "male"
        if self.age < 2:
            unit = (
                f"{max(days, 1)}-day-old"
                if days < 28
                else f"{days // 7}-week-old"
                if days < 120
                else f"{days // 30}-month-old"
            )
            return f"{unit} {'girl' if self.female else 'boy'}"
        noun = ("woman" if self.female else "man") if self.age > 17 else ("girl" if self.female else "boy")
        age = self.age_mark(self.age)
        if self.age <= 89 and age.isdigit() and self.rng.random() < 0.25:
            return f"{age}{self.rng.choice([' yo ', ' y/o ', '', ' y.o. '])}{sex[0].upper()}"
        if self.age > 89 and self.rng.random() < 0.12:
            return f"{age} year old {sex}"
        return self.rng.choice(
            [
                f"{age}-year-old {noun}",
                f"{age}-year-old {noun}",
                f"{age} y.o. {sex}",
                f"{age} year old {sex}",
                f"{age} yr old {noun}",
            ]
        )

    def _pmh(self, _: str) -> str:
        keys = [key for key in self.state.active if key != self.main] or self.state.past
        if not keys:
            return self.rng.choice(
                ["no significant past history", "no chronic problems", "an unremarkable past history"]
            )
        chosen = keys if len(keys) <= 3 else self.rng.sample(keys, 3)
        names = [self.rng.choice(problems()[key].names) for key in chosen]
        return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

    def _problem(self, _: str) -> str:
        return self.rng.choice(problems()[self.main].names)

    def _other(self, _: str) -> str:
        others = [key for key in self.state.active if key != self.main]
        return self.rng.choice(problems()[self.rng.choice(others)].names) if others else "no other active problems"

    def _cc(self, _: str) -> str:
        return self.rng.choice(problems()[self.main].lines["cc"])

    def _side(self, _: str) -> str:
        return self.state.sides.get(self.topic, "left")

    def _Side(self, _: str) -> str:
        return self._side("").capitalize()

    def _drug(self, _: str) -> str:
        mine = [regimen for regimen in self.state.drugs if regimen.problem == self.topic]
        if not mine:
            return self.problem.drugs[0][0] if self.problem.drugs else "current treatment"
        regimen = self.rng.choice(mine)
        return regimen.drug if self.rng.random() < 0.6 else f"{regimen.drug} {regimen.dose}"

    def _lab(self, name: str) -> str:
        return self.state.show(name)

    def _prev(self, name: str) -> str:
        return self.state.show(name, 2)

    def _wt(self, _: str) -> str:
        return f"{self.state.weight * 2.2046 - self.rng.randint(3, 9):.0f}"

    def _mom(self, _: str) -> str:
        age = self.age + self.rng.randint(19, 38)
        if age > 95:
            return f"died at {self.rng.randint(58, 89)}"
        shown = mark("AGE", str(age), f"{self.patient.entity}-kin-age") if age > 89 else str(age)
        return f"is alive at {shown}"

    def _labname(self, _: str) -> str:
        return self.rng.choice(["BMP", "CBC", "CBC, CMP", "INR", "BMP and magnesium", "TSH", "CRP"])

    def _n(self, argument: str) -> str:
        low, high = argument.split("-")
        value = self.rng.randint(int(low), int(high))
        return f"{value:02d}" if low == "10" and high == "59" else str(value)

    def _f(self, argument: str) -> str:
        low, high = argument.split("-")
        decimals = len(low.split(".")[1])
        return f"{self.rng.uniform(float(low), float(high)):.{decimals}f}"

    def _year(self, argument: str) -> str:
        low, high = argument.split("-")
        return str(max(self.patient.birth.year + 1, self.day.year - self.rng.randint(int(low), int(high))))

    def _state(self, _: str) -> str:
        return self.patient.place.state

    # --- slots: dates

    def _days(self, argument: str) -> int:
        low, high = argument.split("-")
        return self.rng.randint(int(low), int(high))

    def _date(self, argument: str) -> str:
        day = self.day - timedelta(days=self._days(argument))
        return self.date_mark(dates.partial(self.rng, day), day) if self.rng.random() < 0.7 else self.full_date(day)

    def _ago(self, argument: str) -> str:
        day = max(self.day - timedelta(days=self._days(argument)), self.patient.birth)
        style = self.style if self.rng.random() < 0.75 else dates.pick_style(self.rng)
        return self.full_date(day, style)

    def _fut(self, argument: str) -> str:
        day = self.day + timedelta(days=self._days(argument))
        return self.date_mark(dates.partial(self.rng, day), day) if self.rng.random() < 0.45 else self.full_date(day)

    def _isodate(self, _: str) -> str:
        return self.full_date(self.day + timedelta(days=self.rng.randint(7, 60)), self.rng.choice([4, 14]))

    def _today(self, _: str) -> str:
        return self.full_date(self.day)

    def _weekday(self, _: str) -> str:
        day = self.day - timedelta(days=self.rng.randint(1, 9))
        return self.date_mark(f"{dates.DAYS[day.weekday()]} the {dates.ordinal(day.day)}", day)

    def _my(self, argument: str) -> str:
        months = -int(argument[1:]) if argument.startswith("-") else self._days(argument)
        day = self.day - timedelta(days=30 * months)
        day = max(day, self.patient.birth)
        if abs(months) < 10 and self.rng.random() < 0.12:
            return mark("DATE", dates.MONTHS[day.month - 1], f"D{day:%Y-%m}")
        return mark("DATE", dates.month_year(self.rng, day), f"D{day:%Y-%m}")

    def _range(self, _: str) -> str:
        """From one day to another of the last weeks, as one expression where the month is said once."""
        end = self.day - timedelta(days=self.rng.randint(4, 50))
        start = end - timedelta(days=self.rng.randint(1, 8))
        start = max(start, self.patient.birth)
        draw = self.rng.random()
        if draw < 0.3 and start.month == end.month and start < end:
            return "from " + mark("DATE", f"{dates.MONTHS[end.month - 1]} {start.day}-{end.day}", f"D{start}")
        if draw < 0.6:
            first, last = (self.date_mark(f"{day.month}/{day.day}", day) for day in (start, end))
            return f"{first}{self.rng.choice(['-', ' - ', ' to '])}{last}"
        return f"from {self.full_date(start)} to {self.full_date(end)}"

    def _holiday(self, _: str) -> str:
        name, when = dates.last_holiday(self.rng, self.day)
        return self.date_mark(name, when)

    def _dob(self, _: str) -> str:
        return self.full_date(self.patient.birth)

    def _bday(self, _: str) -> str:
        birth = self.patient.birth
        return mark(
            "DATE",
            self.rng.choice([f"{birth.month}/{birth.day}", f"{dates.MONTHS[birth.month - 1]} {birth.day}"]),
            f"D{birth}",
        )

    # --- slots: other people

    def _relative(self, _: str) -> str:
        if not self.patient.relatives:
            return "a friend"
        role = self.caller if self.caller and self.rng.random() < 0.7 else self.rng.choice(self.patient.relatives)
        draw = self.rng.random()
        if role.relation == "newborn":
            return f"{self._his('')} newborn {self.relative_mark(role)}"
        if draw < 0.35:
            return f"{self._his('')} {role.relation}"
        if draw < 0.8:
            return f"{self._his('')} {role.relation} {self.relative_mark(role)}"
        return f"{self.relative_mark(role)} ({role.relation})"

    def _relname(self, _: str) -> str:
        return self.full_name(self.caller.person) if self.caller else "none listed"

    def _relation(self, _: str) -> str:
        return self.caller.relation if self.caller else "friend"

    def _relphone(self, _: str) -> str:
        if self.caller is None:
            return "no number on file"
        return self.phone_mark(self.caller.phone, f"{self.caller.person.entity}-phone")

    def _caller(self, _: str) -> str:
        return self._relative("") if self.rng.random() < 0.6 else "pharmacy"

    def _mother(self, _: str) -> str:
        return self.full_name(self.patient.mother) if self.patient.mother else "mother"

    def _mothermrn(self, _: str) -> str:
        if self.patient.mother is None:
            return "not linked"
        return mark("MRN", self.patient.mother_mrn, f"{self.patient.mother.entity}-mrn")

    def _otherpt(self, _: str) -> str:
        return self.full_name(self._stranger().person)

    def _othermrn(self, _: str) -> str:
        stranger = self._stranger()
        return mark("MRN", stranger.mrn, f"{stranger.entity}-mrn")

    def _stranger(self) -> Patient:
        """Another patient, always one with a lower number: the text must not depend on how many there are."""
        number = self.patient.number
        return people.make_patient(self.seed, (number * 7 + 3) // 11 if number else _FILED_ELSEWHERE)

    def _pcp(self, _: str) -> str:
        return self.surname(self.member("pcp", "Internal Medicine", "Family Medicine"))

    def _pcpfirst(self, _: str) -> str:
        person = self.member("pcp", "Internal Medicine", "Family Medicine").person
        return mark("CLINICIAN", person.given, person.entity)

    def _attending(self, _: str) -> str:
        return self.surname(self.member("attending", "Internal Medicine"))

    def _consultant(self, _: str) -> str:
        return self.surname(
            self.member("consultant", "Cardiology", "Nephrology", "Neurology", "Oncology", "Gastroenterology")
        )

    def _surgeon(self, _: str) -> str:
        return self.surname(self.member("surgeon", "General Surgery", "Orthopedics", "Urology"))

    def _radiologist(self, _: str) -> str:
        return self.surname(self.member("radiologist", "Radiology"))

    def _counselor(self, _: str) -> str:
        return self.clinician_full(self.member("counselor", "Social Work"))

    def _nurse(self, _: str) -> str:
        return self.clinician_full(self.member("nurse", "Nursing"), credential=False)

    def _nurse2(self, _: str) -> str:
        return self.clinician_full(self.member("nurse2", "Nursing"), credential=False)

    # --- slots: places and organisations

    def _otherfac(self, _: str) -> str:
        rng = random.Random(f"{self.seed}:{self.patient.number}:facility:{self.rng.randrange(3)}")
        name = people.organisation(
            rng, rng.choice(["other_facilities", "other_facilities", "hospitals"]), self.patient.place
        )
        return mark("FACILITY", name, f"{self.patient.entity}-{name}")

    _otherfac2 = _otherfac

    def _fac(self, _: str) -> str:
        return mark("FACILITY", self.site.name, self.site.entity)

    def _employer(self, _: str) -> str:
        if self.age < 16:
            return "the family business"
        return mark("EMPLOYER", self.patient.employer, f"{self.patient.entity}-employer")

    def _work(self, _: str) -> str:
        if self.age < 19:
            return f"attends {self._school('')}"
        verb = "works at" if self.age < 66 else self.rng.choice(["worked at", "is retired from", "retired from"])
        return f"{verb} {self._employer('')}"

    def _screening(self, _: str) -> str:
        due = ["flu shot today", "tetanus booster today", "lipid panel ordered", "depression screen done"]
        if self.age > 49:
            due += ["colonoscopy due", "shingles vaccine at pharmacy"]
        if self.female and self.age > 44:
            due += ["mammogram ordered", "DEXA ordered"]
        return self.rng.choice(due)

    def _worry(self, _: str) -> str:
        if self.age < 66:
            return f"{self._his('')} job at {self._employer('')}"
        return self.rng.choice(["the stairs at home", "the bills", "a pet at home", "who will drive to appointments"])

    def _school(self, _: str) -> str:
        return mark("FACILITY", self.patient.school, f"{self.patient.entity}-school")

    def _street(self, _: str) -> str:
        return mark("STREET", self.patient.street, f"{self.patient.entity}-street")

    def _city(self, _: str) -> str:
        return mark("CITY", self.patient.place.city, f"{self.patient.entity}-city")

    def _oldcity(self, _: str) -> str:
        place = random.Random(f"{self.seed}:{self.patient.number}:oldcity").choice(people.places())
        name = mark("CITY", place.city, f"{self.patient.entity}-oldcity")
        return f"{name}, {place.state}" if self.rng.random() < 0.5 else name

    def _county(self, _: str) -> str:
        return mark("COUNTY", people.county_name(self.patient.place), f"{self.patient.entity}-county")

    def _zip(self, _: str) -> str:
        return mark("ZIP", self.patient.zip, f"{self.patient.entity}-zip")

    def _address(self, _: str) -> str:
        patient, line = self.patient, self._street("")
        if patient.unit and not patient.street.startswith("P.O."):
            unit = mark("UNIT", patient.unit, f"{patient.entity}-unit")
            line += self.rng.choice([", Apt ", " #", ", Unit ", " Apt. ", ", apt "]) + unit
        gap = self.rng.choice([", ", ", ", "\n"])
        return f"{line}{gap}{self._city('')}, {patient.place.state} {self._zip('')}"

    def _room(self, _: str) -> str:
        return mark("UNIT", self.room, f"{self.patient.entity}-room")

    def _unit(self, _: str) -> str:
        return mark("UNIT", self.rng.choice(words(load("places")["places"]["units"])), f"{self.patient.entity}-ward")

    # --- slots: numbers

    def of_patient(self, identifier: str, value: str, kind: str) -> str:
        return mark(identifier, value, f"{self.patient.entity}-{kind}")

    def _phone(self, _: str) -> str:
        if self.rng.random() < 0.4:
            return self.phone_mark(self.patient.cell, f"{self.patient.entity}-cell")
        return self.phone_mark(self.patient.phone, f"{self.patient.entity}-phone")

    def _clinicphone(self, _: str) -> str:
        return self.phone_mark(self.site.phone, f"{self.site.entity}-phone", extension=True)

    def _sw_phone(self, _: str) -> str:
        return self.phone_mark(people.phone(self.rng, self.patient.place.area), "", extension=True)

    def _fax(self, _: str) -> str:
        return self.phone_mark(self.site.fax, f"{self.site.entity}-fax", "FAX")

    def _patfax(self, _: str) -> str:
        return self.phone_mark(self.patient.fax, f"{self.patient.entity}-fax", "FAX")

    def _pager(self, _: str) -> str:
        who = self.member("attending", "Internal Medicine")
        return mark("PHONE", who.pager, f"{who.person.entity}-pager")

    def _ext(self, _: str) -> str:
        return mark("PHONE", people.digits(self.rng, self.rng.choice([4, 5])), "")

    def _email(self, _: str) -> str:
        return self.of_patient("EMAIL", self.patient.email, "email")

    def _username(self, _: str) -> str:
        return self.of_patient("USERNAME", self.patient.username, "username")

    def _ssn(self, _: str) -> str:
        number = self.patient.ssn
        forms = (number, number, number.replace("-", " "), number.replace("-", ""))
        return self.of_patient("SSN", self.rng.choice(forms), "ssn")

    def _ssn4(self, _: str) -> str:
        last = self.patient.ssn[-4:]
        return self.of_patient("SSN", self.rng.choice([last, last, f"xxx-xx-{last}", f"***-**-{last}"]), "ssn")

    def _mrn(self, _: str) -> str:
        return self.of_patient("MRN", self.patient.mrn, "mrn")

    def _outsidemrn(self, _: str) -> str:
        rng = random.Random(f"{self.seed}:{self.patient.number}:outside")
        return self.of_patient("MRN", people.mrn_text(rng, rng.randrange(6)), "outside-mrn")

    def _biometric(self, _: str) -> str:
        return self.of_patient("BIOMETRIC", self.patient.biometric, "biometric")

    def _biometric_or_mrn(self, _: str) -> str:
        return self._biometric("") if self.rng.random() < 0.3 else self._mrn("")

    def _planid(self, _: str) -> str:
        return self.of_patient("HEALTH_PLAN", self.patient.plan_id, "plan")

    def _planname(self, _: str) -> str:
        return self.patient.plan

    def _groupno(self, _: str) -> str:
        return self.of_patient("HEALTH_PLAN", self.patient.group, "group")

    def _acct(self, _: str) -> str:
        return self.of_patient("ACCOUNT", self.patient.account, "account")

    def _enc(self, _: str) -> str:
        return self.of_patient("ACCOUNT", self.encounter, "encounter")

    def _accession(self, _: str) -> str:
        shape = self.rng.choice(["########", "CT-##-#####", "XR########", "E#########", "##-###-#####"])
        return self.of_patient("ACCOUNT", people.pattern(self.rng, shape), "accession")

    def _rxno(self, _: str) -> str:
        return self.of_patient("ACCOUNT", people.pattern(self.rng, "####### "[: self.rng.choice([6, 7])]), "rx")

    def _runno(self, _: str) -> str:
        return self.of_patient(
            "ACCOUNT", people.pattern(self.rng, self.rng.choice(["##-######", "########", "M####-###"])), "run"
        )

    def _unitno(self, _: str) -> str:
        return self.of_patient("OTHER_ID", people.pattern(self.rng, "W#### ## ######"), "blood-unit")

    def _interp(self, _: str) -> str:
        return mark("OTHER_ID", people.digits(self.rng, self.rng.choice([5, 6])), "")

    def _studyid(self, _: str) -> str:
        return self.of_patient("OTHER_ID", self.patient.study_id, "study")

    def _initials(self, _: str) -> str:
        who = self.member("author").person
        style = self.rng.choice(["{}", "{}", "/{}", "--{}"])
        return style.format(mark("OTHER_ID", self.rng.choice([who.initials.lower(), who.initials]), who.entity))

    def _plate(self, _: str) -> str:
        return self.of_patient("VEHICLE", self.patient.plate, "plate")

    def _vin(self, _: str) -> str:
        return self.of_patient("VEHICLE", self.patient.vin, "vin")

    def _dl(self, _: str) -> str:
        return self.of_patient("LICENSE", self.patient.driver_license, "driver-license")

    def _serial(self, _: str) -> str:
        shape = self.rng.choice(["SN########", "@@@######@", "########", "@##-#####", "PJN######S", "####@@##"])
        return self.of_patient("DEVICE", people.pattern(self.rng, shape), "device")

    def _udi(self, _: str) -> str:
        return self.of_patient("DEVICE", people.udi(self.rng, self.day), "udi")

    def _npi(self, _: str) -> str:
        who = self.member("author")
        return mark("LICENSE", who.npi, f"{who.person.entity}-npi")

    def _dea(self, _: str) -> str:
        who = self.member("author")
        return mark("LICENSE", who.dea, f"{who.person.entity}-dea")

    def _lic(self, _: str) -> str:
        who = self.member("author")
        return mark("LICENSE", who.license, f"{who.person.entity}-license")

    def _url(self, _: str) -> str:
        return mark("URL", self.site.url, f"{self.site.entity}-url")

    def _ip(self, _: str) -> str:
        return self.of_patient("IP", self.patient.ip, "ip")
