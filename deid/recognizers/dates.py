"""Dates in the forms hospitals write (Safe Harbor C): every element but the bare year.

A month and a day without a year, as in "3/14", is taken only with a word, a bracket or a layout that makes it a date:
"5/5 strength", "2/6 murmur", "11-26 drinks" and "120/80" look the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.lexicon import DRUG, flags
from deid.note import LOOSER, Note, watch
from deid.recognizers.common import ClinicalRecognizer, Rule, apply_rules, by_initial
from deid.spans import Span

_MONTH_WORDS = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?"
)
_MONTH = f"(?:{by_initial(_MONTH_WORDS)})"
_WEEKDAY_WORDS = (
    r"mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)
_WEEKDAY = f"(?:{by_initial(_WEEKDAY_WORDS)})"
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
_NUMBER_WORD = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen"
    r"|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand)"
)
_SPACE = r"[ \t]{1,3}"
_SPOKEN_YEAR = rf"(?:nineteen|twenty|two[ ]thousand)(?:[ -](?:and[ ])?{_NUMBER_WORD}){{0,2}}"
_TO = r"[ \t]{0,2}(?:-|to|through|thru|until|and|&|,)[ \t]{0,2}"


def _re(pattern: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, flags)


_UNITS = re.compile(
    r"[ \t]{0,2}-?(?:mg|mcg|g\b|gm|ml|cc|cm|mm\b|kg|lbs?|units?|tabs?|tablets?|drinks?|beers?|packs?|cigarettes?|times|x\b"
    r"|strength|motor|murmur|systolic|diastolic|holosystolic|sem\b|points?|pain|scale|score|out of|of\b|positive|negative"
    r"|hours?|hrs?|days?|weeks?|wks?|months?|mos?\b|years?|yrs?|h\b|minutes?|mins?|seconds?|percent|%|degrees?|inch|fr\b"
    r"|french|gauge|ga\b|vessels?|cores?|nodes?|lymph|bottles?|blood culture|sets?\b|cultures?|swabs?|specimens?|samples?|doses?\b|tabs?\b|pillow|beats|loops?|leads?\b|limbs?|quadrants?|visits?\b|sessions?|margins?|ratio|intensity|power|bilateral|throughout|reflex"
    r"|inattentive|hyperactive|items?\b|features?|criteria|in (?:the )?(?:all|both|bilateral|upper|lower|right|left|proximal|distal|extremit)|breaths?|bpm|mmhg|people|persons?|patients?|per\b(?=[ ](?:day|week|month|hour|min|hpf|lpf|m[lL]|kg|dose|arm|side))|cranial|nerves\b|N\.?S\b|normal saline|plates\b|cups?\b|tsp|tbsp|headache|ache\b|cramp|discomfort|siblings?\b|sibs\b|grandparents?\b|nights\b|rails\b|bup\b|HA\b|dyspn|naus|itch|fatigue|anxi|craving|sob\b|exertion|borg|sirs|views?\b|meals|hla\b|bpp\b|match|loops|rom\b|dtrs?\b|beats|pulses?\b|pitting|edema|kicks|pills|attempts?|trials?|correct|/)",
    re.IGNORECASE,
)
_STRENGTH_BEFORE = re.compile(
    r"(?:strength|motor|murmur|grade|pain|scale|score|scored|rated?|rating|power|apgars?|pulses?|reflexes|bp|pressure"
    r"|ratio|dose|visual acuity|acuity|vision|gcs|phq|gad|mmse|moca|level|intensity|sats?|stage|mini|ratings?|rr|hr|temp"
    r"|muscle|extension|flexion|grip|deltoids?|biceps|triceps|rpe|borg|vas|nrs|severity|anxiety|fatigue|nausea|itch|mood|dyspnea|suds|cpap|bipap|ps|peep|lille|maddrey|ros|tanner|mallampati|lns?|slns?|neg x)"
    r"[ \t]{0,2}(?:is|was|of|at|to|:|=|are|were|about|approximately|from|bilaterally|now|the|a|today|currently)?"
    r"[ \t]{0,2}(?:at|a|of|to|an?)?[ \t]{0,2}$",
    re.IGNORECASE,
)
_CUE_BEFORE = re.compile(
    r"(?:\b(?:on|since|from|until|till|by|dated?|date of|as of|before|after|starting|started|began|beginning|through"
    r"|thru|due|between|admitted|admit(?:ted)?|adm|discharged?|d/c(?:'?e?d)?|dc|seen|visit|last|lmp|dob|born|expires?|exp"
    r"|effective|ending|prior to|around|circa|early|late|mid|surgery|labs?|echo|ct|mri|cxr|ekg|ecg|x-?ray|scan|pet|note|of|returns?"
    r"|culture[sd]?|drawn|collected|received|signed|edited|updated|reviewed|scheduled|appt|appointment|follow-?up|f/u"
    r"|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day|pod ?#? ?\d|hd ?#? ?\d"
    r"|dos|doa|dod|lnmp|edc|edd|diary|again|fitted|fit|casted|needlestick|injury|accident|mvc|fall|exposure|dd|dt|td|this|next|placed|removed|inserted|completed|filled|refilled|given|done|performed|taken|out|rhogam|vaccine|flu|tdap|shot|booster|changed|level|stopped|ended|ends|off|delivered|(?:last|to)night|morning|today|yesterday|rtc|recheck|repeat|corrected|amended|addended|confirmed|dose|menses|flare|next \w{2,8}|\w{3,12}(?:ectomy|plasty|otomy|ostomy|oscopy)|(?:moved|rescheduled|postponed|changed|pushed|delayed|extended) to)"
    r"[ \t]{0,2}[:,;(]{0,2}|\b[dt]:|\bdate[a-z ]{0,20}:|[(\[])[ \t]{0,2}$",
    re.IGNORECASE,
)
# "Pain 6/10, down from 8/10"
_PAIN_BEFORE = re.compile(
    r"\bpain\b|\d/10\b|\d/5\b|\b(?:rpe|borg|vas|nrs|dyspnea|headache|HA|nausea|mood|anxiety|craving|severity|sets)\b",
    re.IGNORECASE,
)
# "7/10 hip, recheck 3/10", "4/5 hip flexion, 3+/5 knee": two tenths of months so near are two scores.
_PAIN_AFTER = re.compile(
    r"[ \t,;]{1,2}(?:down|up|now|after|at rest|with activity)|[^\n]{0,25}?[ >→]\d{1,2}/10(?![\d/-])|[^\n]{0,25}?[ ]\d[+-]/5\b",
    re.IGNORECASE,
)
# But "labs 7/10, echo 8/10" and "f/u on 4/5" are days.
_DATED_BEFORE = re.compile(
    r"\b(?:on|since|until|till|dated?|adm|admitted|discharged|d/c(?:'?d)?|seen|visit|labs?|echo|ct|mri|cxr|ekg|ecg|x-?ray|scan|pet|drawn|collected|scheduled|appt|appointment|follow-?up|f/u"
    r"|dos|doa|lmp|dob|(?:mon|tues?|wed|thurs?|fri|sat|sun)(?:[a-z]*day)?)[ \t]{0,2}[:,(]?[ \t]{0,2}$",
    re.IGNORECASE,
)
_CLOCK_AFTER = re.compile(r"[ ](?:[ap]\.?m\b|[AP]M\b|\d{1,2}:\d\d|(?:[01]\d|2[0-3])[0-5]\d\b)")
# "lithium level 4/14": no scale has fourteen steps.
_SCALES = frozenset((2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 20, 21, 24, 25, 27, 28, 30))
_SECOND = re.compile(r"/(\d{1,2})")
_LINE_START = re.compile(r"(?:^|\n)[ \t]{0,4}(?:[-*•][ \t]{0,2})?$")
# "4/22", "9/17": no scale and hardly a count has so many steps.
_COUNT_BEFORE = re.compile(
    r"\b(?:nodes?|lymph|cores?|margins?|items?|score[ds]?|questions?|positive|involving|in|of|bp|pressure|vision|acuity|ratio|mdq|ishihara|audit|ciwa|epds|gds|slums|rbans|scared|chart|ros|segments|trs|n[0-3][a-c]?)[ \t]{0,2}[:(]?[ \t]{0,2}$",
    re.IGNORECASE,
)
# "MoCA 11/30", "PHQ-9: 9/27", "knee score 11/15"
_MEASURED_BEFORE = re.compile(
    r"(?:[A-Za-z]*[A-Z0-9][A-Z0-9a-z-]*|[a-z]+ing|total|score|index|items|subscale|sum|result|recall|orientation)[ \t]{0,2}[:=(-]?[ \t]{0,2}$|\d[ ,;]{1,2}$"
)
_STARTED = re.compile(
    r"\b(?:started|stopped|began|begun|resumed|held|changed|switched|completed|finished|received|got|had|s/p|first|second|last|prior)[ \t][A-Za-z-]{3,20}[ \t]$",
    re.IGNORECASE,
)
_LIST_BEFORE = re.compile(
    r"(?<!\d)\d{1,2}/(\d{1,2})(?:/\d{2,4})?[ \t]{0,2}(?:,|-|and|&|to|through|thru|or)[ \t]{0,2}$", re.IGNORECASE
)


def _cannot_be_date(match: re.Match[str]) -> bool:
    """Whether what stands around "4/5" (group v) makes it a dose, a score, a strength or a count."""
    text, start, end = match.string, match.start("v"), match.end("v")
    if _UNITS.match(text, end):
        return True
    before = text[max(0, start - 40) : start]
    if _STRENGTH_BEFORE.search(before) and int(_SECOND.findall(match["v"])[-1]) in _SCALES:
        return True
    return match["v"].endswith(("/5", "/10")) and _is_score(text, start, end)


def _is_score(text: str, start: int, end: int) -> bool:
    """Whether a number of fifths or tenths is the score of a pain or a strength."""
    before = text[max(0, start - 40) : start]
    if _DATED_BEFORE.search(before):
        return False
    return bool(_PAIN_BEFORE.search(before) or _PAIN_AFTER.match(text, end))


def _partial_numeric(match: re.Match[str]) -> bool:
    if _cannot_be_date(match):
        return False
    text, start, end = match.string, match.start("v"), match.end("v")
    before = text[max(0, start - 40) : start]
    a, b = int(match["v"].split("/")[0]), int(_SECOND.findall(match["v"])[-1])
    if (others := _LIST_BEFORE.search(before)) and int(others[1]) == b and b in _SCALES:
        return False  # "reflexes 2/4, 3/4, 1/4"
    if others or _CUE_BEFORE.search(before) or _CLOCK_AFTER.match(text, end):
        return True
    if b > 12 and not _COUNT_BEFORE.search(before) and (b not in _SCALES or not _MEASURED_BEFORE.search(before)):
        return True
    if a > 5 and b not in (5, 10) and _STARTED.search(before):
        return True
    # "03/14" with a leading zero, or a line that opens with it as a diary does.
    return match["v"].startswith("0") or (
        bool(_LINE_START.search(before)) and text[end : end + 1] in (":", " ", "-", "\t")
    )


_SCORED_BEFORE = re.compile(
    r"\b(?:ciwa(?:-ar)?|cows|apgars?|gcs|rass|flacc|mEq|mmol|ratio|settings?|humalog|novolog|lispro|aspart|apidra|admelog)[ :]{1,2}(?:\d[\d/ -]{0,8}[ ]at[ ])?$",
    re.IGNORECASE,
)


def _numeric(match: re.Match[str]) -> bool:
    """Month/day/year or day/month/year; 13/45/19 is neither, and a dotted one with a two-digit year may be a version."""
    if _SCORED_BEFORE.search(match.string[max(0, match.start() - 24) : match.start()]):
        return False
    a, b = int(match["a"]), int(match["b"])
    return 1 <= a <= 31 and 1 <= b <= 31 and (a <= 12 or b <= 12)


def _bare_month_day(match: re.Match[str]) -> bool:
    """ "may 5" the verb: a lower-case "may" or "march" needs an ordinal, a year or a cue before it."""
    word = match["m"]
    if match["v"] in ("SEP-1", "SEP-1:"):
        return False  # the sepsis bundle
    if word.lower() not in ("may", "mar", "march", "dec", "sep", "sun", "sat") or word[0].isupper():
        return not _UNITS.match(match.string, match.end("v")) or (
            word[0].isupper() and word.lower() not in ("may", "mar")
        )
    return bool(_CUE_BEFORE.search(match.string[max(0, match.start("v") - 40) : match.start("v")]))


_FOREIGN_MONTH = (
    r"(?:janvier|f[eé]vrier|mars|avril|mai|juin|juillet|ao[uû]t|septembre|octobre|novembre|d[eé]cembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
    r"|januar|februar|m[aä]rz|juni|juli|oktober|dezember|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|mar[cç]o|maio|junho|julho|setembro|outubro|dezembro)"
)


def _scanned(match: re.Match[str]) -> bool:
    """Read as digits, a date; and read as it stands, not one."""
    value = match["v"]
    if value.replace("/", "").replace("-", "").isdigit() or sum(c.isdigit() for c in value) < 2:
        return False
    read = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1", "S": "5", "B": "8"})
    a, b = int(match["a"].translate(read)), int(match["b"].translate(read))
    return 1 <= a <= 31 and 1 <= b <= 31 and (a <= 12 or b <= 12)


_BOUND_LEFT = r"(?<![A-Za-z0-9])(?<!\d[./-])"

_TREND = rf"{_MM}/{_DAY}:?[ ]\d{{1,3}}(?:\.\d{{1,2}})?[ ]?(?:%|lbs?|kg)?[ ]?(?:[,;]|-+>|→|to)[ ]{{0,2}}"
_TREND_BEFORE, _TREND_AFTER = _re(rf"(?<![\w/.]){_TREND}$"), _re(rf"{_TREND}{_MM}/{_DAY}:?[ ]\d")


def _in_a_trend(match: re.Match[str]) -> bool:
    """Whether a day with a value stands beside another such."""
    text, start = match.string, match.start("v")
    return bool(_TREND_AFTER.match(text, start) or _TREND_BEFORE.search(text[max(0, start - 28) : start]))


# A day and month of which scanning made letters, one at least and not all: "l2/O5".
_SCANNED = r"(?=[\dOoIl/]*\d)(?=[\dOoIl/]*[OoIl])[\dOoIl]{1,2}/[\dOoIl]{1,2}"
LOOSER[_SCANNED] = r"(?:\d/[OoIl]|[OoIl]/\d|(?:\d[OoIl]|[OoIl]\d)/[\dOoIl]|[\dOoIl]/(?:\d[OoIl]|[OoIl]\d))"

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
        rf"(?<![\dA-Za-z])(?<!\d[/.-])(?P<v>{_MM}/{_DAY}{_TO}(?:{_MM}/)?{_DAY}/(?:{_YEAR4}|\d\d))(?![\d/%])"),
        check=lambda m: not _STRENGTH_BEFORE.search(m.string[max(0, m.start() - 40) : m.start()])),
    # "12/3/24-3/2/25": of a stay or a benefit period, both ends
    Rule("numeric_pair", "DATE", 0.95, _re(
        rf"(?<![\dA-Za-z])(?<!\d[/.-])(?P<v>\d{{1,2}}(?P<s>[/.])\d{{1,2}}(?P=s)(?:{_YEAR4}|\d\d)[ \t]?(?:-|to)[ \t]?\d{{1,2}}(?P=s)\d{{1,2}}(?P=s)(?:{_YEAR4}|\d\d))(?![\d%/])")),
    Rule("month_short_year", "DATE", 0.8, _re(rf"(?<![\d/.A-Za-z-])(?P<v>{_MM}/'\d\d)(?![\d/%-])")),
    Rule("month_year_numeric", "DATE", 0.85, _re(rf"(?<![\d/.A-Za-z-])(?P<v>{_MM}[/-]{_YEAR4})(?![\d/%-])")),
    Rule("year_month", "DATE", 0.75, _re(r"(?<![\d/.A-Za-z-])(?P<v>(?:19|20)\d\d[-/](?:0[1-9]|1[0-2]))(?![\d/%-])")),
    Rule(
        "partial_numeric",
        "DATE",
        0.7,
        _re(rf"(?<![\w/.%+-])(?<![^\dDd.]\d[ ])(?P<v>{_MM}/{_DAY}(?:[ \t]?-[ \t]?(?:{_MM}/)?{_DAY})?)(?![\w/%+])(?!\.\d)(?!-\d)"),
        check=_partial_numeric,
    ),
    # "well until 7/93", "last dental exam in 11/07": no day has such a number, and a score no nought
    Rule("month_year_short", "DATE", 0.92, _re(rf"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Tt]ill|[Bb]efore|[Aa]fter|[Ff]rom|[Tt]hrough|[Bb]ack)[ ](?P<v>{_MM}/(?:0\d|3[2-9]|[4-9]\d))(?![\w/%+])(?!\.\d)(?!-\d)(?![ ](?:mm|on[ ]room|pulse|of[ ]|sat|patients|cases))")),
    # "biopsied on 04/10": nobody writes the nought in a score
    Rule("partial_padded", "DATE", 0.92, _re(r"\b(?:[Oo]n|[Ss]ince|[Uu]ntil|[Dd]ated)[ ](?P<v>(?:0[1-9]/[0-3]\d|1[0-2]/0[1-9]))(?![\w/%+])(?!\.\d)(?!-\d)")),
    Rule("partial_dashed", "DATE", 0.6, _re(
        rf"\b(?:on|since|dated|date|visit|admitted|discharged|seen)(?:[ \t]|:[ \t]?){{1,3}}(?P<v>{_MM}-{_DAY})"
        r"(?![\w/%+-])(?!\.\d)"),
        check=lambda m: not _UNITS.match(m.string, m.end("v"))),
    # "BCx 4/4 from 7-4; 7-6 ngtd", "F/u: Dr. Lamphier 3-5;", "OT eval 11-26."
    Rule("dashed_ends", "DATE", 0.6, _re(
        rf"\b(?:from|starts?|starting|started|eval|f/u|due|next|cert|period|until|thru|through|by|after|before|seen|repeat|since|on|dos|ct|mri|cxr|echo|path|dc|d/c|(?-i:OR)|menses|flare|\w{{3,12}}(?:ectomy|plasty|otomy|ostomy|oscopy)|(?:dr|mr|mrs|ms)\.?[ ][a-z'-]{{3,16}}|\d{{1,2}}-\d{{1,2}};)[ :]{{1,2}}(?P<v>{_MM}-{_DAY})(?=[ ]?[.;,)\n]|[ ](?:ngtd|neg|pos|show)|$)(?!\.\d)"),
        check=lambda m: int(m["v"].split("-")[1]) > 0),
    Rule("month_of_labs", "DATE", 0.55, _re(r"\b(?P<v>jan|feb|apr|aug|sept|oct|nov|dec)(?=[ ](?:labs?|visit|appt|note|echo|ct|mri|clinic|draw|results?|numbers)\b)", 0)),
    # "Kt/V 1.46 (05-02)"
    Rule("dashed_in_brackets", "DATE", 0.6, _re(r"\((?P<v>0[1-9]-[0-3]\d|1[0-2]-0[1-9])\)")),
    # "left AMA in may;"
    Rule("month_small", "DATE", 0.6, _re(r"\b(?:in|since|last|until|this)[ ](?P<v>january|february|march|april|may|june|july|august|september|october|november|december)(?=[ ]?(?:[;,.)\n]|$))", 0)),
    # "the second night of Passover", "the feast of the Assumption"
    Rule("feast", "DATE", 0.85, _re(
        r"\b(?P<v>(?:the[ ])?(?:[Ff]east|[Vv]igil|[Ee]ve)[ ]of[ ](?:the[ ]|St\.?[ ]|Saint[ ]|Our[ ])?[A-Z][a-z]{2,14}(?:[ ][A-Z][a-z]{2,14})?"
        r"|the[ ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|last)[ ](?:night|day|week|Sunday)[ ]of[ ](?:Passover|Hanukkah|Chanukah|Sukkot|Ramadan|Advent|Lent|Easter|Christmas|Diwali|Purim|Tet)(?:,?[ ](?:19|20)\d\d)?)\b", 0)),
    # "MRI 10-12: no bleed"
    Rule("study_dashed", "DATE", 0.6, _re(
        rf"\b(?:mri|ct|cta|cxr|x-?ray|echo|tte|tee|us|ekg|ecg|eeg|labs?|cultures?|biopsy|path|note|visit|clinic|pet|dexa)[ \t](?P<v>{_MM}-{_DAY})(?=[ \t]?:|[ \t](?:show|w/|with|neg|pos|no\b))")),
    # "admitted 17/3", "extubated 21.01": the day first, as outside the United States.
    Rule("day_first", "DATE", 0.68, _re(
        rf"\b(?:on|since|from|until|till|before|after|by|dated|date|admitted|discharged|transferred|seen|started|stopped|placed|removed|inserted|intubated|extubated|operated|surgery|delivered|booked|due|died|collected|reviewed|returned|moved|fell)[ \t]{{1,2}}"
        rf"(?P<v>(?:3[01]|2\d|1[3-9])[/-]{_MM}|(?:3[01]|[12]\d|0[1-9])\.(?:0[1-9]|1[0-2]))(?![\w/%.-])"),
        check=lambda m: not _UNITS.match(m.string, m.end("v"))),
    # "D/C 061224": month, day, year without any sign
    Rule("six_digits", "DATE", 0.62, _re(
        r"\b(?:on|dated?|dos|doa|dob|seen|adm(?:it(?:ted)?)?|d/c|dc|disch(?:arged)?|due|visit|exp|since|signed|collected|rec'?d)[ \t]{0,2}:?[ \t]{0,2}"
        r"(?P<v>(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d\d)(?![\d/.,-])"),
        check=lambda m: not _UNITS.match(m.string, m.end("v"))),
    # "date of birth eleven twenty-two nineteen"
    Rule("spoken_birth", "DATE", 0.9, _re(
        rf"(?:date of birth|birth ?date|birthday|\bd\.?o\.?b\.?|\bborn)[ \t,:]{{1,3}}(?:(?:is|was|um|uh|on)[ \t,]{{1,2}}){{0,2}}(?P<v>(?:{_NUMBER_WORD}[ \t,-]{{1,2}}){{2,7}}{_NUMBER_WORD})(?![a-z])"),
        only_if=("birth", "dob", "d.o.b", "born")),
    # "March 4, 2019", "Mar. 4th", "March 4-6, 2019", "March 4 and 5", "Mon March 4"
    Rule(
        "month_day",
        "DATE",
        0.9,
        _re(
            rf"(?<![A-Za-z])(?P<v>(?:{_WEEKDAY}\.?,?{_SPACE})?(?P<m>{_MONTH})\.?(?:{_SPACE}|-|/|(?<=\.))(?:the{_SPACE})?{_DAY}{_ORDINAL}?(?![\d:/%])(?!\.\d)"
            rf"(?:{_TO}(?:{_MONTH}\.?{_SPACE})?{_DAY}{_ORDINAL}?(?![\d:/%])(?!\.\d)(?![ \t]?[a-z]{{2}}))?"
            rf"(?:(?:[ \t]{{0,2}},?(?:[ \t]{{0,2}}of)?[ \t]{{0,2}}|-|/){_YEAR}(?![\d/%])(?!\.\d)(?![ \t]?(?:mg|ml|%|units|year|yo\b)))?)(?!\d)"
        ),
        check=_bare_month_day,
    ),
    # The same where a line ends within: "Monday, October\n27", "October\n27, 2015", but not a list's "in October\n2. Aspirin"
    Rule("month_day_wrapped", "DATE", 0.88, _re(
        rf"(?<![A-Za-z])(?P<v>{_WEEKDAY}\.?,?{_SPACE}{_MONTH}\.?[ \t]{{0,2}}\n[ \t]{{0,8}}{_DAY}{_ORDINAL}?(?![\d:/%])(?!\.\d)(?:,?[ \t]{{1,2}}{_YEAR4})?"
        rf"|{_MONTH}\.?[ \t]{{0,2}}\n[ \t]{{0,8}}{_DAY}{_ORDINAL}?,?[ \t]{{1,2}}{_YEAR4}"
        rf"|{_MONTH}\.?{_SPACE}{_DAY}{_ORDINAL}?,[ \t]{{0,2}}\n[ \t]{{0,8}}{_YEAR4})(?!\d)")),
    # "4 March 2019", "4th of March", "04-MAR-2019", "4Mar19"
    Rule(
        "day_month",
        "DATE",
        0.92,
        _re(
            rf"(?<![\w/.])(?P<v>(?:{_WEEKDAY}\.?,?{_SPACE})?(?:the{_SPACE})?{_DAY}(?:{_ORDINAL}(?:{_SPACE}of)?{_SPACE}|{_SPACE}of{_SPACE}"
            rf"|[ \t]?[-/][ \t]?|\.|{_SPACE}|)(?P<m>{_MONTH})(?![A-Za-z])\.?(?:(?:,?[ \t]{{0,2}}|[ \t]?[-/.][ \t]?){_YEAR}(?!\d)(?!,?[ \t](?:19|20)\d\d))?)(?![A-Za-z0-9])"
        ),
        check=lambda m: m["m"][0].isupper() or m["m"].lower() not in ("may", "mar", "march", "dec"),
    ),
    Rule("month_word_day", "DATE", 0.9, _re(
        rf"\b(?P<v>(?:{_MONTH}{_SPACE}(?:the{_SPACE})?{_ORDINAL_WORD}"
        rf"|{_ORDINAL_WORD}{_SPACE}(?:day{_SPACE})?of{_SPACE}{_MONTH})(?:,?{_SPACE}(?:{_YEAR4}|{_SPOKEN_YEAR}))?)\b")),
    # "March 2019", "Mar '19", "March of 2019"
    Rule("month_year", "DATE", 0.9, _re(
        rf"(?<![A-Za-z])(?P<v>{_MONTH}\.?(?:[ \t]{{0,2}}(?:,|of|in|-|/)?[ \t]{{0,2}})(?:{_YEAR4}|'\d\d))(?![\d])")),
    # "mid-November", "late March", "the end of June 2019"
    Rule("month_part", "DATE", 0.86, _re(
        rf"\b(?P<v>(?:early|late|mid(?:dle of)?|(?:the )?(?:end|beginning|start|first week|last week) of)[ \t-]{{1,2}}{_MONTH}\b\.?(?:,?[ \t](?:of[ \t])?{_YEAR4})?)"),
        check=lambda m: any(c.isupper() for c in m["v"]) or not re.search(r"(?:may|mar|march|dec|sep)\.?$", m["v"], re.IGNORECASE)),
    # "9/III/2021", "3.xi.2008"
    Rule("roman_month", "DATE", 0.9, _re(rf"(?<![\w/.])(?P<v>{_DAY}(?P<s>[./-]|[ ](?=(?-i:[XVI])))(?:x|xi|xii|iv|v|vi{{1,3}}|ix|i{{1,3}})(?P=s)(?:{_YEAR4}|(?<![ ])\d\d))(?![\w])")),
    Rule("foreign_month", "DATE", 0.9, _re(
        rf"(?<![\w/.])(?P<v>{_DAY}\.?[ \t](?:de[ \t]|di[ \t])?{_FOREIGN_MONTH}(?:[ \t](?:de[ \t]|del[ \t])?{_YEAR4})?)(?![\w])")),
    # Scanned: O for 0, l or I for 1. At least two real digits, and a date when they are read as digits.
    Rule("scanned", "DATE", 0.88, _re(
        r"(?<![\w/])(?P<v>(?P<a>[\dOoIlSB]{1,2})(?P<s>[/-])(?P<b>[\dOoIlSB]{1,2})(?P=s)(?P<c>[\dOoIlSB]{2}(?:[\dOoIlSB]{2})?))(?![\w/])", 0), check=lambda m: _scanned(m)),
    Rule("scanned_partial", "DATE", 0.7, _re(rf"(?<![\w/.-])(?P<v>{_SCANNED})(?![\w/])", 0)),
    Rule("weekday_short", "DATE", 0.65, _re(
        r"\b(?:[Oo]n|[Bb]y|[Uu]ntil|[Tt]il|[Ss]ince|[Ll]ast|[Tt]his|[Nn]ext|[Ff]or|[Oo]ut|[Aa]fter|[Bb]efore|[Ff]rom|[Ss]een|[Dd]ue)[ \t](?P<v>Mon|Tues?|Weds?|Thurs?|Thu|Fri|Sat|Sun)\b\.?(?![/,&-])", 0)),
    Rule("weds_day", "DATE", 0.85, _re(rf"\b(?P<v>weds\.?,?{_SPACE}(?:the{_SPACE})?(?:{_DAY}{_ORDINAL}|{_MM}/{_DAY}(?:/\d{{2,4}})?))(?![\w/%])"), only_if=("weds",)),
    # A weekday that is no habit ("every Monday", "Mondays", "Monday and Thursday"), whatever stands before it.
    Rule("weekday_once", "DATE", 0.55, _re(
        r"(?<![\w/&,-])(?<!, )(?<!and )(?<!or )(?<!every )(?<!Every )(?<!each )(?<!other )(?P<v>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b(?:[ \t](?:night|morning|afternoon|evening|eve|noon)\b)?)(?![\w/&'-])(?!,[ \t]?(?:and[ \t]|or[ \t])?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))(?![ \t](?:and|or|through|thru|to|-|&)[ \t](?:[MTWFS][a-z]{2,6}day|\d))(?![ \t](?:fever|disease|(?:night[ ])?palsy|is[ ](?:always|usually)))", 0)),
    Rule("weekday_capitals", "DATE", 0.55, _re(
        r"(?<![\w/&,-])(?<!AND )(?<!EVERY )(?<!, )(?P<v>(?:(?:MON|TUES|WEDNES|THURS|FRI|SATUR|SUN)DAY|MON|TUES?|THURS?|FRI)\b(?:[ ](?:NIGHT|MORNING|AM|PM|EVE)\b)?)(?![\w/&'-])(?!,?[ ]?(?:AND|&|THROUGH|THRU|TO)?[ ]?(?:MON|TUE|WED|THU|FRI|SAT|SUN))", 0)),
    Rule("month_small", "DATE", 0.6, _re(
        r"\b(?:in|since|last|until|till|by|this|next|late|early|mid)[ ](?P<v>january|february|march|april|june|july|august|september|october|november|december|sept)(?=[ ]*(?:$|\n|[.,;)]))", 0)),
    Rule("dashed_pair", "DATE", 0.8, _re(rf"\b(?:from|between)[ ](?P<v>{_MM}-{_DAY}[ ](?:through|thru|to|until|and)[ ]{_MM}-{_DAY})(?![\w/%+-])(?!\.\d)")),
    Rule("slashed_pair", "DATE", 0.75, _re(rf"(?<![\w/.%+-])(?P<v>{_MM}/{_DAY}[ ]?(?:-|to|through|thru)[ ]?{_MM}/{_DAY})(?![\w/%+])(?!\.\d)"),
        check=lambda m: not all(b in ("5", "10") for b in _SECOND.findall(m["v"])) and not _UNITS.match(m.string, m.end("v")) and not _STRENGTH_BEFORE.search(m.string[max(0, m.start() - 40) : m.start()])),
    # "bed avail Sat, needs auth", "Wt check Sat at"; not "O2 Sat 94".
    Rule("weekday_short_word", "DATE", 0.55, _re(
        r"(?<=[a-z,;)] )(?<!O2 )(?<!and )(?<!he )(?<!& )(?P<v>Sat|Sun|Wed)\b(?![ \t]?[\d:=%>~/&-])(?![ \t](?:and|of|or|on|was|exposure|block|were|to|burn|in|above|low|decreased|dropp|remain|stable)\b)(?!,[ \t]?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))", 0),
        check=lambda m: not re.search(r"(?:O2|oxygen|ox|pulse|SpO2)[ ,]*$", m.string[max(0, m.start() - 12) : m.start()], re.IGNORECASE)),
    # In small letters: these are no words; "sat", "sun" and "wed" need a preposition or a time of day.
    Rule("weekday_small", "DATE", 0.55, _re(
        r"(?<![\w/&-])(?<!and )(?<!every )(?<!each )(?<!, )(?P<v>(?:mon|tues?|thurs?|fri|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b(?:[ ](?:night|nite|morning|afternoon|evening|eve|am|pm|noon)\b)?)\.?(?![\w/&'-])(?!,?[ \t]?(?:and|&|-)?[ \t]?(?:mon|tue|wed|thu|fri|sat|sun))", 0)),
    Rule("weekday_small_cue", "DATE", 0.6, _re(
        r"\b(?:(?:on|since|until|til|till|last|next|this|by|from|for|start|starts|starting|due|seen|back|again|out|try|came|fell|appt|call)[ \t](?P<v>sat|sun|wed)(?=[ \t.,;)\n]|$))(?![ \t](?:\d\d|up|down|on|in|with|for|there|at the|edge)\b)", 0)),
    Rule("weekday_small_part", "DATE", 0.65, _re(r"(?<![\w/&-])(?<!o2 )(?P<v>(?:sat|sun|wed)[ \t](?:night|nite|morning|am|pm|eve|evening|afternoon|noon))\b", 0)),
    Rule("line_end_sat", "DATE", 0.5, _re(r"(?<=['a-z] )(?<!o2 )(?<!ox )(?<!he )(?<!pt )(?<!nt )(?<!and )(?<!spo2 )(?P<v>sat|sun|wed)(?=[ \t]*(?:\n|$))", 0)),
    # The days of feasts as hurried hands write them.
    Rule("holiday_lower", "DATE", 0.7, _re(
        r"\b(?P<v>christmas(?![ \t-](?:disease|factor|tree))(?:[ \t](?:eve|day))?|thanksgiving|easter(?:[ \t]sunday)?|halloween|new[ \t]year'?s?(?:[ \t](?:eve|day))?|memorial[ \t]day|labor[ \t]day|(?:4th|fourth)[ \t]of[ \t]july|turkey[ \t]day|mother'?s[ \t]day|father'?s[ \t]day|valentine'?s(?:[ \t]day)?|hanukkah|passover|ramadan|diwali|juneteenth|xmas)\b(?![ \t](?:resolution|tree))"),
        only_if=("christmas", "thanksgiving", "easter", "halloween", "new year", "memorial", "labor", "of july", "s day", "y day", "valentine", "hanukkah", "passover", "ramadan", "diwali", "juneteenth", "xmas")),
    Rule("this_weekday", "DATE", 0.7, _re(r"\b(?P<v>(?:this|next|last|past|this past|this coming)[ \t](?:mon|tues|wednes|thurs|fri|satur|sun)day(?:[ \t](?:in|of)[ \t](?:" + _MONTH + r"))?)\b")),
    # "starts next Thurs", "back Thurs AM"; but "last sat 94"
    Rule("this_weekday_short", "DATE", 0.7, _re(r"\b(?P<v>(?:[Tt]his|[Nn]ext|[Ll]ast|[Pp]ast|[Tt]his past)[ \t](?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun|mon|tues?|weds|thurs?|fri)\b\.?)(?![ \t]?[\d:%])", 0)),
    Rule("weekday_short_part", "DATE", 0.7, _re(r"(?<![\w/&-])(?P<v>(?:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)\.?[ \t](?:AM|PM|am|pm|night|morning|afternoon|evening|eve|noon))\b", 0)),
    # "visits on Tuesdays", "every other Sunday", "tomorrow, Sun"
    Rule("weekdays_again", "DATE", 0.7, _re(r"\b(?P<v>(?:mon|tues|wednes|thurs|fri|satur|sun)days)\b(?!')")),
    Rule("every_weekday", "DATE", 0.7, _re(r"\b(?:every|each)(?:[ ]other|[ ]second)?[ ](?P<v>(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b")),
    Rule("weekday_explained", "DATE", 0.7, _re(r"\b(?:[Tt]omorrow|[Yy]esterday|[Tt]oday|[Tt]onight)[, (]{1,3}(?P<v>Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun)\b(?![ ]?\d\d%)", 0)),
    # "due back on the ninth"; not the third toe
    Rule("nth_in_words", "DATE", 0.65, _re(
        rf"\b(?:until|by|since|due|back|seen|here|came|admitted|discharged|surgery|appointment|appt|visit)(?:[ ]on)?[ ](?P<v>the[ ]{_ORDINAL_WORD})(?=[ ]*(?:[,.;)\n]|\Z)|[ ](?:at|for|and|with|she|he)\b)")),
    # "INRs: 1/3 2.4, 1/31 3.6", "Hgb 3/4 8.1 -> 3/6 7.4": a day and its value, beside another
    Rule("trend", "DATE", 0.75, _re(rf"(?<![\w/.%+-])(?P<v>{_MM}/{_DAY})(?=:?[ ]\d{{1,3}}(?:\.\d{{1,2}})?(?![\d/]))"), check=lambda m: _in_a_trend(m)),
    Rule("birthday", "DATE", 0.95, _re(rf"\b(?:birthday|bday|b-day)(?:[ ](?:is|was|on|of))?[ :]{{1,2}}(?:on[ ])?(?P<v>{_MM}[/-]{_DAY})(?![\w/%])")),
    Rule("year_month_day", "DATE", 0.9, _re(rf"(?<![\w-])(?P<v>{_YEAR4}[ ]{_MONTH}\.?[ ]{_DAY})(?![\d/%])")),
    Rule("week_of_year", "DATE", 0.8, _re(rf"\b(?P<v>week[ \t]\d{{1,2}}[ \t](?:of|in)[ \t]{_YEAR4})\b")),
    Rule("month_days_list", "DATE", 0.93, _re(rf"(?<![A-Za-z])(?P<v>{_MONTH}\.?[ \t]{_DAY}{_ORDINAL}?(?:,[ \t]?{_DAY}{_ORDINAL}?(?!\d))+(?:,?[ \t](?:and|&)[ \t]{_DAY}{_ORDINAL}?)?(?:,?[ \t]{_YEAR4})?)(?!\d)")),
    Rule("in_short_year", "DATE", 0.9, _re(rf"(?<![A-Za-z])(?P<v>{_MONTH}\.?[ \t](?:the[ \t])?{_DAY}{_ORDINAL}?(?:-ish)?,?[ \t](?:in[ \t]|of[ \t])?'\d\d)(?!\d)")),
    # "Wed - staff meeting", "until Mon": an abbreviated weekday that stands in no list of days.
    Rule("weekday_abbreviated", "DATE", 0.55, _re(
        r"(?<![\w/&,-])(?<!, )(?<!and )(?<!every )(?P<v>(?:Mon|Tues?|Weds?|Thurs?|Thu|Fri)\b(?:[ \t](?:night|morning|afternoon|evening|eve|noon)\b)?)\.?(?![\w/&'-])(?!,[ \t]?(?:and[ \t])?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))(?![ \t](?:and|through|thru|to|-)[ \t](?:[A-Z]|\d))(?![ ](?:Mon|Tue|Wed|Thu|Fri|Sat|Sun))(?<!(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[ ]...)", 0)),
    # "spring 2019", "the fall of 2020"
    Rule("season", "DATE", 0.8, _re(rf"\b(?P<v>(?:(?:early|late|mid)[ \t-])?(?:spring|summer|fall|autumn|winter)[ \t](?:of[ \t])?(?:{_YEAR4}|'\d\d))(?!\d)")),
    Rule("spaced", "DATE", 0.8, _re(rf"(?<![\d.,/-])(?<!\d[ ])(?P<v>(?:{_MM}[ ]{_DAY}|{_DAY}[ ]{_MM})[ ](?:19|20)\d\d)(?![\d./-])(?![ ]\d)")),
    # "sn visit 11 18 26", "next visit 11 20."
    Rule("spaced_after_word", "DATE", 0.7, _re(
        rf"\b(?:visit|date|dob|dos|born|due|appt|seen|on|since|admitted|discharged|next|last)[ :]{{1,2}}(?P<v>{_MM}[ ]{_DAY}[ ]\d\d|{_MM}[ ](?:3[01]|[12]\d|0[1-9])(?=[ ]?(?:[.;,]|\n|$)))(?![\w/%])(?!\.\d)(?![ ]\d)")),
    Rule("foreign_weekday", "DATE", 0.7, _re(r"\b(?:el|este|pr[oó]ximo|pasado|desde|los)[ ](?P<v>lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo)\b"), only_if=("lunes", "martes", "rcoles", "jueves", "viernes", "bado", "domingo")),
    Rule("in_month_small", "DATE", 0.6, _re(r"\b(?:in|since|last|until|by)[ ](?P<v>january|february|april|june|july|august|september|october|november|december)(?=[ ][a-z])", 0)),
    # These months are no words and hardly names.
    Rule("month_name", "DATE", 0.7, _re(r"(?<![A-Za-z-])(?P<v>January|February|July|September|October|November|December)(?![A-Za-z])")),
    Rule("the_nth", "DATE", 0.6, _re(
        rf"\b(?P<v>the[ \t]{_DAY}{_ORDINAL})(?=[.,;)\n]|[ \t](?:and|at|for|with|by|she|he|they|we|to|from|pt|was|is|after|because|when|if|so|but)\b|$)"),
        check=lambda m: m["v"][-4:].strip("the ") not in ("1st", "2nd", "3rd") and not re.search(r"(?:percentile|toe|finger|digit|rib|through|between)[^.\n]{0,20}$", m.string[max(0, m.start() - 30) : m.start()])),
    # A month alone counts after a preposition: "in March", "since last November", "early June".
    Rule("month_alone", "DATE", 0.7, _re(
        r"\b(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Dd]uring|[Ee]arly|[Ll]ate|[Mm]id|[Ll]ast|[Tt]his|[Nn]ext|[Oo]f|[Bb]efore|[Aa]fter|[Bb]etween|[Tt]o|[Tt]ill|[Ii]n early|[Ii]n late)[ \t-]"
        r"(?P<v>January|February|March|April|May|June|July|August|September|October|November|December"
        r"|Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)\b\.?(?![ \t][A-Z])", 0)),
    # "Tuesday the 4th", "Tues 3/4", "Tuesday 4th"
    Rule("nth_of_month", "DATE", 0.8, _re(rf"\b(?P<v>(?:the[ \t])?{_DAY}{_ORDINAL}[ \t]of[ \t](?:this|next|last|the)[ \t]month)\b"), only_if=("month",)),
    Rule("weekday_day", "DATE", 0.85, _re(
        rf"\b(?P<v>{_WEEKDAY}\.?,?{_SPACE}(?:the{_SPACE})?(?:{_DAY}{_ORDINAL}|{_ORDINAL_WORD}|{_MM}/{_DAY}(?:/\d{{2,4}})?|{_DAY}/{_MM}(?:/\d{{2,4}})?))\b(?![/%])")),
    Rule("day_of_month", "DATE", 0.7, _re(
        rf"\b(?:on|since|until|by|before|after|from)[ \t](?P<v>the[ \t]{_DAY}{_ORDINAL})\b(?![ \t](?:day|percentile|attempt|week|floor|time|rib|toe|finger|digit|dose|cycle|visit|hospital|post))")),
    # A weekday alone after a preposition: with the note's own date it gives the day away.
    Rule("weekday", "DATE", 0.65, _re(
        r"\b(?:[Oo]n|[Ll]ast|[Tt]his|[Nn]ext|[Ss]ince|[Uu]ntil|[Bb]y|[Tt]his past|[Pp]ast)[ \t](?P<v>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b(?:[ \t](?:night|morning|afternoon|evening|eve|noon)\b)?)(?!(?:,[ \t]\w+day)+,?[ \t](?:and|&)[ \t]\w+day)", 0)),
    Rule("holiday", "DATE", 0.75, _re(
        r"\b(?P<v>Christmas(?![ \t-](?:disease|factor|tree))(?:[ \t](?:Eve|Day|morning|night|week|break))?(?![ \t]tree[ \t]pattern)|Thanksgiving(?:[ \t]Day)?|Pascha|Shabb(?:at|os)|Shavuot|Simchat[ \t]Torah|Holi|Navaratri|Songkran|Losar|Obon|Epiphany|Three[ \t]Kings(?:[ \t]Day)?|All[ \t]Souls'?(?:[ \t]Day)?|Pentecost|D[ií]a[ \t]de[ \t]los[ \t]Muertos|Nowruz|Lunar[ \t]New[ \t]Year|Chinese[ \t]New[ \t]Year|Ramadan|Purim|Sukkot|Vesak|Mardi[ \t]Gras|Palm[ \t]Sunday|Boxing[ \t]Day|Canada[ \t]Day|Groundhog[ \t]Day|Election[ \t]Day|Flag[ \t]Day|Black[ \t]Friday|Leap[ \t]Day|XMAS|Xmas|Orthodox[ \t]Christmas|All[ \t]Saints'?[ \t]Day|Patriots'?[ \t]Day|Indigenous[ \t]Peoples'?[ \t]Day|Holy[ \t]Week|Day[ \t]of[ \t]the[ \t]Dead|New[ \t]Year'?s?(?:'s)?[ \t](?:Eve|Day)|Easter(?:[ \t]Sunday)?"
        r"|Halloween|Memorial[ \t]Day|Labor[ \t]Day|Independence[ \t]Day|(?:the[ \t])?Fourth[ \t]of[ \t]July|[Tt]urkey[ \t][Dd]ay|St\.?[ \t]Pat(?:ty|ric?k|dy)'?s(?:[ \t][Dd]ay)?|4th[ \t]of[ \t]July|Valentine'?s?(?:'s)?[ \t]Day|(?<=[Oo]n[ ])Valentine'?s"
        r"|Veterans'?[ \t]Day|Columbus[ \t]Day|Presidents'?[ \t]Day|Mother'?s[ \t]Day|Father'?s[ \t]Day|St\.?[ \t]Patrick'?s[ \t]Day"
        r"|Passover|Hanukkah|Chanukah|Kwanzaa|Juneteenth|Cinco[ \t]de[ \t]Mayo|Yom[ \t]Kippur|Rosh[ \t]Hashanah|Diwali|Eid(?:[ \t]al-\w+)?|Good[ \t]Friday"
        r"|Ash[ \t]Wednesday|Martin[ \t]Luther[ \t]King(?:[ \t]Jr\.?)?[ \t]Day|MLK[ \t]Day|Super[ \t]Bowl[ \t]Sunday)\b(?![ ](?:eggs?|cand(?:y|ies)|sweets|costumes?|lenses|guide|dosing|fast(?:ing)?\b|tabs|decorations|cards?\b|lights|cookies|cake|dishes|foods?))(?:[ \t](?:weekend|week|break|holiday|morning|night|eve))?(?:,?[ \t](?:of[ \t])?(?:19|20)\d\d)?",
        0)),
)  # fmt: skip


_PLAIN_PARTIAL = watch(re.compile(rf"(?<![\w/.%+-])(?P<v>(?P<m>{_MM})/(?P<d>{_DAY}))(?![\w/%+])(?!\.\d)(?!-\d)"))
_MIXED_BEFORE = re.compile(r"[^\d.]\d[ ]$")  # "1 1/2"
# Beyond a score of ten only these are measured in parts: "MoCA 11/30", "PHQ-9 9/27".
_SCORE_BEFORE = re.compile(
    r"(?:\b[A-Za-z]{2,6}-?\d{1,2}|\b(?:moca|mmse|slums|audit|epds|cows|ciwa|ftt|chat|srs|cars|asrs|faces|nips|score[ds]?|scale|total|sum)|of|in)[ \t:=(]{1,3}$",
    re.IGNORECASE,
)
_GRADE = re.compile(r"[0-5]/5|([1-9])/\1")  # strength, "2/2"
_MONTH_NUMBER = re.compile(r"(\d{1,2})[/-]\d{1,2}|\d{4}-(\d\d)-\d\d")
_MONTH_NAME = re.compile(_MONTH, re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def find(note: Note) -> Iterator[Span]:
    """Dates of folded text.

    Where a note holds certain dates, "1/16" without any cue is one as well if its month is that of one of them or the
    next to it: a hospital stay seldom spans more. More than its whole can no fraction be, and beyond ten steps only a score
    is measured. Strengths, scores and murmurs are still told apart by their words.
    """
    found = list(apply_rules("dates", RULES, note))
    yield from found
    months = {month for span in found if span.score >= 0.7 for month in _months(note.text[span.start : span.end])}
    if not found:
        return
    near = {(month + step - 1) % 12 + 1 for month in months for step in (-1, 0, 1)}
    for match in note.finditer(_PLAIN_PARTIAL):
        if _UNITS.match(match.string, match.end()):
            continue
        before = match.string[max(0, match.start() - 40) : match.start()]
        month, day = int(match["m"]), int(match["d"])
        known = month in months
        if month in near and not (
            _GRADE.fullmatch(match["v"]) or _STRENGTH_BEFORE.search(before) or _MIXED_BEFORE.search(before)
        ):
            rule = "near_others"
        elif known and day > 10 and not _SCORE_BEFORE.search(before):
            rule = "known_month"  # no strength has so many steps: "level 8/25"
        elif not _cannot_be_date(match) and (
            month > day or (known and (day not in (2, 4, 5, 6, 10) or len(found) > 3))
        ):
            rule = "no_fraction"  # "cycle 1 11/5"
        else:
            continue
        yield Span(*match.span("v"), "DATE", 0.55, f"dates.{rule}")


_ABBREVIATION = re.compile(r"[A-Z][A-Za-z-]*[A-Z0-9][A-Za-z0-9-]*[ \t:=]*$|[\d%][ \t:,]*$")
_DAYS_OF_HABIT = re.compile(rf"{_WEEKDAY}/{_WEEKDAY}", re.IGNORECASE)
_EVERY = re.compile(r"\b(?:every|each|q)[ \t](?:[A-Za-z]{3,9},?[ \t](?:and[ \t])?){0,2}$", re.IGNORECASE)
_NO_DIGITS_OF_A_DATE = re.compile(r"\W*(?!(?:19|20)\d{6}\W*$|\d{6}\W*$)\d{5,}\W*")
_EACH_WEEK = re.compile(r"\W*(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days\W*", re.IGNORECASE)
_DECIMAL = re.compile(r"\W*\d?\.\d+\W*|\d{3}/[\d.]+/[\d.]+")
_DASHED = re.compile(r"(\d{1,3})-(\d{1,3})(?:-\d{1,3})?")
_LETTERS = re.compile(r"[A-Za-z]")
_WORD_BEFORE = re.compile(r"([A-Za-z]{4,})[ \t]$")
_FRACTION = re.compile(r"(\d{1,3})/(\d{1,3})")


def could_be_day(text: str, start: int, end: int) -> bool:
    """Whether what a model took for a day can be one: not "28/30", a strength, a score, a murmur, a dose ("Norco 5/325"),
    nor one of the days of a habit ("dialysis Tue/Thu/Sat").
    """
    around = text[max(0, start - 10) : end + 10]
    if "/" in around and _DAYS_OF_HABIT.search(around):
        return False
    if _NO_DIGITS_OF_A_DATE.fullmatch(text, start, end):
        return False
    if (
        _SCORED_BEFORE.search(text, max(0, start - 24), start)
        or _EVERY.search(text, max(0, start - 24), start)
        or _EACH_WEEK.fullmatch(text, start, end)
    ):
        return False
    if text[start:end].strip(" .,").lower() in ("holiday", "holidays", "weekend", "weekends"):
        return False
    if (numbers := _DASHED.fullmatch(text, start, end)) and (
        max(int(numbers[1]), int(numbers[2])) > 31 or min(int(numbers[1]), int(numbers[2])) > 12
    ):
        return False  # "25-50 WBC", "51-54-49"
    if _DECIMAL.fullmatch(text, start, end) or (not _LETTERS.search(text, start, end) and _UNITS.match(text, end)):
        return False
    if (word := _WORD_BEFORE.search(text, max(0, start - 24), start)) and flags(word[1]) & DRUG:
        return False
    match = _FRACTION.fullmatch(text, start, end)
    if not match:
        return True
    a, b = int(match[1]), int(match[2])
    if b in (5, 10) and _is_score(text, start, end):
        return False
    possible = 1 <= a <= 31 and 1 <= b <= 31 and (a <= 12 or b <= 12) and not _GRADE.fullmatch(match[0])
    return possible and not _UNITS.match(text, end) and not _STRENGTH_BEFORE.search(text[max(0, start - 40) : start])


def _months(date: str) -> Iterator[int]:
    """The months that a date names."""
    for match in _MONTH_NUMBER.finditer(date):
        if 1 <= (month := int(match[1] or match[2])) <= 12:
            yield month
    for match in _MONTH_NAME.finditer(date):
        yield _MONTHS.index(match.group()[:3].lower()) + 1


def recognizer() -> ClinicalRecognizer:
    """The recognizer of dates."""
    return ClinicalRecognizer("dates", ["DATE"], find)
