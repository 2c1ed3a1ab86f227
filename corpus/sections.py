"""Sections of a clinical note, by their headings.

A heading counts if its canonical title is known, or if it is of several words in capitals; any other word before a
colon is content ("BP: 120/80").
"""

from __future__ import annotations

import re
from typing import NamedTuple

ALIASES: dict[str, str] = {
    "chief complaint": "chief complaint|cc|reason for visit|reason for consultation|reason for consult|reason for call|presenting complaint",
    "history of present illness": "history of present illness|hpi|history|subjective|interval history|present illness|s|hx of present illness",
    "past medical history": "past medical history|pmh|pmhx|medical history|past history|past medical and surgical history",
    "past surgical history": "past surgical history|psh|surgical history",
    "medications": "medications|current medications|home medications|meds|discharge medications|medications on admission|medications on discharge|medications prior to admission|current meds|home meds|outpatient medications",
    "problems": "problems|problem list|active problems|active problem list|medical problems|current problems",
    "allergies": "allergies|allergy|drug allergies|nkda|all",
    "social history": "social history|social|sh|shx",
    "family history": "family history|fh|fhx",
    "review of systems": "review of systems|ros",
    "physical examination": "physical examination|physical exam|exam|pe|objective|examination|o",
    "vital signs": "vital signs|vitals|vs",
    "laboratory data": "laboratory data|labs|lab results|laboratory|results|laboratory studies|data|diagnostic data|lab data",
    "imaging": "imaging|radiology|imaging studies|x-ray|diagnostic studies|studies",
    "indication": "indication|indications|clinical history|reason for exam|reason for study|clinical indication|history and indication|reason for examination",
    "comparison": "comparison",
    "technique": "technique|exam technique",
    "findings": "findings|report",
    "impression": "impression|impressions|conclusion|opinion|interpretation",
    "hospital course": "hospital course|brief hospital course|course|hospital course by problem|emergency department course|ed course|course in ed",
    "diagnosis": "diagnosis|diagnoses|discharge diagnosis|discharge diagnoses|final diagnosis|final diagnoses|admitting diagnosis|admission diagnosis|principal diagnosis|preoperative diagnosis|postoperative diagnosis|pre-operative diagnosis|post-operative diagnosis|preop diagnosis|postop diagnosis|ed diagnosis|clinical impression",
    "procedure": "procedure|procedures|operation|operations|procedure performed|procedures performed|title of operation|operation performed|name of procedure",
    "anesthesia": "anesthesia",
    "description of procedure": "description of procedure|procedure in detail|details of procedure|description of operation|operative procedure|procedure details",
    "assessment": "assessment|a|impression and assessment",
    "plan": "plan|recommendations|recommendation|p|treatment plan|plan of care",
    "assessment and plan": "assessment and plan|a/p|a&p|assessment/plan|ap|impression and plan|impression/plan|assessment & plan",
    "disposition": "disposition|discharge disposition|dispo",
    "follow-up": "follow-up|follow up|followup|discharge instructions|instructions|f/u",
}  # fmt: skip
# Single letters and two-letter words head sections only when they stand in capitals, as in SOAP notes.
TITLES = frozenset(ALIASES)
_CANONICAL = {alias: title for title, aliases in ALIASES.items() for alias in aliases.split("|")}
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,4}[ \t]*|\*{2}|[-=]{2,}[ \t]*)?(?P<name>[A-Za-z][A-Za-z/&' -]{0,45}?)(?:\*{2})?[ \t]*(?::\**|(?=[ \t]*$))",
    re.MULTILINE,
)


class Section(NamedTuple):
    """One stretch of a note: canonical title ("" before the first heading), text with heading, text without."""

    title: str
    text: str
    body: str


class Heading(NamedTuple):
    """Where a section begins: offsets of its heading in the text, and its canonical title ("" where it has none)."""

    start: int
    end: int
    title: str


def headings(text: str) -> list[Heading]:
    """The known headings of a note, in order."""
    found: list[Heading] = []
    for match in _HEADING.finditer(text):
        name = match["name"].strip()
        title = _CANONICAL.get(name.lower())
        if title and (len(name) > 2 or name.isupper()):
            found.append(Heading(match.start(), match.end(), title))
        elif name.isupper() and " " in name and ":" in match.group():
            found.append(Heading(match.start(), match.end(), ""))  # a heading, of a section that has no title here
    return found


def parse(text: str) -> list[Section]:
    """Cut a note at its known headings. Joined by newlines, the `text` of all sections is the note again, trimmed."""
    cuts = headings(text)
    sections = []
    first = cuts[0][0] if cuts else len(text)
    if text[:first].strip():
        sections.append(Section("", text[:first].strip("\n"), text[:first].strip()))
    for index, (start, end, title) in enumerate(cuts):
        stop = cuts[index + 1][0] if index + 1 < len(cuts) else len(text)
        sections.append(Section(title, text[start:stop].strip("\n"), text[end:stop].strip(" \t\n,")))
    return sections


def body(sections: list[Section], title: str) -> str:
    """Bodies of every section with that title, joined."""
    return "\n".join(s.body for s in sections if s.title == title and s.body)
