"""Moves dates by the patient's own number of days, in the form in which they were written.

`patient_days` draws the number, `shifted` moves one date, `anchors` finds what else hangs on the true calendar and that
the recognizers of dates leave alone, because Safe Harbor does: years by themselves, seasons, public events.

A date in full keeps its distance to every other date in full, to the day. One without its year is read in the year
nearest to the note's own date, so that only a leap day between them can be lost. A month, a season or a year by itself
moves as its middle day does. What cannot be read gives None, and the caller puts a placeholder there: nothing that might
be a date is left where it was.
"""

from __future__ import annotations

import bisect
import hmac
import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache

from deid.folding import fold, unfold
from deid.policy import ShiftRule
from deid.spans import Span

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SEASONS = ("winter", "spring", "summer", "fall")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ORDINALS += [f"twenty-{word}" for word in _ORDINALS[:9]] + ["thirtieth", "thirty-first"]


@cache
def _days(rule: ShiftRule) -> tuple[int, ...]:
    return rule.days()


def patient_days(key: bytes, patient: str, rule: ShiftRule) -> int:
    """The days by which all dates of a patient move: never 0, whole weeks or whole years. The same key, the same days."""
    days = _days(rule)
    return days[int.from_bytes(hmac.digest(key, patient.encode(), "sha256")[:8], "big") % len(days)]


# --- numbers in words ----------------------------------------------------------------------------------------

_ONE = rf"(?:{'|'.join(_ONES[1:10])})"
_UNDER_HUNDRED = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[- ]{_ONE})?|(?:{'|'.join(reversed(_ONES[10:]))})|(?:oh|o|aught)[- ]{_ONE})"
)
YEAR_WORDS = rf"(?:(?:nineteen|twenty)[ -](?:hundred|{_UNDER_HUNDRED})|two[ ]thousand(?:[ ](?:and[ ])?(?:{_UNDER_HUNDRED}|{_ONE}))?)"


def _number(words: str) -> int | None:
    """ "eighty-seven" to 87, under one hundred."""
    total = 0
    for word in re.split(r"[- ]", words):
        if word in _ONES:
            total += _ONES.index(word)
        elif word in _TENS:
            total += 20 + 10 * _TENS.index(word)
        elif word not in ("oh", "o", "aught"):
            return None
    return total


def _year_of_words(words: str) -> int | None:
    words = re.sub(r"\s+", " ", words.lower())
    for head, century in (("two thousand", 2000), ("nineteen", 1900), ("twenty", 2000)):
        if words.startswith(head):
            rest = words[len(head) :].strip(" -").removeprefix("and ").removeprefix("hundred")
            tail = _number(rest) if rest else 0
            return None if tail is None else century + tail
    return None


def _words_under_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10 - 2] + (f"-{_ONES[number % 10]}" if number % 10 else "")


def _words_of_year(year: int, like: str) -> str:
    century, rest = divmod(year, 100)
    if century == 20 and (rest < 10 or like.lower().startswith("two")):
        return "two thousand" + (f" {_words_under_hundred(rest)}" if rest else "")
    head = _words_under_hundred(century)
    return f"{head} hundred" if not rest else f"{head} {'oh-' if rest < 10 else ''}{_words_under_hundred(rest)}"


# --- forms ---------------------------------------------------------------------------------------------------

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs?(?:day)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_DAY_WORD = rf"(?:{'|'.join(sorted((o.replace('-', '[- ]') for o in _ORDINALS), key=len, reverse=True))})"
_WD = rf"(?:(?P<wd>{_WEEKDAY})\.?,?\s+)?"
_Y = r"(?P<y>1[89]\d\d|20\d\d|(?<!\d)\d\d)"
_Y4 = r"(?P<y>1[89]\d\d|20\d\d)"
_TO = r"\s*(?:-|to|through|thru|until|and|&|,|or)\s*"
_SEP = r"(?:\s?[/-]\s?|\.)"
# A clock time behind a date stays as it is.
_TIME = r"(?:(?:T|,?\s+(?:at\s+)?|,)\d{1,2}:?\d\d(?::\d\d(?:\.\d{1,9})?)?(?:\s?[ap]\.?m\.?)?(?:\s?h(?:ou)?rs?)?(?:Z|[+-]\d\d:?\d\d)?)?"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + _TIME, re.IGNORECASE)


