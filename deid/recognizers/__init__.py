"""The recognizers of US clinical identifiers, as presidio `EntityRecognizer`s in one registry."""

from __future__ import annotations

from deid.recognizers import ages, codes, contacts, dates, names, ner, places
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import RecognizerRegistry


def clinical_registry(*, ner_entities: bool = True) -> RecognizerRegistry:
    """A presidio registry with all recognizers of this room, for our detector or a presidio AnalyzerEngine.

    `ner_entities` adds the one that reads the entities of a spaCy model. presidio's own recognizers are not in it:
    some fetch the list of internet suffixes from the network when first used.
    """
    recognizers = [m.recognizer() for m in (dates, ages, contacts, codes, places, names)]
    if ner_entities:
        recognizers.append(ner.NerRecognizer())
    return RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
