"""Carries a found name to the end of what belongs to it.

A model or a pattern often finds most of a name and leaves a word: "Nhia Pao" of "Nhia Pao Her", "Simone" of
"Valtrex, Simone", "Macapagal" of 'Rosalinda "Baby" Macapagal', "Ciar" of the scanned "Ciar án". A name of which a word is
left points to the person as the whole one does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from deid.lexicon import ANY_NAME, CLINICAL, DRUG, MONTHDAY, flags, is_safe
from deid.note import LETTER, UPPER
from deid.spans import Span

_WORD = rf"{UPPER}(?:{LETTER}|['’\-](?={LETTER})){{1,24}}"
_RIGHT = re.compile(rf"[ ](?P<w>{_WORD})(?![\w'])(?![ \t]*:)")
_LEFT = re.compile(rf"(?:(?<=^)|(?<=[\s(\[/:]))(?P<w>{_WORD})[ ]$")
_HYPHEN_BEFORE = re.compile(rf"(?<![\w'’-])(?P<w>{UPPER}{LETTER}{{2,15}})-$")  # "Kaplan-" of "Kaplan-Meier, Ruth"
_LEFT_COMMA = re.compile(rf"(?:^|\n)[ \t]*(?P<w>{_WORD}),[ ]$")
_INITIAL = re.compile(rf"[ ]{LETTER}\.(?!\w)|[ ]{UPPER}(?=[ ,.;)\n]|$)(?![ ]\d)")
_TITLED_INITIAL = re.compile(rf"\b(?:dr|mr|mrs|ms)\.?[ ](?P<w>{LETTER})\.?[ ]$", re.IGNORECASE)  # "dr w young"
_NICK = re.compile(rf"[ ][\"“'(]{_WORD}[\"”')][ ]{_WORD}(?![\w'])")
_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|JR|SR|II|III|IV)\b\.?")
_DEGREE_CAPS = re.compile(r"[ ](?:MD|DO|NP|RN|PA|PA-C|CRNA|PHD|DDS|APRN)\b")
_PARTICLE = re.compile(
    rf"[ ](?:de(?:[ ](?:los|las|la))?|del|van(?:[ ]der)?|von|da|dos|das|bin|bint|al|el|der|ten|ter)[ ]{_WORD}(?![\w'])"
)
_PIECE = re.compile(r"[ ](?P<w>[a-zà-ÿ]{2,4})(?![\w'/-])")
# "Gresham 97080", "Clun, Ohio 45013"
_ZIP_AFTER = re.compile(
    rf"[ ,.\n]{{1,4}}(?:{UPPER}{LETTER}{{1,14}}\.?(?:[ ]{UPPER}{LETTER}{{2,12}})?[ ,]{{1,4}})?(?P<z>\d{{5}}(?:-\d{{4}})?)(?![\d-])"
)
# "Florence Grayeyes, 97, at home", "my father Wendell is 91 and": only a person is followed so.
_AGE_AFTER = re.compile(
    r"(?:[ ]?[(\[]?[\"“'][^\"”'\n]{1,16}[\"”'][)\]]?)?"  # a nickname between
    r"(?:(?:,?[ ](?:is|was|turns|turned|just[ ]turned)|,|\.?[ ]{1,4}\(|[ ]aged?|[ ]-)[ ]?(?P<v>9\d|1[01]\d|ninety(?:[ -](?:one|two|three|four|five|six|seven|eight|nine))?)"
    r"(?=[,.;:)\n]|[ ](?:and|who|with|from|lives|came|in|is|was|has|had|now|years?|y)\b)(?![.,]\d)"
    r"|[ ](?P<w>9\d|1[01]\d)(?=,?[ ](?:POD|HD|LOS|s/p|c/o|w/|adm\b|[MF]\b)))"
)
_ORG_NEXT = re.compile(
    rf"[ ](?:(?:of|in|on|at|the|and|&|de|del|for)[ ]){{0,2}}(?P<w>{_WORD})(?![\w'])(?![ \t]*[:,]?[ \t]*\d)(?![ \t]*:)"
)
_ORG_WORDS = frozenset(
    "plan works motion center centre services group shack house hall school church clinic hospital club shop store market company office project "
    "program mission foundation society trust fund bank press care health medical family home therapy associates partners institute".split()
)
_POSSESSIVE = re.compile(r"['’]s(?![\w])")
_HYPHEN = re.compile(rf"-{LETTER}{{2,15}}(?![\w'])")
_TITLES = frozenset(
    "mr mrs ms miss dr doctor nurse sister brother father rev pastor rabbi imam officer sgt sr sra don doña prof pt patient mom dad aunt uncle "
    "the her his she he they we son daughter wife husband and per seen by with to from at in on for of dear hi hello attending rn md np pa lpn".split()
)


def extended(text: str, spans: Sequence[Span]) -> list[Span]:
    """Merged spans of folded `text`, those of people lengthened; they may overlap then, so merge again."""
    out = []
    for span in spans:
        if span.identifier in ("CITY", "STREET", "UNIT") and (match := _ZIP_AFTER.match(text, span.end)):
            out.append(Span(*match.span("z"), "ZIP", 0.7, "extend.zip"))
        if span.identifier in ("FACILITY", "EMPLOYER") and not text[span.start : span.end].isupper():
            span = span._replace(end=_organisation(text, span.end))
        if span.identifier in ("NAME", "CITY") and (match := _AGE_AFTER.match(text, span.end)):
            out.append(Span(*match.span("v" if match["v"] else "w"), "AGE", 0.7, "extend.age"))
        if span.identifier in ("NAME", "CLINICIAN"):
            start, end = _left(text, span.start), _right(text, span.end)
            if (start, end) != (span.start, span.end):
                span = span._replace(start=start, end=end)
        out.append(span)
    return out


def _joins(word: str) -> bool:
    """A capitalised word beside a name that is one of its words: on the lists of names, or on no list at all."""
    low = word.lower()
    short = word.isupper() and len(word) < 5 and word[:2].isalpha()  # but "O'D" is a name cut short
    if (low in _TITLES and low not in ("her", "son")) or short:
        return False
    bits = flags(word)
    return bool(bits & ANY_NAME and not bits & (DRUG | MONTHDAY)) or not bits


def _organisation(text: str, end: int) -> int:
    """The end of an organisation's name: "Sunfield Health" Plan, "Pappy's" Crab Shack, "Bashas'" in Chinle."""
    for _ in range(4):
        match = _ORG_NEXT.match(text, end)
        if not match or match["w"].isupper() or (is_safe(match["w"]) and match["w"].lower() not in _ORG_WORDS):
            break
        end = match.end("w")
    possessive = _POSSESSIVE.match(text, end)
    return possessive.end() if possessive else end


