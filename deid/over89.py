"""Ages over 89 that follow from several notes or years taken together (45 CFR 164.514(b)(2)(i)(C)).

"87-year-old" tells no age over 89, until another note of the same patient is five years younger. So do a year of birth,
of graduation or of a wedding beside the year of any note, and any year ninety years back. The rule reads calendar years,
because the year of a note is what a release shows: an age `a` in a note of the year `y` counts as `a + (last - y)` in
the patient's last note. What counts 90 or more is an identifier.

An age counts where it is stated of the time of the note ("87 yo", "87F", "age 87", "in her 80s", "octogenarian"), or with
the year to which it belongs ("CABG at age 75 in 1999"). Relatives' ages count too: the rule covers relatives. Doses,
scores, durations and thresholds ("age over 75", "aged 65-74") do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from deid.folding import fold, unfold
from deid.spans import Span

POOLED = 90
_SCORE = 0.98  # above every recognizer of dates: the year must not stay beside a day that was found better

_ONES = "one two three four five six seven eight nine".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORD = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_ONES)}))?|(?:one |a )?hundred(?: and)?(?: (?:{'|'.join(_ONES)}))?)"
)
_AGE = rf"(?P<v>1[0-2]\d|[2-9]\d|{_WORD})"
_OLD = (
    r"(?:[ \t]{0,2}-?[ \t]{0,2}(?:years?|yrs?|yr)\.?[ \t-]{0,3}(?:old|of[ \t-]age|young)"
    r"|[ \t]{0,2}-?[ \t]{0,2}y\.?[ \t]?/?[ \t]?o\.?(?![a-z])"
    r"|[ \t]{0,2}-?[ \t]{0,2}(?:years?|yrs?)[ \t-](?:wom[ae]n|m[ae]n|female|male|lady|gentleman|caucasian|white|black|african|hispanic|asian)"
    r"|[ \t]{0,2}-?(?:yof|yom|yf|ym|y/f|y/m)\b)"
)
_NO_UNIT = (
    r"(?![\d%])(?!\.\d)(?![ \t]?(?:-|to)[ \t]?\d)(?![ \t]?\+)(?![ \t]?(?:days?|d\b|weeks?|wks?|months?|mos?\b|hours?|hrs?|minutes?|mins?|mg|ml|kg|lbs?"
    r"|degrees|bpm|percent|points?|/|and (?:older|over|above|up|under|younger)|or (?:older|over|above|more|greater|younger|less)))"
)
# An age in a rule of medicine or a plan says nothing of the patient.
_RULE_BEFORE = re.compile(
    r"(?:over|under|above|below|older than|younger than|until|till|by|before|after|than|to|through|at|from|between|for|ages?|since|[<>≥≤=])[ \t]{0,2}"
    r"(?:the[ \t])?(?:ages?[ \t]{0,2}(?:of[ \t]{0,2})?)?[<>≥≤=]{0,2}[ \t]{0,2}$",
    re.IGNORECASE,
)  # fmt: skip
_EVENT_AGE = re.compile(
    r"(?:\bat|until|till|by|before|after|since|from|over|under|above|below|[<>≥≤])[ \t](?:the[ \t])?$", re.IGNORECASE
)

_YEAR = r"(?:1[89]\d\d|20\d\d)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_NOT_A_YEAR = r"(?![\d%/])(?!\.\d)(?!\s?-\s?\d{1,3}(?!\d))(?![ \t]?(?:mg|ml|cc|units|k?cal|h\b|hrs|hours))"
_BORN = r"(?:d\.?o\.?b\.?|date of birth|year of birth|birth ?date|birth year|birthday|born(?: on| in)?(?: \w+ \w+,? (?:on|in))?|b\.)"


class _Rule(NamedTuple):
    """`age` gives the age that a match tells for the year `base`, which is None where it is the note's own."""

    name: str
    identifier: str
    pattern: re.Pattern[str]
    only_if: tuple[str, ...]
    read: Callable[[re.Match[str]], tuple[int, int | None] | None]
    gate: int | None = None
    """Age at the event: the rule is skipped where no year of the text lies 90 less that many before the last note."""


