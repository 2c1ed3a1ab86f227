"""Note types and their sections: what each kind of note says about a patient."""

from __future__ import annotations

import re
from collections.abc import Callable

from synthetic.layout import Layout, listing, prose, tidy
from synthetic.medicine import LABS, PANELS, parts, problems
from synthetic.scene import Scene
from synthetic.tables import load
from synthetic.writer import END, mark

# --- sections ---------------------------------------------------------------------------------------------------


def cc(scene: Scene, layout: Layout) -> str:
    return scene.say(
        scene.rng.choice(["{cc}", "{cc}", '"{cc}"', "{cc} x {n:2-5} days", "{cc}.[ Referred by Dr. {pcp}.|]"])
    )


def hpi(scene: Scene, layout: Layout, opening: str = "clinic") -> str:
    rng = scene.rng
    scene.topic = scene.main
    lines = scene.lines("opening", opening, 1)
    lines += scene.about(scene.main, "hpi", rng.randint(2, 4))
    others = [key for key in scene.state.active if key != scene.main]
    if others and rng.random() < 0.6:
        lines += scene.about(rng.choice(others), "hpi", 1)
    lines += scene.lines("hpi_extra", "lines", rng.choice([0, 1, 1, 2]))
    if rng.random() < 0.5:
        return prose(lines)
    cut = rng.randint(1, len(lines))
    return prose(lines[:cut]) + ("\n" + prose(lines[cut:]) if lines[cut:] else "")


def pmh(scene: Scene, layout: Layout) -> str:
    rng = scene.rng
    items = [rng.choice(problems()[key].names) for key in scene.state.active]
    items += [rng.choice(problems()[key].names) + ", resolved" for key in scene.state.past[:2]]
    items = (items if scene.age > 1 else []) + scene.history or ["None"]
    return listing(layout, items) if rng.random() < 0.6 else ", ".join(items) + "."


def psh(scene: Scene, layout: Layout) -> str:
    items = scene.surgeries
    return (listing(layout, items) if scene.rng.random() < 0.5 else "; ".join(items)) if items else "None."


def discharge_meds(scene: Scene, layout: Layout) -> str:
    return meds(scene, layout, home=True)


def meds(scene: Scene, layout: Layout, home: bool = False) -> str:
    """Current drugs; ``home`` leaves out what is only given in the hospital."""
    rng = scene.rng
    home = home or scene.office
    items = [f"{one.drug} {one.dose}" for one in scene.state.drugs if not (home and " IV" in one.dose)] or ["none"]
    items += (
        rng.sample(
            [
                "acetaminophen 650 mg q6h prn",
                "multivitamin daily",
                "docusate 100 mg BID",
                "vitamin D3 1,000 units daily",
                "omeprazole 20 mg daily",
                "melatonin 3 mg nightly prn",
                "senna 8.6 mg nightly",
            ],
            rng.randint(0, 2),
        )
        if scene.age > 12
        else []
    )
    style = rng.randrange(4)
    if style == 0:
        return ", ".join(items) + "."
    if style == 1:
        items = [re.sub(r"^(\S+)", lambda match: match[1].upper(), item) for item in items]
    if style == 2:
        items = [
            re.sub(r"( \d[\d.,]*(?:-\d[\d.]*)? ?(?:mg|mcg|g|units|mg/kg|IU)\b)", r"\1 tab, Sig:", item)
            if "SC" not in item and "IV" not in item and "mL" not in item
            else item
            for item in items
        ]
    return listing(layout, items)


def allergies(scene: Scene, layout: Layout) -> str:
    return "; ".join(scene.allergies)


def family(scene: Scene, layout: Layout) -> str:
    return prose(scene.lines("family", "lines", scene.rng.randint(1, 3)))


def social(scene: Scene, layout: Layout) -> str:
    if scene.age < 14:
        return prose(
            [scene.say("Lives in {city} with {relative}. [Up to date with vaccines|No pets|No smokers at home].")]
        )
    lines = scene.lines("social", "lines", scene.rng.randint(2, 4))
    if scene.age < 24 and scene.rng.random() < 0.7:
        lines.append(scene.say("Attends [classes|school] at {school}."))
    return prose(lines)


def ros(scene: Scene, layout: Layout) -> str:
    lines = scene.lines("ros", "lines", scene.rng.randint(3, 7))
    return listing(layout, lines) if scene.rng.random() < 0.5 else prose(lines)


