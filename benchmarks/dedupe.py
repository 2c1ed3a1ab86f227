"""Speed and quality of near-duplicate removal, side by side with what else one would use.

    python benchmarks/dedupe.py                                          # clinicorpus alone
    python benchmarks/dedupe.py --python VENV/bin/python --python312 VENV312/bin/python --write benchmarks/results/dedupe.md

VENV holds `datatrove==0.10.1 spacy orjson 'xxhash<4' rensa==0.5.0 datasketch==2.0.0`, VENV312 (Python 3.12) `text-dedup==0.4.1`.

The notes are made here, by seed: 20,000 of about 350 words, each with its note type's boilerplate, a third of them
edited copies of another (0 to 30% of the words of the body replaced, left out or put in), and no patients or dates,
so that similarity alone decides. What the peers are told: 5-word shingles, 20 bands of 6 (datatrove: its own 14 of 8;
rensa and datasketch have no shingles of their own and get those of a regular expression, lower-cased); otherwise their
defaults. semhash 0.5.0 asks the model hub for its encoder and does not run without a network. Truth is the exact Jaccard similarity of 5-word shingles inside each family, computed
here and by nothing under test. Every runner is a process of its own with one thread for tables: CPU seconds are those
of the whole process tree from start to exit, peak memory that of its largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

Truth = dict[str, Any]

TYPES = 10
BOILERPLATE_WORDS = 60
EDIT_RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
LEVELS = (0.9, 0.8, 0.7)
PEERS = {  # what each imports, to see whether it is there
    "datatrove": "datatrove, spacy, xxhash",
    "datatrove-regex": "datatrove, spacy, xxhash",
    "rensa": "rensa",
    "datasketch": "datasketch",
    "text-dedup": "text_dedup",
}


# --- notes ---------------------------------------------------------------------------------------------------


@cache
def _words(seed: int) -> tuple[Any, Any]:
    """The words of all notes of a seed, and the generator after it drew them."""
    import numpy as np

    rng = np.random.default_rng(seed)
    syllables = [a + b for a in "bcdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "al", "en", "is", "or", "um")]
    words = np.array(["".join(rng.choice(syllables, rng.integers(1, 5))) for _ in range(12_000)], dtype=object)
    words[::11] = [f"{rng.integers(1, 400)}" for _ in words[::11]]
    return words, rng


def make_notes(count: int, seed: int, block: int = 0) -> tuple[list[str], list[int]]:
    """`count` notes and the family of each; blocks of one seed share words and boilerplate, and no family."""
    import numpy as np

    words, rng = _words(seed)
    rng = deepcopy(rng)
    chance = np.cumsum(1 / (np.arange(len(words)) + 10))
    chance /= chance[-1]

    def draw(n: int) -> np.ndarray:
        return words[chance.searchsorted(rng.random(n), side="right")]

    def edited(body: np.ndarray, rate: float) -> np.ndarray:
        change = rng.random(len(body))
        out = np.where(change < rate / 2, draw(len(body)), body)
        out = out[(change < rate / 2) | (change >= 3 * rate / 4)]
        places = np.sort(rng.integers(0, len(out) + 1, int(rate / 4 * len(body))))
        return np.insert(out, places, draw(len(places)))

    boilerplate = [draw(BOILERPLATE_WORDS) for _ in range(TYPES)]
    if block:
        rng = np.random.default_rng([seed, block])
    bodies: list[tuple[int, np.ndarray]] = []
    families: list[int] = []
    while len(bodies) < count:
        family, kind = families[-1] + 1 if families else 0, int(rng.integers(TYPES))
        body = draw(int(np.clip(rng.lognormal(5.6, 0.4), 60, 1200)))
        # One note in five has copies, 2.5 on average: a third of all notes are copies.
        copies = int(rng.geometric(0.4)) if rng.random() < 0.2 else 0
        for copy in range(copies + 1):
            bodies.append((kind, edited(body, float(rng.choice(EDIT_RATES))) if copy else body))
            families.append(family)
    order = rng.permutation(count)
    texts = [_layout([*boilerplate[bodies[i][0]], *bodies[i][1]]) for i in order]
    return texts, [families[i] for i in order]


def _layout(words: list[str]) -> str:
    lines = [" ".join(words[i : i + 14]) for i in range(0, len(words), 14)]
    return "\n".join(line.capitalize() + "." for line in lines)


# --- truth ---------------------------------------------------------------------------------------------------


def find_truth(texts: list[str], families: list[int]) -> Truth:
    """Pairs of each family with their exact similarity."""
    members: dict[int, list[int]] = {}
    for i, family in enumerate(families):
        members.setdefault(family, []).append(i)
    pairs = []
    for family in members.values():
        sets = {i: _shingles(texts[i]) for i in family} if len(family) > 1 else {}
        pairs += [(i, j, len(sets[i] & sets[j]) / len(sets[i] | sets[j])) for i, j in combinations(family, 2)]
    return {"families": list(members.values()), "pairs": pairs}


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[k:] for k in range(5)), strict=False))


def removable(notes: set[int], pairs: list[tuple[int, int, float]], level: float) -> int:
    """Notes that stand `level` or nearer to one that stays, going through them in order."""
    gone: set[int] = set()
    for i, j, similarity in sorted(pairs):
        if similarity >= level and i in notes and j in notes and i not in gone:
            gone.add(j)
    return len(gone)


def score(kept: set[int], truth: Truth) -> dict[str, Any]:
    """Quality of one runner's answer."""
    pairs = [tuple(pair) for pair in truth["pairs"]]
    everything = {i for family in truth["families"] for i in family}
    best = dict.fromkeys(everything, 0.0)
    for i, j, similarity in pairs:
        best[i], best[j] = max(best[i], similarity), max(best[j], similarity)
    recall = {
        str(level): 1 - removable(kept, pairs, level) / max(removable(everything, pairs, level), 1) for level in LEVELS
    }
    return {
        "removed": len(everything - kept),
        "recall": recall,
        "families_lost": sum(not kept.intersection(family) for family in truth["families"]),
        "wrong": sum(best[i] < 0.5 for i in everything - kept),
    }


