"""Fragments that several recognizers share, and the bridge from a plain function to a presidio recognizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from deid.folding import fold, unfold
from deid.note import LETTER, LOOSER, UPPER, Note, watch
from deid.spans import Span
from deid.torchless import without_torch

with without_torch():
    from presidio_analyzer import EntityRecognizer, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts


SP = r"[ \t]"

# One capitalised word of a name: "Nguyen", "O'Connell", "García-López", "McDonald", "DOE".
NAME_WORD_REST = f"(?:{LETTER}|['\\-](?={LETTER})){{1,30}}"
NAME_WORD = UPPER + NAME_WORD_REST
INITIAL_REST = f"(?:\\.|(?!{LETTER}|['-]{LETTER}))"
INITIAL = UPPER + INITIAL_REST
# Whose people a note names, in lower case; the plural where several are named at once.
RELATIVE = (
    r"(?:wife|husband|spouse|partner|daughter|son|(?:great[- ])?grand(?:mother|father|ma|pa|mom|dad|son|daughter|child|children)|gran(?:ny)?|nana|mother|father|mom|dad|mum|parents?|brother|sister|sibling|aunt|uncle|cousin|niece|nephew"
    r"|(?:daughter|son|mother|father|sister|brother)-in-law|step(?:son|daughter|mother|father|mom|dad|brother|sister)|friend|girlfriend|boyfriend|fianc[eé]e?|neighbor|neighbour|roommate|caregiver|caretaker|guardian|children|kids|sons|daughters|sisters|brothers|twins?|baby|infant|aide|landlord|boss|coworker|teacher|godmother|godfather|ex-wife|ex-husband|widow|widower|surrogate|proxy)"
)
PARTICLE = r"(?:de la|de los|de las|de|del|della|di|da|dos|du|la|le|van der|van den|van|von|der|den|bin|ibn|al|el|y)"


def _alternatives(alternation: str) -> Iterator[str]:
    """The alternatives of an expression without the groups that they begin with: "(?:a|b)c|d" is "ac", "bc", "d"."""
    depth, in_set, escaped, start = 0, False, False, 0
    closing: dict[int, int] = {}
    for at, c in enumerate(alternation + "|"):
        if escaped or c == "\\":
            escaped = not escaped
        elif in_set:
            in_set = c != "]"
        elif c == "[":
            in_set = True
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            closing.setdefault(depth, at)
        elif c == "|" and not depth:
            one, end = alternation[start:at], closing.get(0, 0) - start
            if one.startswith("(?:"):
                rest = one[end + 1 :]
                for inner in _alternatives(one[3:end]):
                    yield from _alternatives(inner + rest.removeprefix("?"))
                if rest.startswith("?"):
                    yield from _alternatives(rest[1:])
            else:
                yield one
            start, closing = at + 1, {}


def by_initial(alternation: str) -> str:
    """The same alternation for a pattern that ignores case, its alternatives gathered by their first letter.

    `re` tries all alternatives one by one unless they begin with a set that keeps case; then it looks at the set first.
    Of patterns with fifty words to look for it saves three quarters of the time. Alternatives keep their order, and
    each must begin with a letter or a sign that stands for itself.
    """
    gathered: dict[str, list[str]] = {}
    for one in _alternatives(alternation):
        if one[:1] in ("", "\\", "[", "(", ".", "^", "$") or one[1:2] in ("?", "*", "+", "{"):
            raise ValueError(f"{one!r} does not begin with one certain character")
        gathered.setdefault(one[0].lower(), []).append(one[1:])
    return "|".join(
        (f"(?-i:[{c}{c.upper()}])" if c.isalpha() else re.escape(c)) + f"(?:{'|'.join(rest)})"
        for c, rest in gathered.items()
    )


def one_of(alternation: str, *, not_after: str = r"\w", cased: bool = False) -> str:
    """`(?<!not_after)(?:alternation)`, so written that `re` skips to the next letter with which an alternative begins.

    The set of these letters comes first, and what each begins is tried behind it alone: a list of twenty words takes a
    third of the time. Alternatives keep their order; each must begin with a letter or a sign that stands for itself, or,
    where case is kept (`cased`), with a set of letters.
    """
    behind: dict[str, list[str]] = {}
    for one in _alternatives(alternation):
        first = re.match(r"\[(\w+)\]|[\w#]", one)
        if first is None or (first[1] and not cased) or one[first.end() : first.end() + 1] in ("?", "*", "+", "{"):
            raise ValueError(f"{one!r} does not begin with one certain character")
        letters = first[1] or first[0]
        for c in letters if cased else {*letters.lower(), *letters.upper()}:
            behind.setdefault(c, []).append(one[first.end() :])
    by_rest: dict[str, str] = {}
    for c in sorted(behind):
        rest = "|".join(behind[c])
        by_rest[rest] = by_rest.get(rest, "") + c
    every = f"(?-i:[{''.join(sorted(behind))}])"
    tried = "|".join(f"(?<=(?-i:[{letters}]))(?:{rest})" for rest, letters in by_rest.items())
    out = f"{every}(?<!{not_after}{every})(?:{tried})"
    # Hyperscan drops what is looked behind for, but reads the sign of a word's bound.
    LOOSER[out] = (r"\b" if not_after == r"\w" else "") + f"(?:{alternation})"
    return out


def opening(chars: str, *not_after: str) -> str:
    """One of `chars`, none of `not_after` in front of it: what a pattern begins with.

    The set comes first: `re` then skips to its next member, where a look-behind that comes first is asked everywhere.
    """
    return chars + "".join(f"(?<!{before}{chars})" for before in not_after)


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
