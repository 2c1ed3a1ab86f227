"""How a note looks: headings, lists, wrapping and case, the blocks above and below it, the site's boilerplate."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import timedelta

from synthetic import people
from synthetic.scene import Scene
from synthetic.tables import load
from synthetic.writer import END, Piece, mark, pieces

HEADINGS = {
    "cc": ["Chief Complaint", "CC", "Reason for Visit", "Presenting Complaint", "Reason for Admission"],
    "hpi": [
        "History of Present Illness",
        "HPI",
        "History of the Present Illness",
        "Present Illness",
        "HPI/Interval History",
    ],
    "interval": ["Subjective", "Interval History", "S", "24 Hour Events", "Interval Events", "SUBJ"],
    "pmh": ["Past Medical History", "PMH", "Past History", "Medical Problems", "Problem List", "PMHx"],
    "psh": ["Past Surgical History", "PSH", "Surgical History", "Prior Operations"],
    "meds": ["Medications", "Current Medications", "Home Meds", "Outpatient Medications", "MEDS", "Medication List"],
    "allergies": ["Allergies", "Allergies/Intolerances", "ALL", "Drug Allergies", "Adverse Reactions"],
    "fh": ["Family History", "FH", "FHx", "Family Hx"],
    "sh": ["Social History", "SH", "SHx", "Social/Occupational History"],
    "ros": ["Review of Systems", "ROS", "System Review"],
    "vitals": ["Vital Signs", "Vitals", "VS", "Objective: Vitals"],
    "exam": ["Physical Examination", "Physical Exam", "PE", "Examination", "Objective", "O"],
    "labs": ["Laboratory Data", "Labs", "Results", "Data", "Pertinent Results", "Recent Labs"],
    "imaging": ["Imaging", "Radiology", "Studies", "Diagnostic Imaging"],
    "ap": ["Assessment and Plan", "A&P", "Assessment/Plan", "Impression and Plan", "A/P", "Impression/Recommendations"],
    "assessment": ["Assessment", "Impression", "A"],
    "course": ["Hospital Course", "Brief Hospital Course", "Course in Hospital", "Hospital Course by Problem"],
    "dx": ["Discharge Diagnoses", "Final Diagnoses", "Diagnoses", "Principal Diagnosis"],
    "dmeds": ["Discharge Medications", "Medications on Discharge", "Meds at Discharge"],
    "dcond": ["Condition at Discharge", "Discharge Condition", "Condition"],
    "dispo": ["Disposition", "Dispo", "Discharge Disposition"],
    "follow": ["Follow-up", "Follow Up Appointments", "F/U", "Follow-up Plans"],
    "instr": ["Discharge Instructions", "Instructions", "Patient Instructions"],
    "preop": ["Preoperative Diagnosis", "Pre-op Dx", "PREOPERATIVE DIAGNOSIS"],
    "postop": ["Postoperative Diagnosis", "Post-op Dx", "POSTOPERATIVE DIAGNOSIS"],
    "procedure": ["Procedure Performed", "Operation", "Procedure", "Name of Operation"],
    "surgeon": ["Surgeon", "Operator", "Surgeon/Assistant"],
    "anesthesia": ["Anesthesia", "Sedation"],
    "findings": ["Findings", "Operative Findings"],
    "technique": ["Technique", "Comparison and Technique", "Technique/Comparison"],
    "description": ["Description of Procedure", "Details of Procedure", "Procedure in Detail", "Narrative"],
    "implants": ["Implants", "Implant Log", "Devices"],
    "impression": ["Impression", "IMP", "Conclusion", "Opinion"],
    "indication": ["Indication", "Clinical History", "Reason for Exam", "History"],
    "exam_name": ["Exam", "Examination", "Study", "Procedure"],
    "nursing": ["Nursing Note", "Narrative", "Shift Summary", "Data/Action/Response"],
    "call": ["Call Details", "Message", "Telephone Note", "Reason for Call"],
    "triage": ["Triage", "Mode of Arrival", "Triage Note"],
    "edcourse": ["ED Course", "Emergency Department Course", "Medical Decision Making", "MDM"],
    "specimen": ["Specimen", "Specimen(s) Submitted", "Source"],
    "gross": ["Gross Description", "Gross", "Macroscopic"],
    "pathdx": ["Final Pathologic Diagnosis", "Diagnosis", "Microscopic Diagnosis"],
    "social": ["Psychosocial Assessment", "Assessment and Contacts", "Narrative", "Summary of Contact"],
    "admin": ["Administrative", "Other", "Misc", "Addl Info", "Registration"],
}


@dataclass
class Block:
    """A stretch of a note that is filed as a whole; ``kind`` is set when it is a copy or a template."""

    name: str
    parts: list[Piece]
    kind: str = ""
    of: str = ""
    frozen: bool = False


@dataclass(frozen=True)
class Layout:
    """How one note looks: headings, wrapping, case, how much is abbreviated and mistyped."""

    headings: str
    inline: bool
    gap: str
    width: int
    case: str
    shorten: float
    typos: float
    bullet: str


@dataclass
class Draft:
    """A note before damage: its blocks in order."""

    note_type: str
    role: str
    layout: Layout
    blocks: list[Block] = field(default_factory=list)


def make_layout(rng: random.Random, note_type: str) -> Layout:
    """A layout in the shares of the note type: telephone notes are terse and lower case, dictation is wrapped."""
    case, shorten = "", rng.choice([0.0, 0.0, 0.1, 0.4, 0.8])
    if note_type == "Telephone":
        case, shorten = rng.choice(["lower", "lower", ""]), 0.6
    elif note_type == "Nursing":
        case, shorten = rng.choice(["", "", "", "lower"]), 0.7
    elif note_type in ("Operative", "Radiology", "Discharge summary", "Consult", "Pathology") and rng.random() < 0.13:
        case, shorten = "upper", 0.0
    headings = rng.choice(
        ["upper", "upper", "upper", "title", "title", "abbr", "abbr", "markdown", "bold", "line", "none"]
    )
    if note_type in ("Telephone", "Nursing") and rng.random() < 0.6:
        headings = "none"
    return Layout(
        headings=headings,
        inline=rng.random() < 0.35,
        gap=rng.choice(["\n\n", "\n\n", "\n"]),
        width=rng.choice([0, 0, 72, 80, 80, 100]),
        case=case,
        shorten=shorten,
        typos=rng.choice([0.0, 0.0, 0.002, 0.004, 0.008, 0.016]) * (2 if case == "lower" else 1),
        bullet=rng.choice(["- ", "* ", "• ", "", "1"]),
    )


def heading(rng: random.Random, layout: Layout, name: str) -> str:
    """A section heading with the break that follows it."""
    names = HEADINGS[name]
    text = names[0] if rng.random() < 0.5 else rng.choice(names)
    if layout.headings == "abbr":
        text = min(names, key=len)
    after = " " if layout.inline else "\n"
    if layout.headings == "none":
        return ""
    if layout.headings == "markdown":
        return f"## {text}\n"
    if layout.headings == "bold":
        return f"**{text}**{after if layout.inline else chr(10)}"
    if layout.headings == "line":
        return f"{text}\n{'-' * len(text)}\n"
    if layout.headings == "upper":
        return f"{text.upper()}:{after}"
    return f"{text}:{after}"


_OPENING_HIS = re.compile(r"(?<=[a-z0-9%)][.?] )(his|her|the patient|pt|a friend)\b")


def tidy(text: str) -> str:
    """Capitals where a slot opens a sentence."""
    text = _OPENING_HIS.sub(lambda match: match[0][0].upper() + match[0][1:], text)
    return text[:1].upper() + text[1:]


def prose(lines: list[str]) -> str:
    """Sentences as one paragraph."""
    out = []
    for line in filter(None, (line.strip() for line in lines)):
        bare = line[:-1] if line.endswith(END) else line
        out.append(tidy(line) if bare.endswith((".", "?", "!", ":")) else tidy(line) + ".")
    return " ".join(out)


def listing(layout: Layout, lines: list[str]) -> str:
    """Lines as a list in the layout's bullets."""
    if layout.bullet == "1":
        return "\n".join(f"{at}. {tidy(line)}" for at, line in enumerate(lines, 1))
    return "\n".join(layout.bullet + tidy(line) for line in lines)