def vital_signs(scene: Scene) -> dict[str, str]:
    """One set of vital signs that fits age and problem."""
    rng, age = scene.rng, scene.age
    sick = scene.main in ("pneumonia", "uti", "cellulitis", "appendicitis", "cholecystitis")
    short = scene.main in ("pneumonia", "copd", "chf", "vte")
    low = scene.main == "heart_block"
    if age < 2:
        pressure, pulse, breaths = (
            f"{rng.randint(62, 84)}/{rng.randint(36, 50)}",
            rng.randint(118, 158),
            rng.randint(30, 52),
        )
    elif age < 12:
        pressure, pulse, breaths = (
            f"{rng.randint(92, 112)}/{rng.randint(54, 70)}",
            rng.randint(78, 124),
            rng.randint(16, 28),
        )
    else:
        base = scene.state.systolic + rng.randint(-14, 14)
        pressure = f"{base}/{int(base * rng.uniform(0.52, 0.64))}"
        pulse = rng.randint(34, 52) if low else rng.randint(92, 122) if sick else rng.randint(58, 96)
        breaths = rng.randint(18, 26) if sick else rng.randint(12, 20)
    temperature = rng.uniform(100.6, 103.2) if sick else rng.uniform(97.2, 99.1)
    weight = (
        scene.state.weight
        if age >= 15
        else 3.4 + 0.02 * (scene.day - scene.patient.birth).days
        if age < 1
        else 8 + 2.4 * age
    )
    return {
        "BP": pressure,
        "HR": str(pulse),
        "RR": str(breaths),
        "T": f"{temperature:.1f} F" if rng.random() < 0.7 else f"{(temperature - 32) / 1.8:.1f} C",
        "SpO2": f"{rng.randint(88, 95)}% {rng.choice(['RA', 'on room air', '2L NC', '3L NC'])}"
        if short
        else f"{rng.randint(95, 100)}% {rng.choice(['RA', 'on room air'])}",
        "Wt": f"{weight:.1f} kg" if rng.random() < 0.6 else f"{weight * 2.2046:.0f} lb",
    }


def vitals(scene: Scene, layout: Layout) -> str:
    signs = vital_signs(scene)
    style = scene.rng.randrange(5)
    if style == 0:
        return "  ".join(f"{name} {value}" for name, value in signs.items())
    if style == 1:
        return ", ".join(f"{name}: {value}" for name, value in signs.items())
    if style == 2:
        return f"T {signs['T']} | BP {signs['BP']} | P {signs['HR']} | R {signs['RR']} | SaO2 {signs['SpO2']}"
    if style == 3:
        said = [("Blood pressure is", "BP"), ("pulse", "HR"), ("respirations", "RR"), ("temperature", "T")]
        said += [("oxygen saturation", "SpO2"), ("weight", "Wt")]
        return ", ".join(f"{word} {signs[key]}" for word, key in said) + "."
    return "\n".join(f"{name:<5} {value}" for name, value in signs.items())


_AGED = re.compile("Senile|Edentulous")


def exam(scene: Scene, layout: Layout, systems: int = 8) -> str:
    rng = scene.rng
    normal = load("phrases")["normal_child" if scene.age < 13 else "normal"]
    found: dict[str, list[str]] = {}
    for key in [scene.main, *[key for key in scene.state.active if key != scene.main and rng.random() < 0.35]]:
        for line in scene.about(key, "exam", 2 if key == scene.main else 1):
            system, finding = parts(line)
            found.setdefault(system, []).append(finding)
    names = [name for name in normal if name not in found]
    chosen = set(rng.sample(names, min(len(names), max(2, systems - len(found))))) | set(found)
    rows: list[tuple[str, str]] = []
    for system in [*normal, *[name for name in found if name not in normal]]:
        if system in chosen:
            text = " ".join(found.get(system, [])) or scene.say(rng.choice(normal[system]))
            while scene.age < 65 and _AGED.search(text):
                text = scene.say(rng.choice(normal[system]))
            rows.append((system, tidy(text)))
    if rng.random() < 0.12:
        rows += [("other", line) for line in scene.lines("hard_negatives", "lines", 1)]
    style = rng.randrange(4)
    short = {
        "general": "Gen",
        "extremities": "Ext",
        "abdomen": "Abd",
        "cardiac": "CV",
        "throat": "OP",
        "lymph": "Lymph",
        "msk": "MSK",
        "gu": "GU",
    }
    if style == 0:
        return "\n".join(f"{system.upper() if system != 'gu' else 'GU'}: {text}" for system, text in rows)
    if style == 1:
        return "\n".join(f"{short.get(system, system.capitalize())}: {text}" for system, text in rows)
    if style == 2:
        return prose([f"{short.get(system, system.capitalize())}: {text}" for system, text in rows])
    return prose([text for _, text in rows])