def _right(text: str, end: int) -> int:
    if match := _HYPHEN.match(text, end):
        end = match.end()
    for _ in range(3):
        if text[end - 1].isupper() and text[max(0, end - 4) : end].isupper():
            # In capitals every next word has a capital; a degree without a comma is read as a part of the name.
            more = _SUFFIX.match(text, end) or _DEGREE_CAPS.match(text, end)
            end = more.end() if more else end
            break
        match = _RIGHT.match(text, end)
        if match and _joins(match["w"]) and not (is_safe(match["w"]) and flags(match["w"]) & CLINICAL):
            end = match.end("w")
            continue
        if (
            match := _NICK.match(text, end)
            or _PARTICLE.match(text, end)
            or _SUFFIX.match(text, end)
            or _INITIAL.match(text, end)
        ):
            end = match.end()
            continue
        match = _PIECE.match(text, end)
        if match and not flags(match["w"]) and text[end - 1].islower():
            end = match.end("w")
        break
    return end


def _left(text: str, start: int) -> int:
    hyphen = _HYPHEN_BEFORE.search(text[max(0, start - 18) : start])
    capitals = hyphen and hyphen["w"].isupper() and text[start : start + 3].isupper() and flags(hyphen["w"]) & ANY_NAME
    if hyphen and (capitals or _joins(hyphen["w"])):  # "LONG-" of "LONG-WALKER, Wanda"
        start -= len(hyphen.group())
    for _ in range(2):
        before = text[max(0, start - 40) : start]
        if text[start : start + 3].isupper() or not (match := _LEFT.search(before)):
            break
        word = match["w"]
        first = start - len(before) + match.start("w")
        opens = first == 0 or text[first - 1] == "\n" or text[max(0, first - 2) : first] in (". ", "? ", "! ", ": ")
        # At the head of a sentence every word has a capital: there only a name, a word on no list, or a drug goes along.
        drug = opens and flags(word) & DRUG and text[first:start].strip().istitle()
        if not drug and (not _joins(word) or (opens and is_safe(word))):
            break
        start = first
    before = text[max(0, start - 40) : start]
    if match := _TITLED_INITIAL.search(before):
        return start - len(before) + match.start("w")
    if (match := _LEFT_COMMA.search(before)) and not is_common_head(match["w"]):
        start = start - len(before) + match.start("w")
    return start


def is_common_head(word: str) -> bool:
    """A word that opens a line before a comma and is no name: "Today, Maria", "Overnight, Kim"."""
    bits = flags(word)
    return word.lower() in _TITLES or (is_safe(word) and not bits & DRUG) or not (bits & (ANY_NAME | DRUG) or not bits)
