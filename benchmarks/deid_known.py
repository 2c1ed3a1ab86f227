"""How many of a patient's own identifiers are fully masked when the patient table is given, and when it is not.

    python benchmarks/deid_known.py --seed 77 --patients 60

Notes, table and gold come from the synthetic hospital with a seed of its own (origin: synthetic, a smoke test). Counted are
the gold spans that stand for a value of the table: the patient's names, numbers, addresses, contacts, relatives.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
if Path(sys.path[0]).resolve() == ROOT / "benchmarks":
    sys.path[0] = str(ROOT)  # deid.py beside this file would hide the package of the same name

import synthetic  # noqa: E402
from deid.detect import Detector, DetectParams, load_detector  # noqa: E402
from deid.known import load_patient_table  # noqa: E402
from deid.statistics import clopper_pearson  # noqa: E402


def _masked(
    detector: Detector, notes: pl.DataFrame, gold: dict[str, list[tuple[int, int, str]]]
) -> dict[str, Counter[str]]:
    texts, patients = notes["text"].to_list(), notes["patient_id"].to_list()
    counts: dict[str, Counter[str]] = {}
    for note, text, spans in zip(notes["note_id"], texts, detector.detect(texts, patients=patients), strict=True):
        mask = bytearray(len(text))
        for span in spans:
            mask[span.start : span.end] = b"\1" * (span.end - span.start)
        for start, end, kind in gold.get(note, []):
            whole = all(mask[i] for i in range(start, end) if text[i].isalnum())
            counts.setdefault(kind, Counter()).update(n=1, masked=whole)
    return counts


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--patients", type=int, default=60)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        synthetic.build(folder, seed=args.seed, patients=args.patients)
        notes = pl.read_parquet(folder / "notes.parquet").filter(pl.col("text").is_not_null())
        table = pl.read_parquet(folder / "patients.parquet")
        kinds = {
            row["patient_id"]: {item["kind"] for item in row["identifiers"]} for row in table.iter_rows(named=True)
        }
        owner = dict(notes.select("note_id", "patient_id").iter_rows())
        gold: dict[str, list[tuple[int, int, str]]] = {}
        for note, start, end, identifier, entity in pl.read_parquet(folder / "gold_spans.parquet").iter_rows():
            patient = owner.get(note)
            if patient is None or not (entity or "").startswith(patient) or identifier == "DATE":
                continue
            kind = entity[len(patient) + 1 :].split("-")[0]
            if not kind or kind in kinds[patient]:
                gold.setdefault(note, []).append((start, end, kind or "own name"))
        known = load_patient_table(folder / "patients.parquet")
        given = _masked(load_detector(DetectParams(), known), notes, gold)
        blind = _masked(load_detector(), notes, gold)
    lines = [f"{'kind':16} {'n':>6} {'given':>8} {'blind':>8}"]
    total = Counter[str]()
    for kind in sorted(given):
        n, masked = given[kind]["n"], given[kind]["masked"]
        lines.append(f"{kind:16} {n:6} {masked / n:8.4f} {blind[kind]['masked'] / n:8.4f}")
        total.update(n=n, given=masked, blind=blind[kind]["masked"])
    low, high = clopper_pearson(total["given"], total["n"])
    lines.append(
        f"{'all':16} {total['n']:6} {total['given'] / total['n']:8.4f} {total['blind'] / total['n']:8.4f}   given: 95% interval {low:.4f}-{high:.4f}"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
