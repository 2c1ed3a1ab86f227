"""Ages over 89, in digits and in words (Safe Harbor C). Younger ages are no identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.note import Note
from deid.recognizers.common import RELATIVE, ClinicalRecognizer, Rule, apply_rules
from deid.spans import Span

_OVER = r"(?:9\d|1[0-2]\d)"
_UNIT_WORD = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_OVER_WORD = (
    rf"(?:ninety(?:[ -]?{_UNIT_WORD})?|(?:one|a)[ -]hundred(?:[ -](?:and[ -])?(?:{_UNIT_WORD}|ten|eleven|twelve|thirteen"
    r"|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen))?)"
)
# What says that a number is an age, after it or before it.
_AFTER = (
    r"(?:[ \t]{0,2}-?[ \t]{0,2}(?:years?|yrs?|yr)\.?[ \t-]{0,3}(?:old|of[ \t-]age|young)"
    r"|[ \t]{0,2}-?[ \t]{0,2}y\.?[ \t]?/?[ \t]?o\.?(?![a-z])"
    r"|[ \t]{0,2}-?[ \t]{0,2}(?:years?|yrs?)[ \t-](?:wom[ae]n|m[ae]n|female|male|lady|gentleman|caucasian|white|black|african|hispanic|asian|patient|resident)"
    r"|[ \t]{0,2}-?(?:yof|yom|yf|ym|y/f|y/m)\b)"
)
_BEFORE = r"\b(?:age[ds]?|turned|turning|turns|at the age of|age of|current age|pt age|patient age|lived to|lived to be|(?:short|shy) of|approaching|pushing|died at|passed(?: away)? at)"

_KIN = rf"(?:{RELATIVE}|mr|mrs|ms|miss)"

RULES = (
    # "92 YRS F", "96 yr", "she is 91", "turned 94", "her 95th birthday", "101M"
    Rule(
        "unit_alone",
        "AGE",
        0.85,
        re.compile(
            rf"(?<![\d.,/-])(?P<v>{_OVER}|{_OVER_WORD})[ \t-]{{0,3}}(?:years?|yrs?|y/?o|y\.o)\b(?![ \t](?:ago|later|before|after|prior|earlier|experience|survival))",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "is_age",
        "AGE",
        0.8,
        re.compile(
            rf"\b(?:she|he|who|patient|pt|mother|father|husband|wife|gran(?:dma|dpa|ny)|grand(?:mother|father)|aunt|uncle|mom|dad|lady|man|woman|resident|now|just|nearly|almost|himself|herself|also|i(?='(?:ll|m)[ ]))(?:'s|'ll|'m)?[ \t](?:is|was|be|turns?|turned|turning|will be|will turn|at|being)?[ \t]?(?P<v>{_OVER}|{_OVER_WORD})(?=[,.;!?)\n]|[ \t](?:and|but|now|today|in|this|next|when|come|soon|on|years?|with)\b|$)(?![.,]\d)(?![ \t]on[ \t](?:room|RA|\d))",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "birthday",
        "AGE",
        0.9,
        re.compile(
            r"\b(?P<v>(?:9\d|1[0-2]\d)(?:th|st|nd|rd)|ninet(?:ieth|y-\w{4,8}(?:th|st|nd|rd))|hundredth)[ \t](?:birthday|bday|b-day)",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "sex_glued",
        "AGE",
        0.8,
        re.compile(
            rf"(?<![\w./-])(?P<v>{_OVER})(?:[ ]{{0,3}}[yY](?:[ ]?/?[ ]?[oO])?[ ]{{0,3}}|[ ]?)(?:[MF]|♀|♂)(?![\w/:])(?![ \t]?\d)"
        ),
    ),
    # "DOB 12.25.1933, so 90"
    Rule(
        "since_birth",
        "AGE",
        0.85,
        re.compile(rf"\bDOB[ :]{{1,3}}[\d./-]{{6,10}}[,;]?[ ](?:so|now|=|i\.e\.)[ ](?P<v>{_OVER})(?![\w/%])"),
    ),
    # "F    91    DOB 17.02.1933", "hospice # 24-1190, 91f, died"
    Rule(
        "sex_before",
        "AGE",
        0.8,
        re.compile(
            rf"(?:^|\n|[ \t|,])(?:F|M|Female|Male|FEMALE|MALE)[ \t,|/]{{1,6}}(?P<v>{_OVER})(?=[ \t]{{2,}}|[ \t]*(?:\n|$|DOB|\||y))"
        ),
    ),
    Rule("sex_small", "AGE", 0.75, re.compile(rf"(?<![\w./-])(?P<v>{_OVER})[fm](?=[,;. \n])(?![ ]\d)")),
    Rule("age_label", "AGE", 0.93, re.compile(rf"\bage[ \t/:=|.()a-z]{{1,14}}(?P<v>{_OVER})(?![\d%.])", re.IGNORECASE)),
    Rule("before_unit", "AGE", 0.95, re.compile(rf"(?<![\d.,/])(?P<v>{_OVER}){_AFTER}", re.IGNORECASE)),
    Rule(
        "after_word",
        "AGE",
        0.93,
        re.compile(
            rf"{_BEFORE}[ \t]{{0,2}}(?:is|was|of|at|:|=|-|\()?[ \t]{{0,2}}(?P<v>{_OVER})(?![\d%])(?!\.\d)"
            r"(?![ \t]?(?:days?|d\b|weeks?|wks?|months?|mos?\b|hours?|hrs?|minutes?|mg|ml|kg|lbs?|degrees|bpm|/))",
            re.IGNORECASE,
        ),
        only_if=("age", "turn", "lived to", "died at", "passed", " of", "approaching", "pushing"),
    ),
    # "93 F", "93F with chest pain", "a 102 M": at the head of a note or after an article
    Rule(
        "sex_letter",
        "AGE",
        0.8,
        re.compile(
            rf"(?:(?:^|\n)[ \t]{{0,4}}|\(|\b(?:[Aa]n?|is|[Tt]he|[Pp]t|[Pp]atient|HPI:|CC:|ID:|[Oo]f)[ \t]{{1,2}})"
            rf"(?P<v>{_OVER}|{_OVER_WORD})[ \t]?(?:[FM]\b|female\b|male\b|woman\b|man\b|lady\b|gentleman\b)(?![ \t]?[/:])"
        ),
    ),
    # "juana (94 f, dob 3/30/1920)"
    Rule(
        "sex_letter_small",
        "AGE",
        0.8,
        re.compile(
            rf"\((?P<v>{_OVER}|{_OVER_WORD})[ \t]?[fm](?=,[ ]?(?:d\.?o\.?b|mrn|acct|adm|pt\b|room|rm|s/p|w/|with))"
        ),
    ),
    Rule(
        "in_words",
        "AGE",
        0.95,
        re.compile(rf"\b(?P<v>{_OVER_WORD}){_AFTER}", re.IGNORECASE),
        only_if=("ninety", "hundred"),
    ),
    Rule(
        "word_after_word",
        "AGE",
        0.93,
        re.compile(
            rf"{_BEFORE}(?:[ \t]{{0,2}}:)?[ \t]{{1,2}}(?P<v>{_OVER_WORD})\b(?![ \t-]?(?:days?|weeks?|months?|hours?|percent))",
            re.IGNORECASE,
        ),
        only_if=("ninety", "hundred"),
    ),
    # "At ninety-six she was still keeping her garden", "Jadwiga (maiden Kos), 92, widow of"
    Rule(
        "at_age_subject",
        "AGE",
        0.85,
        re.compile(
            rf"\b[Aa]t[ \t](?P<v>{_OVER}|{_OVER_WORD})[, \t]{{1,2}}(?:he|she|they|I|my|his|her)\b", re.IGNORECASE
        ),
    ),
    Rule(
        "apposition",
        "AGE",
        0.7,
        re.compile(
            rf"[A-Za-z)],[ \t](?P<v>{_OVER}),[ \t](?:widow(?:er|ed)?|married|retired|single|from|lives|living|resident|of|with|who|presents|presented|admitted|she|he|mother|father|here|seen|came|brought|a|in)\b"
        ),
    ),
    # "mat. grandmother, Bubbe Feige, pancreas at 91"
    Rule(
        "ill_at",
        "AGE",
        0.8,
        re.compile(
            rf"\b(?:cancer|ca|breast|colon|pancreas|pancreatic|prostate|ovarian|melanoma|leukemia|lymphoma|myeloma|stroke|cva|mi|chf|dementia|alzheimer's|parkinson's|causes|pneumonia|sleep)[ ]at[ ](?:age[ ])?(?P<v>{_OVER})(?![\w%/]|\.\d|[ ]?(?:on|RA|degrees|cm|mm|mg|ml|min|bpm)\b)",
            re.IGNORECASE,
        ),
    ),
    # "LOUISE SPENCER, ninety-six F", "(NINETY-THREE M, DOB"
    Rule(
        "words_and_sex",
        "AGE",
        0.85,
        re.compile(rf"[,(][ ]?(?P<v>{_OVER_WORD})[ ](?:f|m|female|male|woman|man)\b", re.IGNORECASE),
        only_if=("ninety", "hundred"),
    ),
    # "mom d. 92, dad d. 71"
    Rule(
        "parent_died",
        "AGE",
        0.85,
        re.compile(
            rf"\b(?i:mom|dad|mother|father|sister|brother|aunt|uncle|[MP]G[MF])[ ,:]{{1,2}}(?:d\.|dec\.?|dec'd|\+)[ ]?(?:at[ ])?(?P<v>{_OVER})(?![\w%/]|\.\d)"
        ),
    ),
    # "FHx: MGM 99 alive"
    Rule(
        "grandparent",
        "AGE",
        0.85,
        re.compile(
            rf"\b(?:[MP]GG?[MF]|GG?[MF])[ ,:(]{{1,3}}(?:d\.?[ ]|died[ ](?:at[ ])?|is[ ]|age[ ])?(?P<v>{_OVER})(?![\w%/]|\.\d)"
        ),
    ),
    # "her mother, Agnes Iron Rope, is 93 and lives with her"
    Rule(
        "relative_is",
        "AGE",
        0.85,
        re.compile(
            rf"\b(?i:{RELATIVE}),?[ ](?:[A-Z][\w'-]{{1,16}},?[ ]){{1,3}}(?:is|was|turn(?:s|ed))[ ](?:now[ ])?(?P<v>{_OVER}|{_OVER_WORD})(?=[,.;)\n]|[ ](?:and|who|with|now|but|years?|y)\b)(?![.,]\d)"
        ),
    ),
    # "Grandfather still drives at 93.", "died at ninety-one", "died in April at 93"
    Rule(
        "at_age",
        "AGE",
        0.85,
        re.compile(
            rf"\b(?:died|passed(?:[ \t]away)?|alive|living|lives|still[ \t]\w{{3,12}}|healthy|well|deceased)(?:[ \t](?:of|in|on|last)[ \t]\w{{3,14}}(?:[ \t]\w{{1,14}})?)?[ \t]at[ \t](?P<v>{_OVER}|{_OVER_WORD})(?![\d%/:])(?!\.\d)\b",
            re.IGNORECASE,
        ),
    ),
    # "grandma (98) is rattling", "Great-grandmother, ninety-six, had", "Mrs. O'Dea (Stella Maris, 97)"
    Rule(
        "relative_age",
        "AGE",
        0.85,
        re.compile(
            rf"\b{_KIN}\.?(?:[ ](?-i:[A-Z])[\w'-]{{1,24}}){{0,2}}(?:,[ ]|[ ]?\()(?:[A-Z][\w'-]{{1,24}}(?:[ ][A-Z][\w'-]{{1,24}}){{0,2}},[ ])?(?P<v>{_OVER}|{_OVER_WORD})(?=[),;])",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "reached",
        "AGE",
        0.85,
        re.compile(
            rf"\b(?:{_KIN}|she|he|both)[ ](?:has[ ]|had[ ]|almost[ ]|nearly[ ])?(?:reached|made[ ]it[ ]to|lived[ ](?:un)?til(?:l)?)[ ](?P<v>{_OVER}|{_OVER_WORD})(?![\w%/.-]{{0,4}}\d)(?![ ]?(?:kg|lbs?|mg|degrees|pounds)\b)",
            re.IGNORECASE,
        ),
    ),
    # "Grace, the wife, 91 herself"
    Rule(
        "self_age",
        "AGE",
        0.85,
        re.compile(rf"(?<![\w/.-])(?P<v>{_OVER}|{_OVER_WORD})[ ](?:himself|herself|themsel(?:f|ves))\b", re.IGNORECASE),
    ),
    # "DOB 3/3/1925 (98, will be 99 in March)"
    Rule(
        "beside_birth",
        "AGE",
        0.9,
        re.compile(rf"\b(?:dob|born)\b[^\n(]{{0,24}}\((?P<v>{_OVER})(?=[),; y])", re.IGNORECASE),
    ),
    Rule(
        "will_be",
        "AGE",
        0.85,
        re.compile(
            rf"\bwill[ ](?:be|turn)[ ](?P<v>{_OVER})(?=[ ](?:in[ ](?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)|(?:next|this)[ ](?:week|month|year|spring|summer|fall|autumn|winter))|[ ]on[ ](?:her|his|their|the)[ ])",
            re.IGNORECASE,
        ),
        only_if=("will be", "will turn"),
    ),
    Rule(
        "decade",
        "AGE",
        0.9,
        re.compile(
            r"\b(?:(?:his|her|their|hers)[ \t-]{1,2}(?:late|early|mid|upper|low)?[ \t-]{0,2}|aged?[ \t](?:in[ \t]the[ \t])?)(?P<v>(?:90|100|110)'?s|nineties)\b",
            re.IGNORECASE,
        ),
        only_if=("90s", "90's", "100s", "100's", "nineties", "110s", "110's"),
    ),
    Rule(
        "range",
        "AGE",
        0.85,
        re.compile(rf"(?<![\d.])(?P<v>{_OVER}[ \t]?(?:-|to|or)[ \t]?{_OVER}){_AFTER}", re.IGNORECASE),
    ),
    Rule(
        "noun",
        "AGE",
        0.9,
        re.compile(r"\b(?P<v>(?:super)?centenarian|nonagenarian)s?\b", re.IGNORECASE),
        only_if=("enarian",),
    ),
)


def find(note: Note) -> Iterator[Span]:
    """Ages over 89 of folded text."""
    return apply_rules("ages", RULES, note)


def recognizer() -> ClinicalRecognizer:
    """The recognizer of ages over 89."""
    return ClinicalRecognizer("ages", ["AGE"], find)
