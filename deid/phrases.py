"""Lists of phrases written for this project: organisations that are masked, eponyms of several words that are not.

`data/facilities.txt` and `data/employers.txt` name well-known houses and employers by the short forms that clinicians
write ("Barnes-Jewish", "VUMC", "Bath Iron Works"); `data/eponyms.txt` and `data/eponym_pairs.txt` hold what looks like a
person or a place and is neither ("Austin Flint", "Braxton Hicks", "McBurney point").
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from deid.lexicon import fold
from deid.note import LETTER, UPPER
from deid.spans import Span
from deid.vocabulary import EPONYM_HEADS

_DATA = Path(__file__).parent / "data"
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CAPITAL_OR_DIGIT = UPPER[:-1] + r"\d]"  # set first, so that `re` skips to the next one
_START = re.compile(
    rf"{_CAPITAL_OR_DIGIT}(?<![\w'’-]{_CAPITAL_OR_DIGIT})(?:(?<={UPPER})(?:{LETTER}|[0-9'’])*|(?<=\d)\d{{0,2}}(?:st|nd|rd|th))"
)
# Between two words of a phrase: "Swan-Ganz", "St. John's", "Texas A&M", a line's end.
_GAP = re.compile(r"[ \t]?[-.&/,]?[ \t\n]?&?[ \t]?")
# By the first word, then by the second ("" where there is none): the words that follow and the list, the longest first.
Phrases = dict[str, dict[str, list[tuple[tuple[str, ...], str]]]]


def lines(name: str) -> list[str]:
    """The phrases of a list as they are written."""
    text = (_DATA / f"{name}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def words(name: str) -> frozenset[str]:
    """The single words of a list in lower case."""
    return frozenset(line.lower() for line in lines(name))


@cache
def tokens(name: str) -> frozenset[str]:
    """The words of a list that holds many in a line, in lower case."""
    return frozenset(word for line in lines(name) for word in line.lower().split())


@cache
def phrases(*names: str) -> Phrases:
    """The phrases of lists, words folded to lower case without accents."""
    table: Phrases = {}
    for name in names:
        for line in lines(name):
            first, second, *rest = (*map(fold, _WORD.findall(line)), "")
            table.setdefault(first, {}).setdefault(second, []).append((tuple(rest[:-1]), name))
    for by_second in table.values():
        for found in by_second.values():
            found.sort(key=lambda phrase: (-len(phrase[0]), phrase))
    return table


def find(text: str, table: Phrases) -> Iterator[tuple[int, int, str]]:
    """Where phrases stand in folded `text`, beginning with a capital, and of which list; of two that begin at one place,
    the longer.
    """
    done = 0
    for start in _START.finditer(text):
        if start.start() < done or (choices := table.get(fold(start.group()))) is None:
            continue
        for end, name in _choices(text, start, choices):
            yield start.start(), end, name
            done = end
            break


def _choices(
    text: str, first: re.Match[str], choices: dict[str, list[tuple[tuple[str, ...], str]]]
) -> Iterator[tuple[int, str]]:
    """Ends of the phrases that begin with the word `first`, the longest first, and their lists."""
    if token := _next(text, first.end()):
        for rest, name in choices.get(fold(token.group()), ()):
            if end := _match(text, token.end(), rest):
                yield end, name
    word = choices.get("")
    if word and _match(text, first.end(), ()) and _alone(text, first.start(), first.end(), fold(first.group())):
        yield first.end(), word[0][1]


@cache
def _acronyms() -> dict[str, str]:
    """The single words of the lists with more capitals than the first, by their folded form: UCSF, UConn."""
    single = [line for name in ("facilities", "employers") for line in lines(name) if " " not in line]
    return {fold(word): word for word in single if not word[1:].islower()}


_THING_NEXT = re.compile(
    rf"(?:'s)?[ \t-]+(?:{'|'.join(EPONYM_HEADS)}|stand|scissors|block|chemo\w*|regimen|cycles?|x[ ]?\d)\b",
    re.IGNORECASE,
)


# "Parkland 4 mL", "Sunnybrook 64", "Mayo 9": a formula, a score.
_NUMBER_NEXT = re.compile(r"[ ]\d{1,2}(?![\d/])")


def _alone(text: str, start: int, end: int, word: str) -> bool:
    """One word is a house only if no thing bears its name ("Mayo stand", "CVS: RRR"); an acronym needs its own capitals."""
    if _THING_NEXT.match(text, end) or text[end : end + 1] == ":" or _NUMBER_NEXT.match(text, end):
        return False
    return (spelt := _acronyms().get(word)) is None or text[start:end] == spelt


def _next(text: str, end: int) -> re.Match[str] | None:
    """The word behind the one that ends at `end`, if a gap within a phrase lies between."""
    gap = _GAP.match(text, end)
    return _WORD.match(text, gap.end()) if gap and gap.end() > end else None


def _match(text: str, end: int, words: Sequence[str]) -> int:
    """The end of the `words` that follow a word that ends at `end`, or 0."""
    for word in words:
        token = _next(text, end)
        if token is None or fold(token.group()) != word:
            return 0
        end = token.end()
    return end if not text[end : end + 1].isalnum() else 0


# "moved to Ann Arbor" is a town; "Ann Arbor stage II" and "Ann Arbor IIA" are none. Of the rules only those are weak that
# have no title, no credential and no label to go by: "Mr. Marcus Gunn" is a person.
_STAGE = re.compile(r"[ \t]*(?:stage|staging|grade|class|type|[IV]{1,3}[AB]?\b|\d)", re.IGNORECASE)
_WEAK = ("ner.", "names.unknown", "names.listed_pair", "names.human", "names.opening", "names.pt_name", "names.initials_name", "names.last_initial", "names.person_thing", "names.thing_comma", "names.thing_surname", "places.facility")  # fmt: skip


def outside_eponyms(text: str, spans: list[Span]) -> list[Span]:
    """The spans without those that a model or a weak rule found inside an eponym of several words, or into one."""
    if not any(span.recognizer.startswith(_WEAK) for span in spans):
        return spans
    eponyms = sorted(
        (a, b)
        for a, b, _ in find(text, phrases("eponyms", "eponym_pairs"))
        if fold(text[a:b]) != "ann arbor" or _STAGE.match(text, b)
    )
    if not eponyms:
        return spans
    starts = [a for a, _ in eponyms]
    longest = max(b - a for a, b in eponyms)

    def inside(span: Span) -> bool:
        # Only those near it: held against each eponym, the spans of a megabyte took half of its time.
        near = eponyms[bisect_left(starts, span.start - longest) : bisect_left(starts, span.end)]
        return any(_within(span, a, b) for a, b in near)

    return [span for span in spans if not (span.recognizer.startswith(_WEAK) and inside(span))]


def _within(span: Span, start: int, end: int) -> bool:
    """Whether a span lies in an eponym, or ends in the middle of one: "«Hodgkin, Ann» Arbor IIA"."""
    return (start <= span.start and span.end <= end) or span.start < start < span.end < end
