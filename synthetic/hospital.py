"""The synthetic hospital: journeys of patients, their notes, and the gold of what was planted.

Nothing here comes from a real person or record. Texts are made from our own tables, so figures measured on this
data say how well a tool does on these templates, not on a hospital's notes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from clinicorpus_errors import UserError
from synthetic import damage, people
from synthetic.layout import TITLES, Block, Draft, boilerplate, header, heading, make_layout, sign_off
from synthetic.medicine import ALLERGENS, State, new_problem, problems
from synthetic.notes import ROLES, section, sections
from synthetic.people import Clinician, Patient
from synthetic.scene import Deck, Scene
from synthetic.tables import load
from synthetic.writer import Gold, assemble, cut, pieces, wrap

NOTE_COLUMNS = (
    "note_id", "patient_id", "encounter_id", "note_type", "charted_at", "signed_at", "status", "amends", "author_role",
    "service", "site", "text", "source",
)  # fmt: skip
LAST_DAY = date(2023, 12, 31)
# Sections that clinicians carry from note to note.
CARRIED = (
    "pmh",
    "meds",
    "ap",
    "exam",
    "sh",
    "hpi",
    "allergies",
    "psh",
    "course",
    "dmeds",
    "fh",
    "interval",
    "imaging",
    "ros",
)
OF_ONE_PROBLEM = ("ap", "exam", "hpi", "course", "interval", "imaging")


@dataclass
class Filed:
    """One note as filed, with its gold."""

    row: dict[str, str | None]
    gold: list[Gold]
    main: str = ""
    blocks: dict[str, tuple[int, int]] = field(default_factory=dict)
    copies: list[tuple[str, str | None, int, int]] = field(default_factory=list)
    junk: str = ""

    @property
    def text(self) -> str:
        return self.row["text"] or ""

    @property
    def note_id(self) -> str:
        return self.row["note_id"] or ""


class Journey:
    """One patient's years in the hospital; ``notes`` holds what was filed, in order."""

    def __init__(self, seed: int, number: int) -> None:
        self.seed = seed
        self.patient = people.make_patient(seed, number)
        self.rng = random.Random(f"{seed}:journey:{number}")
        self.deck = Deck(random.Random(f"{seed}:deck:{number}"))
        self.site = people.home_site(seed, number - 1 if people.is_newborn(number) else number)
        self.state = State(random.Random(f"{seed}:state:{number}"), self.patient.person.sex)
        self.state.weight = self.rng.uniform(52, 118)
        self.state.systolic = self.rng.randint(108, 148)
        self.team = {
            "pcp": self.clinician("Internal Medicine", "Family Medicine"),
            "consultant": self.clinician("Cardiology", "Nephrology", "Neurology", "Oncology", "Endocrinology"),
            "surgeon": self.clinician("General Surgery", "Orthopedics", "Urology"),
        }
        self.notes: list[Filed] = []
        self.allergies: list[str] = []
        self.history: list[str] = []
        self.surgeries: list[str] = []
        self.encounters = 0
        self.admitted: date | None = None

    def clinician(self, *specialties: str) -> Clinician:
        return people.clinician(self.rng, self.seed, *specialties)

    def age(self, day: date) -> int:
        return (day - self.patient.birth).days * 4 // 1461

    # --- the course of events

    def run(self) -> list[Filed]:
        """All notes of the patient."""
        rng, patient = self.rng, self.patient
        target = min(34, max(4, int(rng.lognormvariate(2.395, 0.45))))
        if patient.mother is not None:
            self._newborn()
            return self.notes
        day = self._first_day()
        self._allergies()
        for _ in range(rng.choice([1, 2, 2, 3, 3, 4])):
            key = new_problem(rng, self.state, self.age(day), acute=False)
            if key:
                self.state.begin(key)
        self._background(day)
        years = max(1.0, min((LAST_DAY - day).days / 365, rng.uniform(1.5, 9)))
        # An encounter files about 2.3 notes, and its gap is spread over the years of care.
        gap = years * 365 / max(2.0, target / 2.3)
        first = True
        if patient.delivery is not None:
            self._delivery(patient.delivery)
            day = patient.delivery + timedelta(days=rng.randint(30, 70))
            first = False
        while len(self.notes) < target and day <= LAST_DAY:
            if not first and rng.random() < 0.16:
                key = new_problem(rng, self.state, self.age(day), acute=False)
                if key and len(self.state.active) < 7:
                    self.state.begin(key)
            after = self._encounter(day, first, target - len(self.notes))
            day += timedelta(days=after or max(3, int(rng.lognormvariate(0, 0.7) * gap)))
            first = False
        self._mishaps()
        return self.notes

    def _first_day(self) -> date:
        rng, birth = self.rng, self.patient.birth
        low = max(date(2012, 1, 5), birth + timedelta(days=365 * 4))
        start = low + timedelta(days=rng.randrange(max(1, (date(2020, 12, 31) - low).days)))
        if 1924 <= birth.year <= 1929:  # these pass 89 while in care
            start = min(start, birth + timedelta(days=int(365.25 * rng.uniform(87, 89.6))))
        return max(low, start)

    def _allergies(self) -> None:
        lines = load("phrases")["allergies"]["lines"]
        none = self.rng.random() < 0.45
        self.allergies = [self.rng.choice(lines[:2])] if none else self.rng.sample(lines[2:], self.rng.randint(1, 2))
        for line in self.allergies:
            self.state.avoid |= ALLERGENS.get(line.split()[0].strip(":"), set())

    def _background(self, day: date) -> None:
        scene = self._scene(day, self.main_problem())
        table = load("phrases")
        young = self.age(day) < 30
        women = ("Cesarean", "Hysterectomy")
        pool = [line for line in table["surgical"]["lines"] if scene.female or not line.startswith(women)]
        pool = [line for line in pool if not (scene.female and line == "Vasectomy")]
        self.surgeries = [scene.say(line) for line in self.rng.sample(pool, 0 if young else self.rng.randint(0, 3))]
        self.history = (
            []
            if young
            else [scene.say(line) for line in self.rng.sample(table["history"]["lines"], self.rng.randint(1, 4))]
        )

    def main_problem(self) -> str:
        if not self.state.active:
            self.state.begin("htn" if self.patient.birth.year < 1990 else "asthma")
        return self.rng.choice(self.state.active)

    def _encounter(self, day: date, first: bool, left: int) -> int:
        """One encounter; returns the days to the next when it sets them, else 0."""
        rng = self.rng
        self.encounters += 1
        if rng.random() < 0.3:
            self.state.titrate()
        if first:
            kind = rng.choice(["clinic", "clinic", "admission"])
        else:
            kind = rng.choices(["clinic", "telephone", "ed", "admission", "procedure"], [36, 28, 13, 19, 9])[0]
        if kind == "admission" and left < 4:
            kind = "clinic"
        if kind == "telephone":
            self._file(day, "Telephone", self.main_problem())
            return rng.choice([0, rng.randint(1, 20)])
        self.state.sample(day)
        if kind == "clinic":
            main = self.main_problem()
            letter = rng.random() < 0.3
            self._file(day, "Clinic letter" if letter else "Progress", main, office=True)
            if rng.random() < 0.16:
                self._file(day, "Radiology", main)
            return 0
        if kind == "ed":
            main = self._acute(day) or self.main_problem()
            self._file(day, "Emergency", main)
            if rng.random() < 0.5:
                self._file(day, "Radiology", main)
            if rng.random() < 0.3:
                self._file(day, "Nursing", main)
            if problems()[main].acute:
                self.state.end(main)
            return rng.randint(4, 21) if rng.random() < 0.6 else 0
        if kind == "procedure":
            able = [key for key in self.state.active if "proc" in problems()[key].lines]
            if not able:
                self._file(day, "Radiology", self.main_problem())
                return 0
            main = rng.choice(able)
            self._file(day, _operation(main), main)
            if "path" in problems()[main].lines:
                self._file(day + timedelta(days=2), "Pathology", main)
            if rng.random() < 0.4:
                self._file(day + timedelta(days=rng.randint(1, 6)), "Telephone", main)
            return rng.randint(10, 40)
        return self._admission(day)

    def _acute(self, day: date) -> str | None:
        key = new_problem(self.rng, self.state, self.age(day), acute=True) if self.rng.random() < 0.6 else None
        if key:
            self.state.begin(key)
        return key

    def _admission(self, day: date) -> int:
        rng = self.rng
        main = self._acute(day) or self.main_problem()
        self.state.sample(day)
        self.admitted = day
        stay = rng.randint(2, 6)
        if rng.random() < 0.4:
            self._file(day, "Emergency", main)
        if rng.random() < 0.85:
            self._file(day, "H&P", main)
        if problems()[main].studies and rng.random() < 0.4:
            self._file(day, "Radiology", main)
        operated = "proc" in problems()[main].lines and rng.random() < 0.75
        for offset in range(1, stay):
            now = day + timedelta(days=offset)
            self.state.sample(now)
            if offset == 1 and operated:
                self._file(now, _operation(main), main)
                if "path" in problems()[main].lines:
                    self._file(now + timedelta(days=1), "Pathology", main)
            if rng.random() < 0.55:
                self._file(now, "Progress", main)
            if rng.random() < 0.2:
                self._file(now, "Nursing", main)
            if offset == 1 and rng.random() < 0.32:
                self._file(now, "Consult", main)
        if rng.random() < 0.3:
            self._file(day + timedelta(days=stay - 1), "Social work", main)
        self._file(day + timedelta(days=stay), "Discharge summary", main)
        self.admitted = None
        if problems()[main].acute:
            self.state.end(main)
        return stay + rng.randint(4, 16)

    def _delivery(self, day: date) -> None:
        """The admission in which the newborn of the next patient number is born."""
        self.state.begin("pregnancy")
        self.encounters += 1
        self.state.sample(day)
        for note_type, offset in (("H&P", 0), ("Nursing", 0), ("Progress", 1), ("Discharge summary", 2)):
            self._file(day + timedelta(days=offset), note_type, "pregnancy")
        self.state.end("pregnancy")

    def _newborn(self) -> None:
        birth = self.patient.birth
        self.allergies = ["NKDA"]
        self.encounters += 1
        self.state.begin("newborn")
        self.state.weight = 3.4
        self.admitted = birth
        for offset, note_type in (
            (0, "H&P"),
            (1, "Nursing"),
            (1, "Progress"),
            (2, "Discharge summary"),
            (9, "Telephone"),
            (14, "Progress"),
        ):
            day = birth + timedelta(days=offset)
            self.state.sample(day)
            self._file(day, note_type, "newborn", office=offset == 14)

    def _mishaps(self) -> None:
        """Notes saved twice, notes saved again with changes, junk."""
        rng = self.rng
        # A twentieth of the notes come back as versions or copies of one another, 1.5% are junk.
        for filed in list(self.notes):
            draw = rng.random()
            if draw < 0.028:
                self._resave(filed)
            elif draw < 0.048:
                self._again(filed)
        if rng.random() < 0.19:
            self._junk(rng.choice(["empty", "garbled", "base64", "language"]))

    # --- writing

    def _scene(self, day: date, main: str) -> Scene:
        number = len(self.notes)
        rng = random.Random(f"{self.seed}:note:{self.patient.number}:{number}")
        encounter = f"E{self.patient.number + 100000:06d}{self.encounters:03d}"
        scene = Scene(
            self.seed, rng, self.patient, self.state, self.site, day, self.deck, dict(self.team), main, encounter
        )
        scene.history, scene.surgeries, scene.allergies = self.history, self.surgeries, self.allergies
        return scene

    def _author(self, note_type: str, office: bool) -> Clinician:
        rng = self.rng
        if note_type == "Telephone" or note_type == "Nursing":
            return self.clinician("Nursing")
        if note_type == "Social work":
            return self.clinician("Social Work")
        if note_type == "Radiology":
            return self.clinician("Radiology")
        if note_type == "Pathology":
            return self.clinician("Pathology")
        if note_type == "Emergency":
            return self.clinician("Emergency Medicine")
        if note_type in ("Operative", "Procedure"):
            return self.team["surgeon"]
        if note_type in ("Consult", "Clinic letter"):
            return self.team["consultant"]
        return self.team["pcp"] if office or rng.random() < 0.2 else self.clinician("Internal Medicine")

    def _file(self, day: date, note_type: str, main: str, *, office: bool = False) -> None:
        """Writes one note and files it."""
        scene = self._scene(day, main)
        rng = scene.rng
        author = self._author(note_type, office)
        scene.team["author"] = author
        if note_type in ("H&P", "Progress", "Discharge summary") and not office:
            scene.team["attending"] = author
        layout = make_layout(rng, note_type)
        draft = Draft(note_type, ROLES[note_type], layout)
        title = rng.choice(TITLES["Office" if office and note_type == "Progress" else note_type])
        scene.admitted = self.admitted or day
        scene.office = office or note_type in ("Telephone", "Clinic letter")
        if note_type != "Telephone" or rng.random() < 0.25:
            draft.blocks.append(Block("header", pieces(header(scene, rng, title))))
        kind = "Office" if office and note_type == "Progress" else note_type
        for name, body in sections(scene, layout, note_type, office=office and note_type == "Progress"):
            template = name == "normal_chest"
            shown = "findings" if template else name
            carried = None if body or name not in CARRIED else self._carry(rng, name, note_type, main)
            if template:
                block = Block(shown, pieces(body), kind="template", frozen=True)
            else:
                block = carried or Block(name, pieces(body or section(scene, layout, kind, name)))
            head = heading(rng, layout, shown) if name != "letter" else ""
            if head.endswith(" ") and any("\n" in part.text for part in block.parts):
                head = head[:-1] + "\n"
            draft.blocks += [Block("heading", pieces(head)), block]
            draft.blocks.append(Block("gap", pieces(layout.gap)))
        if rng.random() < 0.16:
            draft.blocks += [boilerplate(rng, note_type), Block("gap", pieces(layout.gap))]
        draft.blocks.append(Block("sign-off", pieces(sign_off(scene, rng))))
        self._finish(scene, draft, author)

    def _carry(self, rng: random.Random, name: str, note_type: str, main: str) -> Block | None:
        """The same section of an earlier note, copied as it stood or with small edits."""
        # Half of what stands in hospital notes was copied (Steinkamp et al. 2022); daily notes lead.
        rate = 0.8 if note_type == "Progress" else 0.5
        if not self.notes or rng.random() > rate:
            return None
        for filed in reversed(self.notes[-6:]):
            if name in filed.blocks and (filed.main == main or name not in OF_ONE_PROBLEM):
                start, end = filed.blocks[name]
                if end - start < 60:
                    return None
                copied = cut(filed.text, filed.gold, start, end)
                if rng.random() < 0.4 and name not in ("meds", "dmeds"):
                    copied = damage.edit(copied, rng, rng.randint(1, 2))
                return Block(name, copied, kind="copy_forward", of=filed.note_id, frozen=True)
        return None

    def _finish(self, scene: Scene, draft: Draft, author: Clinician) -> None:
        layout, rng = draft.layout, scene.rng
        text = ""
        gold: list[Gold] = []
        blocks: dict[str, tuple[int, int]] = {}
        copies: list[tuple[str, str | None, int, int]] = []
        for block in draft.blocks:
            parts = block.parts
            if not block.frozen:
                if block.name not in ("header", "sign-off", "heading", "labs"):
                    parts = damage.mistype(damage.shorten(parts, rng, layout.shorten), rng, layout.typos)
                parts = damage.recase(parts, layout.case)
                if layout.width and block.name != "labs":
                    parts = wrap(parts, layout.width, len(text) - text.rfind("\n") - 1)
            start = len(text)
            added, spans = assemble(parts, start)
            text, gold = text + added, gold + spans
            if block.kind:
                copies.append((block.kind, block.of or None, start, len(text)))
            if block.name in CARRIED and len(text) > start:
                blocks[block.name] = (start, len(text))
        stripped = text.rstrip()
        filed = self._row(
            scene.day, draft.note_type, draft.role, author.specialty, stripped, rng, scene.encounter, gold
        )
        filed.main = scene.main
        filed.blocks, filed.copies = (
            blocks,
            [(kind, of, start, min(end, len(stripped))) for kind, of, start, end in copies],
        )

    def _row(
        self, day: date, note_type: str, role: str, service: str, text: str, rng: random.Random, encounter: str,
        gold: list[Gold],
    ) -> Filed:  # fmt: skip
        charted = datetime.combine(day, time(rng.randint(6, 21), rng.randint(0, 59)))
        signed = charted + timedelta(minutes=rng.randint(2, 2000))
        status = rng.choices(["final", "preliminary"], [97, 3])[0]
        number = len(self.notes)
        filed = Filed(
            {
                "note_id": f"N{self.patient.number:06d}-{number:03d}",
                "patient_id": self.patient.entity,
                "encounter_id": encounter,
                "note_type": note_type,
                "charted_at": charted.isoformat(),
                "signed_at": signed.isoformat() if status == "final" else None,
                "status": status,
                "amends": None,
                "author_role": role,
                "service": service,
                "site": self.site.name,
                "text": text,
                "source": "synthetic",
            },
            gold,
        )
        self.notes.append(filed)
        return filed

    def _version(self, filed: Filed, text: str, gold: list[Gold], kind: str) -> Filed:
        """A further filing of a note under its own id."""
        row = dict(filed.row)
        row["note_id"] = f"N{self.patient.number:06d}-{len(self.notes):03d}"
        row["text"] = text
        copy = Filed(row, gold)
        copy.copies = [(kind, filed.note_id, 0, len(text))]
        self.notes.append(copy)
        return copy

    def _again(self, filed: Filed) -> None:
        self._version(filed, filed.text, list(filed.gold), "exact")

    def _resave(self, filed: Filed) -> None:
        """The note saved again with a few words changed, sometimes with an addendum."""
        rng = self.rng
        parts = damage.edit(cut(filed.text, filed.gold, 0, len(filed.text)), rng, rng.randint(2, 4))
        charted = datetime.fromisoformat(filed.row["charted_at"] or "") + timedelta(hours=rng.randint(1, 30))
        if rng.random() < 0.4:
            scene = self._scene(charted.date(), self.main_problem())
            scene.team["author"] = self.team["pcp"]
            parts += pieces(
                "\n"
                + scene.say(
                    "[ADDENDUM|Addendum|Late entry] {today}: "
                    + rng.choice(
                        [
                            "[Spoke with {relative} at {relphone}, who agrees.|Discussed with Dr. {pcp}.]",
                            "Dose corrected, otherwise unchanged.",
                            "Outside records from {otherfac} received.",
                            "Lab result reviewed, no change.",
                        ]
                    )
                )
            )
        text, gold = assemble(parts)
        copy = self._version(filed, text, gold, "resave")
        signed = charted + timedelta(minutes=rng.randint(5, 300))
        was_open = filed.row["status"] == "preliminary"
        copy.row |= {
            "charted_at": charted.isoformat(),
            "signed_at": signed.isoformat(),
            "status": "final" if was_open else "amended",
            "amends": filed.note_id,
        }

    def _junk(self, kind: str) -> None:
        rng = self.rng
        day = datetime.fromisoformat(self.notes[-1].row["charted_at"] or "").date()
        scene = self._scene(day, self.main_problem())
        text, gold = "", list[Gold]()
        if kind == "empty":
            text = damage.blank(rng)
        elif kind == "garbled":
            text = damage.garbled(rng)
        elif kind == "base64":
            text = damage.blob(rng)
        else:
            text, gold = assemble(pieces(_foreign(scene, rng)))
        filed = self._row(
            day,
            rng.choice(["Progress", "Nursing", "Telephone", "Consult"]),
            "Physician",
            "Internal Medicine",
            text,
            rng,
            scene.encounter,
            gold,
        )
        filed.junk = kind