# --- runners: each is started as `--one NAME NOTES KEPT` ------------------------------------------------------


def run_clinicorpus(notes: Path, kept: Path, scratch: Path) -> None:
    import polars as pl

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from dedupe.exact import ExactParams
    from dedupe.near import NearParams
    from dedupe.run import run

    table = pl.read_ndjson(notes).select(note_id=pl.col("id").cast(pl.Int64), text="text")
    found = run(table, ExactParams(), NearParams())
    found.ledger.write_parquet(scratch / "ledger.parquet")
    kept.write_text(json.dumps(found.kept["note_id"].to_list()))


def run_datatrove(notes: Path, kept: Path, scratch: Path, *, regex: bool = False) -> None:
    """The four stages with their defaults (5-grams, 14 bands of 8), one task and one worker."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    if regex:
        _use_regex_tokenizer()
    config = MinhashConfig()
    reader = JsonlReader(str(notes.parent), glob_pattern=notes.name, compression=None)
    a, b, c, out = (str(scratch / name) for name in ("signatures", "buckets", "remove", "out"))
    stages: list[tuple[list[Any], int]] = [
        ([reader, MinhashDedupSignature(output_folder=a, config=config)], 1),
        ([MinhashDedupBuckets(input_folder=a, output_folder=b, config=config)], config.num_buckets),
        ([MinhashDedupCluster(input_folder=b, output_folder=c, config=config)], 1),
        ([reader, MinhashDedupFilter(input_folder=c), JsonlWriter(out, compression=None)], 1),
    ]
    for number, (pipeline, tasks) in enumerate(stages):
        log = str(scratch / "logs" / str(number))
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=1, logging_dir=log).run()
    lines = [line for file in sorted(Path(out).glob("*.jsonl")) for line in file.read_text().splitlines()]
    kept.write_text(json.dumps([int(json.loads(line)["id"]) for line in lines]))


def _use_regex_tokenizer() -> None:
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils import word_tokenizers

    word = re.compile(r"\w+|[^\w\s]")

    class Regex(word_tokenizers.WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return word.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            raise NotImplementedError  # abstract in datatrove; its MinHash never calls it

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError  # abstract in datatrove; its MinHash never calls it

    replacement = Regex()
    minhash.load_word_tokenizer = lambda language: replacement


def _word_shingles(notes: Path) -> Iterator[tuple[str, list[str]]]:
    word = re.compile(r"\w+")
    with notes.open() as lines:
        for line in lines:
            note = json.loads(line)
            words = word.findall(note["text"].lower())
            yield note["id"], [" ".join(words[i : i + 5]) for i in range(max(len(words) - 4, 1))]


def run_rensa(notes: Path, kept: Path, scratch: Path) -> None:
    """Its own deduplicator, note by note: the first stays."""
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator(0.8, 120, True, 20, 1)
    left = []
    for note, shingles in _word_shingles(notes):
        sketch = RMinHash(num_perm=120, seed=1)
        sketch.update(shingles)
        if index.add(note, sketch):
            left.append(int(note))
    kept.write_text(json.dumps(left))


def run_datasketch(notes: Path, kept: Path, scratch: Path) -> None:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=120, params=(20, 6))
    left = []
    for note, shingles in _word_shingles(notes):
        sketch = MinHash(num_perm=120, seed=1)
        sketch.update_batch([shingle.encode() for shingle in shingles])
        if not index.query(sketch):
            index.insert(note, sketch)
            left.append(int(note))
    kept.write_text(json.dumps(left))


def run_text_dedup(notes: Path, kept: Path, scratch: Path) -> None:
    """Its command, which reads config.toml of the folder it is started in."""
    from datasets import load_from_disk

    (scratch / "notes").mkdir()
    (scratch / "notes" / "notes.jsonl").symlink_to(notes)
    (scratch / "config.toml").write_text(
        f"""[input]
