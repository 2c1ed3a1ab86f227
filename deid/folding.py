"""Reads text as a person sees it, while offsets go on pointing into the text as it is stored.

Patterns are written for plain ASCII punctuation and digits. Notes hold non-breaking spaces, curly quotes, full-width
digits, soft hyphens, zero-width characters and accents split off their letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from deid.spans import Span

_SAME_WIDTH = {
    **{c: " " for c in (0x00A0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)},
    **{c: "-" for c in (0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0xFE63)},
    **{c: "'" for c in (0x2018, 0x2019, 0x201B, 0x02BC, 0x00B4, 0x2032)},
    **{c: '"' for c in (0x201C, 0x201D, 0x201E, 0x2033)},
    **{c: "\n" for c in (0x0085, 0x2028, 0x2029)},
    **{c: chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)},
}
# Half of a surrogate pair is no character; spaCy refuses it.
_SAME_WIDTH |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
# Decimal digits of every script read as ASCII digits: a date in Arabic-Indic digits is still a date.
_SAME_WIDTH |= {
    c: str(unicodedata.decimal(chr(c)))
    for c in range(0x0660, 0x11000)
    if unicodedata.category(chr(c)) == "Nd" and c not in _SAME_WIDTH
}
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
_MARKS = "\u0300-\u036f"
_NEEDS_MAP = re.compile(f"[{_INVISIBLE}{_MARKS}]")
_CLUSTER = re.compile(f"([^{_INVISIBLE}{_MARKS}])([{_MARKS}]*)[{_INVISIBLE}]*|[{_INVISIBLE}{_MARKS}]+")


# A line of 60 characters or more that goes on in the next, which is no list item, heading or indented block, and that does
# not end a sentence ("Mrs." and "ext." do not): what begins there with "1110 bed b" or "b. stands rn" begins a line.
_SOFT_WRAP = re.compile(
    r"\n(?<=[^\n]{60}\n)(?<![a-z]{5}[.!?]\n)(?<!\d\d[.!?]\n)(?<!\d\)\.\n)(?=[^\s*#>|=_+-])(?!\d{1,2}[.)][ \t]|[A-Za-z][A-Za-z /&]{1,30}:|[A-Z][A-Z /&]{3,40}(?:\n|$))"
)


def fold(text: str) -> tuple[str, list[int] | None]:
    """Return the text to search and, where its length differs, the offset in `text` of each of its characters.

    Line breaks that only wrap a paragraph become spaces, so that a name or a date on two lines is one. The list has
    one entry more than the folded text, for the end. None means that the offsets are the same.
    """
    folded, offsets = _fold(text)
    return _SOFT_WRAP.sub(" ", folded), offsets


def _fold(text: str) -> tuple[str, list[int] | None]:
    if text.isascii():
        return text, None
    if not _NEEDS_MAP.search(text):
        return text.translate(_SAME_WIDTH), None
    chars: list[str] = []
    offsets: list[int] = []
    for match in _CLUSTER.finditer(text):
        if match.group(1) is None:
            continue
        composed = unicodedata.normalize("NFC", match.group(1) + match.group(2)) if match.group(2) else match.group(1)
        chars.append(composed[0])
        offsets.append(match.start())
    offsets.append(len(text))
    return "".join(chars).translate(_SAME_WIDTH), offsets


def unfold(spans: Iterable[Span], offsets: list[int] | None) -> list[Span]:
    """Move spans of the folded text back to the stored text; a combining mark goes with its letter."""
    if offsets is None:
        return list(spans)
    return [s._replace(start=offsets[s.start], end=offsets[s.end]) for s in spans]