# --- header and sign-off ----------------------------------------------------------------------------------------


def header(scene: Scene, rng: random.Random, title: str) -> str:
    """The block above a note; none in a part of the notes."""
    patient = scene.patient
    name = scene.header_name(patient.person)
    mrn, dob, today = scene.slot("mrn", ""), scene.slot("dob", ""), scene.full_date(scene.day)
    sex = rng.choice(["Female", "F", "female"]) if scene.female else rng.choice(["Male", "M", "male"])
    age = scene.age_mark(scene.age) if scene.age > 89 else str(scene.age) if scene.age > 1 else "infant"
    account = scene.slot(rng.choice(["acct", "enc"]), "")
    facility = scene.slot("fac", "")
    author = scene.clinician_full(scene.member("author"))
    style = rng.randrange(9)
    if title == "Discharge Summary" and rng.random() < 0.6:
        came = scene.full_date(scene.admitted)
        return rng.choice(
            [
                f"{facility}\n{title.upper()}\n\nPATIENT: {name}\nMR #: {mrn}\n"
                f"ADMISSION DATE: {came}\nDISCHARGE DATE: {today}\nATTENDING: {author}\n\n",
                f"Name: {name}    Unit No: {mrn}\nAdmission Date: {came}    Discharge Date: {today}\n"
                f"Date of Birth: {dob}    Sex: {sex[0].upper()}\n"
                f"Service: {scene.member('author').specialty.upper()}\n\n",
                f"{title} {came} - {today}\n{name}, {age} {sex[0].upper()}, acct {account}\n\n",
            ]
        )
    if style == 0:
        return f"Patient: {name}\nMRN: {mrn}\nDOB: {dob}\nDate of Service: {today}\nAcct #: {account}\n\n"
    if style == 1:
        place = scene.site.place
        line = mark(
            "STREET", people.street(random.Random(f"{scene.site.entity}:street")), f"{scene.site.entity}-street"
        )
        city = mark("CITY", place.city, f"{scene.site.entity}-city")
        zip_code = mark("ZIP", place.zips[0], f"{scene.site.entity}-zip")
        return (
            f"{facility}\n{line}, {city}, {place.state} {zip_code}\n{title.upper()}\n\nNAME: {name}    MR#: {mrn}\n"
            + (f"DATE OF BIRTH: {dob}    AGE: {age}    SEX: {sex}\nDATE: {today}\n\n")
        )
    if style == 2:
        return f"Name: {name} | MRN: {mrn} | DOB: {dob} | Age: {age} | Sex: {sex}\nVisit {account}   {today}\n\n"
    if style == 3:
        return f"PATIENT NAME:  {name}\nMEDICAL RECORD NO:  {mrn}\nATTENDING:  {author}\nDATE:  {today}\n" + rng.choice(
            [f"LOCATION:  {scene.slot('unit', '')} / {scene.slot('room', '')}\n\n", "\n"]
        )
    if style == 4:
        return f"{title} - {today}\n{name} ({age} {sex[0].upper()}, DOB {dob}, MRN {mrn})\n\n"
    if style == 5:
        doctor = scene.clinician_full(scene.member("pcp", "Internal Medicine", "Family Medicine"))
        plan = f"{patient.plan} {scene.slot('planid', '')}"
        return f"{facility} -- {title}\nPt: {name}   DOB: {dob}\nPCP: {doctor}\nInsurance: {plan}\n\n"
    if style == 6:
        return f"{title.upper()}\n{today}\n\n"
    if style == 7:
        return f"[{rng.choice(['Encounter', 'CSN', 'Visit no.'])} {scene.slot('enc', '')}] {name}, MRN {mrn}\n\n"
    return ""


