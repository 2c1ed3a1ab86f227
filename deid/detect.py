"""Finds the identifiers of clinical notes.

The recognizers of a presidio registry are called directly: `AnalyzerEngine.analyze` builds a decision process and
compares lemmas for every result of every text, which costs several times what the patterns do. A recognizer of a
user's own can be added to the registry and is called through presidio's interface, without NLP artifacts; its entities
are mapped onto the closed list.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from deid.folding import fold, unfold
from deid.identifiers import IDENTIFIERS, identifier_of
from deid.linking import linked, name_words
from deid.policy import placeholder
from deid.recognizers import clinical_registry, ner
from deid.recognizers.common import ClinicalRecognizer
from deid.spans import SPANS_DTYPE, Span, merge
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import EntityRecognizer, RecognizerRegistry
    from spacy.language import Language


class DetectParams(BaseModel):
    """What to detect with. `threshold` is the least score of a span that is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ner: Literal["en_core_web_sm", "none"] = "en_core_web_sm"
    threshold: float = Field(default=0.4, ge=0.0, le=1.0)
    link_names: bool = True


class Detector:
    """A registry of recognizers, a model for names or None, and the rule that joins their results."""

    def __init__(self, params: DetectParams, registry: RecognizerRegistry, model: Language | None) -> None:
        self.params = params
        self.model = model
        own: list[ClinicalRecognizer] = []
        self._foreign: list[EntityRecognizer] = []
        for recognizer in registry.recognizers:
            if isinstance(recognizer, ClinicalRecognizer):
                own.append(recognizer)
            else:
                for entity in recognizer.supported_entities:
                    identifier_of(entity)  # an entity that no table knows is refused here, not in the middle of a run
                self._foreign.append(recognizer)
        self._finders = [recognizer.find for recognizer in own]

    def detect(self, texts: Sequence[str], *, patients: Sequence[str | None] | None = None) -> list[list[Span]]:
        """Spans of each text: sorted, non-overlapping, in code points of the text as given.

        With `patients`, one per text, a name found in one note is looked for in all notes of that patient;
        without, or where the patient is None, in its own note only.
        """
        folded = [fold(text) for text in texts]
        found: list[list[Span]] = []
        for (text, _), entities in zip(folded, self._entities([text for text, _ in folded]), strict=True):
            lowered = text.lower()
            spans = [span for find in self._finders for span in find(text, lowered)]
            spans.extend(ner.from_entities(text, entities))
            spans.extend(self._from_foreign(text))
            found.append(_outside_placeholders(text, [s for s in spans if s.score >= self.params.threshold]))
        merged = [merge(text, spans) for (text, _), spans in zip(folded, found, strict=True)]
        if self.params.link_names:
            words = [name_words(text, spans) for (text, _), spans in zip(folded, merged, strict=True)]
            for i, known in enumerate(_pooled(words, patients)):
                text = folded[i][0]
                if more := list(linked(text, known)):
                    merged[i] = merge(text, [*merged[i], *more])
        return [unfold(spans, offsets) for spans, (_, offsets) in zip(merged, folded, strict=True)]

    def _entities(self, texts: list[str]) -> Iterable[list[ner.Entity]]:
        """Entities of the model in each text; only stretches that could hold a name are read, in batches."""
        if self.model is None:
            return [[] for _ in texts]
        places = [(i, start, end) for i, text in enumerate(texts) for start, end in ner.stretches(text)]
        out: list[list[ner.Entity]] = [[] for _ in texts]
        # The zone frees the strings that these texts bring; without it the model grows with every note it reads.
        with self.model.memory_zone():
            docs = self.model.pipe((texts[i][start:end] for i, start, end in places), batch_size=128)
            for (i, start, _), doc in zip(places, docs, strict=True):
                out[i].extend((e.label_, start + e.start_char, start + e.end_char) for e in doc.ents)
        return out

    def _from_foreign(self, text: str) -> Iterable[Span]:
        for recognizer in self._foreign:
            for result in recognizer.analyze(text, recognizer.supported_entities, None) or []:  # type: ignore[arg-type]
                if identifier := identifier_of(result.entity_type):
                    name = str(recognizer.name)  # type: ignore[has-type]
                    yield Span(result.start, result.end, identifier, float(result.score), name)


# Text that has been masked before, or that happens to look so, holds no identifier there.
_PLACEHOLDER = re.compile("|".join(re.escape(placeholder(i)) for i in IDENTIFIERS))


def _outside_placeholders(text: str, spans: list[Span]) -> list[Span]:
    if "[" not in text:
        return spans
    marks = [m.span() for m in _PLACEHOLDER.finditer(text)]
    starts = [a for a, _ in marks]

    def inside(span: Span) -> bool:
        at = bisect.bisect_right(starts, span.start) - 1
        return at >= 0 and span.end <= marks[at][1]

    return [span for span in spans if not inside(span)]


def _pooled(words: list[dict[str, str]], patients: Sequence[str | None] | None) -> list[dict[str, str]]:
    """For each text the words of all texts of its patient."""
    if patients is None:
        return words
    by_patient: dict[str, dict[str, str]] = {}
    for own, patient in zip(words, patients, strict=True):
        if patient is not None:
            pool = by_patient.setdefault(patient, {})
            for word, identifier in own.items():
                if pool.get(word) != "NAME":
                    pool[word] = identifier
    return [own if patient is None else by_patient[patient] for own, patient in zip(words, patients, strict=True)]


def load_detector(params: DetectParams | None = None) -> Detector:
    """The detector of this room: its recognizers and, unless switched off, the model of names."""
    params = params or DetectParams()
    model = ner.load_model() if params.ner == "en_core_web_sm" else None
    return Detector(params, clinical_registry(ner_entities=model is not None), model)


def detect_frame(notes: pl.DataFrame, detector: Detector) -> pl.DataFrame:
    """Add the column `spans` to a frame with `text`, and `patient_id` where names are to be linked over notes.

    Null text counts as empty. The order of rows stays.
    """
    patients = notes["patient_id"].to_list() if "patient_id" in notes.columns else None
    spans = detector.detect(notes["text"].fill_null("").to_list(), patients=patients)
    column = pl.Series("spans", [[span._asdict() for span in row] for row in spans], dtype=SPANS_DTYPE)
    return notes.with_columns(column)
