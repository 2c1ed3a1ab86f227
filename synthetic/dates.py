"""Dates as hospitals write them. Month and day names are our own tables: ``strftime`` follows the locale."""

from __future__ import annotations

import random
from datetime import date, timedelta

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
STYLES = 17
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_UNITS += ["seventeen", "eighteen", "nineteen"]
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def ordinal_words(number: int) -> str:
    """1 to 31 as dictated: first, twenty-first."""
    if number in (20, 30):
        return "twentieth" if number == 20 else "thirtieth"
    rest = number % 10 if number > 20 else number
    odd = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}
    return (f"{_TENS[number // 10]}-" if number > 20 else "") + (odd.get(rest) or f"{_UNITS[rest]}th")


def number_words(number: int) -> str:
    """0 to 119 in words."""
    if number >= 100:
        return "one hundred" if number == 100 else "one hundred and " + number_words(number - 100)
    if number < 20:
        return _UNITS[number]
    return _TENS[number // 10] + (f"-{_UNITS[number % 10]}" if number % 10 else "")


def full(day: date, style: int) -> str:
    """A date with its year in one of ``STYLES`` forms."""
    name, short = MONTHS[day.month - 1], MONTHS[day.month - 1][:3]
    m, d, y = day.month, day.day, day.year
    forms = (
        f"{m:02d}/{d:02d}/{y}",
        f"{m}/{d}/{y}",
        f"{m}/{d}/{y % 100:02d}",
        f"{m:02d}-{d:02d}-{y % 100:02d}",
        f"{y}-{m:02d}-{d:02d}",
        f"{name} {d}, {y}",
        f"{name} {ordinal(d)}, {y}",
        f"{d} {short} {y}",
        f"{d:02d}-{short}-{y}",
        f"{short} {d}, {y}",
        f"{m:02d}-{d:02d}-{y}",
        f"{m}-{d}-{y % 100:02d}",
        f"{d} {name} {y}",
        f"{DAYS[day.weekday()][:3]} {short} {d}, {y}",
        f"{m}.{d}.{y % 100:02d}",
        f"{DAYS[day.weekday()]}, {name} {d}, {y}",
        f"the {ordinal(d)} of {name}, {y}",
    )
    return forms[style % STYLES]


def pick_style(rng: random.Random) -> int:
    """Numeric forms are most of what is written."""
    return rng.choices(range(STYLES), [12, 12, 12, 5, 6, 7, 3, 4, 3, 5, 4, 4, 2, 2, 1, 1, 0])[0]


def partial(rng: random.Random, day: date) -> str:
    """A date of the last days without its year."""
    name, short, d = MONTHS[day.month - 1], MONTHS[day.month - 1][:3], day.day
    forms = (
        f"{day.month}/{d}",
        f"{day.month:02d}/{d:02d}",
        f"{name} {d}",
        f"{name} {ordinal(d)}",
        f"{short} {d}",
        f"{d} {short}",
        f"{DAYS[day.weekday()]} the {ordinal(d)}",
        f"{DAYS[day.weekday()]}, {name} {d}",
        f"the {ordinal(d)} of {name}",
        f"{name} {ordinal_words(d)}",
        f"{day.month}-{d:02d}",
    )
    return rng.choices(forms, [14, 6, 6, 4, 5, 2, 3, 2, 1, 1, 1])[0]


def month_year(rng: random.Random, day: date) -> str:
    name, short = MONTHS[day.month - 1], MONTHS[day.month - 1][:3]
    forms = (f"{name} {day.year}", f"{short} {day.year}", f"{day.month}/{day.year}", f"{name} of {day.year}")
    return rng.choices((*forms, f"{short} '{day.year % 100:02d}", f"{day.month:02d}/{day.year}"), [8, 4, 4, 3, 2, 2])[0]


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def last_holiday(rng: random.Random, day: date) -> tuple[str, date]:
    """One of the three latest United States holidays before ``day``, as people name it."""
    found: list[tuple[date, str]] = []
    for year in (day.year - 1, day.year):
        found += [
            (date(year, 1, 1), rng.choice(["New Year's Day", "New Year's"])),
            (date(year, 2, 14), "Valentine's Day"),
            (date(year, 3, 17), "St. Patrick's Day"),
            (_nth(year, 5, 6, 2), "Mother's Day"),
            (_nth(year, 5, 0, 5) if _nth(year, 5, 0, 5).month == 5 else _nth(year, 5, 0, 4), "Memorial Day"),
            (_nth(year, 6, 6, 3), "Father's Day"),
            (date(year, 7, 4), rng.choice(["the Fourth of July", "July 4th", "Independence Day"])),
            (_nth(year, 9, 0, 1), "Labor Day"),
            (date(year, 10, 31), "Halloween"),
            (date(year, 11, 11), "Veterans Day"),
            (_nth(year, 11, 3, 4), "Thanksgiving"),
            (date(year, 12, 24), "Christmas Eve"),
            (date(year, 12, 25), rng.choice(["Christmas", "Christmas Day"])),
        ]
    past = sorted((when, name) for when, name in found if when < day)[-3:]
    when, name = rng.choice(past)
    return (f"{name} {when.year}" if rng.random() < 0.15 else name), when