# Groups: wd weekday; m, m2 month in digits or letters; d, d2 day; o, o2 its suffix; dw day in words; y, y2 year; yw
# year in words; a, b two numbers whose order is to be settled; e the place where an end of a range gets its month.
_FORMS = tuple(
    _form(pattern)
    for pattern in (
        rf"(?P<y>1[89]\d\d|20\d\d)(?P<s>{_SEP})(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}})",
        r"(?P<y>(?:1[89]|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])",
        r"(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?P<y>(?:1[89]|20)\d\d)",
        rf"{_WD}(?P<a>\d{{1,2}})(?P<s>{_SEP})(?P<b>\d{{1,2}})(?P=s)'?{_Y}",
        rf"{_WD}(?P<a>\d{{1,2}})(?P<s>{_SEP})(?P<b>\d{{1,2}})",
        rf"(?P<m>\d{{1,2}})(?P<s>/)(?P<d>\d{{1,2}})(?:/{_Y})?{_TO}(?:(?P<m2>\d{{1,2}})/)?(?P<d2>\d{{1,2}})(?:/(?P<y2>(?:1[89]|20)?\d\d))?",
        rf"(?P<m>\d{{1,2}})[/-]{_Y4}",
        rf"{_Y4}[/-](?P<m>\d{{1,2}})",
        rf"{_WD}(?P<m>{_MONTH})\.?(?:\s+|-|/)?(?:the\s+)?(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?"
        rf"(?:{_TO}(?:(?P<m2>{_MONTH})\.?\s+)?(?P<d2>\d{{1,2}})(?P<o2>st|nd|rd|th)?)?"
        rf"(?:(?:\s*,?\s*(?:of\s+)?|-|/)(?:'?{_Y}|(?P<yw>{YEAR_WORDS})))?",
        rf"{_WD}(?:the\s+)?(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?(?:\s+of\s+|\s?[-/.]\s?|\s+)?(?P<m>{_MONTH})\.?"
        rf"(?:(?:,?\s*|\s?[-/.]\s?)(?:'?{_Y}|(?P<yw>{YEAR_WORDS})))?",
        rf"{_WD}(?P<m>{_MONTH})\s+(?:the\s+)?(?P<dw>{_DAY_WORD})(?:,?\s+(?:of\s+)?(?:{_Y4}|(?P<yw>{YEAR_WORDS})))?",
        rf"{_WD}(?:the\s+)?(?P<dw>{_DAY_WORD})\s+(?:day\s+)?of\s+(?P<m>{_MONTH})(?:,?\s+(?:{_Y4}|(?P<yw>{YEAR_WORDS})))?",
        rf"(?P<m>{_MONTH})\.?(?:\s*(?:,|of|in|-|/)?\s*)(?:{_Y4}|'(?P<y2d>\d\d)|(?P<yw>{YEAR_WORDS}))",
        rf"(?P<m>{_MONTH})\.?",
        rf"{_WD}(?:the\s+)?(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)",
        rf"{_WD}(?:the\s+)?(?P<dw>{_DAY_WORD})",
        rf"(?P<wd>{_WEEKDAY})\.?",
        r"'?(?P<y>1[89]\d\d|20\d\d|(?<=')\d\d)",
        rf"(?P<yw>{YEAR_WORDS})",
        rf"(?P<se>{'|'.join((*_SEASONS, 'autumn'))})(?:,?\s+(?:of\s+)?{_Y4})?",
    )
)
_LONGEST = 120  # no date or range is longer
_SPLIT = re.compile(r"\s*(?:-|\bto\b|\bthrough\b|\bthru\b|\buntil\b|\band\b|&|,)\s*", re.IGNORECASE)