_SHORT_LAB = {
    "sodium": "Na",
    "potassium": "K",
    "chloride": "Cl",
    "bicarbonate": "HCO3",
    "creatinine": "Cr",
    "glucose": "Glu",
    "hemoglobin": "Hgb",
    "hematocrit": "Hct",
    "platelets": "Plt",
    "magnesium": "Mg",
}


def labs(scene: Scene, layout: Layout) -> str:
    rng, state = scene.rng, scene.state
    names = [name for key in state.active for name, _, _ in problems()[key].labs if name in state.values]
    names = list(dict.fromkeys([*PANELS[rng.randrange(2)], *names]))[: rng.randint(5, 12)]
    dated = f"{scene.full_date(state.taken[-1])}: " if rng.random() < 0.4 else ""
    style = rng.randrange(5)
    if style == 0:
        width = max(map(len, names)) + 2
        head = f"{'Test':<{width}}{'Result':<9}{'Flag':<6}{'Range':<14}Units\n"
        rows = [f"{'Test':<{width}}{'Result':<9}{'Flag':<6}{'Range':<14}Units"]
        for name in names:
            low_high = f"{LABS[name].low:g}-{LABS[name].high:g}"
            rows.append(
                f"{name:<{width}}{state.show(name):<9}{state.flag(name):<6}{low_high:<14}{LABS[name].unit}".rstrip()
            )
        return "\n".join(([dated.strip()] if dated else []) + rows)
    if style == 1:
        return dated + ", ".join(f"{_SHORT_LAB.get(name, name)} {state.show(name)}" for name in names) + "."
    if style == 2 and len(state.taken) > 1:
        return dated + "\n".join(
            f"{name}: {state.show(name)} ({'was ' if rng.random() < 0.5 else 'prior '}{state.show(name, 2)})"
            for name in names
        )
    if style == 3 and len(state.taken) > 1:
        back = min(3, len(state.taken))
        days = state.taken[-back:]
        head = "              " + "  ".join(
            mark("DATE", f"{day.month:02d}/{day.day:02d}/{day.year % 100:02d}", f"D{day}") for day in days
        )
        rows = []
        for name in names:
            shown = state.values[name][-back:]
            cells = [f"{value:.{LABS[name].decimals}f}" for value in shown]
            rows.append(
                f"{_SHORT_LAB.get(name, name)[:13]:<14}"
                + "  ".join(f"{cell:<8}" for cell in ["--"] * (back - len(cells)) + cells).rstrip()
            )
        return head + "\n" + "\n".join(rows)
    said = []
    for name in names:
        flag = f"({state.flag(name)})" if state.flag(name) else ""
        said.append(" ".join(filter(None, (name[:1].upper() + name[1:], state.show(name), LABS[name].unit, flag))))
    return dated + prose(said)


def imaging(scene: Scene, layout: Layout) -> str:
    lines: list[str] = []
    for key in [scene.main, *scene.state.active]:
        if problems()[key].studies and not lines:
            scene.topic = key
            study = scene.rng.choice(problems()[key].studies)
            text = study.impression if scene.rng.random() < 0.5 else study.finding
            when = scene.say("[ ({ago:0-1})||]" if problems()[key].acute else "[ ({ago:0-30})| {ago:0-6}||]")
            lines.append(tidy(scene.say(study.name)) + when + ": " + scene.say(text))
    return "\n".join(lines) if lines else "No new imaging."