def sign_off(scene: Scene, rng: random.Random) -> str:
    """The block below a note: electronic signature, dictation marks, copies to others."""
    who = scene.member("author")
    name, today = scene.clinician_full(who), scene.full_date(scene.day)
    later = scene.full_date(scene.day + timedelta(days=rng.randint(0, 2)))
    clock = f"{rng.randint(6, 21):02d}:{rng.randint(0, 59):02d}"
    typist = people.pattern(rng, "@@@").lower() if rng.random() < 0.5 else people.pattern(rng, "@@")
    trail = mark("OTHER_ID", f"{who.person.initials}{rng.choice([':', '/'])}{typist}", who.person.entity)
    job = mark("OTHER_ID", people.digits(rng, rng.choice([6, 7, 9])), f"{scene.encounter}-job")
    initials = mark("OTHER_ID", who.person.initials, who.person.entity)
    capitals = scene.name_mark(who.person, f"{who.person.given} {who.person.family}".upper(), "CLINICIAN")
    doctor = scene.member("pcp", "Internal Medicine", "Family Medicine")
    other = scene.member("consultant", "Cardiology", "Neurology")
    forms = (
        f"Electronically signed by {name} on {later} {clock}",
        f"Electronically signed by: {name}\n{later} at {clock}",
        f"{name}\n\nDictated: {today}\nTranscribed: {later}\nJob #: {job}\n{trail}",
        f"D: {today}  T: {later}  {trail}  Job: {job}",
        f"{initials}, {who.credential}, pager {mark('PHONE', who.pager, who.person.entity + '-pager')}",
        f"/es/ {capitals}\n{who.specialty}\nSigned: {later} {clock}",
        f"Dictated by: {name}\nTranscriptionist: {mark('OTHER_ID', typist, '')}\nDocument ID {job}",
        f"{name} (NPI {scene.slot('npi', '')})\n{scene.slot('fac', '')}",
        f"Signed: {name}, {later}\ncc: Dr. {scene.slot('pcp', '')}, fax {scene.slot('fax', '')}",
        f"{name}\ncc: {scene.clinician_full(doctor)}; {scene.clinician_full(other)}",
        f"[{mark('USERNAME', who.username, who.person.entity + '-user')} {later} {clock}]",
        f"--{scene.surname(who)}, {who.credential}",
        "",
    )
    return rng.choice(forms)