# name -> (month, day), or (month, weekday, n-th; -1 the last). Those that follow the moon give None: a placeholder.
_FIXED = {
    "christmas eve": (12, 24), "christmas": (12, 25), "christmas day": (12, 25), "new year's eve": (12, 31),
    "new year's day": (1, 1), "new year's": (1, 1), "halloween": (10, 31), "independence day": (7, 4),
    "fourth of july": (7, 4), "4th of july": (7, 4), "valentine's day": (2, 14), "valentine's": (2, 14),
    "veterans day": (11, 11), "st patrick's day": (3, 17), "juneteenth": (6, 19), "cinco de mayo": (5, 5),
}  # fmt: skip
_NTH = {
    "thanksgiving": (11, 3, 4), "thanksgiving day": (11, 3, 4), "memorial day": (5, 0, -1), "labor day": (9, 0, 1),
    "columbus day": (10, 0, 2), "presidents day": (2, 0, 3), "mother's day": (5, 6, 2), "father's day": (6, 6, 3),
    "martin luther king day": (1, 0, 3), "mlk day": (1, 0, 3),
}  # fmt: skip


def _month(name: str) -> int:
    return (
        int(name)
        if name.isdecimal()
        else next(i for i, m in enumerate(MONTHS, 1) if m.lower().startswith(name[:3].lower()))
    )


def _weekday(name: str) -> int:
    return next(i for i, d in enumerate(WEEKDAYS) if d.lower().startswith(name[:3].lower()))


def _year(digits: str, anchor: date | None) -> int:
    """A year of two digits is the last one that is no more than a year after the note."""
    if len(digits) == 4:
        return int(digits)
    latest = anchor.year + 1 if anchor else 2039
    return latest - (latest - int(digits)) % 100


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.lower() if like.islower() else word


def _named(full: str, like: str) -> str:
    """A month or weekday, abbreviated and in capitals as `like` is; "May" counts as written out."""
    short = len(like) < 5 and like.lower() not in ("may", "june", "july")
    return _cased(full[:3] if short else full, like)


def _digits(number: int, like: str, others: Sequence[str]) -> str:
    """Two digits where `like` has a leading zero, or all numbers beside it have two digits."""
    padded = like[0] == "0" or (len(others) > 1 and all(len(o) == 2 for o in others))
    return f"{number:02d}" if padded else str(number)


def _suffix(day: int, like: str) -> str:
    end = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return _cased(end, like)


def _nearest(month: int, day: int, anchor: date | None) -> date | None:
    """The date of this month and day nearest to the anchor; of any year if there is none."""
    for years in (range(anchor.year - 1, anchor.year + 2) if anchor else (2001,), range(1996, 2005)):
        found = [d for y in years if (d := _date(y, month, day))]
        if found:
            return min(found, key=lambda d: (abs((d - (anchor or found[0])).days), d))
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day_near(day: int, weekday: int | None, anchor: date) -> date | None:
    """The date with this day of the month nearest to the anchor, on this weekday if there is one within two months."""
    near = [anchor + timedelta(n) for n in range(-62, 63) if (anchor + timedelta(n)).day == day]
    fitting = [d for d in near if d.weekday() == weekday] or near
    return min(fitting, key=lambda d: (abs((d - anchor).days), d)) if fitting else None


