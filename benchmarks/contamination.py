"""Evaluation items in training text: what is found, what is taken wrongly, and what it costs, beside what else one would use.

    python benchmarks/contamination.py DATA                        # clinicorpus and the plain sets of n-grams
    python benchmarks/contamination.py DATA --datatrove VENV/bin/python --write benchmarks/results/contamination.md

DATA is a folder with `notes/{mtsamples,aci_bench,mts_dialog,medec}.jsonl.gz` and `bench/{medqa_test,medmcqa_dev,mmlu_medical,
pubmedqa}.jsonl.gz`. Carriers are the distinct notes of mtsamples. Into every second one an item is planted, by seed: of the
multiple choice sets with its options, of pubmedqa question and abstract, of aci_bench (test1, test2) the note; as it is,
re-wrapped, in capitals, with one word in thirty or twelve masked, with one in fifty mistyped, with shuffled options, and the question
alone. Items of fewer than 13 tokens in all are not planted. The other half of the carriers holds none: whatever is
flagged there is wrong. The same runs then look for mts_dialog, which was cut out of mtsamples, and for medqa in medec,
which was made from it; beside it stands how many of the items are there letter for letter (letters and digits, in a row).
With --deid the notes that hold an item of mts_dialog are de-identified (safe_harbor_v1, about a minute) and looked at again.

Runners: `clinicorpus`; `any-13`, a Python set of 13-grams, one hit is enough (GPT-3); `share-8`, 80% of an item's 8-grams, in
Python dictionaries (Meditron's rule, taken of the item); `datatrove`, NGramsDecontFilter with its 12-grams, told to look for
questions too, its index written by its own `compute_hashes` because the indexer itself asks for lighteval. Each is a process
of its own with one thread; CPU seconds are those from start to exit, with the reading of all items.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Item = tuple[str, str, list[str]]  # set, item, parts

QUESTIONS = ("medqa_test", "medmcqa_dev", "mmlu_medical")
LEAST = 13


def rows(path: Path) -> list[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def bare(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


# --- what is planted -----------------------------------------------------------------------------------------


def items(data: Path) -> list[Item]:
    found: list[Item] = []
    for name in QUESTIONS:
        found += [
            (name, r["id"], [r["question"], *r["options"].values()]) for r in rows(data / f"bench/{name}.jsonl.gz")
        ]
    found += [("pubmedqa", r["id"], [r["question"], r["context"]]) for r in rows(data / "bench/pubmedqa.jsonl.gz")]
    aci = rows(data / "notes/aci_bench.jsonl.gz")
    return [*found, *(("aci_bench", r["note_id"], [r["text"]]) for r in aci if r["split"] in ("test1", "test2"))]


def written(parts: list[str], rng: random.Random, *, shuffle: bool = False) -> str:
    """An item as training text would have it."""
    if len(parts) <= 2:
        return "\n".join(parts)
    options = rng.sample(parts[1:], len(parts) - 1) if shuffle else parts[1:]
    return "\n".join([parts[0], *(f"{'ABCDEFGH'[i]}. {option}" for i, option in enumerate(options))])


def replaced(text: str, rng: random.Random, share: float, by: Callable[[str], str]) -> str:
    pieces = re.split(r"(\s+)", text)
    return "".join(by(piece) if piece.strip() and rng.random() < share else piece for piece in pieces)


VARIANTS: dict[str, Callable[[list[str], random.Random], str]] = {
    "as it is": lambda parts, rng: written(parts, rng),
    "re-wrapped": lambda parts, rng: textwrap.fill(written(parts, rng), 60),
    "capitals": lambda parts, rng: written(parts, rng).upper(),
    "one in 30 masked": lambda parts, rng: replaced(written(parts, rng), rng, 1 / 30, lambda _: "[NAME]"),
    "one in 12 masked": lambda parts, rng: replaced(written(parts, rng), rng, 1 / 12, lambda _: "[NAME]"),
    "mistyped": lambda parts, rng: replaced(written(parts, rng), rng, 1 / 50, lambda word: word[:-1] + "x"),
    "shuffled options": lambda parts, rng: written(parts, rng, shuffle=True),
    "question alone": lambda parts, rng: parts[0],
}


def plant(data: Path, seed: int) -> tuple[list[Json], list[Item]]:
    """Records (text, and what was planted), and all items."""
    rng = random.Random(seed)
    carriers = list(dict.fromkeys(r["text"] for r in rows(data / "notes/mtsamples.jsonl.gz")))
    every = items(data)
    fit = [item for item in every if sum(len(words(part)) for part in item[2]) >= LEAST]
    by_set = {name: [item for item in fit if item[0] == name] for name in dict.fromkeys(item[0] for item in fit)}
    records: list[Json] = []
    for number, text in enumerate(carriers):
        record: Json = {"id": number, "text": text, "set": None}
        if number % 2:
            name = list(by_set)[number // 2 % len(by_set)]
            variant = list(VARIANTS)[number // 2 // len(by_set) % len(VARIANTS)]
            chosen = rng.choice(by_set[name])
            if variant == "question alone" and (name == "aci_bench" or len(words(chosen[2][0])) < LEAST):
                variant = "as it is"
            at = rng.choice([m.end() for m in re.finditer(r"[.,] ", text)] or [0])
            planted = VARIANTS[variant](chosen[2], rng)
            record |= {
                "text": f"{text[:at]}\n{planted}\n{text[at:]}",
                "set": name,
                "item": chosen[1],
                "variant": variant,
            }
        records.append(record)
    return records, every


# --- runners: each is started as `--one NAME WORK OUT`; OUT gets {record id: [[set, item], …]} -----------------


def run_clinicorpus(records: list[Json], every: list[Item]) -> dict[int, list[list[str]]]:
    import polars as pl

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from dedupe.contamination import ContaminationParams, find, index

    table = pl.DataFrame(
        [(name, item, part) for name, item, parts in every for part in parts],
        schema=["set", "item", "text"],
        orient="row",
    )
    found = find(pl.Series([r["text"] for r in records]), index(table, ContaminationParams())).filter("held")
    out: dict[int, list[list[str]]] = {}
    for row, name, item in found.select("row", "set", "item").iter_rows():
        out.setdefault(records[row]["id"], []).append([name, item])
    return out


def run_any(records: list[Json], every: list[Item], n: int = 13) -> dict[int, list[list[str]]]:
    grams: dict[tuple[str, ...], list[str]] = {}
    for name, item, parts in every:
        tokens = words(" ".join(parts))
        for i in range(len(tokens) - n + 1):
            grams.setdefault(tuple(tokens[i : i + n]), [name, item])
    out = {}
    for record in records:
        tokens = words(record["text"])
        hits = [hit for i in range(len(tokens) - n + 1) if (hit := grams.get(tuple(tokens[i : i + n])))]
        if hits:
            out[record["id"]] = hits[:1]
    return out


def run_share(records: list[Json], every: list[Item], n: int = 8, share: float = 0.8) -> dict[int, list[list[str]]]:
    grams: dict[tuple[str, ...], list[int]] = {}
    sizes = []
    for number, (_, _, parts) in enumerate(every):
        tokens = words(" ".join(parts))
        own = {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}
        sizes.append(len(own))
        for gram in own:
            grams.setdefault(gram, []).append(number)
    out: dict[int, list[list[str]]] = {}
    for record in records:
        tokens = words(record["text"])
        counts: dict[int, int] = {}
        for gram in {tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}:
            for number in grams.get(gram, ()):
                counts[number] = counts.get(number, 0) + 1
        if held := [list(every[k][:2]) for k, count in counts.items() if count >= share * sizes[k]]:
            out[record["id"]] = held
    return out


def run_datatrove(records: list[Json], every: list[Item]) -> dict[int, list[list[str]]]:
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont import n_grams

    config = n_grams.NGramsDecontConfig(find_query_ngrams=True)
    n_grams.NGramsDecontIndexer._requires_dependencies = []
    out: dict[int, list[list[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        indexer = n_grams.NGramsDecontIndexer(folder, config=config)
        hashes: dict[str, set[int]] = {}
        for name, _, parts in every:
            query, labels = (parts[0], parts[1:]) if len(parts) > 1 else (None, parts)
            for label in labels:
                hashes.setdefault(name, set()).update(indexer.compute_hashes(label, query))
        for name, found in hashes.items():
            np.array(list(found), dtype=config.hash_config.np_descr).tofile(f"{folder}/{name}.index.hashes")
        rule = n_grams.NGramsDecontFilter(folder, config=config)
        for record in records:
            document = Document(text=record["text"], id=str(record["id"]))
            if rule.filter(document) is not True:
                out[record["id"]] = [[document.metadata["contaminated_task"], ""]]
    return out


RUNNERS = {"clinicorpus": run_clinicorpus, "any-13": run_any, "share-8": run_share, "datatrove": run_datatrove}


def measure(name: str, python: str, work: Path) -> Json:
    """One runner in a process of its own: what it found, CPU seconds and peak MB."""
    out = work.with_suffix(".out")
    command = [python, __file__, "--one", name, str(work), str(out)]
    watcher = (
        "import json, resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
    )
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", watcher, *command], check=True, text=True, stdout=subprocess.PIPE, env=environment
    )
    cpu, peak = json.loads(done.stdout.splitlines()[-1])
    return {"found": {int(k): v for k, v in json.loads(out.read_text()).items()}, "cpu": cpu, "peak": peak}


def run_all(pythons: dict[str, str], records: list[Json], every: list[Item]) -> dict[str, Json]:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.json"
        work.write_text(json.dumps({"records": records, "items": every}))
        nothing = Path(folder) / "nothing.json"
        nothing.write_text(json.dumps({"records": records[:1], "items": every}))
        out = {}
        for name, python in pythons.items():
            out[name] = measure(name, python, work)
            out[name]["start"] = measure(name, python, nothing)["cpu"]
        return out


# --- tables --------------------------------------------------------------------------------------------------


def table(head: list[str], lines: list[list[object]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 1)}",
        *(f"| {' | '.join(map(str, line))} |" for line in lines),
    ]


def planted(runs: dict[str, Json], records: list[Json]) -> list[str]:
    with_item = [r for r in records if r["set"]]
    clean = [r for r in records if not r["set"]]
    count = sum(len(r["text"].split()) for r in records)
    lines = []
    for name, run in runs.items():
        wrong = [r for r in clean if r["id"] in run["found"]]
        aci = sum(any(s == "aci_bench" for s, _ in run["found"].get(r["id"], [])) for r in clean)
        lines.append(
            [
                name, f"{sum(r['id'] in run['found'] for r in with_item) / len(with_item):.4f}", f"{len(wrong)} of {len(clean):,}",
                aci, f"{run['cpu']:.1f}", f"{(run['cpu'] - run['start']) / count * 1e6:.2f}", f"{run['peak']:.0f}",
            ]
        )  # fmt: skip
    head = [
        "runner",
        "recall",
        "clean notes flagged",
        "of these for aci_bench",
        "CPU s",
        "CPU s a million words, items read",
        "peak MB",
    ]
    out = [
        f"{len(records):,} notes of {count:,} words; an item planted in {len(with_item):,}.",
        "",
        *table(head, lines),
        "",
    ]
    for title, field in (("variant", "variant"), ("set", "set")):
        values = list(dict.fromkeys(r[field] for r in with_item))
        body = [
            [value, len(ours := [r for r in with_item if r[field] == value])]
            + [f"{sum(r['id'] in run['found'] for r in ours) / len(ours):.4f}" for run in runs.values()]
            for value in values
        ]
        out += [f"Recall by {title}:", "", *table([title, "planted", *runs], body), ""]
    return out


def real(pythons: dict[str, str], data: Path) -> list[str]:
    """Sets that stand in others without our doing."""
    notes = {
        n: list(dict.fromkeys(r["text"] for r in rows(data / f"notes/{n}.jsonl.gz"))) for n in ("mtsamples", "medec")
    }
    dialog = [("mts_dialog", r["note_id"], [r["text"]]) for r in rows(data / "notes/mts_dialog.jsonl.gz")]
    aci = [("aci_bench", r["note_id"], [r["text"]]) for r in rows(data / "notes/aci_bench.jsonl.gz")]
    medqa = [item for item in items(data) if item[0] == "medqa_test"]
    lines = []
    for corpus, every in (("mtsamples", [*dialog, *aci]), ("medec", medqa)):
        records = [{"id": i, "text": text} for i, text in enumerate(notes[corpus])]
        whole = [bare(text) for text in notes[corpus]]
        long = [item for item in every if sum(len(words(part)) for part in item[2]) >= LEAST]
        runs = run_all({k: v for k, v in pythons.items() if k in ("clinicorpus", "share-8")}, records, every)
        for name in dict.fromkeys(item[0] for item in every):
            ours = [item for item in long if item[0] == name]
            there = sum(any(bare(item[2][0]) in text for text in whole) for item in ours)
            named = {item[1] for item in ours}
            hits = [
                [{i for s, i in held if s == name} & named for held in run["found"].values()] for run in runs.values()
            ]
            found, held = [len(set().union(*sets)) for sets in hits], [sum(map(bool, sets)) for sets in hits]
            lines.append(
                [f"{name} in {corpus}", len(ours), there, *(f"{f} in {h}" for f, h in zip(found, held, strict=True))]
            )
    head = [
        "",
        "items of 13 tokens and more",
        "stand there letter for letter",
        "clinicorpus: items in records",
        "share-8",
    ]
    return ["Sets that stand in others:", "", *table(head, lines), ""]


def masked(data: Path) -> list[str]:
    """How many items are still found once the notes they stand in are de-identified."""
    every: list[Item] = [("mts_dialog", r["note_id"], [r["text"]]) for r in rows(data / "notes/mts_dialog.jsonl.gz")]
    texts = list(dict.fromkeys(r["text"] for r in rows(data / "notes/mtsamples.jsonl.gz")))
    found = run_clinicorpus([{"id": i, "text": text} for i, text in enumerate(texts)], every)
    with tempfile.TemporaryDirectory() as folder:
        notes, clean = Path(folder) / "notes.jsonl", Path(folder) / "clean.jsonl"
        notes.write_text("".join(json.dumps({"note_id": str(i), "text": texts[i]}) + "\n" for i in found))
        start = "from clinicorpus import main; main()"
        command = [
            sys.executable,
            "-c",
            start,
            "deid",
            "apply",
            str(notes),
            "--out",
            str(clean),
            "--policy",
            "safe_harbor_v1",
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
        left = [json.loads(line) for line in clean.read_text().splitlines()]
    again = run_clinicorpus([{"id": int(r["note_id"]), "text": r["text"]} for r in left], every)
    before, after = ({i for held in one.values() for _, i in held} for one in (found, again))
    return [
        f"De-identified with safe_harbor_v1, {len(found)} notes still hold {len(after & before):,} of the {len(before):,} items of "
        f"mts_dialog ({len(again)} notes are found)."
    ]  # fmt: skip


def main() -> None:
    if sys.argv[1] == "--one":
        name, work, out = sys.argv[2:]
        given = json.loads(Path(work).read_text())
        every = [(s, i, parts) for s, i, parts in given["items"]]
        Path(out).write_text(json.dumps(RUNNERS[name](given["records"], every)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--datatrove", help="interpreter that has datatrove and spacy")
    parser.add_argument("--deid", action="store_true", help="look again once the notes are de-identified")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    pythons = dict.fromkeys(("clinicorpus", "any-13", "share-8"), sys.executable)
    if args.datatrove:
        pythons["datatrove"] = args.datatrove
    records, every = plant(args.data, args.seed)
    shown = ["DATA" if a == str(args.data) else "VENV/bin/python" if a == args.datatrove else a for a in sys.argv[1:]]
    lines = [
        "# Contamination", "", f"Made by `{shlex.join(['python', 'benchmarks/contamination.py', *shown])}`; what is planted and "
        f"who runs: its head. Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one thread used. "
        f"{len(every):,} items.", "",
        *planted(run_all(pythons, records, every), records), *real(pythons, args.data),
        *(masked(args.data) if args.deid else []),
    ]  # fmt: skip
    text = "\n".join(lines).rstrip() + "\n"
    sys.stdout.write(text)
    if args.write:
        args.write.write_text(text)


if __name__ == "__main__":
    main()