TITLES = {
    "Progress": ["Progress Note", "Daily Progress Note", "Inpatient Progress Note"],
    "Office": ["Office Visit", "Clinic Note", "Follow-up Visit", "Established Patient Visit"],
    "H&P": ["History and Physical", "Admission H&P", "Admission History & Physical"],
    "Consult": ["Consultation", "Consult Note", "Inpatient Consultation"],
    "Discharge summary": ["Discharge Summary"],
    "Operative": ["Operative Report", "Operative Note"],
    "Procedure": ["Procedure Note", "Procedure Report"],
    "Radiology": ["Radiology Report", "Diagnostic Imaging Report"],
    "Nursing": ["Nursing Note", "Nursing Progress Note"],
    "Telephone": ["Telephone Encounter", "Phone Note"],
    "Clinic letter": ["Consultation Letter", "Letter"],
    "Emergency": ["Emergency Department Note", "ED Provider Note"],
    "Pathology": ["Surgical Pathology Report", "Pathology Report"],
    "Social work": ["Social Work Note", "Case Management / Social Work"],
}

BOILERPLATE = {
    "Operative": ["timeout", "consent", "dictation"],
    "Procedure": ["timeout", "consent"],
    "Radiology": ["radiology", "dictation"],
    "Nursing": ["fall"],
    "Telephone": ["privacy"],
    "Clinic letter": ["privacy", "dictation"],
    "Emergency": ["education", "dictation"],
    "Discharge summary": ["education", "dictation"],
    "H&P": ["teaching", "dictation"],
    "Progress": ["teaching", "dictation"],
    "Consult": ["dictation", "teaching"],
    "Social work": ["privacy"],
    "Pathology": ["privacy"],
}


def boilerplate(rng: random.Random, note_type: str) -> Block:
    """A text of the site that recurs across patients."""
    name = rng.choice(BOILERPLATE[note_type])
    return Block("boilerplate", pieces(load("phrases")["boilerplate"][name][0]), kind="template", frozen=True)
