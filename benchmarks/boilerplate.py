"""Sentences that recur across patients: how much of what was planted is listed, what else is, and what it costs.

    python benchmarks/boilerplate.py [DATA] [--write benchmarks/results/boilerplate.md]

The synthetic hospital plants the templates of its site (dictation, privacy, teaching, consent, fall precautions, a normal
chest) and says where. Recall is the share of their characters in sentences that are listed; what is listed beside them is
phrases that the generator itself repeats, as people do. DATA adds public notes, where nothing says what is boilerplate: how
much is listed of radiology reports (openi) and of dictated reports (mtsamples).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import resource
import shlex
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PATIENTS, SEED = 320, 7


def hospital(folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Notes of the synthetic hospital, and where its templates stand: note_id, start, end."""
    import synthetic

    synthetic.build(folder, seed=SEED, patients=PATIENTS)
    notes = (
        pl.read_parquet(folder / "notes.parquet").filter(pl.col("text").is_not_null()).unique("note_id").sort("note_id")
    )
    gold = pl.read_parquet(folder / "gold_copies.parquet").filter(kind="template").select("note_id", "start", "end")
    return notes.select("note_id", "patient_id", "text"), gold.join(notes, on="note_id", how="semi")


def public(path: Path) -> pl.DataFrame:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        texts = list(dict.fromkeys(json.loads(line)["text"] for line in file))
    return pl.DataFrame({"note_id": [str(i) for i in range(len(texts))], "text": texts})


def measured(name: str, notes: pl.DataFrame, gold: pl.DataFrame | None, **params: float) -> list[object]:
    """One line: what is listed of `notes`, and how much of `gold` that is."""
    from corpus.sections import headings
    from dedupe.boilerplate import BoilerplateParams, count, resolve, units

    chosen = BoilerplateParams(**params)  # type: ignore[arg-type]
    start = time.process_time()
    counts = count(notes, chosen, headings)
    found = resolve([counts], chosen)
    seconds = time.process_time() - start
    words = notes["text"].str.split(" ").list.len().sum()
    places = units(notes["text"], chosen, headings).join(found, on="unit")
    chars = int((places["end"] - places["start"]).sum() or 0)
    recall = precision = "–"
    if gold is not None:
        ids = notes["note_id"].to_list()
        listed: dict[str, set[int]] = {}
        for row, a, b in places.select("row", "start", "end").iter_rows():
            listed.setdefault(ids[row], set()).update(range(a, b))
        planted = both = 0
        for note, a, b in gold.iter_rows():
            planted += b - a
            both += len(listed.get(note, set()) & set(range(a, b)))
        recall, precision = f"{both / planted:.3f}", f"{both / chars:.3f}"
    share = chars / int(notes["text"].str.len_chars().sum())
    setting = f"{chosen.min_words} words, {chosen.min_patients} patients"
    return [
        name, setting, f"{notes.height:,}", found.height, f"{places['row'].n_unique():,}", f"{share:.2%}", recall, precision,
        f"{seconds / words * 1e6:.2f}", f"{counts.height:,}", f"{counts.estimated_size() / counts.height:.0f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        notes, gold = hospital(Path(folder))
    settings = [{"min_words": w, "min_patients": p} for w, p in ((8, 20), (5, 20), (8, 10), (12, 20))]
    lines = [measured("hospital", notes, gold, **one) for one in settings]
    if args.data:
        for name in ("openi", "mtsamples"):
            text = public(args.data / f"notes/{name}.jsonl.gz")
            lines += [measured(name, text, None, **one) for one in settings[:1]]
    head = [
        "notes of", "from", "notes", "sentences listed", "notes with one", "of the text", "of what was planted", "planted, of the listed",
        "CPU s a million words", "rows of the table", "bytes a row",
    ]  # fmt: skip
    shown = shlex.join(
        ["python", "benchmarks/boilerplate.py", *("DATA" if a == str(args.data) else a for a in sys.argv[1:])]
    )
    out = [
        "# Boilerplate", "", f"Made by `{shown}`; Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores; "
        f"{PATIENTS} patients of the synthetic hospital, seed {SEED}. A share of patients of 0.5% is asked for as well.", "",
        f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}", *(f"| {' | '.join(map(str, line))} |" for line in lines), "",
        f"Peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB.",
    ]  # fmt: skip
    text = "\n".join(out) + "\n"
    sys.stdout.write(text)
    if args.write:
        args.write.write_text(text)


if __name__ == "__main__":
    main()
