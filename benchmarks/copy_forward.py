"""Copy-forward found inside a patient: recall and precision on planted copies, and the cost of it.

    python benchmarks/copy_forward.py --write benchmarks/results/copy_forward.md

The notes are made here, by seed, out of sentences of its own (nothing of the synthetic hospital): patients with notes
in sections, of which about half is copied from one of the patient's last notes and half is new. What is copied is
wrapped to another width, gets other bullets, case and dates, typing errors of all four kinds, an article more or less;
sentences of it are left out, and new ones put in between. Some sentences inside a copied block are changed: another
number, another word, a negation put in or taken out. These are new, whole, and so are short statements that are typed
anew each day ("Afebrile."), which read like ones before. Truth is noted while writing. A heading counts as copied if
everything under it was.

Two figures of recall: of the words of copied sentences, and of all words that stand before, those left in changed
sentences too (which are never taken out, because a sentence without its numbers says something else).
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]

SYMPTOMS = "chest pain|shortness of breath|abdominal pain|nausea|vomiting|headache|dizziness|back pain|productive cough|fatigue|lower extremity swelling|palpitations|night sweats|hematuria|dysuria|constipation|blurred vision|numbness of the left hand|orthopnea|poor appetite|joint stiffness|hoarseness|heartburn|syncope|pruritus".split("|")  # fmt: skip
DISEASES = "pneumonia|heart failure|atrial fibrillation|acute kidney injury|urinary tract infection|cellulitis of the right leg|type 2 diabetes|chronic obstructive pulmonary disease|pulmonary embolism|pancreatitis|gastrointestinal bleeding|ischemic stroke|hypothyroidism|osteomyelitis|diverticulitis|hyponatremia|anemia of chronic disease|coronary artery disease|cirrhosis|deep vein thrombosis|gout|endocarditis".split("|")  # fmt: skip
DRUGS = "metoprolol|lisinopril|furosemide|vancomycin|cefepime|apixaban|insulin glargine|atorvastatin|prednisone|levothyroxine|pantoprazole|gabapentin|amlodipine|ceftriaxone|heparin|tamsulosin|albuterol|allopurinol|spironolactone|warfarin|oxycodone|duloxetine".split("|")  # fmt: skip
PARTS = "right knee|left shoulder|lower abdomen|left flank|right lung base|neck|lumbar spine|left foot|sternum|right groin|scalp|left hip".split("|")  # fmt: skip
TESTS = "CT of the chest|MRI of the brain|renal ultrasound|echocardiogram|chest radiograph|colonoscopy|blood cultures|urine culture|lower extremity duplex|CT of the abdomen|bone scan|stress test".split("|")  # fmt: skip
WORDS = "stable|unchanged|improved|worse|mild|moderate|marked|intermittent|persistent|resolving|new|diffuse|focal|bilateral|small|large".split("|")  # fmt: skip
PEOPLE = "wife|son|daughter|sister|primary care physician|cardiologist|home nurse|neighbor|physical therapist|surgeon".split("|")  # fmt: skip
SENTENCES = {
    "history": [
        "The patient is a {n:30-88} year old {man} with a history of {dx} and {dx} who presents with {n:2-14} days of {sym}.",
        "{He} reports {word} {sym} that began on {date} and is not relieved by {drug}.",
        "{He} denies {sym}, {sym}, or {sym}.",
        "Symptoms started after {he} stopped taking {drug} {n:2-12} weeks ago.",
        "The {person} states that {he} has been more tired since {date} and has fallen {n:2-9} times.",
        "{He} was last admitted on {date} for {dx} and was treated with {drug} for {n:3-21} days.",
        "There is {word} {sym} with radiation to the {part}, rated {n:1-10} out of 10.",
        "Prior {test} on {date} showed {word} changes in the {part} measuring {n:2-48} mm.",
        "{He} was seen by the {person}, who increased {drug} from {n:5-40} mg to {n:41-95} mg daily.",
        "No recent travel, and no sick contacts besides the {person} with {sym}.",
        "{He} walks {n:2-20} blocks before {sym} stops {him}, which is {word} compared with last year.",
    ],
    "exam": [
        "The {part} is tender to palpation with {word} erythema of {n:2-18} cm.",
        "Lungs have {word} crackles {n:2-9} cm above the {part} without wheezing.",
        "Heart sounds are regular with a {word} murmur heard best at the {part}.",
        "Strength is {n:2-5} of 5 in the {part} and sensation is {word}.",
        "There is {word} edema of the {part}, and pulses are palpable.",
        "The incision over the {part} is clean and dry with {n:3-24} staples in place.",
        "Abdomen is soft with {word} tenderness, no guarding and no rebound over the {part}.",
        "Drain at the {part} put out {n:10-480} mL of {word} serous fluid.",
    ],
    "course": [
        "{He} was started on {drug} {n:5-900} mg every {n:4-24} hours for {dx} on {date}.",
        "The {test} of {date} was read as {word} disease of the {part} without other findings.",
        "{drug} was held on {date} because creatinine rose to {n:2-6}.{n:0-9} and {sym} was {word}.",
        "Oxygen was weaned from {n:4-10} L to {n:1-3} L, and saturation remained {n:88-99} percent.",
        "Infectious disease recommended {drug} for a total of {n:5-42} days, ending on {date}.",
        "After {n:2-7} units of blood the hemoglobin was {n:7-11}.{n:0-9} on {date}.",
        "Overnight the nurse reported {word} {sym} that improved after {n:5-900} mg of {drug}.",
    ],
    "plan": [
        "Continue {drug} {n:5-900} mg {often} for {dx}.",
        "Repeat {test} in {n:2-12} weeks to follow the {word} finding in the {part}.",
        "Start {drug} {n:5-900} mg {often} if {sym} is {word} tomorrow.",
        "Discuss goals of care with the {person} and the team before {date}.",
        "Hold {drug} until the {test} is back, then restart at {n:5-90} mg.",
        "Follow up with the {person} on {date} regarding {dx}.",
        "{dx}: {word}, likely due to missed {drug}; trend labs every {n:4-12} hours.",
        "Physical therapy to see for {sym} and weakness of the {part} {n:2-6} times a week.",
    ],
    "medications": [
        "{drug} {n:5-900} mg by mouth {often} for {dx}",
        "{drug} {n:5-90} mg {often} as needed for {sym}",
        "{drug} {n:100-900} mg intravenously every {n:4-24} hours until {date}",
    ],
    "vitals": [
        "BP {n:90-180}/{n:50-100}, HR {n:50-130}, T {n:36-39}.{n:0-9}, RR {n:12-30}, SpO2 {n:85-100}%.",
        "Weight {n:48-130}.{n:0-9} kg, intake {n:300-3200} mL, output {n:300-3200} mL.",
    ],
    "labs": [
        "Na {n:125-148}, K {n:3-5}.{n:0-9}, Cl {n:92-110}, CO2 {n:17-31}, BUN {n:6-80}, Cr {n:0-5}.{n:0-9}, glucose {n:60-380}",
        "WBC {n:2-25}.{n:0-9}, Hgb {n:6-16}.{n:0-9}, platelets {n:40-520}, INR {n:0-4}.{n:0-9}",
        "Troponin {n:1-900}, BNP {n:20-4000}, lactate {n:0-6}.{n:0-9}",
    ],
}  # fmt: skip
SHORT = "Afebrile.|No acute events overnight.|Feels well.|Pain controlled.|Tolerating diet.|Alert and oriented.|No new complaints.|Seen at bedside.|Continue current care.|Slept well.|Labs reviewed.|Family updated.".split("|")  # fmt: skip
OFTEN = "daily|twice daily|nightly|every 8 hours|every other day|weekly".split("|")  # fmt: skip
LAYOUT = {
    "history": ("HISTORY OF PRESENT ILLNESS:", "HPI:", "Interval history:"),
    "medications": ("MEDICATIONS:", "Current medications:", "Meds:"),
    "vitals": ("VITAL SIGNS:", "Vitals:"),
    "labs": ("LABS:", "Laboratory data:"),
    "exam": ("PHYSICAL EXAM:", "Exam:"),
    "course": ("HOSPITAL COURSE:", "Brief hospital course:"),
    "plan": ("PLAN:", "Plan:", "Recommendations:"),
}
ITEMS = ("medications", "plan", "labs")
MONTHS = "January February March April May June July August September October November December".split()
COPY_RATE = {"history": 0.7, "medications": 0.8, "vitals": 0.35, "labs": 0.35, "exam": 0.65, "course": 0.75, "plan": 0.6}  # fmt: skip


class Sentence(NamedTuple):
    """A sentence with dates as {2019-03-04}, and whether it stands before."""

    text: str
    copied: bool = False
    edited_of: str | None = None
    """Of a changed sentence: what it was made from."""


class Note(NamedTuple):
    text: str
    marks: list[tuple[int, int, bool, str | None]]
    """start, end, copied, and of a changed sentence the words of its source."""


# --- writing -------------------------------------------------------------------------------------------------


def fill(rng: random.Random, template: str, male: bool) -> str:
    """A sentence out of a template."""
    slots = {
        "sym": SYMPTOMS, "dx": DISEASES, "drug": DRUGS, "part": PARTS, "test": TESTS, "word": WORDS, "person": PEOPLE,
        "often": OFTEN,
    }  # fmt: skip
    words = {"he": "he", "He": "He", "him": "him", "man": "man"} if male else {"he": "she", "He": "She", "him": "her", "man": "woman"}  # fmt: skip

    def put(match: re.Match[str]) -> str:
        name = match[1]
        if name == "date":
            return f"{{{rng.randint(2016, 2023)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}}}"
        if name.startswith("n:"):
            low, high = name[2:].split("-")
            return str(rng.randint(int(low), int(high)))
        return words.get(name) or rng.choice(slots[name])

    text = re.sub(r"\{([a-zA-Z]+|n:\d+-\d+)\}", put, template)
    return text[0].upper() + text[1:]


def shown_date(rng: random.Random, year: int, month: int, day: int) -> str:
    """A date in one of the forms of notes."""
    return rng.choice(
        [f"{month}/{day}/{year}", f"{month:02d}/{day:02d}/{year}", f"{month}/{day}/{year % 100:02d}",
         f"{year}-{month:02d}-{day:02d}", f"{MONTHS[month - 1]} {day}, {year}", f"{day} {MONTHS[month - 1][:3]} {year}"]
    )  # fmt: skip


def plain(text: str) -> str:
    """What makes two sentences the same: words and numbers."""
    return " ".join(re.findall(r"[a-z]+|\d+", re.sub(r"\{.*?\}", "date", text.lower())))


def typo(rng: random.Random, text: str) -> str:
    """One error in one word of five letters and more: a letter left out, put in, swapped, or replaced (Damerau 1964)."""
    words = [m for m in re.finditer(r"[A-Za-z]{5,}", text) if "{" not in text[max(m.start() - 1, 0) : m.start()]]
    if not words:
        return text
    match = rng.choice(words)
    word, k = match.group(), rng.randint(1, len(match.group()) - 3)
    letter = rng.choice("abcdefghilmnoprstu")
    kinds = [word[:k] + word[k + 1 :], word[:k] + letter + word[k:], word[:k] + word[k + 1] + word[k] + word[k + 2 :],
             word[:k] + letter + word[k + 1 :]]  # fmt: skip
    return text[: match.start()] + rng.choice(kinds) + text[match.end() :]


def article(rng: random.Random, text: str) -> str:
    """An article taken out or put in."""
    found = list(re.finditer(r"\b(?:the|a) ", text))
    if found and rng.random() < 0.6:
        match = rng.choice(found)
        return text[: match.start()] + text[match.end() :]
    found = list(re.finditer(r"\b(?:of|in|with) (?=[a-z])(?!the )", text))
    if not found:
        return text
    place = rng.choice(found).end()
    return text[:place] + "the " + text[place:]


def changed(rng: random.Random, text: str) -> str:
    """Another number, another word, or a negation put in or taken out."""
    kind = rng.random()
    numbers = [m for m in re.finditer(r"(?<![\d{/-])\d+(?![\d}-])", text)]
    if kind < 0.6 and numbers:
        match = rng.choice(numbers)
        value = int(match.group())
        value += rng.choice([-3, -2, -1, 1, 2, 3, 7]) if value > 3 else rng.randint(1, 9)
        return f"{text[: match.start()]}{value}{text[match.end() :]}"
    if kind < 0.75 and (found := re.search(r"\b(?:no|not|without|denies) ", text)):
        return text[: found.start()] + text[found.end() :]
    if kind < 0.85 and (found := re.search(r"\b(?:is|was|showed|reports|has) ", text)):
        return text[: found.end()] + "no longer " + text[found.end() :]
    for bank in (WORDS, SYMPTOMS, DRUGS, PARTS, DISEASES):
        there = [word for word in bank if re.search(rf"\b{word}\b", text)]
        if there:
            old = rng.choice(there)
            return re.sub(rf"\b{old}\b", rng.choice([w for w in bank if w != old]), text, count=1)
    return re.sub(r"(\.?)$", r" again\1", text, count=1)


def copy(rng: random.Random, sentence: str) -> Sentence:
    """A sentence carried forward: as it was, with an edit that changes nothing, or changed."""
    draw = rng.random()
    if draw < 0.12:
        return Sentence(changed(rng, sentence), False, sentence)
    text = sentence
    if draw < 0.16:
        text = typo(rng, text)
    elif draw < 0.20:
        text = article(rng, text)
    if rng.random() < 0.4:
        text = re.sub(r"\{.*?\}", lambda _: f"{{{rng.randint(2016, 2023)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}}}", text)  # fmt: skip
    if rng.random() < 0.04:
        text = text.replace(",", ";") if rng.random() < 0.5 else text.replace(",", "")
    return Sentence(text, True)


def lay_out(rng: random.Random, sections: dict[str, list[Sentence]]) -> Note:
    """The text of a note: headings, bullets, wrapping; and the place of each sentence."""
    width = rng.choice([0, 0, 60, 72, 80, 100])
    bullet = rng.choice(["- ", "* ", "", "1"])
    upper = rng.random() < 0.05
    text = ""
    marks: list[tuple[int, int, bool, str | None]] = []
    for name, sentences in sections.items():
        if not sentences:
            continue
        start = len(text)
        text += rng.choice(LAYOUT[name])
        if sentences:
            marks.append((start, len(text), all(s.copied for s in sentences), None))
        text += rng.choice(["\n", " "]) if name not in ITEMS else "\n"
        column = len(text) - text.rfind("\n") - 1
        for number, sentence in enumerate(sentences, 1):
            said = re.sub(r"\{(\d+)-(\d+)-(\d+)\}", lambda m: shown_date(rng, *map(int, m.groups())), sentence.text)
            said = said.upper() if upper else said
            if name in ITEMS:
                text += f"{number}. " if bullet == "1" else bullet
            start = len(text)
            for word in said.split():
                if name in ITEMS:
                    text += word + " "
                    continue
                if width and column and column + len(word) > width:
                    text, column = text.rstrip(" ") + "\n", 0
                text += word + " "
                column += len(word) + 1
            end = len(text.rstrip())
            marks.append((start, end, sentence.copied, sentence.edited_of))
            if name in ITEMS:
                text = text.rstrip() + "\n"
        text = text.rstrip() + rng.choice(["\n", "\n\n"])
    return Note(text, marks)


def make_patient(rng: random.Random, notes: int) -> list[Note]:
    """The notes of one patient in their order."""
    male = rng.random() < 0.5
    written: set[str] = set()
    filed: list[dict[str, list[Sentence]]] = []
    out = []

    def fresh(name: str) -> Sentence:
        if name not in ("medications", "labs", "vitals") and rng.random() < 0.12:
            return Sentence(rng.choice(SHORT))
        while True:
            text = fill(rng, rng.choice(SENTENCES[name]), male)
            if plain(text) not in written:
                return Sentence(text)

    for _ in range(notes):
        draft: dict[str, list[Sentence]] = {}
        for name in LAYOUT:
            if rng.random() < 0.2:
                continue
            sentences: list[Sentence] = []
            earlier = [note for note in filed[-4:] if note.get(name)]
            source_name = name
            if name == "course" and rng.random() < 0.2 and (moved := [n for n in filed[-4:] if n.get("history")]):
                earlier, source_name = moved, "history"
            if earlier and rng.random() < COPY_RATE[name]:
                for one in (earlier[-1] if rng.random() < 0.7 else rng.choice(earlier))[source_name]:
                    if rng.random() < 0.06:
                        continue
                    carried = copy(rng, one.text)
                    while not carried.copied and plain(carried.text) in written:
                        carried = copy(rng, one.text)
                    sentences.append(carried)
                    if rng.random() < 0.1:
                        sentences.append(fresh(name))
                if rng.random() < 0.5:
                    sentences.append(fresh(name))
            else:
                size = 1 if name == "vitals" else rng.randint(2, 7)
                sentences = [fresh(name) for _ in range(size)]
            draft[name] = sentences
        written |= {plain(s.text) for group in draft.values() for s in group}
        filed.append(draft)
        out.append(lay_out(rng, draft))
    return out


def make_notes(patients: int, notes: int, seed: int) -> dict[str, list[Note]]:
    """Notes of each patient, in order."""
    return {f"p{i:05d}": make_patient(random.Random(f"{seed}-{i}"), notes) for i in range(patients)}


# --- measuring -----------------------------------------------------------------------------------------------


def table(made: dict[str, list[Note]]) -> Any:
    """The notes as a table, one a day."""
    import polars as pl

    rows = [
        {"note_id": f"{patient}-{i:04d}", "patient_id": patient, "text": note.text,
         "charted_at": f"{2019 + i // 336}-{1 + i // 28 % 12:02d}-{1 + i % 28:02d}T08:00:00"}
        for patient, notes in made.items() for i, note in enumerate(notes)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def score(made: dict[str, list[Note]], passages: Any) -> dict[str, Any]:
    """Words found, by what they were."""
    found: dict[str, list[tuple[int, int]]] = {}
    for note_id, start, end in passages.select("note_id", "start", "end").iter_rows():
        found.setdefault(note_id, []).append((start, end))
    counts: Counter[str] = Counter()
    for patient, notes in made.items():
        for i, note in enumerate(notes):
            spans = found.get(f"{patient}-{i:04d}", [])
            inside = [False] * len(note.text)
            for start, end in spans:
                inside[start:end] = [True] * (end - start)
            for start, end, copied, source in note.marks:
                words = [start + m.start() for m in re.finditer(r"[A-Za-z]+|\d+", note.text[start:end])]
                hit = sum(inside[place] for place in words)
                counts["words"] += len(words)
                counts["copied"] += len(words) * copied
                counts["found"] += hit
                counts["right"] += hit * copied
                counts["changed" if source else "other"] += hit * (not copied)
                if source:
                    ours, theirs = Counter(plain(note.text[start:end]).split()), Counter(plain(source).split())
                    counts["same_in_changed"] += (ours & theirs).total()
    return {
        "words": counts["words"], "copied": counts["copied"], "recall": counts["right"] / counts["copied"],
        "precision": counts["right"] / counts["found"],
        "recall_of_all_words_that_stand_before": counts["right"] / (counts["copied"] + counts["same_in_changed"]),
        "wrong_in_changed": counts["changed"], "wrong_elsewhere": counts["other"],
    }  # fmt: skip


def measure(patients: int, notes: int, seed: int) -> dict[str, Any]:
    """Make notes, find what was copied, and say how well and at what cost."""
    from corpus.sections import headings
    from corpus.stages.dedupe_copy_forward import is_word
    from dedupe.copy_forward import CopyForwardParams, find

    is_word("word")  # reads the list
    made = make_notes(patients, notes, seed)
    frame = table(made)
    started = time.process_time()
    found = find(frame, CopyForwardParams(), headings, is_word)
    seconds = time.process_time() - started
    chars = int(frame["text"].str.len_chars().sum())
    return {
        "seed": seed, "patients": patients, "notes": frame.height, "chars": chars, "cpu_seconds": seconds,
        "chars_per_cpu_second": chars / seconds, **score(made, found.passages),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--notes", type=int, default=12, help="notes of a patient")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--one", action="store_true", help="one measurement, as JSON")
    parser.add_argument("--write", type=Path, help="Markdown file for the tables")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if args.one:
        print(json.dumps(measure(args.patients, args.notes, args.seed)))  # noqa: T201
        return

    def run(patients: int, notes: int, seed: int) -> dict[str, Any]:
        command = [sys.executable, __file__, "--one", "--patients", str(patients), "--notes", str(notes), "--seed", str(seed)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={"POLARS_MAX_THREADS": "1"})
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    text = report(
        [run(args.patients, args.notes, args.seed + k) for k in range(3)],
        [run(n, args.notes, 11) for n in (100, 200, 400, 800)],
        [run(1, n, 12) for n in (125, 250, 500, 1000)],
    )
    if args.write:
        args.write.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


def report(quality: list[dict[str, Any]], growth: list[dict[str, Any]], long: list[dict[str, Any]]) -> str:
    """The page of results."""
    lines = [
        "# Copy-forward inside a patient", "",
        "Made by `python benchmarks/copy_forward.py --write benchmarks/results/copy_forward.md`. "
        f"Python {platform.python_version()}, {platform.machine()}, one thread.", "",
        "Words of planted copies, in notes made by seed (what was planted: see the head of the script). A sentence in which a "
        "number, a word or a negation changed is new as a whole; the last column counts the unchanged words in these as missed. "
        "The code was written looking at seeds 1 and 2; those below were not looked at.", "",
        "| seed | notes | words | copied | recall | precision | wrong: in changed sentences / elsewhere | recall of all words that stand before |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for q in quality:
        lines.append(
            f"| {q['seed']} | {q['notes']:,} | {q['words']:,} | {q['copied'] / q['words']:.3f} | {q['recall']:.4f} | {q['precision']:.4f} | "
            f"{q['wrong_in_changed']:,} / {q['wrong_elsewhere']:,} | {q['recall_of_all_words_that_stand_before']:.4f} |"
        )
    for title, rows in (("More patients of 12 notes", growth), ("One patient with more and more notes", long)):
        lines += ["", f"{title}:", "", "| notes | characters | CPU s | characters per CPU s |", "|---|---|---|---|"]
        lines += [
            f"| {r['notes']:,} | {r['chars']:,} | {r['cpu_seconds']:.2f} | {r['chars_per_cpu_second']:,.0f} |"
            for r in rows
        ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