def shifted(original: str, days: int, *, anchor: date | None = None, day_first: bool = False) -> str | None:
    """A date, a part of one or a range, moved by `days` and written in the same form; None if it cannot be read.

    `anchor` is the date of the note, for what does not name its year or month.
    """
    if len(original) > _LONGEST:
        return None
    plain = re.sub(r"\s", " ", fold(original)[0]).strip()
    try:
        for form in _FORMS:
            if (match := form.fullmatch(plain)) and (moved := _moved(match, days, anchor, day_first)) is not None:
                return moved
        if (moved := _holiday(plain, days, anchor)) is not None:
            return moved
        for split in _SPLIT.finditer(plain):
            left, right = plain[: split.start()], plain[split.end() :]
            if re.search(r"\d|[A-Za-z]", left) and re.search(r"\d{3}|[A-Za-z]|\d\D+\d", right):
                first = _whole(left, days, anchor, day_first)
                second = shifted(right, days, anchor=anchor, day_first=day_first) if first is not None else None
                if first is not None and second is not None:
                    return first + split.group() + second
    except (ValueError, OverflowError):
        return None
    return None


def _whole(text: str, days: int, anchor: date | None, day_first: bool) -> str | None:
    for form in _FORMS:
        if (match := form.fullmatch(text)) and (moved := _moved(match, days, anchor, day_first)) is not None:
            return moved
    return None