input_type = "local_files"
file_type = "json"
[input.read_arguments]
path = "json"
data_files = "{scratch}/notes/notes.jsonl"
split = "train"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 1
num_perm = 120
bands = 20
rows = 6
threshold = 0.8
ngram_size = 5
num_proc = 1
check_false_positive = true
[output]
output_dir = "{scratch}/out"
clean_cache = true
[debug]
enable_profiling = false
"""
    )
    cache = {"HF_HOME": str(scratch / "cache"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-m", "text_dedup.minhash"], check=True, cwd=scratch, env=os.environ | cache)
    kept.write_text(json.dumps([int(note) for note in load_from_disk(str(scratch / "out"))["id"]]))


def run_one(name: str, notes: Path, kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        if name.startswith("datatrove"):
            run_datatrove(notes, kept, Path(scratch), regex=name == "datatrove-regex")
        else:
            runner = {
                "clinicorpus": run_clinicorpus, "rensa": run_rensa,
                "datasketch": run_datasketch, "text-dedup": run_text_dedup,
            }[name]  # fmt: skip
            runner(notes, kept, Path(scratch))


def measure(name: str, python: str, notes: Path) -> dict[str, Any]:
    """Start a runner, and give its CPU seconds, its peak memory and the notes it keeps."""
    kept = notes.parent / f"kept-{name}.json"
    # A process of its own between us and the runner, so that rusage of children is this runner's alone.
    command = [python, __file__, "--one", name, str(notes), str(kept)]
    meter = (
        "import json, resource, subprocess, sys\n"
        "rc = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([rc.returncode, rc.stderr.decode()[-2000:], used.ru_utime + used.ru_stime, used.ru_maxrss]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", meter, *command],
        capture_output=True,
        check=True,
        env=os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    code, errors, cpu, peak = json.loads(out.stdout)
    if code:
        raise SystemExit(f"{name} failed:\n{errors}")
    return {"cpu": cpu, "peak_mb": peak / 1024, "kept": set(json.loads(kept.read_text()))}


# --- the table ------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]], count: int) -> str:
    """The results in Markdown."""
    recalls = " / ".join(f"J≥{level}" for level in LEVELS)
    lines = [
        f"| runner | CPU s | notes per CPU s | clinicorpus is faster | peak MB | removed | recall {recalls} "
        "| families lost | removed at best J<0.5 | load of the machine |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        recall = " / ".join(f"{row['recall'][str(level)]:.4f}" for level in LEVELS)
        faster = f"{row['cpu'] / rows[0]['cpu']:.1f}×" if row is not rows[0] else ""
        load = ", ".join(f"{at:.1f}" for at in row["load"]) or "an earlier run"
        lines.append(
            f"| {row['name']} | {row['cpu']:.1f} | {count / row['cpu']:,.0f} | {faster} | {row['peak_mb']:,.0f} "
            f"| {row['removed']:,} | {recall} | {row['families_lost']} | {row['wrong']} "
            f"| {load} |"
        )
    return "\n".join(lines)


def has(name: str, python: str) -> bool:
    return subprocess.run([python, "-c", f"import {PEERS[name]}"], capture_output=True).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=20_000, help="how many to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", help="interpreter that has datatrove, rensa, datasketch")
    parser.add_argument("--python312", help="interpreter that has text-dedup")
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted(PEERS),
        help="of the peers, only these; others keep their row of FILE.json",
    )
    parser.add_argument("--write", type=Path, help="write the table here")
    parser.add_argument("--one", nargs=3, metavar=("RUNNER", "NOTES", "KEPT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], Path(args.one[1]), Path(args.one[2]))
        return

    known = args.write.with_suffix(".json") if args.write else None
    rows = {}
    if args.only and known and known.exists():
        rows = {row["name"]: row for row in json.loads(known.read_text()) if row["notes"] == args.notes}
    runners = {"clinicorpus": sys.executable}
    for name in args.only or PEERS:
        python = args.python312 if name == "text-dedup" else args.python
        if python and has(name, python):
            runners[name] = python
        elif python:
            print(f"skipped: no {name} in {python}", file=sys.stderr)  # noqa: T201
    texts, families = make_notes(args.notes, args.seed)
    truth = find_truth(texts, families)
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.jsonl"
        notes.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
        for name, python in runners.items():
            load = [os.getloadavg()[0]]
            found = measure(name, python, notes)
            load.append(os.getloadavg()[0])
            judged = score(found.pop("kept"), truth)
            rows[name] = {"name": name, "notes": args.notes, **found, **judged, "load": load}
            if known:
                known.parent.mkdir(parents=True, exist_ok=True)
                known.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
    table_of = [rows[name] for name in ("clinicorpus", *PEERS) if name in rows]
    words = sum(len(text.split()) for text in texts) / len(texts)
    everything = set(range(len(texts)))
    can_go = ", ".join(f"{removable(everything, truth['pairs'], level):,} at J≥{level}" for level in LEVELS)
    facts = (
        f"{len(texts):,} notes of {words:.0f} words in {len(truth['families']):,} families; removable: {can_go}. "
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one thread used. "
        "clinicorpus checks every pair and drops from J≥0.8: what lies between 0.7 and 0.8 it leaves on purpose."
    )
    report = f"{facts}\n\n{table(table_of, len(texts))}\n\nBeyond 20,000 notes: [dedupe_scale.md](dedupe_scale.md).\n"
    print(report)  # noqa: T201
    if args.write:
        told = [word for word in sys.argv[1:] if word != "--only" and word not in (args.only or ())]
        command = shlex.join(["python", "benchmarks/dedupe.py", *told])
        for python, name in ((args.python312, "VENV312/bin/python"), (args.python, "VENV/bin/python")):
            command = command.replace(python, name) if python else command
        args.write.write_text(f"# Near-duplicates\n\nMade by `{command}`.\n\n{report}")


if __name__ == "__main__":
    main()
