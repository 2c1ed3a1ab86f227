"""A note as the recognizers see it, and the one pass that tells which of their patterns can match at all.

Some 340 patterns look for identifiers, and in any one note fewer than forty of them find something. Hyperscan reads the
note once for all of them (in its prefilter mode: what it does not understand of a pattern it takes as matching), and
only the patterns it names are run by `re`, which decides alone what is a match. Where no wheel of hyperscan exists, all
patterns are run: the same spans, more slowly. Measured on dictated reports: 0.03 s for the pass and 0.46 s for the
named patterns, against 3.9 s for all.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_WATCHED: list[re.Pattern[str]] = []
_watched_ids: set[int] = set()
_scanner: _Scanner | None = None
_HAVE_HYPERSCAN = find_spec("hyperscan") is not None


def watch(pattern: re.Pattern[str]) -> re.Pattern[str]:
    """Put a pattern among those that the pass knows. Call it while modules are imported."""
    _WATCHED.append(pattern)
    _watched_ids.add(id(pattern))
    return pattern


def _letters(keep: Callable[[str], bool]) -> str:
    """A character class of Latin, Greek and Cyrillic letters; `re` has no \\p{Lu}."""
    ranges: list[list[int]] = []
    for code in [*range(0x41, 0x530), *range(0x1E00, 0x2000)]:
        if keep(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(chr(a) if a == b else f"{chr(a)}-{chr(b)}" for a, b in ranges)


UPPER = f"[{_letters(str.isupper)}]"
LETTER = f"[{_letters(str.isalpha)}]"


CAPITAL = re.compile(UPPER)


def has_few_capitals(text: str) -> bool:
    """A note typed in lower case: fewer than one capital in 50 characters."""
    return len(CAPITAL.findall(text)) * 50 < len(text)


# What stands for a fragment of a pattern in the pass: it must match wherever the fragment does. Character classes of
# many scripts are those of the shadow; a fragment whose look-ahead hyperscan would drop can say the same without it.
LOOSER: dict[str, str] = {UPPER: "[A-Z]", LETTER: "[A-Za-z]"}


# A long note is passed over by windows, or one match anywhere would set a pattern on all of it: 1 MB of joined notes took
# twice as long, its patterns three times. Each window is read with a margin on both sides, longer than any match.
WINDOW, MARGIN = 4096, 1024

Stretch = tuple[int, int]


class Note:
    """Folded text; `finditer` is `pattern.finditer(text)` but free where a watched pattern cannot match."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def lowered(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def where(self) -> dict[int, list[Stretch]]:
        """The stretches that could hold matches of a watched pattern, in order and apart, by the pattern's `id` (`re`
        computes the hash of a pattern anew each time). A watched pattern that is not there has no match.
        """
        scanner = _get_scanner()
        return scanner.where(self.text) if scanner else {key: [(0, len(self.text))] for key in _watched_ids}

    def finditer(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Matches of a pattern in the text, in order."""
        stretches = self.where.get(id(pattern))
        if stretches is None:
            return iter(()) if id(pattern) in _watched_ids else pattern.finditer(self.text)
        if len(stretches) == 1 and stretches[0] == (0, len(self.text)):
            return pattern.finditer(self.text)
        return self._within(pattern, stretches)

    def _within(self, pattern: re.Pattern[str], stretches: list[Stretch]) -> Iterator[re.Match[str]]:
        # No match reaches into a stretch from outside, or the window beside it would have been named too.
        for start, end in stretches:
            for match in pattern.finditer(self.text, start, end + MARGIN):
                if match.start() >= end:
                    break
                yield match


def _shadow(text: str) -> bytes:
    """The text in ASCII, character by character: a letter as a letter of its case, any other as a sign of no class."""
    if text.isascii():
        return text.encode()
    out = []
    for c in text:
        if c.isascii():
            out.append(c)
        elif c.isalpha():
            # NFKD and the dotless i: what `re` takes for an ASCII letter when it ignores case.
            base = "i" if c == "ı" else unicodedata.normalize("NFKD", c)[0]
            out.append(base if base.isascii() else "X" if c.isupper() else "x")
        else:
            out.append("0" if c.isdigit() else " " if c.isspace() else "\x01")
    return "".join(out).encode()


class _Scanner:
    """A hyperscan database of all watched patterns."""

    def __init__(self) -> None:
        import hyperscan

        self._ids = [id(pattern) for pattern in _WATCHED]
        self._database = _load(_WATCHED, hyperscan)
        self._scratch = hyperscan.Scratch(self._database)

    def where(self, text: str) -> dict[int, list[Stretch]]:
        """The stretches that could hold a pattern's matches, in order and apart, by the pattern's `id`."""
        if len(text) <= 2 * WINDOW:
            return {key: [(0, len(text))] for key in self._hits(text)}
        found: dict[int, list[Stretch]] = {}
        for start in range(0, len(text), WINDOW):
            end = min(start + WINDOW, len(text))
            for number in self._hits(text[max(0, start - MARGIN) : end + MARGIN]):
                stretches = found.setdefault(number, [])
                if stretches and stretches[-1][1] == start:
                    stretches[-1] = (stretches[-1][0], end)
                else:
                    stretches.append((start, end))
        return found

    def _hits(self, text: str) -> Iterable[int]:
        hits: list[int] = []

        def hit(number: int, start: int, end: int, flags: int, context: Any) -> None:
            hits.append(number)

        self._database.scan(_shadow(text), match_event_handler=hit, scratch=self._scratch)
        return dict.fromkeys([self._ids[number] for number in hits])


def _expression(pattern: re.Pattern[str]) -> str:
    """The pattern as hyperscan gets it: fragments in `LOOSER` are replaced by looser ones that it understands, the longest
    first, for they hold others; and what is looked ahead for at the very end is read, where hyperscan would drop it.
    """
    expression = pattern.pattern
    for exact in sorted(LOOSER, key=len, reverse=True):
        expression = expression.replace(exact, LOOSER[exact])
    opened, last, in_set, escaped = [], 0, False, False
    for at, c in enumerate(expression):
        if escaped or c == "\\":
            escaped = not escaped
        elif in_set:
            in_set = c != "]"
        elif c == "[":
            in_set = True
        elif c == "(":
            opened.append(at)
        elif c == ")":
            last = opened.pop()
    if expression.startswith("(?=", last) and expression.endswith(")") and not expression.endswith("\\)"):
        return f"{expression[:last]}(?:{expression[last + 3 :]}"
    return expression


def _load(patterns: list[re.Pattern[str]], hyperscan: Any) -> Any:
    """The compiled database; kept in the user's cache folder, for compiling takes 15 s. It holds patterns, never text."""
    expressions = [_expression(p).encode() for p in patterns]
    flags = [
        hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_SINGLEMATCH
        | (hyperscan.HS_FLAG_CASELESS if p.flags & re.IGNORECASE else 0)
        | (hyperscan.HS_FLAG_MULTILINE if p.flags & re.MULTILINE else 0)
        for p in patterns
    ]  # fmt: skip
    key = hashlib.sha256(
        repr((hyperscan.__version__, os.uname().machine, _cpu(), expressions, flags)).encode()
    ).hexdigest()
    cache = cache_folder() / f"patterns-{key[:24]}.hs"
    try:
        return hyperscan.loadb(cache.read_bytes(), mode=hyperscan.HS_MODE_BLOCK)
    except (OSError, hyperscan.error):
        pass
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=expressions, ids=list(range(len(patterns))), flags=flags)
    try:
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, partial = tempfile.mkstemp(dir=cache.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(hyperscan.dumpb(database))
        os.replace(partial, cache)
    except OSError:
        pass  # a folder that cannot be written costs the next process fifteen seconds, nothing else
    return database


def cache_folder() -> Path:
    """Where compiled patterns are kept. A workspace pins the caches of libraries inside itself, but not this one: it says
    nothing of any note, and compiling it again in each workspace would cost fifteen seconds a process.
    """
    given = os.environ.get("CLINICORPUS_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clinicorpus"


def _cpu() -> str:
    """The features of the processor: a database compiled for one does not run on a lesser one."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("flags")), "")


def _get_scanner() -> _Scanner | None:
    global _scanner
    if _scanner is None and _HAVE_HYPERSCAN:
        _scanner = _Scanner()
    return _scanner