def _moved(match: re.Match[str], days: int, anchor: date | None, day_first: bool) -> str | None:
    found = {k: v for k, v in match.groupdict().items() if v is not None}
    if "y2d" in found:
        found["y"] = found.pop("y2d")
    names = {"m": "m", "d": "d"}
    if "a" in found:
        first_is_day = int(found["a"]) > 12 or (day_first and int(found["b"]) <= 12)
        names = {"m": "b", "d": "a"} if first_is_day else {"m": "a", "d": "b"}
        found["m"], found["d"] = found[names["m"]], found[names["d"]]
    if "dw" in found:
        found["d"] = str(_ORDINALS.index(re.sub(r"\s", "-", found["dw"].lower())) + 1)
    year = _year(found["y"], anchor) if "y" in found else None
    if "yw" in found:
        year = _year_of_words(found["yw"])
        if year is None:
            return None
    if "d2" in found:
        return _range(match, found, year, days, anchor)
    new = _start(found, year, days, anchor)
    if new is None:
        return None
    put: dict[str, str] = {}
    others = [found[k] for k in ("m", "d") if k in found and found[k].isdecimal() and "dw" not in found]
    if "m" in found:
        put[names["m"]] = _style_month(new.month, found["m"], others)
    if "dw" in found:
        put["dw"] = _cased(_ORDINALS[new.day - 1], found["dw"])
    elif "d" in found:
        put[names["d"]] = _digits(new.day, found["d"], others if found.get("m", "1").isdecimal() else ())
    if "o" in found:
        put["o"] = _suffix(new.day, found["o"])
    if "y" in found:
        put["y2d" if match.groupdict().get("y2d") else "y"] = (
            str(new.year) if len(found["y"]) == 4 else f"{new.year % 100:02d}"
        )
    if "yw" in found:
        put["yw"] = _cased(_words_of_year(new.year, found["yw"]), found["yw"])
    if "wd" in found:
        put["wd"] = _named(WEEKDAYS[(_weekday(found["wd"]) + days) % 7], found["wd"])
    if "se" in found:
        put["se"] = _cased(_SEASONS[new.month % 12 // 3].title(), found["se"])
    return _spliced(match, put)


def _start(found: dict[str, str], year: int | None, days: int, anchor: date | None) -> date | None:
    """The date that a form names, moved. What stands for a longer time moves as its middle day."""
    step = timedelta(days)
    if "se" in found:
        season = _SEASONS.index(found["se"].lower().replace("autumn", "fall"))
        return date(year or (anchor.year if anchor else 2001), 1 + 3 * season, 15) + step
    if "m" in found:
        month = _month(found["m"])
        if "d" not in found:
            return date(year or (anchor.year if anchor else 2001), month, 15) + step
        day = int(found["d"])
        at = _date(year, month, day) if year else _nearest(month, day, anchor)
        return at + step if at else None
    if "d" in found:
        at = _day_near(int(found["d"]), _weekday(found["wd"]) if "wd" in found else None, anchor) if anchor else None
        return at + step if at else None
    if year:
        return date(year, 7, 2) + step
    return date(2001, 1, 1) if "wd" in found else None  # a weekday needs no date


def _range(match: re.Match[str], found: dict[str, str], year: int | None, days: int, anchor: date | None) -> str | None:
    """ "March 4-6, 2019": both ends move; an end that comes to lie in another month or year gets it written."""
    month = _month(found["m"])
    month2 = _month(found["m2"]) if "m2" in found else month
    end_year = _year(found["y2"], anchor) if "y2" in found else year
    if year is None and end_year is not None:
        year = end_year - (month2 < month)
    elif year is not None and "y2" not in found:
        year -= month2 < month
    start = _date(year, month, int(found["d"])) if year else _nearest(month, int(found["d"]), anchor)
    if start is None:
        return None
    end = _date(end_year if end_year else start.year + (month2 < month), month2, int(found["d2"]))
    if end is None or end < start:
        return None
    start, end = start + timedelta(days), end + timedelta(days)
    digits = [found[k] for k in ("m", "d", "m2", "d2") if found.get(k, "x").isdecimal()]
    named = not found["m"].isdecimal()
    with_year = "y" in found or "y2" in found or "yw" in found
    last = "y2" if "y2" in found else "y"
    long = len(found.get(last, "0000")) == 4
    put = {
        "m": _style_month(start.month, found["m"], digits),
        "d": _digits(start.day, found["d"], () if named else digits),
    }
    tail = _suffix(start.day, found["o"]) if "o" in found else ""
    put["o" if "o" in found else "d"] = tail if "o" in found else put["d"]
    if with_year and start.year != end.year and not ("y" in found and "y2" in found):
        shown = str(start.year) if long else f"{start.year % 100:02d}"
        put["o" if "o" in found else "d"] += f", {start.year}" if named else f"/{shown}"
    end_day = _digits(end.day, found["d2"], () if named else digits)
    if "m2" in found:
        put["m2"] = _style_month(end.month, found["m2"], digits)
    elif (start.year, start.month) != (end.year, end.month):
        end_day = f"{_style_month(end.month, found['m'], digits)}{' ' if named else '/'}{end_day}"
    put["d2"] = end_day
    if "o2" in found:
        put["o2"] = _suffix(end.day, found["o2"])
    if "y" in found and "y2" in found:
        put["y"] = str(start.year) if len(found["y"]) == 4 else f"{start.year % 100:02d}"
    if "yw" in found:
        put["yw"] = _cased(_words_of_year(end.year, found["yw"]), found["yw"])
    elif with_year:
        put[last] = str(end.year) if long else f"{end.year % 100:02d}"
    if "wd" in found:
        put["wd"] = _named(WEEKDAYS[(_weekday(found["wd"]) + days) % 7], found["wd"])
    return _spliced(match, put)


def _style_month(month: int, like: str, others: Sequence[str]) -> str:
    return _digits(month, like, others) if like.isdecimal() else _named(MONTHS[month - 1], like)


def _spliced(match: re.Match[str], put: dict[str, str]) -> str:
    text, base = match.group(), match.start()
    for name in sorted(put, key=lambda n: match.start(n), reverse=True):
        text = text[: match.start(name) - base] + put[name] + text[match.end(name) - base :]
    return text


def _holiday(plain: str, days: int, anchor: date | None) -> str | None:
    """A holiday becomes the month and day to which it moves: "Christmas 2018" to "March 12, 2019"."""
    match = re.fullmatch(r"(?P<name>.+?)(?:,?\s(?:of\s)?(?P<y>(?:19|20)\d\d))?", plain)
    if match is None:
        return None
    name = re.sub(r"^the |\.|( jr)", "", match["name"].lower()).replace("newyear", "new year")
    for short, full in (("new years", "new year's"), ("valentines", "valentine's"), ("mothers", "mother's"),
                        ("fathers", "father's"), ("veterans'", "veterans"), ("presidents'", "presidents"),
                        ("st patricks", "st patrick's"), (" morning", ""), (" night", "")):  # fmt: skip
        name = name.replace(short, full)
    year = int(match["y"]) if match["y"] else None
    if name in _FIXED:
        month, day = _FIXED[name]
        at = date(year, month, day) if year else _nearest(month, day, anchor)
    elif name in _NTH and (year or anchor):
        years = [year] if year else [anchor.year - 1, anchor.year, anchor.year + 1] if anchor else []
        at = min((_nth(y, *_NTH[name]) for y in years), key=lambda d: (abs((d - anchor).days) if anchor else 0, d))
    else:
        return None
    if at is None:
        return None
    new = at + timedelta(days)
    return f"{MONTHS[new.month - 1]} {new.day}" + (f", {new.year}" if year else "")


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    days = [d for k in range(31) if (d := first + timedelta(k)).month == month and d.weekday() == weekday]
    return days[n] if n < 0 else days[n - 1]


# --- what else hangs on the calendar ---------------------------------------------------------------------------

_NOT_A_YEAR = (
    r"(?![\d%/:])(?!\.\d)(?!\s?-\s?\d{1,3}(?!\d))(?![ \t]{0,2}-?(?:mg|mcg|g\b|ml|cc|units?|iu|k?cal|calories|hours?|hrs?|h\b|steps|feet|ft|mm|cm|m\b|lbs?"
    r"|kg|cells|copies|meq|mmol|am\b|pm\b|mls|l\b|patients|people|dollars|per\b|x\b))"
)
_YEAR_CUE = (
    r"\b(?:(?:back )?in|since|circa|until|till|during|before|after|early|late|mid|year|from|between|dated|class of|year of)"
    r"[ \t-]{1,2}(?:early |late |mid[ -]|the year )?"
)
_EVENT_WORD = (
    r"(?:\w{3,18}(?:ectomy|otomy|ostomy|plasty|scopy|pexy|graphy)|surger(?:y|ies)|repair|replacement|cabg(?:[ ]x[ ]?\d)?|stent(?:ing|s)?|tk[ar]|th[ar]"
    r"|fusion|fracture|delivery|c-section|cesarean|transplant|bypass|biopsy|mi|cva|stroke|tia|dvt|pe|diagnosed|dx'?d?|s/p)"
)
_ANCHORS = (
    ("year", re.compile(rf"{_YEAR_CUE}(?P<v>(?:19[2-9]\d|20[0-4]\d)){_NOT_A_YEAR}", re.IGNORECASE)),
    ("year", re.compile(r"\b(?:in|since|class of)[ \t](?P<v>'\d\d)(?![\ds])", re.IGNORECASE)),
    ("year", re.compile(rf"\b(?:in|since)[ \t](?P<v>{YEAR_WORDS})\b(?![ \t](?:mg|ml|units|cc|people|patients))", re.IGNORECASE)),
    ("year", re.compile(r"\((?:in )?(?P<v>(?:19[5-9]\d|20[0-4]\d))\)")),
    ("year", re.compile(r"(?:^|\n)[ \t]*(?:[-*•][ \t]*)?(?P<v>(?:19[5-9]\d|20[0-4]\d))(?=[ \t]{0,2}[:-][ \t])")),
    ("year", re.compile(rf"\b{_EVENT_WORD},?[ \t](?P<v>(?:19[5-9]\d|20[0-4]\d)){_NOT_A_YEAR}", re.IGNORECASE)),
    ("years", re.compile(r"(?<![\d./-])(?P<v>(?:19[5-9]\d|20[0-4]\d)[ \t]?(?:-|to|and|or|through|,)[ \t]?(?:19[5-9]\d|20[0-4]\d))(?![\d/-])(?!\.\d)")),
    ("season", re.compile(
        r"\b(?P<v>(?:winter|spring|summer|fall|autumn)(?:,?[ \t](?:of[ \t])?(?:19|20)\d\d))\b"
        r"|\b(?:last|this|this past|past|next|since|during the|during|in the|early|late|mid|over the|by|until|the following|the previous)"
        r"[ \t-](?P<v2>winter|spring|summer|autumn)\b"
        r"|\b(?:this past|since last|early|late|next|in the)[ \t](?P<v3>fall)(?=[ \t]*(?:[.,;)]|\n|$|when|semester|season))",
        re.IGNORECASE)),
    ("holiday", re.compile(
        r"\b(?P<v>christmas(?:[ ](?:eve|day|morning))?|thanksgiving(?:[ ]day)?|new[ ]year'?s?[ ](?:eve|day)|easter(?:[ ]sunday)?|halloween"
        r"|memorial[ ]day|labor[ ]day|independence[ ]day|(?:the[ ])?(?:fourth|4th)[ ]of[ ]july|valentine'?s[ ]day|veterans'?[ ]day"
        r"|mother'?s[ ]day|father'?s[ ]day|st\.?[ ]patrick'?s[ ]day|passover|hanukkah|juneteenth|yom[ ]kippur|rosh[ ]hashanah|diwali"
        r"|ramadan|lent|mardi[ ]gras|good[ ]friday|ash[ ]wednesday|chinese[ ]new[ ]year|lunar[ ]new[ ]year|the[ ]holidays)\b", re.IGNORECASE)),
    ("event", re.compile(
        r"\b(?P<v>(?:hurricane|tropical storm|typhoon|superstorm)[ ](?!watch|warning|season|force)[A-Z][a-z]+|super[ ]bowl(?:[ ][LXVI]+)?|world[ ](?:series|cup)"
        r"|(?:(?:summer|winter)[ ])?olympics|boston[ ]marathon(?:[ ]bombings?)?|september[ ]11(?:th)?(?:[ ]attacks)?|9/11(?=[ ](?:attack|responder|survivor|first|victim|world|terror))"
        r"|(?:presidential[ ])?(?:election[ ](?:day|night)|inauguration(?:[ ]day)?)|government[ ]shutdown|(?:covid(?:-19)?[ ])?(?:lockdown|quarantine[ ]order)"
        r"|(?:the[ ])?(?:covid(?:-19)?|coronavirus|h1n1|swine[ ]flu)[ ]pandemic|(?:start|beginning|height|peak|middle)[ ]of[ ]the[ ]pandemic|solar[ ]eclipse|y2k"
        r"|march[ ]madness|(?:the[ ])?great[ ]recession|brexit)\b(?:[ ]in)?(?:[ ](?:19|20)\d\d)?",
        re.IGNORECASE)),
)  # fmt: skip


def _found(text: str) -> Iterator[Span]:
    for name, pattern in _ANCHORS:
        for match in pattern.finditer(text):
            group = next((g for g in ("v", "v2", "v3") if match.groupdict().get(g)), 0)
            start, end = match.span(0 if name == "event" else group)
            yield Span(start, end, "DATE", 0.5, f"shift.{name}")


def anchors(text: str, spans: Sequence[Span]) -> list[Span]:
    """`spans` and, where none of them stands, the years, seasons, holidays and public events of the text. Sorted."""
    folded, offsets = fold(text)
    taken = sorted((s.start, s.end) for s in spans)
    out = list(spans)
    for span in unfold(_found(folded), offsets):
        at = bisect.bisect_left(taken, (span.end, 0))
        if at == 0 or taken[at - 1][1] <= span.start:
            bisect.insort(taken, (span.start, span.end))
            out.append(span)
    return sorted(out)