def _operation(main: str) -> str:
    """The note type of the problem's procedure: what needs an operating room is an operation."""
    surgical = problems()[main].acute or main in ("knee_oa", "colon_cancer", "breast_cancer", "bph")
    return "Operative" if surgical else "Procedure"


def _foreign(scene: Scene, rng: random.Random) -> str:
    """A note in Spanish, French, German or Portuguese."""
    table = load("foreign")
    language = rng.choice(list(table))
    lines = table[language]["lines"]
    chosen = [lines[0], *rng.sample(lines[1:], rng.randint(5, len(lines) - 1))]
    said = [scene.say(line) for line in chosen]
    return rng.choice(["\n", " "]).join(said)


# --- tables -----------------------------------------------------------------------------------------------------


def _identifiers(patient: Patient, journey: Journey) -> list[dict[str, str]]:
    """What the hospital's patient table knows, by kind."""
    found = [
        ("mrn", patient.mrn), ("ssn", patient.ssn), ("phone", patient.phone), ("phone", patient.cell),
        ("email", patient.email), ("street", patient.street), ("city", patient.place.city),
        ("county", people.county_name(patient.place)), ("zip", patient.zip), ("health_plan", patient.plan_id),
        ("account", patient.account), ("employer", patient.employer), ("nickname", patient.person.nickname),
    ]  # fmt: skip
    found += [("relative_name", f"{one.person.given} {one.person.family}") for one in patient.relatives]
    found += [("clinician", f"{one.person.given} {one.person.family}") for one in journey.team.values()]
    return [{"kind": kind, "value": value} for kind, value in found]


