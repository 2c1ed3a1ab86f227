"""The recognizers of US clinical identifiers, as presidio `EntityRecognizer`s in one registry."""

from __future__ import annotations

from pathlib import Path

from deid.judge import load_judge
from deid.recognizers import ages, codes, contacts, dates, names, ner, organisations, places
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import RecognizerRegistry


def clinical_registry(model: str = "clinical_v1", *, ner_threshold: float = 0.2) -> RecognizerRegistry:
    """A presidio registry with all recognizers of this room, for our detector or a presidio AnalyzerEngine.

    `model` is the one that finds people and places: clinical_v1, en_core_web_sm, none, or a folder of `deid train`.
    presidio's own recognizers are not in it: some fetch the list of internet suffixes from the network when first used.
    """
    recognizers = [m.recognizer() for m in (dates, ages, contacts, codes, places, names, organisations)]
    if model != "none":
        judge = None if model == "en_core_web_sm" else load_judge(ner.MODELS.get(model, Path(model)))
        recognizers.append(ner.NerRecognizer(ner.load_model(model), judge, ner_threshold))
    return RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
