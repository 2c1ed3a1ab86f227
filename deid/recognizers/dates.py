"""Dates in the forms hospitals write (Safe Harbor C): every element but the bare year.

A month and a day without a year, as in "3/14", is taken only with a word, a bracket or a layout that makes it a date:
"5/5 strength", "2/6 murmur", "11-26 drinks" and "120/80" look the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.recognizers.common import ClinicalRecognizer, Rule, apply_rules
from deid.spans import Span

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_ORDINAL = r"(?:st|nd|rd|th)"
_MM = r"(?:1[0-2]|0?[1-9])"
_YEAR4 = r"(?:1[89]\d\d|20\d\d)"
_YEAR = rf"(?:{_YEAR4}|'?\d\d(?![\d/]))"
_ORDINAL_WORD = (
    r"(?:twenty[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirty[- ]first|first|second|third|fourth"
    r"|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth"
    r"|eighteenth|nineteenth|twentieth|thirtieth)"
)
_SPACE = r"[ \t]{1,3}"
_TO = r"[ \t]{0,2}(?:-|to|through|thru|until|and|&|,)[ \t]{0,2}"


def _re(pattern: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, flags)


_UNITS = re.compile(
    r"[ \t]{0,2}-?(?:mg|mcg|g\b|gm|ml|cc|cm|mm\b|kg|lbs?|units?|tabs?|tablets?|drinks?|beers?|packs?|cigarettes?|times|x\b"
    r"|strength|motor|murmur|systolic|diastolic|holosystolic|sem\b|points?|pain|scale|score|out of|of\b|positive|negative"
    r"|hours?|hrs?|days?|weeks?|wks?|months?|mos?\b|years?|yrs?|minutes?|mins?|seconds?|percent|%|degrees?|inch|fr\b"
    r"|french|gauge|ga\b|vessels?|cores?|nodes?|lymph|margins?|ratio|intensity|power|bilateral|throughout|reflex"
    r"|in (?:the )?(?:all|both|bilateral|upper|lower|right|left|proximal|distal|extremit)|breaths?|bpm|mmhg|people|persons?|patients?|per\b|[a-z]?/)",
    re.IGNORECASE,
)
_STRENGTH_BEFORE = re.compile(
    r"(?:strength|motor|murmur|grade|pain|scale|score|scored|rated?|rating|power|apgars?|pulses?|reflexes|bp|pressure"
    r"|ratio|dose|visual acuity|acuity|vision|gcs|phq|gad|mmse|moca|level|intensity|sats?|stage|mini|ratings?|rr|hr|temp"
    r"|muscle|extension|flexion|grip|deltoids?|biceps|triceps)"
    r"[ \t]{0,2}(?:is|was|of|at|to|:|=|are|were|about|approximately|from|bilaterally|now|the|a|today|currently)?"
    r"[ \t]{0,2}(?:at|a|of|to|an?)?[ \t]{0,2}$",
    re.IGNORECASE,
)
_CUE_BEFORE = re.compile(
    r"(?:\b(?:on|since|from|until|till|by|dated?|date of|as of|before|after|starting|started|began|beginning|through"
    r"|thru|due|between|admitted|admit(?:ted)?|adm|discharged?|d/c(?:'?e?d)?|dc|seen|visit|last|lmp|dob|born|expires?|exp"
    r"|effective|ending|prior to|around|circa|early|late|mid|surgery|labs?|echo|ct|mri|cxr|ekg|ecg|x-?ray|note|of|returns?"
    r"|culture[sd]?|drawn|collected|received|signed|edited|updated|reviewed|scheduled|appt|appointment|follow-?up|f/u"
    r"|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day|pod ?#? ?\d|hd ?#? ?\d"
    r"|dos|doa|dod|d|t|dd|dt|td|this|next|placed|removed|inserted|completed|filled|refilled|given|done|performed|taken)"
    r"[ \t]{0,2}[:,;(]{0,2}|\bdate[a-z ]{0,20}:|[(\[])[ \t]{0,2}$",
    re.IGNORECASE,
)
_LINE_START = re.compile(r"(?:^|\n)[ \t]{0,4}(?:[-*•][ \t]{0,2})?$")
_LIST_BEFORE = re.compile(
    r"\d{1,2}/\d{1,2}(?:/\d{2,4})?[ \t]{0,2}(?:,|-|and|&|to|through|thru|or)[ \t]{0,2}$", re.IGNORECASE
)


def _partial_numeric(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start("v"), match.end("v")
    if _UNITS.match(text, end):
        return False
    before = text[max(0, start - 40) : start]
    if _STRENGTH_BEFORE.search(before):
        return False
    if _CUE_BEFORE.search(before) or _LIST_BEFORE.search(before):
        return True
    # "03/14" with a leading zero, or a line that opens with it as a diary does.
    return match["v"].startswith("0") or (
        bool(_LINE_START.search(before)) and text[end : end + 1] in (":", " ", "-", "\t")
    )


def _numeric(match: re.Match[str]) -> bool:
    """Month/day/year or day/month/year; 13/45/19 is neither, and a dotted one with a two-digit year may be a version."""
    a, b = int(match["a"]), int(match["b"])
    return 1 <= a <= 31 and 1 <= b <= 31 and (a <= 12 or b <= 12)


def _bare_month_day(match: re.Match[str]) -> bool:
    """ "may 5" the verb: a lower-case "may" or "march" needs an ordinal, a year or a cue before it."""
    word = match["m"]
    if word.lower() not in ("may", "mar", "march", "dec", "sep", "sun", "sat") or word[0].isupper():
        return not _UNITS.match(match.string, match.end("v")) or (
            word[0].isupper() and word.lower() not in ("may", "mar")
        )
    return bool(_CUE_BEFORE.search(match.string[max(0, match.start("v") - 40) : match.start("v")]))


_BOUND_LEFT = r"(?<![A-Za-z0-9])(?<!\d[./-])"

RULES = (
    # "DOB: 3/4/1950", "born March 4, 1950": a birth year can imply an age over 89, so the policy drops it.
    Rule(
        "birth",
        "DATE",
        0.97,
        _re(
            r"\b(?:d\.?o\.?b\.?|date of birth|birth ?date|birthday|born(?: on| in)?)[ \t]{0,3}(?:is|was|:|=|-|\()?[ \t]{0,3}"
            rf"(?P<v>\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:\d{{4}}|\d\d)|{_YEAR4}[/.-]\d\d?[/.-]\d\d?"
            rf"|{_MONTH}\.?{_SPACE}{_DAY}{_ORDINAL}?(?:,?[ \t]{{0,2}}{_YEAR4})?"
            rf"|{_DAY}{_ORDINAL}?[ \t-]{{1,2}}{_MONTH}\.?,?[ \t-]{{1,2}}{_YEAR4}|{_MONTH}\.?,?{_SPACE}{_YEAR4}|{_YEAR4}|\d{{8}})"
            r"(?![\w])"
        ),
        only_if=("dob", "d.o.b", "birth", "born"),
    ),
    Rule("iso", "DATE", 0.95, _re(rf"{_BOUND_LEFT}(?P<v>{_YEAR4}(?P<s>[-/.]){_MM}(?P=s){_DAY}(?:[T ]\d\d:\d\d:\d\d(?:\.\d{{1,9}})?(?:Z|[+-]\d\d:?\d\d)?)?)(?![\d])(?!-\d)")),
    Rule("compact", "DATE", 0.6, _re(
        rf"\b(?:date|on|dated|dos|dob|doa|collected|received|exam|visit|performed)[ \t]{{0,2}}[:=]?[ \t]{{0,2}}"
        rf"(?P<v>{_YEAR4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)")),
    Rule(
        "numeric",
        "DATE",
        0.95,
        _re(
            r"(?<![\dA-Za-z])(?<!\d[/.-])(?P<v>(?P<a>\d{1,2})(?P<s>[ \t]?[/-][ \t]?|\.)(?P<b>\d{1,2})(?P=s)"
            rf"(?:{_YEAR4}|'?\d\d))(?![\d%])(?![/-]\d)(?!\.\d)"
        ),
        check=_numeric,
    ),
    Rule("numeric_range", "DATE", 0.96, _re(
        rf"(?<![\dA-Za-z])(?<!\d[/.-])(?P<v>{_MM}/{_DAY}{_TO}(?:{_MM}/)?{_DAY}/(?:{_YEAR4}|\d\d))(?![\d/%])")),
    Rule("month_year_numeric", "DATE", 0.85, _re(rf"(?<![\d/.A-Za-z-])(?P<v>{_MM}[/-]{_YEAR4})(?![\d/%-])")),
    Rule("year_month", "DATE", 0.75, _re(r"(?<![\d/.A-Za-z-])(?P<v>(?:19|20)\d\d[-/](?:0[1-9]|1[0-2]))(?![\d/%-])")),
    Rule(
        "partial_numeric",
        "DATE",
        0.7,
        _re(rf"(?<![\w/.%+-])(?<!\d[ ])(?P<v>{_MM}/{_DAY}(?:[ \t]?-[ \t]?(?:{_MM}/)?{_DAY})?)(?![\w/%+])(?!\.\d)(?!-\d)"),
        check=_partial_numeric,
    ),
    Rule("partial_dashed", "DATE", 0.6, _re(
        rf"\b(?:on|since|dated|date|visit|admitted|discharged|seen)(?:[ \t]|:[ \t]?){{1,3}}(?P<v>{_MM}-{_DAY})"
        r"(?![\w/%+-])(?!\.\d)"),
        check=lambda m: not _UNITS.match(m.string, m.end("v"))),
    # "March 4, 2019", "Mar. 4th", "March 4-6, 2019", "March 4 and 5", "Mon March 4"
    Rule(
        "month_day",
        "DATE",
        0.9,
        _re(
            rf"(?<![A-Za-z])(?P<v>(?:{_WEEKDAY}\.?,?{_SPACE})?(?P<m>{_MONTH})\.?(?:{_SPACE}|-|/)(?:the{_SPACE})?{_DAY}{_ORDINAL}?(?![\d:/%])(?!\.\d)"
            rf"(?:{_TO}(?:{_MONTH}\.?{_SPACE})?{_DAY}{_ORDINAL}?(?![\d:/%])(?!\.\d)(?![ \t]?[a-z]{{2}}))?"
            rf"(?:(?:[ \t]{{0,2}},?(?:[ \t]{{0,2}}of)?[ \t]{{0,2}}|-|/){_YEAR}(?![\d/%])(?!\.\d)(?![ \t]?(?:mg|ml|%|units|year|yo\b)))?)(?!\d)"
        ),
        check=_bare_month_day,
    ),
    # "4 March 2019", "4th of March", "04-MAR-2019", "4Mar19"
    Rule(
        "day_month",
        "DATE",
        0.92,
        _re(
            rf"(?<![\w/.])(?P<v>(?:{_WEEKDAY}\.?,?{_SPACE})?(?:the{_SPACE})?{_DAY}(?:{_ORDINAL}(?:{_SPACE}of)?{_SPACE}|{_SPACE}of{_SPACE}"
            rf"|[ \t]?[-/][ \t]?|\.|{_SPACE}|)(?P<m>{_MONTH})(?![A-Za-z])\.?(?:(?:,?[ \t]{{0,2}}|[ \t]?[-/.][ \t]?){_YEAR}(?!\d)(?!,?[ \t]\d{{4}}))?)(?![A-Za-z0-9])"
        ),
        check=lambda m: m["m"][0].isupper() or m["m"].lower() not in ("may", "mar", "march", "dec"),
    ),
    Rule("month_word_day", "DATE", 0.9, _re(
        rf"\b(?P<v>(?:{_MONTH}{_SPACE}(?:the{_SPACE})?{_ORDINAL_WORD}"
        rf"|{_ORDINAL_WORD}{_SPACE}(?:day{_SPACE})?of{_SPACE}{_MONTH})(?:,?{_SPACE}{_YEAR4})?)\b")),
    # "March 2019", "Mar '19", "March of 2019"
    Rule("month_year", "DATE", 0.9, _re(
        rf"(?<![A-Za-z])(?P<v>{_MONTH}\.?(?:[ \t]{{0,2}}(?:,|of|in|-|/)?[ \t]{{0,2}})(?:{_YEAR4}|'\d\d))(?![\d])")),
    # A month alone counts after a preposition: "in March", "since last November", "early June".
    Rule("month_alone", "DATE", 0.7, _re(
        r"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Dd]uring|[Ee]arly|[Ll]ate|[Mm]id|[Ll]ast|[Tt]his|[Nn]ext|[Oo]f|[Bb]efore|[Aa]fter|[Bb]etween|[Tt]o|[Tt]ill|[Ii]n early|[Ii]n late)[ \t-]"
        r"(?P<v>January|February|March|April|May|June|July|August|September|October|November|December"
        r"|Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\b\.?(?![ \t][A-Z])", 0)),
    # "Tuesday the 4th", "Tues 3/4", "Tuesday 4th"
    Rule("weekday_day", "DATE", 0.85, _re(
        rf"\b(?P<v>{_WEEKDAY}\.?,?{_SPACE}(?:the{_SPACE})?(?:{_DAY}{_ORDINAL}|{_ORDINAL_WORD}|{_MM}/{_DAY}(?:/\d{{2,4}})?))\b(?![/%])")),
    Rule("day_of_month", "DATE", 0.7, _re(
        rf"\b(?:on|since|until|by|before|after|from)[ \t](?P<v>the[ \t]{_DAY}{_ORDINAL})\b(?![ \t](?:day|percentile|attempt|week|floor|time|rib|toe|finger|digit|dose|cycle|visit|hospital|post))")),
    # A weekday alone after a preposition: with the note's own date it gives the day away.
    Rule("weekday", "DATE", 0.65, _re(
        r"\b(?:[Oo]n|[Ll]ast|[Tt]his|[Nn]ext|[Ss]ince|[Uu]ntil|[Bb]y|[Tt]his past|[Pp]ast)[ \t](?P<v>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b", 0)),
    Rule("holiday", "DATE", 0.75, _re(
        r"\b(?P<v>Christmas(?:[ \t](?:Eve|Day|morning|night))?|Thanksgiving(?:[ \t]Day)?|New[ \t]Year'?s?(?:'s)?[ \t](?:Eve|Day)|Easter(?:[ \t]Sunday)?"
        r"|Halloween|Memorial[ \t]Day|Labor[ \t]Day|Independence[ \t]Day|(?:the[ \t])?Fourth[ \t]of[ \t]July|4th[ \t]of[ \t]July|Valentine'?s?(?:'s)?[ \t]Day"
        r"|Veterans'?[ \t]Day|Columbus[ \t]Day|Presidents'?[ \t]Day|Mother'?s[ \t]Day|Father'?s[ \t]Day|St\.?[ \t]Patrick'?s[ \t]Day"
        r"|Passover|Hanukkah|Chanukah|Kwanzaa|Juneteenth|Cinco[ \t]de[ \t]Mayo|Yom[ \t]Kippur|Rosh[ \t]Hashanah|Diwali|Eid(?:[ \t]al-\w+)?|Good[ \t]Friday"
        r"|Ash[ \t]Wednesday|Martin[ \t]Luther[ \t]King(?:[ \t]Jr\.?)?[ \t]Day|MLK[ \t]Day|Super[ \t]Bowl[ \t]Sunday)\b(?:,?[ \t](?:of[ \t])?(?:19|20)\d\d)?",
        0)),
)  # fmt: skip


def find(text: str, lowered: str) -> Iterator[Span]:
    """Dates of folded text."""
    return apply_rules("dates", RULES, text, lowered)


def recognizer() -> ClinicalRecognizer:
    """The recognizer of dates."""
    return ClinicalRecognizer("dates", ["DATE"], find)
