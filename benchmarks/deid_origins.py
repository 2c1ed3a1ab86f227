"""Whether names of one origin or sex are missed more often than those of another.

    python benchmarks/deid_origins.py [--every 3] [--json FILE]

Every name in the gold notes and in the gold snippets without capitals or in capitals is replaced, word by word and the same
all through its text, by one of each origin and sex of the word lists; all else stays. So only the names differ (origin:
synthetic). The names come from lists that the detector knows too: the gap between origins is what is measured, not recall.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if Path(sys.path[0]).resolve() == ROOT / "benchmarks":
    sys.path[0] = str(ROOT)  # deid.py beside this file would hide the package of the same name

from deid import lexicon  # noqa: E402
from deid.detect import Detector, load_detector  # noqa: E402

GOLD = ROOT / "tests" / "deid" / "gold"
_MARK = re.compile(r"\[\[([A-Z_]+):(.*?)\]\]", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_PEOPLE = ("NAME", "CLINICIAN")
_FEWEST = 20  # names in a list


def _texts() -> list[str]:
    parts = [p for f in sorted(GOLD.glob("*_notes.txt")) for p in ("\n" + f.read_text("utf-8")).split("\n=====")]
    snippets = [p for f in sorted(GOLD.glob("*_slices.txt")) for p in ("\n" + f.read_text("utf-8")).split("\n=====")]
    parts += [p for p in snippets if "slice_caps" in p or "slice_lower_case" in p]
    bodies = ("\n".join(line for line in p.strip("\n").split("\n") if not line.startswith("#@")) for p in parts)
    return [body for body in bodies if any(match[1] in _PEOPLE for match in _MARK.finditer(body))]


def _renamed(body: str, draw: Callable[[str], str]) -> tuple[str, list[tuple[int, int]]]:
    """The text with other people, and where they stand."""
    new: dict[str, str] = {}

    def word(match: re.Match[str]) -> str:
        old, low = match[0], match[0].lower()
        if len(old) < 3 or low in ("van", "von", "der", "del", "iii"):
            return old
        name = new.setdefault(low, draw(low))
        return name.upper() if old.isupper() else name.lower() if old.islower() else name

    text, spans, at = "", [], 0
    for match in _MARK.finditer(body):
        text += body[at : match.start()]
        said = _WORD.sub(word, match[2]) if match[1] in _PEOPLE else match[2]
        if match[1] in _PEOPLE:
            spans.append((len(text), len(text) + len(said)))
        text, at = text + said, match.end()
    return text + body[at:], spans


def _recall(detector: Detector, texts: Sequence[str], gold: Sequence[list[tuple[int, int]]]) -> tuple[int, int]:
    masked = 0
    for text, spans, found in zip(texts, gold, detector.detect(texts), strict=True):
        mask = bytearray(len(text))
        for span in found:
            mask[span.start : span.end] = b"\1" * (span.end - span.start)
        masked += sum(all(mask[i] for i in range(a, b) if text[i].isalnum()) for a, b in spans)
    return masked, sum(map(len, gold))


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=3, help="take every Nth text")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    bodies, detector = _texts()[:: args.every], load_detector()
    known = {name.lower() for name, _ in lexicon.given_names(None)}
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for origin in sorted(set(lexicon.origins("given")) & set(lexicon.origins("surnames"))):
        family = [name for name, _ in lexicon.surnames(origin)][:400]
        for sex in "mf":
            given = [name for name, _ in lexicon.given_names(sex, origin)][:400]
            if min(len(given), len(family)) < _FEWEST:
                continue
            rng = random.Random(f"{origin}:{sex}")
            draw = lambda low, g=given, f=family, r=rng: r.choice(g if low in known else f).split()[0]  # noqa: E731
            renamed = [_renamed(body, draw) for body in bodies]
            found.setdefault(origin, {})[sex] = _recall(detector, [t for t, _ in renamed], [s for _, s in renamed])
    share = {origin: sum(k for k, _ in by.values()) / sum(n for _, n in by.values()) for origin, by in found.items()}
    print(f"{'origin':8} {'all':>8} {'men':>12} {'women':>12}")  # noqa: T201
    for origin in sorted(share, key=share.__getitem__):
        cells = "".join(
            f" {f'{by[0]}/{by[1]}':>12}" if (by := found[origin].get(sex)) else f" {'':>12}" for sex in "mf"
        )
        print(f"{origin:8} {share[origin]:8.4f}{cells}")  # noqa: T201
    sexes = {sex: [by[sex] for by in found.values() if sex in by] for sex in "mf"}
    men, women = (sum(k for k, _ in each) / sum(n for _, n in each) for each in sexes.values())
    print(f"gap between origins {max(share.values()) - min(share.values()):.4f}, men {men:.4f}, women {women:.4f}")  # noqa: T201
    if args.json:
        args.json.write_text(
            json.dumps({"origins": share, "men": men, "women": women}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
