"""Finds the identifiers of clinical notes.

The recognizers of a presidio registry are called directly: `AnalyzerEngine.analyze` builds a decision process and
compares lemmas for every result of every text, which costs several times what the patterns do. A recognizer of a
user's own can be added to the registry and is called through presidio's interface, without NLP artifacts; its entities
are mapped onto the closed list.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, field_serializer, field_validator

from deid.apply import read_date
from deid.company import in_company
from deid.extend import extended
from deid.folding import fold, unfold
from deid.identifiers import IDENTIFIERS, identifier_of
from deid.judge import FILE
from deid.known import KnownPatients
from deid.linking import link
from deid.note import Note
from deid.over89 import implied_over_89
from deid.phrases import outside_eponyms
from deid.policy import placeholder
from deid.recognizers import clinical_registry, ner
from deid.recognizers.common import ClinicalRecognizer, Find
from deid.reread import Read
from deid.spans import SPANS_DTYPE, Span, merge
from deid.tagger import Tagger
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import EntityRecognizer, RecognizerRegistry


class DetectParams(BaseModel):
    """What to detect with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    ner: str = "clinical_v1"
    """Model of names and places: clinical_v1 (our own), en_core_web_sm (general), none, or a folder of `deid train`."""
    threshold: float = Field(default=0.4, ge=0.0, le=1.0)
    """Least score of a span that is kept."""
    ner_threshold: float = Field(default=0.2, gt=0.0, lt=1.0)
    """How probable an identifier must be in the opinion of our own model's judge: lower finds more and masks more."""
    link_names: bool = True
    """Look for a name found in one note in all notes of the patient."""

    @field_validator("ner")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value not in (*ner.MODELS, "none") and not (Path(value) / "identifiers" / "model").is_file():
            raise ValueError(f"neither {', '.join(ner.MODELS)} or none, nor a folder that `deid train` wrote")
        return value

    @field_serializer("ner")
    def _name_of_model(self, value: str, info: SerializationInfo) -> str:
        """A model of the user's own goes into keys and manifests by its digest, to workers (context "worker") by its path."""
        if value in (*ner.MODELS, "none") or info.context == "worker":
            return value
        digest = hashlib.sha256((Path(value) / "identifiers" / "model").read_bytes())
        if (judge := Path(value) / FILE).is_file():
            digest.update(judge.read_bytes())
        return "own:" + digest.hexdigest()[:32]


class Detector:
    """A registry of recognizers, and the rules that join their results."""

    def __init__(self, params: DetectParams, registry: RecognizerRegistry, known: KnownPatients | None = None) -> None:
        self.params = params
        self.known = known
        self._finders: list[Find] = []
        self._readers: list[ner.NerRecognizer] = []
        self._read: Read | None = None
        self._foreign: list[EntityRecognizer] = []
        for recognizer in registry.recognizers:
            if isinstance(recognizer, ner.NerRecognizer):
                self._readers.append(recognizer)
                if isinstance(recognizer.model, Tagger):
                    self._read = partial(ner.finds, recognizer.model)
            elif isinstance(recognizer, ClinicalRecognizer):
                self._finders.append(recognizer.find)
            else:
                for entity in recognizer.supported_entities:
                    identifier_of(entity)  # an entity that no table knows is refused here, not in the middle of a run
                self._foreign.append(recognizer)

    def detect(self, texts: Sequence[str], *, patients: Sequence[str | None] | None = None) -> list[list[Span]]:
        """Spans of each text: sorted, non-overlapping, in code points of the text as given.

        With `patients`, one per text, a name found in one note is looked for in all notes of that patient;
        without, or where the patient is None, in its own note only.
        """
        folded = [fold(text) for text in texts]
        plain = [text for text, _ in folded]
        spans_of = [self.by_patterns(text) for text in plain]
        for reader in self._readers:
            read, spans_of = reader.weigh(plain, spans_of)
            spans_of = [[*spans, *more] for spans, more in zip(spans_of, read, strict=True)]
        known = self.known.find_all(plain, patients) if self.known else [[] for _ in plain]
        merged: list[list[Span]] = []
        for i, text in enumerate(plain):
            spans = spans_of[i]
            spans.extend(self._from_foreign(text))
            spans.extend(known[i])
            spans = [s for s in spans if s.score >= self.params.threshold]
            kept = merge(text, outside_eponyms(text, _outside_placeholders(text, spans)))
            longer = [*extended(text, kept), *in_company(text, kept)]
            merged.append(kept if longer == kept else merge(text, longer))
        if self.params.link_names:
            merged = link(plain, merged, patients, self._read)
        else:
            merged = [[span._replace(entity="") for span in spans] for spans in merged]
        return [unfold(spans, offsets) for spans, (_, offsets) in zip(merged, folded, strict=True)]

    def by_patterns(self, text: str) -> list[Span]:
        """What the patterns alone find in a folded text, overlaps and all."""
        note = Note(text)
        return [span for find in self._finders for span in find(note) if span.score >= self.params.threshold]

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


def load_detector(params: DetectParams | None = None, known: KnownPatients | None = None) -> Detector:
    """The detector of this room: its recognizers, the model of names unless switched off, and what is known of patients."""
    params = params or DetectParams()
    return Detector(params, clinical_registry(params.ner, ner_threshold=params.ner_threshold), known)


def detect_frame(notes: pl.DataFrame, detector: Detector) -> pl.DataFrame:
    """Add the column `spans` to a frame with `text`, and `patient_id` where names are to be linked over notes.

    With `charted_at` too, ages and years from which an age over 89 follows in any of a patient's notes are identifiers.
    Null text counts as empty. The order of rows stays.
    """
    texts = notes["text"].fill_null("").to_list()
    patients = notes["patient_id"].to_list() if "patient_id" in notes.columns else None
    spans = detector.detect(texts, patients=patients)
    if patients is not None and "charted_at" in notes.columns:
        years = [day.year if (day := read_date(value)) else None for value in notes["charted_at"].cast(pl.String)]
        implied = implied_over_89(texts, years, patients)
        spans = [
            merge(t, [*found, *more]) if more else found for t, found, more in zip(texts, spans, implied, strict=True)
        ]
    column = pl.Series("spans", [[span._asdict() for span in row] for row in spans], dtype=SPANS_DTYPE)
    return notes.with_columns(column)
