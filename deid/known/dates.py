"""Dates of the patient table, found in text in every usual form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date

from deid.known.places import BIRTH_CUE, Phrase
from deid.spans import Span
from deid.words import Words

_MONTHS = (
    "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
    "september sep sept", "october oct", "november nov", "december dec",
)  # fmt: skip
_MONTH_OF = {form: n for n, forms in enumerate(_MONTHS, 1) for form in forms.split()}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = (
    "_ first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()


def _spoken_day(day: int) -> list[list[str]]:
    if day < 21:
        return [[_ORDINALS[day]]]
    tens = {2: ("twenty", "twentieth"), 3: ("thirty", "thirtieth")}[day // 10]
    return [[tens[1]]] if day % 10 == 0 else [[tens[0], _ORDINALS[day % 10]]]


def _spoken_two(number: int) -> list[str]:
    if number < 20:
        return [_ONES[number]]
    return [_TENS[number // 10]] + ([_ONES[number % 10]] if number % 10 else [])


def _spoken_year(year: int) -> list[list[str]]:
    if 2000 <= year < 2010:
        tail = [_ONES[year - 2000]] if year > 2000 else []
        return [["two", "thousand", *tail], ["two", "thousand", "and", *tail]]
    high, low = divmod(year, 100)
    ways = [[*_spoken_two(high), *(["oh", _ONES[low]] if 0 < low < 10 else _spoken_two(low) if low else ["hundred"])]]
    if year >= 2010:
        ways.append(["two", "thousand", *_spoken_two(low)])
    return ways


def spoken(day: date, kind: str) -> Iterator[Phrase]:
    """ "June twenty-seventh, nineteen twenty-eight", and with the year or the day in figures."""
    months = _MONTHS[day.month - 1].split()
    ordinal = f"{day.day}{'th' if 10 <= day.day % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day.day % 10, 'th')}"
    for said in [*_spoken_day(day.day), [ordinal], [str(day.day)]]:
        for year in [*_spoken_year(day.year), [str(day.year)]]:
            if said[0][0].isdigit() and year[0][0].isdigit():
                continue
            for middle in ([], ["of"]):
                yield Phrase((*months[:1], *said, *middle, *year), kind, firm=True)
            yield Phrase((*said, "of", *months[:1], *year), kind, firm=True)
        yield Phrase((*months[:1], *said), kind, firm=True, cue="birth")


class Dates:
    """Known dates, looked for at words that can begin one."""

    def __init__(self, dates: Iterable[tuple[date, str]]) -> None:
        self.dates = tuple(dict.fromkeys(dates))
        first: set[str] = set()
        parts: set[str] = set()
        self.single: dict[str, tuple[str, bool]] = {}
        for day, kind in self.dates:
            y, m, d = day.year, day.month, day.day
            months = _MONTHS[m - 1].split()
            parts |= {f"{y % 100:02}", "of", "the"}
            first |= {str(y), f"{m}", f"{m:02}", f"{d}", f"{d:02}", *months, f"{d}th", f"{d}st", f"{d}nd", f"{d}rd"}
            for form in (f"{y}{m:02}{d:02}", f"{m:02}{d:02}{y}", f"{d:02}{m:02}{y}"):
                self.single[form] = (kind, False)
            for month in months:
                for form in (
                    f"{d}{month}{y}",
                    f"{d:02}{month}{y}",
                    f"{month}{d}{y}",
                    f"{month}{d:02}{y}",
                    f"{d:02}{month}{y % 100:02}",
                ):
                    self.single[form] = (kind, False)
                for form in (f"{month}{d}", f"{d}{month}", f"{month}{d:02}", f"{d:02}{month}"):
                    self.single.setdefault(form, (kind, True))
            for form in (f"{m:02}{d:02}{y % 100:02}", f"{d:02}{m:02}{y % 100:02}", f"{y % 100:02}{m:02}{d:02}"):
                self.single.setdefault(form, (kind, True))
        self.first = frozenset(first | set(self.single))
        self._parts = frozenset(first | parts)

    def at(self, words: Words, i: int) -> Iterator[Span]:
        """A known date that begins at word i."""
        one = self.single.get(words.low[i])
        if one and (not one[1] or self._cue(words, i)):
            yield Span(words.starts[i], words.ends[i], "DATE", 1.0, f"known.{one[0]}")
            return
        if i + 1 >= len(words) or not (words.low[i + 1] in self._parts or words.low[i + 1][:1].isdigit()):
            return
        best: tuple[int, str] | None = None
        for day, kind in self.dates:
            last = self._whole(words, i, day)
            if last is not None and (best is None or last > best[0]):
                best = (last, kind)
        if best:
            end = words.ends[best[0]]
            # "1928-06-27T00:00": the time is no part of the birth date.
            tail = re.match(r"\d{1,2}(?=[tT]\d)", words.raw[best[0]])
            yield Span(
                words.starts[i], words.starts[best[0]] + tail.end() if tail else end, "DATE", 1.0, f"known.{best[1]}"
            )

    def _cue(self, words: Words, i: int) -> bool:
        return bool(BIRTH_CUE.search(words.text[max(0, words.starts[i] - 40) : words.starts[i]].lower()))

    def _whole(self, words: Words, i: int, day: date) -> int | None:
        """The last word of `day` written from word i on; month and day alone only after a cue."""
        low = words.low
        at = [i]
        while len(at) < 3 and at[-1] + 1 < len(low):
            k = at[-1] + 1
            gap = words.gap(k - 1)
            # "the 27th of June"
            if low[k] in ("of", "the") and len(gap) <= 2 and k + 1 < len(low):
                k += 1
                gap = " "
            if len(gap) > 3 or "\n" in gap.strip(" ") or any(c not in " -/.,'\n" for c in gap):
                break
            at.append(k)
        roles = [self._roles(low[k], day) for k in at]
        word = "M" in "".join(roles)
        if len(at) == 3:
            for order in ("mdy", "dmy", "ymd"):
                if all(r in have.lower() for r, have in zip(order, roles, strict=True)) and self._year_fits(
                    words, at, order, word
                ):
                    return at[2]
        if len(at) >= 2:
            for order in ("my", "ym"):
                year = low[at[order.index("y")]]
                if all(r in have.lower() for r, have in zip(order, roles, strict=False)) and len(year) == 4:
                    clear = "M" in "".join(roles[:2]) or words.gap(i) in ("/", "-")
                    follows = words.text[words.ends[at[1]] : words.ends[at[1]] + 2]
                    if clear and not re.match(r"[-/.]\d", follows) and self._fresh(words, i):
                        return at[1]
            for order in ("md", "dm"):
                if all(r in have.lower() for r, have in zip(order, roles, strict=False)) and self._cue(words, i):
                    return at[1]
        return None

    def _fresh(self, words: Words, i: int) -> bool:
        """Not in the middle of a longer number."""
        return not re.search(r"\d[-/.]$", words.text[max(0, words.starts[i] - 2) : words.starts[i]])

    def _year_fits(self, words: Words, at: list[int], order: str, word: bool) -> bool:
        year = words.low[at[order.index("y")]]
        if len(year) == 4:
            return self._fresh(words, at[0])
        # A year of two digits: with signs on both sides, or after a month's name.
        signs = words.gap(at[0]) in ("/", "-", ".") and at[1] == at[0] + 1 and words.gap(at[1]) == words.gap(at[0])
        return order != "ymd" and (signs or word) and self._fresh(words, at[0])

    def _roles(self, low: str, day: date) -> str:
        roles = ""
        number = re.match(r"\d+(?=(?:st|nd|rd|th)?$|t\d)", low)
        if low in _MONTH_OF:
            return "M" if _MONTH_OF[low] == day.month else ""
        if not number:
            return ""
        digits = number.group()
        if len(digits) == 4:
            return "y" if int(digits) == day.year else ""
        if len(digits) > 2:
            return ""
        value = int(digits)
        if value == day.month:
            roles += "m"
        if value == day.day:
            roles += "d"
        if len(digits) == 2 and value == day.year % 100:
            roles += "y"
        return roles
