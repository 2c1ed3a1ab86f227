"""What was found once as a name is looked for everywhere: in the note, and in all notes of the patient.

"Maria Gonzalez" in the header makes "Gonzalez" and "MARIA" names in the text below. Words are matched whole and with
their case, as written or all in capitals, so that "Rose" is not looked for in "rose" or "Rosemary". Words that are
ordinary English, a clinical term, an eponym, a month or a nation are never looked for alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from deid.recognizers.common import LETTER, UPPER
from deid.spans import Span
from deid.vocabulary import EPONYM_HEADS, EPONYMS, NEVER_LINKED, common_words, dictionary_words, is_clinical

_WORD = re.compile(rf"(?<![\w'-]){UPPER}{LETTER}+(?:['-]{LETTER}+)*")
_EPONYM_NEXT = re.compile(rf"(?:'s)?[ \t-]+(?:{'|'.join(EPONYM_HEADS)})\b", re.IGNORECASE)
_LOWER_WORD = re.compile(rf"(?<![\w'-]){LETTER}{{4,}}(?:['-]{LETTER}+)*")
_CAPITAL = re.compile(UPPER)
_SURE = 0.65  # names found with less confidence are not carried further
_SCORE = 0.58


def name_words(text: str, spans: Iterable[Span]) -> dict[str, str]:
    """Words of the names found in folded text, as written and in capitals, each with its identifier."""
    common = common_words()
    words: dict[str, str] = {}
    for span in spans:
        if span.identifier not in ("NAME", "CLINICIAN") or span.score < _SURE:
            continue
        for match in _WORD.finditer(text, span.start, span.end):
            word = match.group().removesuffix("'s")
            low = word.lower()
            if len(word) < 3 or low in common or low in NEVER_LINKED or low in EPONYMS or is_clinical(low):
                continue
            for form in {word, word.upper(), word.title() if word.isupper() else word}:
                # A patient's own name wins over a clinician's of the same spelling.
                if words.get(form) != "NAME":
                    words[form] = span.identifier
    return words


def linked(text: str, words: dict[str, str]) -> Iterator[Span]:
    """Every whole word of folded text that is one of `words`, unless an eponym's head word follows it."""
    if not words:
        return
    if _few_capitals(text):
        yield from _linked_lower(text, words)
    for match in _WORD.finditer(text):
        word = match.group()
        bare = word.removesuffix("'s")
        if identifier := words.get(word) or words.get(bare):
            end = match.start() + (len(word) if word in words else len(bare))
            if not _EPONYM_NEXT.match(text, end):
                yield Span(match.start(), end, identifier, _SCORE, "linking.name")


def _few_capitals(text: str) -> bool:
    """A note typed in lower case: fewer than one capital in 50 characters."""
    return len(_CAPITAL.findall(text)) * 50 < len(text)


def _linked_lower(text: str, words: dict[str, str]) -> Iterator[Span]:
    """In such a note names are found in lower case too, if they stand in no dictionary."""
    known = {word.lower(): identifier for word, identifier in sorted(words.items())}
    for match in _LOWER_WORD.finditer(text):
        bare = match.group().removesuffix("'s")
        identifier = known.get(bare)
        if identifier and bare not in dictionary_words() and not _EPONYM_NEXT.match(text, match.start() + len(bare)):
            yield Span(match.start(), match.start() + len(bare), identifier, _SCORE, "linking.lower")