def plan(scene: Scene, layout: Layout, most: int = 4) -> str:
    rng = scene.rng
    keys = [scene.main, *[key for key in scene.state.active if key != scene.main]][: rng.randint(2, most)]
    style = rng.randrange(4)
    out = []
    for at, key in enumerate(keys, 1):
        lines = scene.about(key, "plan", rng.randint(1, 3) if key == scene.main else rng.choice([1, 1, 2]))
        name = rng.choice(problems()[key].names)
        if style == 0:
            out.append(f"{at}. {tidy(name)}: {prose(lines)}")
        elif style == 1:
            out.append(f"# {tidy(name)}\n" + "\n".join(f"- {tidy(line)}" for line in lines))
        elif style == 2:
            out.append(f"{tidy(name)} - {prose(lines)}")
        else:
            out.append(prose(lines))
    extra = scene.lines("plan_general", "lines", rng.randint(0, 2))
    if extra:
        out.append("\n".join("- " + line for line in map(tidy, extra)) if style == 1 else prose(extra))
    text = (" " if style == 3 else "\n").join(out)
    if rng.random() < 0.55:
        lead = scene.say(rng.choice([
            "{agesex} with {problem}[, improving|, stable|, not at goal|].",
            "In summary, {agesex} with {pmh}, now with {problem}.",
            "Impression: {problem}[ with {other}|].",
        ]))  # fmt: skip
        text = tidy(lead) + "\n" + text
    return text


def course(scene: Scene, layout: Layout) -> str:
    rng = scene.rng
    lines = (
        scene.lines("opening", "admission", 1)
        if rng.random() < 0.6
        else [scene.say("{Pt} was admitted on {ago:2-6} to {fac}.")]
    )
    lines += scene.about(scene.main, "course", 2)
    scene.topic = scene.main
    if scene.age > 12:
        lines += scene.lines("discharge", "course", rng.randint(1, 3))
    others = [key for key in scene.state.active if key != scene.main]
    for key in rng.sample(others, min(2, len(others))):
        lines += [
            f"{tidy(rng.choice(problems()[key].names))}: {line}"
            for line in scene.about(key, "course", 1) or scene.about(key, "plan", 1)
        ]
    return prose(lines) if rng.random() < 0.5 else "\n".join(tidy(line) for line in lines)


def administrative(scene: Scene, layout: Layout, count: int = 1) -> str:
    return prose(scene.lines("uncommon", "lines", count))


SECTIONS: dict[str, Callable[[Scene, Layout], str]] = {
    "cc": cc, "hpi": hpi, "pmh": pmh, "psh": psh, "meds": meds, "allergies": allergies, "fh": family, "sh": social,
    "ros": ros, "vitals": vitals, "exam": exam, "labs": labs, "imaging": imaging, "ap": plan, "course": course,
    "dmeds": discharge_meds, "admin": administrative,
}  # fmt: skip


# --- note types -------------------------------------------------------------------------------------------------

ROLES = {
    "H&P": "Physician", "Progress": "Physician", "Consult": "Consultant", "Discharge summary": "Physician",
    "Operative": "Surgeon", "Procedure": "Proceduralist", "Radiology": "Radiologist", "Nursing": "Registered Nurse",
    "Telephone": "Registered Nurse", "Clinic letter": "Physician", "Emergency": "Emergency Physician",
    "Pathology": "Pathologist", "Social work": "Social Worker",
}  # fmt: skip
PLANS: dict[str, list[list[str]]] = {
    "H&P": [
        ["cc", "hpi", "pmh", "psh", "meds", "allergies", "fh", "sh", "ros", "vitals", "exam", "labs", "ap"],
        ["hpi", "pmh", "meds", "allergies", "sh", "fh", "vitals", "exam", "labs", "imaging", "ap"],
        ["cc", "hpi", "ros", "pmh", "psh", "allergies", "meds", "sh", "exam", "vitals", "ap", "admin"],
    ],
    "Progress": [
        ["interval", "vitals", "exam", "labs", "ap"],
        ["interval", "meds", "vitals", "exam", "ap"],
        ["interval", "exam", "labs", "imaging", "ap"],
        ["interval", "ap"],
    ],
    "Office": [
        ["cc", "interval", "pmh", "meds", "allergies", "vitals", "exam", "labs", "ap"],
        ["hpi", "meds", "vitals", "exam", "ap"],
        ["interval", "sh", "vitals", "exam", "labs", "ap", "admin"],
        ["cc", "hpi", "ros", "exam", "ap"],
    ],
    "Consult": [
        ["hpi", "pmh", "meds", "allergies", "sh", "exam", "labs", "ap"],
        ["cc", "hpi", "pmh", "exam", "imaging", "ap"],
    ],
    "Discharge summary": [
        ["dx", "course", "dmeds", "dcond", "dispo", "follow", "instr"],
        ["dx", "cc", "hpi", "course", "labs", "dmeds", "allergies", "dispo", "follow"],
        ["dx", "course", "imaging", "dcond", "dmeds", "follow", "instr"],
    ],
    "Emergency": [
        ["triage", "cc", "hpi", "pmh", "meds", "allergies", "vitals", "exam", "labs", "edcourse", "dispo"],
        ["hpi", "ros", "vitals", "exam", "imaging", "edcourse", "dispo"],
        ["triage", "hpi", "exam", "edcourse", "ap"],
    ],
}