def _write(rows: list[dict[str, object]], schema: Mapping[str, pl.DataType], path: Path) -> None:
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(path)


def build(out: Path, *, seed: int, patients: int) -> None:
    """Writes the synthetic hospital as five Parquet files into the folder ``out``, which is made if absent.

    notes.parquet: the note table, source "synthetic". patients.parquet: patient_id, sex, birth_date (ISO 8601),
    given_name, family_name, identifiers (list of kind and value). gold_spans.parquet: note_id, start, end (code
    points, half-open), identifier, entity_id. gold_copies.parquet: note_id, kind (copy_forward, resave, exact,
    template), of_note_id (null for template), start, end; a re-saved or exact copy has one row, for the whole of it.
    gold_junk.parquet: note_id, kind (empty, garbled, base64, language).
    The same seed gives the same bytes, and a patient is the same for every number of ``patients``.

    Raises UserError when ``patients`` is below 1 or ``out`` is not a folder that can be written.
    """
    if patients < 1:
        raise UserError(
            "The synthetic hospital needs at least one patient", value=patients, next="set patients to 1 or more"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "The folder for the synthetic hospital cannot be made",
            value=out,
            cause=error.strerror,
            next="name another folder",
        ) from None
    text, number = pl.Utf8(), pl.Int64()
    people_rows: list[dict[str, object]] = []
    notes: list[dict[str, object]] = []
    spans: list[dict[str, object]] = []
    copies: list[dict[str, object]] = []
    junk: list[dict[str, object]] = []
    for index in range(patients):
        journey = Journey(seed, index)
        patient = journey.patient
        for filed in journey.run():
            notes.append(dict(filed.row))
            spans += [
                {
                    "note_id": filed.note_id,
                    "start": one.start,
                    "end": one.end,
                    "identifier": one.identifier,
                    "entity_id": one.entity or None,
                }
                for one in filed.gold
            ]
            copies += [
                {"note_id": filed.note_id, "kind": kind, "of_note_id": of, "start": start, "end": end}
                for kind, of, start, end in filed.copies
            ]
            if filed.junk:
                junk.append({"note_id": filed.note_id, "kind": filed.junk})
        people_rows.append(
            {
                "patient_id": patient.entity,
                "sex": patient.person.sex,
                "birth_date": patient.birth.isoformat(),
                "given_name": patient.person.given,
                "family_name": patient.person.family,
                "identifiers": _identifiers(patient, journey),
            }
        )
    identifiers = pl.List(pl.Struct({"kind": text, "value": text}))
    _write(notes, dict.fromkeys(NOTE_COLUMNS, text), out / "notes.parquet")
    names = dict.fromkeys(("patient_id", "sex", "birth_date", "given_name", "family_name"), text)
    _write(people_rows, names | {"identifiers": identifiers}, out / "patients.parquet")
    _write(
        spans,
        {"note_id": text, "start": number, "end": number, "identifier": text, "entity_id": text},
        out / "gold_spans.parquet",
    )
    _write(
        copies,
        {"note_id": text, "kind": text, "of_note_id": text, "start": number, "end": number},
        out / "gold_copies.parquet",
    )
    _write(junk, {"note_id": text, "kind": text}, out / "gold_junk.parquet")
