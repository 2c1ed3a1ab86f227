"""What happens to text between the mind and the archive: shorthand, typing errors, edits of a copy, junk."""

from __future__ import annotations

import base64
import random
import re

from synthetic.writer import Piece

# Longest first, so that "status post" goes before "post".
SHORTHAND = {
    "history of": "h/o",
    "status post": "s/p",
    "shortness of breath": "SOB",
    "follow-up": "f/u",
    "follow up": "f/u",
    "without": "w/o",
    "with": "w/",
    "patient": "pt",
    "patient's": "pt's",
    "continue": "cont",
    "discharge": "d/c",
    "treatment": "tx",
    "diagnosis": "dx",
    "bilateral": "b/l",
    "bilaterally": "b/l",
    "because": "bc",
    "about": "~",
    "before": "prior to",
    "weeks": "wks",
    "months": "mos",
    "hours": "hrs",
    "day": "d",
    "between": "btw",
    "approximately": "approx",
    "emergency department": "ED",
    "temperature": "temp",
    "negative": "neg",
    "positive": "pos",
    "evaluation": "eval",
    "appointment": "appt",
    "medications": "meds",
    "increase": "incr",
    "decreased": "decr",
    "laboratory": "lab",
    "regarding": "re",
}
_SHORT = re.compile(r"\b(" + "|".join(map(re.escape, sorted(SHORTHAND, key=len, reverse=True))) + r")\b(?!['’/])")
_WORD = re.compile(r"\b[a-z]{5,}\b")
# Numbers that may change from one day to the next: no doses, dates, fractions or parts of a word.
_NUMBER = re.compile(r"(?<![\w/.:#-])\d{2,3}(?![\w/.:-]| ?(?:mg|mcg|units|g|puffs|tab|mL|IU)\b)")
_STOP = re.compile(r"(?<=[a-z]{3})\.(?=\s)")
_INSERTS = (
    "Unchanged since last note.", "Will monitor.", "Reviewed again today.", "No new concerns.", "Stable.",
    "Improved compared with before.", "Discussed on rounds.", "Plan unchanged.",
)  # fmt: skip
_NEAR = dict(zip("qwertyuiopasdfghjklzxcvbnm", "wqretuyipoasdfghjlkxzvcbmn", strict=True))


def shorten(parts: list[Piece], rng: random.Random, rate: float) -> list[Piece]:
    """Clinical shorthand for a share of the words that have one."""
    if not rate:
        return parts

    def swap(match: re.Match[str]) -> str:
        return SHORTHAND[match[0]] if rng.random() < rate else match[0]

    return [part if part.identifier else part._replace(text=_SHORT.sub(swap, part.text)) for part in parts]


def _slip(rng: random.Random, word: str) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(5)
    if kind == 0:
        return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    if kind == 3:
        return word[:at] + _NEAR.get(word[at], word[at]) + word[at + 1 :]
    return word[:-1] + word[-1] * 2


def mistype(parts: list[Piece], rng: random.Random, rate: float) -> list[Piece]:
    """Typing errors in a share of the longer words; planted identifiers are misspelt where they are made, not here."""
    if not rate:
        return parts

    def swap(match: re.Match[str]) -> str:
        return _slip(rng, match[0]) if rng.random() < rate else match[0]

    return [part if part.identifier else part._replace(text=_WORD.sub(swap, part.text)) for part in parts]


def recase(parts: list[Piece], case: str) -> list[Piece]:
    if case == "upper":
        return [part._replace(text=part.text.upper()) for part in parts]
    if case == "lower":
        return [part._replace(text=part.text.lower()) for part in parts]
    return parts


def edit(parts: list[Piece], rng: random.Random, changes: int) -> list[Piece]:
    """A few numbers changed or short sentences put in, as when a copied text is brought up to date."""
    out = list(parts)
    free = [
        at
        for at, part in enumerate(out)
        if not part.identifier and (_NUMBER.search(part.text) or _STOP.search(part.text))
    ]
    for at in rng.sample(free, min(changes, len(free))):
        text = out[at].text
        spots = [*_NUMBER.finditer(text), *_STOP.finditer(text)]
        spot = rng.choice(spots)
        new = str(int(spot[0]) + rng.choice([1, 2, 3])) if spot[0].isdigit() else ". " + rng.choice(_INSERTS)
        out[at] = out[at]._replace(text=text[: spot.start()] + new + text[spot.end() :])
    return out


def garbled(rng: random.Random) -> str:
    """Symbols and broken encodings instead of language."""
    pools = ("Ã©Â€™œ¶§¤ð¿½ï»¿†‡", "\\x00#@%^~`|}{<>", "�□■▒░", "àáâãäåæçèéêë¡¢£", "0123456789ABCDEF")
    words = [
        "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(2, 14))) for _ in range(rng.randint(20, 130))
    ]
    return " ".join(words)


def blob(rng: random.Random) -> str:
    """An encoded scan that ended up in the text column."""
    data = base64.b64encode(rng.randbytes(rng.randint(220, 1400))).decode()
    start = rng.choice(["", "data:application/pdf;base64,", "%PDF-1.4 ", "begin-base64 644 scan.tif\n"])
    return start + (data if rng.random() < 0.5 else "\n".join(data[at : at + 76] for at in range(0, len(data), 76)))


def blank(rng: random.Random) -> str:
    return rng.choice(["", " ", "\n\n", "   \n \t\n", "\r\n"])