def section(scene: Scene, layout: Layout, note_type: str, name: str) -> str:
    """The body of a section, marked."""
    rng, lines = scene.rng, scene.lines
    scene.topic = scene.main
    if name == "hpi":
        return hpi(
            scene,
            layout,
            {"Emergency": "ed", "H&P": "admission", "Discharge summary": "admission", "Consult": "consult"}.get(
                note_type, "clinic"
            ),
        )
    if name == "interval":
        office = note_type == "Office"
        said = lines("progress", "interval" if office else "overnight", rng.randint(2, 4))
        said += scene.about(scene.main, "hpi", rng.randint(1, 2))
        return prose(said)
    if name == "dx":
        items = [rng.choice(problems()[key].names) for key in dict.fromkeys([scene.main, *scene.state.active])]
        return listing(layout, list(dict.fromkeys(items))[: rng.randint(2, 6)])
    if name == "triage":
        return prose(lines("ed", "triage", rng.randint(1, 2)))
    if name == "edcourse":
        return prose(lines("ed", "course", rng.randint(2, 4)))
    if name == "dispo":
        return prose(lines("ed", "dispo", 1) if note_type == "Emergency" else lines("discharge", "disposition", 1))
    if name == "dcond":
        return prose(lines("discharge", "condition", 1))
    if name == "follow":
        return listing(layout, lines("discharge", "follow", rng.randint(1, 3)))
    if name == "instr":
        return prose(lines("discharge", "instructions", rng.randint(2, 4)))
    return SECTIONS[name](scene, layout)


def procedure_sections(scene: Scene, layout: Layout, note_type: str) -> list[tuple[str, str]]:
    """Operative or procedure note of the main problem, which must have a procedure."""
    rng = scene.rng
    scene.topic = scene.main
    line = scene.about(scene.main, "proc", 1)[0]
    name, details, finding = parts(line)
    before = scene.say("{problem}")
    out = [
        ("preop", before),
        ("postop", rng.choice(["Same.", before, "Same as above."])),
        (
            "procedure",
            f"{name}, {scene.state.sides[scene.main]}" if "knee" in name and rng.random() < 0.5 else name,
        ),
        (
            "surgeon",
            scene.clinician_full(scene.member("author"))
            + (scene.say("; assistant {nurse}, PA-C") if rng.random() < 0.3 else ""),
        ),
        (
            "anesthesia",
            scene.say(rng.choice(load("phrases")["misc"]["anesthesia" if note_type == "Operative" else "sedation"])),
        ),
        ("findings", finding),
        (
            "description",
            prose([*scene.lines("procedure", "open", 1), details, *scene.lines("procedure", "close", 1)]),
        ),
    ]
    if rng.random() < 0.7:
        out.insert(
            0,
            (
                "indication",
                prose(
                    [
                        *scene.about(scene.main, "hpi", 1),
                        scene.say("{agesex} with {pmh}."),
                    ]
                ),
            ),
        )
    if problems()[scene.main].lines.get("device"):
        what = problems()[scene.main].lines["device"][0]
        out.append(
            (
                "implants",
                scene.say(
                    rng.choice(
                        [
                            f"{tidy(what)}, serial {{serial}}",
                            f"{tidy(what)} S/N {{serial}}, UDI {{udi}}",
                            f"{tidy(what)}; UDI {{udi}}",
                        ]
                    )
                ),
            )
        )
    if rng.random() < 0.25:
        out = [item for item in out if item[0] not in ("preop", "anesthesia")]
    return out


