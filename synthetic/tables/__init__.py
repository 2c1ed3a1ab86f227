"""Tables of the synthetic hospital (names, places, problems, phrases) and the grammar that fills their templates.

A table file holds records (``@ key``) of fields (``field:``) of lines; ``#`` opens a comment line. A template line may hold
``[one|another|]`` (a choice; it nests) and ``{slot}`` or ``{slot:argument}``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

Table = dict[str, dict[str, list[str]]]

_FIELD = re.compile(r"^([a-z_]+):$")
_CHOICE = re.compile(r"\[([^\[\]]*\|[^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(?::([^}]*))?\}")


@cache
def load(name: str) -> Table:
    """The table ``<name>.txt`` as record → field → lines."""
    table: Table = {}
    lines: list[str] = []
    record: dict[str, list[str]] = {}
    for raw in (Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("# "):
            continue
        if line.startswith("@ "):
            record = table.setdefault(line[2:], {})
        elif field := _FIELD.match(line):
            lines = record.setdefault(field[1], [])
        else:
            lines.append(line)
    return table


def words(lines: list[str]) -> list[str]:
    """The comma-separated entries of table lines."""
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def expand(template: str, rng: random.Random, slot: Callable[[str, str], str]) -> str:
    """One reading of a template: choices first, then ``slot(name, argument)`` for each slot, whose value is read too."""
    text = template
    while match := _CHOICE.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    out, at = [], 0
    for match in _SLOT.finditer(text):
        value = slot(match[1], match[2] or "")
        if "{" in value or ("[" in value and "|" in value):
            value = expand(value, rng, slot)
        out += [text[at : match.start()], value]
        at = match.end()
    return "".join([*out, text[at:]])