def _number(text: str) -> int:
    """A number in digits or in words, from 20 to 129."""
    if text.isdecimal():
        return int(text)
    total = 0
    for word in re.split(r"[- ]", text.lower()):
        if word in _ONES:
            total += 0 if word == "one" and "hundred" in text.lower() and total == 0 else _ONES.index(word) + 1
        elif word in _TENS:
            total += 20 + 10 * _TENS.index(word)
        elif word == "hundred":
            total += 100
    return total


def _ages(text: str, lowered: str, wanted: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """Where numbers stand that are wanted, as ages at the time of the note."""
    numbers = [m.span() for m in _NUMBER.finditer(text) if wanted(int(m.group()))]
    if any(word in lowered for word in (*_TENS, "hundred")):
        numbers += [m.span() for m in _NUMBER_WORD.finditer(text) if wanted(_number(m.group()))]
    for start, end in numbers:
        before = text[max(0, start - 60) : start]
        for head, tail in _FRAMES:
            if not tail.match(text, end):
                continue
            if head is None:
                if not _RULE_BEFORE.search(before):
                    yield start, end
                    break
            elif (found := head.search(before)) and not (
                "w" in found.groupdict() and _EVENT_AGE.search(before[: found.start()])
            ):
                yield start, end
                break


def _decade(match: re.Match[str]) -> tuple[int, int | None] | None:
    word = match["w"].lower()
    tens = int(word[:-1].rstrip("'")) if word[0].isdigit() else 20 + 10 * _TENS.index(word[:-3] + "y")
    return tens + {"late": 7, "mid": 4}.get((match["p"] or "").lower(), 0), None


def _noun(match: re.Match[str]) -> tuple[int, int | None] | None:
    head = match["v"].lower()[:3]
    return {"sep": 70, "oct": 80, "non": 90, "cen": 100, "sup": 110}[head], None


def _born(match: re.Match[str]) -> tuple[int, int | None] | None:
    """Birth is age 0. A year of two digits is read in the last century: the other reading would be a child."""
    years = re.findall(_YEAR, match["v"])
    if not years and match["v"].isdecimal() and len(match["v"]) == 8:
        years = [y for y in (match["v"][:4], match["v"][4:]) if re.fullmatch(_YEAR, y)]
    return 0, int(years[-1]) if years else 1900 + int(match["v"][-2:])


def _event(age: int) -> Callable[[re.Match[str]], tuple[int, int | None] | None]:
    """An event that nobody lives through before this age."""

    def read(match: re.Match[str]) -> tuple[int, int | None]:
        year = match["v"].strip("'’")
        return age, int(year) if len(year) == 4 else 1900 + int(year)

    return read


def _event_in(age: int) -> Callable[[re.Match[str]], tuple[int, int | None] | None]:
    return lambda match: (age, int(match["v"][-4:]))


def _school(match: re.Match[str]) -> tuple[int, int | None] | None:
    year = match["v"].lstrip("'")
    around = match.string[max(0, match.start() - 20) : match.end()]
    later = re.search(r"college|university|nursing|law|medical|bachelor|seminary", around, re.IGNORECASE)
    return 22 if later else 18, int(year) if len(year) == 4 else 1900 + int(year)


def _married_for(match: re.Match[str]) -> tuple[int, int | None] | None:
    return 18 + _number(match["v"]), None


def _war(match: re.Match[str]) -> tuple[int, int | None] | None:
    """Whoever served was at least 17 in the war's last year."""
    return 17, 1953 if (match["v"] or match["v2"]).lower().startswith("korea") else 1945


def _age_then(match: re.Match[str]) -> tuple[int, int | None] | None:
    return _number(match["v"]), int(match["y"])


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# What makes a number the age of somebody at the time of the note: words before it and after it.
_NUMBER = re.compile(r"(?<![\w.,/])(?:1[0-2]\d|[2-9]\d)(?!\d)")
_NUMBER_WORD = re.compile(rf"\b{_WORD}\b", re.IGNORECASE)
_FRAMES = (
    (None, _re(_OLD)),
    (_re(r"\b(?P<w>(?:current |pt |patient |patient's )?aged?|turn(?:ed|s|ing))[ \t]{0,2}(?:is|was|now|:|=|\()?[ \t]{0,2}$"), _re(_NO_UNIT)),
    (
        re.compile(r"(?:(?:^|\n)[ \t]{0,4}|\(|\b(?:[Aa]n?|is|[Tt]he|[Pp]t|[Pp]atient|HPI:|CC:|ID:)[ \t]{1,2})$"),
        re.compile(r"[ \t]?(?:[FM]\b|female\b|male\b|woman\b|man\b|lady\b|gentleman\b)(?![ \t]?[/:%])"),
    ),
    (
        _re(r"\b(?:he|she|patient|pt|who|mother|father|wife|husband|brother|sister)(?:[ \t](?:is|was)|'s)[ \t](?:now[ \t]|currently[ \t]|almost[ \t]|nearly[ \t])?$"),
        _re(r"(?=[ \t]*(?:[.,;](?!\d)|\n|$|and\b|years\b(?!\s+(?:ago|post|out|after|since))))"),
    ),
    (_re(r"\b(?:alive|living|lives|healthy|well)(?:[ \t]and[ \t]well)?(?:,[ \t]?|[ \t])(?:at[ \t])?(?:age[ \t])?$"), _re(_NO_UNIT)),
)  # fmt: skip
_AGES = (
    _Rule(
        "decade", "AGE",
        _re(r"\b(?:his|her|their|hers)[ \t-](?:(?P<p>late|early|mid)[ \t-])?(?P<v>(?P<w>(?:[3-9]0|100)'?s|(?:thir|for|fif|six|seven|eigh|nine)ties))\b"),
        ("0s", "0's", "ties"), _decade,
    ),
    _Rule("noun", "AGE", _re(r"\b(?P<v>septuagenarian|octogenarian|nonagenarian|(?:super)?centenarian)s?\b"), ("enarian",), _noun),
    _Rule(
        "married", "AGE",
        _re(rf"\bmarri(?:ed|age)[ \t](?:to[ \t]\w+[ \t])?(?:for|of|x)[ \t](?:over[ \t]|nearly[ \t]|almost[ \t]|about[ \t]|the past[ \t])?{_AGE}[ \t-](?:years?|yrs?)"),
        ("marri",), _married_for,
    ),
)  # fmt: skip

_YEARS = (
    _Rule(
        "birth", "DATE",
        _re(
            rf"(?<![A-Za-z]){_BORN}[ \t]{{0,3}}(?:is|was|:|=|-|\()?[ \t]{{0,3}}(?P<v>(?:{_WEEKDAY}\.?,?[ \t])?(?:\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:\d{{4}}|\d\d)|{_YEAR}[/.-]\d\d?[/.-]\d\d?"
            rf"|{_MONTH}\.?[ \t]{{0,2}}(?:the[ \t])?\d{{1,2}}(?:st|nd|rd|th)?,?[ \t]{{0,2}}{_YEAR}|\d{{1,2}}(?:st|nd|rd|th)?[ \t-]{{0,2}}(?:of[ \t])?{_MONTH}\.?,?[ \t-]{{1,2}}{_YEAR}"
            rf"|{_MONTH}\.?,?[ \t](?:of[ \t])?{_YEAR}|\d{{1,2}}/{_YEAR}|\d{{8}}|{_YEAR}))(?!\w)"
        ),
        ("dob", "d.o.b", "birth", "born", "b."), _born,
    ),
    _Rule("birth", "DATE", _re(rf"(?<=\()(?P<v>{_YEAR})(?=[ \t]?-[ \t]?(?:present|\)))"), ("present", "-)", "- )"), _born, 0),
    _Rule(
        "school", "DATE",
        _re(rf"\b(?:graduat(?:ed?|ing|ion)|class of|diploma|alumn\w+|degree|school|college)\b[^\n.;]{{0,60}}?(?<!\d)(?P<v>{_YEAR}|'\d\d)(?![\d/-])"),
        ("graduat", "class of", "diploma", "alumn", "degree", "school", "college"), _school,
    ),
    _Rule(
        "wedding", "DATE",
        _re(rf"\b(?:married|wed|wedding|enlisted|drafted|joined the (?:army|navy|marines|military|service)|discharged from the (?:army|navy|marines|military|service)|served)\b[^\n.;]{{0,40}}?(?<!\d)(?P<v>{_YEAR})(?![\d/])"),
        ("married", "wed", "enlist", "drafted", "joined the", "from the", "served"), _event(18), 18,
    ),
    _Rule(
        "retired", "DATE",
        _re(rf"\b(?:retired|retirement)\b[^\n.;]{{0,40}}?(?<!\d)(?P<v>{_YEAR})(?![\d/])"), ("retire",), _event(50), 50,
    ),
    _Rule(
        "work", "DATE",
        _re(rf"\b(?:worked|working|employed|taught|career|driving|smok(?:ed|ing|er)|drinking)\b[^\n.;]{{0,40}}?\b(?:since|from|in)[ \t](?P<v>{_YEAR})(?![\d/])"),
        ("work", "employ", "taught", "career", "driving", "smok", "drinking"), _event(14), 14,
    ),
    _Rule(
        "war", "DATE",
        _re(
            r"\b(?P<v>world war (?:ii|two|2)|ww ?(?:ii|2)|second world war|korean war|korea)[ \t-](?:combat[ \t])?(?:vet(?:eran)?\b|service|era veteran)"
            r"|\b(?:served|fought|veteran|soldier|pilot|medic|nurse|prisoner|pow)\b[^\n.;]{0,30}?\b(?:in|during|of)[ \t](?:the[ \t])?(?P<v2>world war (?:ii|two|2)|ww ?(?:ii|2)|second world war|korean war)\b"
        ),
        ("war", "ww", "korea"), _war,
    ),
    # Whatever the patient had ninety years before a note.
    _Rule(
        "year", "DATE",
        _re(
            rf"(?:\b(?:in|circa|year|back in|dated)[ \t]|\b(?={_WEEKDAY}|{_MONTH}|\d{{1,2}}(?:st|nd|rd|th)?[ \t-]))"
            rf"(?P<v>(?:(?:{_WEEKDAY}\.?,?[ \t])?(?:{_MONTH}\.?,?(?:[ \t]of)?[ \t]|{_MONTH}\.?[ \t](?:the[ \t])?\d{{1,2}}(?:st|nd|rd|th)?,?[ \t]|\d{{1,2}}(?:st|nd|rd|th)?[ \t-](?:of[ \t])?{_MONTH}\.?,?[ \t-]))?"
            rf"1[89]\d\d){_NOT_A_YEAR}"
        ),
        (" 18", " 19", "-18", "-19", "\n18", "\n19"), _event_in(0), 0,
    ),
    _Rule("year", "DATE", _re(r"(?<![\d/.-])(?P<v>\d{1,2}[/-]\d{1,2}[/-]1[89]\d\d)(?![\d/-])"), ("/", "-"), _event_in(0), 0),
)  # fmt: skip
_AGE_AND_YEAR = (
    _Rule("age_then", "AGE", _re(rf"\bage[d]?[ \t](?:of[ \t])?{_AGE},?[ \t](?:in|\()[ \t]?(?P<y>{_YEAR})(?!\d)"), ("age",), _age_then),
    _Rule(
        "age_then", "AGE",
        _re(rf"(?<!\d)(?P<y>{_YEAR}),?[ \t](?:\()?(?:at[ \t](?:the[ \t])?age[ \t](?:of[ \t])?|when[ \t](?:he|she|patient|pt)[ \t]was[ \t]|age[ \t]){_AGE}\b{_NO_UNIT}"),
        ("age", "when"), _age_then,
    ),
)  # fmt: skip

_HOLDS_YEAR = re.compile(r"(?<!\d)(?:1[89]\d\d|20[0-2]\d)(?!\d)")
_MAY_TELL = re.compile(r"\d\d|ty\b|ty[- ]|ties\b|enarian|hundred|\bww|war\b", re.IGNORECASE)


def implied_over_89(
    texts: Sequence[str],
    years: Sequence[int | None],
    patients: Sequence[str | None],
    births: Mapping[str, int] | None = None,
) -> list[list[Span]]:
    """For each text the ages (AGE) and years (DATE) from which an age over 89 follows at any note of the patient.

    `years` are the calendar years of the notes, None where unknown: of such a note only an age of 90 or more counts, and
    years in it count against the other notes. A text whose patient is None stands alone. `births` are birth years by
    patient, where they are known: against them an age counts that is off by one for the birthday. Spans are in
    code points of the texts, sorted by start, and may overlap; `deid.spans.merge` settles them with others.
    """
    if not len(texts) == len(years) == len(patients):
        raise ValueError("texts, years and patients differ in length")
    last: dict[str, int] = {}
    for year, patient in zip(years, patients, strict=True):
        if patient is not None and year is not None:
            last[patient] = max(year, last.get(patient, year))
    folded = [fold(text) if _MAY_TELL.search(text) else ("", None) for text in texts]
    found: list[list[Span]] = []
    old: set[str | None] = set()  # over 89 by their own notes, none of which has a year
    for (text, _), year, patient in zip(folded, years, patients, strict=True):
        latest = year if patient is None else last.get(patient)
        birth = births.get(patient) if births and patient is not None else None
        found.append(sorted(set(_found(text, year, latest, birth))) if text else [])
        if latest is None and patient is not None and found[-1]:
            old.add(patient)
    for i, (patient, (text, _)) in enumerate(zip(patients, folded, strict=True)):
        if patient in old or (patient is None and years[i] is None and found[i]):
            found[i] = sorted({*found[i], *_early_years(text)})
    return [unfold(spans, offsets) for spans, (_, offsets) in zip(found, folded, strict=True)]


def _early_years(text: str) -> Iterator[Span]:
    """Years of birth, school and the like before 1960, of a patient over 89 whose notes have no year."""
    lowered = text.lower()
    for rule in _YEARS:
        for match in _matches(rule, text, lowered):
            told = rule.read(match)
            if told and told[1] is not None and told[1] < 1960 and rule.name not in ("retired", "work"):
                yield _span(rule, match)


def _span(rule: _Rule, match: re.Match[str]) -> Span:
    start, end = match.span("v") if match["v"] else match.span("v2")
    return Span(start, end, rule.identifier, _SCORE, f"over89.{rule.name}")


def _found(text: str, year: int | None, latest: int | None, birth: int | None) -> Iterator[Span]:
    lowered = text.lower()
    # The age from which one in this note counts: 90, less the years that the record goes on.
    least = POOLED - (latest - year) if latest is not None and year is not None else POOLED
    own = (
        year - birth
        if year is not None and birth is not None and latest is not None and latest - birth >= POOLED
        else None
    )

    def counts(age: int) -> bool:
        return age >= least or (own is not None and age > 20 and abs(age - own) <= 1)

    for start, end in _ages(text, lowered, counts):
        yield Span(start, end, "AGE", _SCORE, "over89.age")
    for rule in _AGES:
        for match in _matches(rule, text, lowered):
            if (told := rule.read(match)) and counts(told[0]):
                yield _span(rule, match)
    if latest is None:
        return
    held = [int(y) for y in _HOLDS_YEAR.findall(text)]
    first = min(held, default=None)
    for rule in (*_AGE_AND_YEAR, *_YEARS) if held else _YEARS:
        if rule.gate is not None and (first is None or first > latest - POOLED + rule.gate):
            continue
        for match in _matches(rule, text, lowered):
            told = rule.read(match)
            if told and told[1] is not None and told[1] <= latest and told[0] + latest - told[1] >= POOLED:
                yield _span(rule, match)


def _matches(rule: _Rule, text: str, lowered: str) -> Iterator[re.Match[str]]:
    if not rule.only_if or any(word in lowered for word in rule.only_if):
        yield from rule.pattern.finditer(text)
