"""Fragments that several recognizers share, and the bridge from a plain function to a presidio recognizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from deid.folding import fold, unfold
from deid.note import LETTER, UPPER, Note, watch
from deid.spans import Span
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import EntityRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts


SP = r"[ \t]"

# One capitalised word of a name: "Nguyen", "O'Connell", "García-López", "McDonald", "DOE".
NAME_WORD = f"{UPPER}(?:{LETTER}|['\\-](?={LETTER})){{1,30}}"
INITIAL = f"{UPPER}(?:\\.|(?!{LETTER}|['-]{LETTER}))"
PARTICLE = r"(?:de la|de los|de las|de|del|della|di|da|dos|du|la|le|van der|van den|van|von|der|den|bin|ibn|al|el|y)"


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern: group "v" (else the whole match) becomes a span, unless `check` refuses the match."""

    name: str
    identifier: str
    score: float
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str]], bool] | None = None
    # The rule is skipped for texts that hold none of these lower-case words.
    only_if: tuple[str, ...] = ()
    group: int | str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", "v" if "v" in self.pattern.groupindex else 0)
        watch(self.pattern)


def apply_rules(prefix: str, rules: Iterable[Rule], note: Note) -> Iterator[Span]:
    """Run rules over a note."""
    where = note.where
    for rule in rules:
        if id(rule.pattern) not in where or (rule.only_if and not any(word in note.lowered for word in rule.only_if)):
            continue
        for match in note.finditer(rule.pattern):
            if rule.check is None or rule.check(match):
                start, end = match.span(rule.group)
                if start < end:
                    yield Span(start, end, rule.identifier, rule.score, f"{prefix}.{rule.name}")


Find = Callable[[Note], Iterable[Span]]


class ClinicalRecognizer(EntityRecognizer):
    """A function over folded text as a presidio recognizer.

    `find(note)` gets the text after `deid.folding.fold` as a Note, and yields spans of it, overlaps allowed. The
    detector of this room calls `find` itself; an AnalyzerEngine calls `analyze`.
    """

    def __init__(self, name: str, identifiers: list[str], find: Find) -> None:
        self.find = find
        super().__init__(supported_entities=identifiers, name=name, supported_language="en", version="1.0")

    def load(self) -> None:
        """Nothing to load: patterns are compiled when their module is imported."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """presidio's interface: results of the entities asked for, in offsets of `text`."""
        folded, offsets = fold(text)
        return [
            as_result(span, self) for span in unfold(self.find(Note(folded)), offsets) if span.identifier in entities
        ]


def as_result(span: Span, recognizer: EntityRecognizer) -> RecognizerResult:
    """A span as presidio's result; the rule that found it stands in the metadata."""
    return RecognizerResult(
        entity_type=span.identifier,
        start=span.start,
        end=span.end,
        score=span.score,
        recognition_metadata={
            RecognizerResult.RECOGNIZER_NAME_KEY: recognizer.name,  # type: ignore[has-type]
            RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
            "rule": span.recognizer,
        },
    )