def radiology_sections(scene: Scene, layout: Layout) -> list[tuple[str, str]]:
    """A report of one study of the main problem; now and then the normal chest template of the department."""
    rng = scene.rng
    scene.topic = scene.main
    studies = problems()[scene.main].studies
    if not studies or rng.random() < 0.08:
        reason = scene.say(rng.choice(["{cc}", "preoperative", "cough", "line placement", "annual physical"]))
        return [
            ("exam_name", "Chest, PA and lateral"),
            ("indication", reason),
            ("normal_chest", load("phrases")["boilerplate"]["normal_chest"][0]),
            ("impression", "No acute cardiopulmonary process."),
        ]
    study = rng.choice(studies)
    misc = load("phrases")["misc"]
    finding = prose([scene.say(study.finding), *scene.lines("misc", "incidental", rng.randint(1, 3))])
    impression = [
        scene.say(study.impression),
        *([scene.say(rng.choice(misc["closing"]))] if rng.random() < 0.7 else []),
    ]
    return [
        ("exam_name", scene.say(f"{study.name}[, {{today}}|, accession {{accession}}| (acc #{{accession}})|]")),
        ("indication", scene.say(f"[{{agesex}} with {study.reason}|{study.reason}|{study.reason}. {{pmh}}]")),
        ("technique", scene.say(rng.choice(misc["technique"]))),
        ("findings", finding),
        ("impression", listing(layout, impression) if rng.random() < 0.6 else prose(impression)),
    ]


def telephone_sections(scene: Scene, layout: Layout) -> list[tuple[str, str]]:
    rng = scene.rng
    key = rng.choice(scene.state.active) if scene.state.active and rng.random() < 0.4 else scene.main
    lines = scene.lines("telephone", "open", 1) + scene.about(key, "call", 1)
    if rng.random() < 0.35:
        lines += [rng.choice(scene.lines("uncommon", "lines", 1))]
    lines += scene.lines("telephone", "close", rng.randint(1, 2))
    return [
        (
            "call",
            " ".join(line if line.rstrip().endswith((".", END)) else line + "." for line in lines)
            if rng.random() < 0.6
            else "\n".join(lines),
        )
    ]


def sections(scene: Scene, layout: Layout, note_type: str, *, office: bool) -> list[tuple[str, str]]:
    """Names and marked bodies of a note's sections in order; bodies of ``PLANS`` come one by one from ``section``."""
    rng = scene.rng
    if note_type in ("Operative", "Procedure"):
        return procedure_sections(scene, layout, note_type)
    if note_type == "Radiology":
        return radiology_sections(scene, layout)
    if note_type == "Telephone":
        return telephone_sections(scene, layout)
    if note_type == "Nursing":
        lines = scene.lines("nursing", "lines", rng.randint(4, 7))
        if rng.random() < 0.5:
            clock = sorted(rng.randint(0, 1439) for _ in lines)
            lines = [f"{minute // 60:02d}{minute % 60:02d} {line}" for minute, line in zip(clock, lines, strict=True)]
            return [("nursing", "\n".join(lines))]
        return (
            [("vitals", vitals(scene, layout)), ("nursing", prose(lines))]
            if rng.random() < 0.5
            else [("nursing", prose(lines))]
        )
    if note_type == "Pathology":
        specimen, diagnosis = parts(scene.about(scene.main, "path", 1)[0])
        return [
            ("specimen", f"{specimen}{scene.say('[, collected {ago:1-5}| ({accession})|]')}"),
            ("indication", scene.say("{problem}")),
            ("gross", prose(scene.lines("misc", "gross", 1))),
            ("pathdx", diagnosis),
        ]
    if note_type == "Social work":
        contacts = scene.lines("social_work", "lines", rng.randint(5, 8))
        return [
            ("social", prose(contacts) if rng.random() < 0.5 else listing(layout, contacts)),
            ("follow", prose(scene.lines("plan_general", "lines", 1))),
        ]
    if note_type == "Clinic letter":
        body = [prose(scene.lines("letter", "intro", 1)), hpi(scene, layout)]
        body += [
            f"{rng.choice(['Medications', 'Current medications', 'On'])}: "
            + (", ".join(f"{regimen.drug} {regimen.dose}" for regimen in scene.state.drugs) or "none")
            + "."
        ]
        body += (
            [f"On examination: {' '.join(vitals(scene, layout).split())}", exam(scene, layout, 5)]
            if rng.random() < 0.7
            else []
        )
        body += [labs(scene, layout)] if rng.random() < 0.3 else []
        body += [plan(scene, layout, 3), prose(scene.lines("letter", "close", 1))]
        return [("letter", scene.lines("letter", "open", 1)[0] + "\n\n" + "\n\n".join(body))]
    kind = "Office" if office else note_type
    chosen = list(rng.choice(PLANS[kind]))
    if rng.random() < 0.12 and "admin" not in chosen:
        chosen.append("admin")
    return [(name, "") for name in chosen]
