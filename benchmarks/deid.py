"""Quality and speed of de-identification: ours, Presidio's default, and every peer that installs offline, side by side.

    python benchmarks/deid.py                     # everything, about an hour on two quiet cores
    python benchmarks/deid.py --quick             # few notes, one repeat, cost up to 10,000 notes
    python benchmarks/deid.py --no-peers          # ours and Presidio, which is installed with the project
    python benchmarks/deid.py --peers FOLDER      # keep the peers' environments there and use them again

All systems get the same notes in the same run, each note by itself, in a process of its own (benchmarks/deid_systems.py)
that stays on one core, has one thread and no network. Speed is the median of repeats that take turns; CPU seconds are
those inside detection, after loading and a warm-up. A ratio to Presidio is taken within a repeat.

A gold span is fully masked when every letter and digit of it is, whatever the class. A note leaks when one of its spans
is not. Over-masking is the share of letters and digits outside all marked text that is masked; what a gold set marks and
Safe Harbor leaves (ages under 90, bare years, states) counts neither way. Hard negatives are the notes without any mark
in the slices; such a note is touched when one letter or digit of it is masked.

Writes deid.md, deid.json and deid.svg into benchmarks/results/. They hold figures only, no text.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if Path(sys.path[0]).resolve() == ROOT / "benchmarks":
    sys.path[0] = str(ROOT)  # this file would hide the package of the same name

from benchmarks.deid_mtsamples import TRUE, adjudicate, digest, rows, unique_texts  # noqa: E402
from benchmarks.deid_systems import SYSTEMS  # noqa: E402

RUNNER = ROOT / "benchmarks" / "deid_systems.py"
PEERS_FILE = ROOT / "benchmarks" / "deid_peers.txt"
GOLD = ROOT / "tests" / "deid" / "gold"
SHARED = ROOT.parent / "shared" / "data"
MTSAMPLES = SHARED / "notes" / "mtsamples.jsonl.gz"
MARKS = ROOT / "benchmarks" / "marks"

VISITS = "aci_bench"

OURS = ("clinicorpus", "clinicorpus, no model", "clinicorpus, en_core_web_sm")
BASELINE = "presidio"
GROUPS = {
    "names": "NAME",
    "clinicians": "CLINICIAN",
    "places, employers": "FACILITY EMPLOYER STREET CITY COUNTY ZIP UNIT",
    "dates, ages": "DATE AGE",
    "contacts": "PHONE FAX EMAIL URL IP USERNAME",
    "numbers": "SSN MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE BIOMETRIC OTHER_ID",
}
GROUP_OF = {identifier: group for group, names in GROUPS.items() for identifier in names.split()}

Span = tuple[int, int]
Answer = dict[str, Any]


class Size(NamedTuple):
    """How much of everything is measured; 0 means all notes of a set."""

    notes: int
    mtsamples: int
    patients: int
    speed: int
    repeats: int
    one_note: int
    curve: tuple[int, ...]
    limit: int


FULL = Size(0, 600, 8, 100, 3, 1_000_000, (1_000, 10_000, 100_000), 600)
QUICK = Size(20, 20, 2, 8, 1, 50_000, (1_000, 10_000), 120)
CURVE_LENGTH = 500
BATCH = 500


class Set(NamedTuple):
    """Notes with their gold. `neutral`: spans that count neither way. `known`: what the reader must know of the set."""

    name: str
    origin: str
    known: str
    texts: list[str]
    gold: list[list[tuple[int, int, str]]]
    neutral: list[list[Span]]
    only_ours: bool = False


# --- notes --------------------------------------------------------------------------------------------------------


def make_sets(size: Size, scratch: Path) -> list[Set]:
    """Every set that is at hand."""
    sets = []
    for path in sorted(GOLD.glob("*.txt")):
        held = path.name.startswith("held")
        known = "held out: only figures are looked at" if held else "development set: tuned on"
        sets.append(_gold_set(path.stem.replace("_", " "), path, "synthetic", f"by hand; {known}", size.notes))
    for name, known in (
        ("clinical_dev", "a public generator; development set: used to find faults"),
        ("presidio_research", "public; general sentences, not clinical"),
    ):
        path = SHARED / "deid" / f"{name}.jsonl.gz"
        if path.is_file():
            sets.append(_gold_set(name, path, "synthetic", known, 5 * size.notes))
    sets.append(_hospital(size, scratch))
    if MTSAMPLES.is_file():
        known = "real dictated reports, identifiers listed by rule"
        texts = unique_texts(MTSAMPLES)
        sets.append(_listed("mtsamples", known, texts[:: max(1, len(texts) // size.mtsamples)]))
        if size.notes == 0:
            sets.append(_listed("mtsamples, all", f"{known}; ours alone", texts)._replace(only_ours=True))
    for name, known in (
        (VISITS, "visit notes that people wrote after invented visits; marked by reading; misses looked at"),
        ("mts_dialog", "sections of notes, nearly without names; marked by reading; misses looked at"),
    ):
        path = SHARED / "notes" / f"{name}.jsonl.gz"
        if path.is_file():
            sets.append(_marked(name, known, path, size.notes))
    return sets


def _gold_set(name: str, path: Path, origin: str, known: str, limit: int) -> Set:
    from deid.gold import load_gold

    notes, spans = load_gold(path)
    by_note: dict[str, list[tuple[int, int, str]]] = {note: [] for note in notes["note_id"]}
    for note, start, end, identifier in spans.select("note_id", "start", "end", "identifier").iter_rows():
        by_note[note].append((start, end, identifier))
    neutral: dict[str, list[Span]] = {note: [] for note in by_note}
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for row in map(json.loads, lines):
                neutral[str(row["note_id"] if "note_id" in row else row["id"])] = [(s[0], s[1]) for s in row["spans"]]
    ids = notes["note_id"].to_list()
    step = max(1, len(ids) // limit) if limit else 1
    texts = dict(zip(ids, notes["text"].to_list(), strict=True))
    ids = ids[::step]
    return Set(
        name, origin, known, [texts[i] for i in ids], [by_note[i] for i in ids],
        [[s for s in neutral[i] if all(s != g[:2] for g in by_note[i])] for i in ids],
    )  # fmt: skip


def _hospital(size: Size, scratch: Path) -> Set:
    import polars as pl

    from synthetic import build

    build(scratch / "hospital", seed=90_210, patients=size.patients)
    notes = pl.read_parquet(next((scratch / "hospital").rglob("notes.parquet"))).unique("text", maintain_order=True)
    gold = pl.read_parquet(next((scratch / "hospital").rglob("gold_spans.parquet")))
    spans: dict[str, list[list[Any]]] = {note: [] for note in notes["note_id"]}
    for note, start, end, identifier in gold.select("note_id", "start", "end", "identifier").iter_rows():
        if note in spans:
            spans[note].append([start, end, identifier])
    path = scratch / "hospital.jsonl"
    lines = ({"note_id": n, "text": t, "spans": spans[n]} for n, t in notes.select("note_id", "text").iter_rows())
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return _gold_set("synthetic hospital", path, "synthetic", "our own generator: a smoke test", 0)


def _listed(name: str, known: str, texts: list[str]) -> Set:
    listed = [adjudicate(text) for text in texts]
    return Set(
        name, "public", known, texts,
        [[(s.start, s.end, s.kind) for s in found if s.kind in TRUE] for found in listed],
        [[(s.start, s.end) for s in found if s.kind not in TRUE] for found in listed],
    )  # fmt: skip


# Stands where an identifier was ("Dr. X"), or may be read either way (an association, a habit's weekday).
_NEITHER = ("stand_in", "either_way")


def _marked(name: str, known: str, path: Path, limit: int) -> Set:
    """A public set with the marks of benchmarks/marks: offsets in the notes, which are named by their SHA-256, no text."""
    with (MARKS / f"{name}.csv").open(newline="") as file:
        marks: dict[str, list[tuple[int, int, str]]] = {}
        for row in csv.DictReader(file):
            marks.setdefault(row["note"], []).append((int(row["start"]), int(row["end"]), row["identifier"]))
    texts = unique_texts(path)
    of = {text: marks.pop(digest(text)[:16], []) for text in texts}
    if marks:
        raise SystemExit(f"{len(marks)} marked notes are not in {path.name}: the marks belong to another version of it")
    texts = texts[:: max(1, len(texts) // limit)] if limit else texts
    return Set(
        name, "public", known, texts, [[m for m in of[t] if m[2] not in _NEITHER] for t in texts],
        [[m[:2] for m in of[t] if m[2] in _NEITHER] for t in texts],
    )  # fmt: skip


def frozen(data: Set) -> str:
    """Digest of the notes and marks of a set."""
    lines = (f"{digest(text)} {marks} {neither}" for text, marks, neither in zip(*data[3:6], strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


# --- scores -------------------------------------------------------------------------------------------------------


def score(data: Set, found: list[list[Span]]) -> Answer:
    """Figures of one system on one set."""
    import numpy as np

    from deid.statistics import clopper_pearson

    per_class: dict[str, list[int]] = {}
    holding = leaking = hard = touched = 0
    outside = masked_outside = strict_outside = masked_strict = 0
    for text, gold, neutral, spans in zip(data.texts, data.gold, data.neutral, found, strict=True):
        solid = np.fromiter(map(str.isalnum, text), bool, len(text))
        masked = np.zeros(len(text), bool)
        for start, end in spans:
            masked[max(start, 0) : end] = True
        masked &= solid
        marked = np.zeros(len(text), bool)
        missed = 0
        for start, end, identifier in gold:
            marked[start:end] = True
            full = not (solid[start:end] & ~masked[start:end]).any()
            counts = per_class.setdefault(identifier, [0, 0])
            counts[0] += full
            counts[1] += 1
            missed += not full
        holding += bool(gold)
        leaking += missed > 0
        strict_outside += int((solid & ~marked).sum())
        masked_strict += int((masked & ~marked).sum())
        for start, end in neutral:
            marked[start:end] = True
        outside += int((solid & ~marked).sum())
        masked_outside += int((masked & ~marked).sum())
        if not gold and not neutral:
            hard += 1
            touched += bool(masked.any())
    hits, total = (sum(counts[i] for counts in per_class.values()) for i in (0, 1))

    def group(name: str) -> Answer:
        inside = [counts for identifier, counts in per_class.items() if GROUP_OF[identifier] == name]
        return _share(sum(c[0] for c in inside), sum(c[1] for c in inside))

    return {
        "recall": _share(hits, total) | {"interval_95": clopper_pearson(hits, total)},
        "groups": {name: group(name) for name in GROUPS},
        "identifiers": {name: _share(*counts) for name, counts in sorted(per_class.items())},
        "notes_leaking": _share(leaking, holding),
        "over_masked": _share(masked_outside, outside),
        "over_masked_strict": _share(masked_strict, strict_outside),
        "hard_negatives_touched": _share(touched, hard),
    }


def _share(hits: int, total: int) -> Answer:
    return {"hits": hits, "of": total, "share": hits / total if total else None}


def joined(answers: Iterable[Answer]) -> Answer:
    """A share over several sets."""
    shares = list(answers)
    return _share(sum(s["hits"] for s in shares), sum(s["of"] for s in shares))


# --- running ------------------------------------------------------------------------------------------------------


class Peer(NamedTuple):
    pins: list[str]
    alone: list[str]


def read_peers(path: Path) -> tuple[dict[str, Peer], list[str]]:
    """The peers with their pins, and the lines that say what is not measured and why."""
    peers: dict[str, Peer] = {}
    left_out: list[str] = []
    peer = Peer([], [])
    for line in path.read_text().splitlines():
        if line.startswith("["):
            peer = peers.setdefault(line.strip("[]"), Peer([], []))
        elif line.startswith("#-"):
            left_out.append(line.removeprefix("#-").strip())
        elif line.startswith("alone "):
            peer.alone.append(line.removeprefix("alone "))
        elif line and not line.startswith("#"):
            peer.pins.append(line)
    return peers, left_out


def install(name: str, peer: Peer, folder: Path) -> tuple[str | None, str]:
    """The interpreter of the peer, or None and why there is none."""
    home = folder / name.replace(", ", "-")
    python = home / "bin" / "python"
    wanted = "\n".join([*peer.pins, *peer.alone])
    stamp = home / "installed.txt"
    if stamp.is_file() and stamp.read_text() == wanted:
        return str(python), ""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    steps = [[sys.executable, "-m", "venv", "--clear", str(home)], [*pip, *peer.pins]]
    if peer.alone:
        steps.append([*pip, "--no-deps", "--ignore-requires-python", *peer.alone])
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=600)
        except subprocess.TimeoutExpired:
            return None, "took more than 10 minutes to install"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return None, errors[-1][7:160] if errors else "pip failed"
    stamp.write_text(wanted)
    return str(python), ""


def run(system: str, python: str, work: list[Answer], scratch: Path, core: int | None, limit: int | None) -> Answer:
    """Start a system on a job; its answer, or {"error": what happened}."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        job, out = Path(folder) / "job.json", Path(folder) / "out.json"
        job.write_text(json.dumps({"core": core, "batch": BATCH, "work": work}))
        quiet = {
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1",
            "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DEIDKIT_AUTO_DOWNLOAD": "0",
            "PYTHONWARNINGS": "ignore", "PYTHONHASHSEED": "0",
        }  # fmt: skip
        try:
            done = subprocess.run(
                [python, str(RUNNER), system, str(job), str(out)],
                capture_output=True, text=True, timeout=limit, env=os.environ | quiet,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": f"over {limit} s"}
        if done.returncode or not out.is_file():
            # The last line names the kind of error; the rest could hold text of a note.
            return {"error": (done.stderr.strip().splitlines() or ["no answer"])[-1].split(":")[0]}
        return dict(json.loads(out.read_text()))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)  # noqa: T201


def measure_quality(pythons: dict[str, str], sets: list[Set], scratch: Path, cores: list[int]) -> dict[str, Answer]:
    """Scores by system and set. CPU seconds are not taken here, so as many systems run as there are cores."""

    def one(system: str) -> tuple[str, Answer]:
        mine = [s for s in sets if system in OURS or not s.only_ours]
        work = [{"name": data.name, "texts": data.texts, "spans": True} for data in mine]
        answer = run(system, pythons[system], work, scratch, None, None)
        say(f"quality of {system}")
        if "error" in answer:
            return system, {data.name: answer for data in mine}
        scores: Answer = {}
        for data, done in zip(mine, answer["work"], strict=True):
            found = [[(int(a), int(b)) for a, b in spans] for spans in done["spans"]]
            scores[data.name] = score(data, found) | {"failed": done["failed"]}
        return system, scores

    with ThreadPoolExecutor(len(cores)) as pool:
        return dict(pool.map(one, pythons))


def measure_speed(
    pythons: dict[str, str], sets: list[Set], texts: list[str], size: Size, scratch: Path, core: int
) -> dict[str, Answer]:
    """Thousands of characters a CPU second by system and work, with the ratio to Presidio."""
    dense = [text for s in sets if s.name.endswith(" notes") for text in s.texts]
    works = [
        {"name": "mtsamples" if MTSAMPLES.is_file() else "synthetic hospital", "texts": _spread(texts, size.speed)}
    ]
    works.append({"name": "dense notes", "texts": dense * (2 if size.repeats > 1 else 1)})
    whole = "\n\n".join(texts)
    one = [{"name": "one note", "texts": [(whole * (size.one_note // len(whole) + 1))[: size.one_note]]}]
    rates: dict[str, dict[str, list[float]]] = {system: {} for system in pythons}
    out: dict[str, Answer] = {system: {} for system in pythons}
    for repeat in range(size.repeats):
        for system, python in pythons.items():
            for work in (works, one) if repeat == 0 else (works,):
                answer = run(system, python, work, scratch, core, size.limit)
                if "error" in answer:
                    out[system].setdefault("errors", {})[work[0]["name"]] = answer["error"]
                    continue
                for done in answer["work"]:
                    # A note that failed was not read: no rate.
                    rate = done["chars"] / done["cpu"] / 1000 if done["cpu"] > 0 and not done["failed"] else 0.0
                    rates[system].setdefault(done["name"], []).append(rate)
                if work is works:
                    keep = ("load_cpu", "loaded_mb", "peak_mb", "torch", "versions", "python")
                    out[system] |= {key: answer[key] for key in keep}
                else:
                    out[system]["one_note_peak_mb"] = answer["peak_mb"]
            say(f"speed of {system}, repeat {repeat + 1} of {size.repeats}")
    for system, by_work in rates.items():
        out[system]["kchars_per_cpu_s"] = {
            name: {"median": statistics.median(r), "least": min(r), "most": max(r), "repeats": len(r)}
            for name, r in by_work.items()
        }
        out[system]["times_presidio"] = {
            name: statistics.median(a / b for a, b in zip(r, base, strict=False))
            for name, r in by_work.items()
            if (base := rates.get(BASELINE, {}).get(name)) and min(base) > 0
        }
    return out


def measure_curve(python: str, texts: list[str], size: Size, scratch: Path, core: int) -> list[Answer]:
    """Cost of ours for more and more short notes, a process for each size."""
    path = scratch / "text.txt"
    path.write_text("\n\n".join(texts), encoding="utf-8")
    out = []
    for count in size.curve:
        work: list[Answer] = [{"name": str(count), "from": str(path), "length": CURVE_LENGTH, "count": count}]
        answer = run(OURS[0], python, work, scratch, core, None)
        if "error" not in answer:
            out.append({key: answer["work"][0][key] for key in ("notes", "chars", "cpu", "peak_mb", "failed")})
        say(f"cost of {count:,} notes")
    return out


def _spread(texts: list[str], count: int) -> list[str]:
    return texts[:: max(1, len(texts) // count)][:count]


# --- report -------------------------------------------------------------------------------------------------------


def percent(share: Answer | None, digits: int = 1) -> str:
    return "–" if not share or share["share"] is None else f"{share['share'] * 100:.{digits}f}%"


def table(head: list[str], body: Iterable[list[str]]) -> list[str]:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return [*lines, *("| " + " | ".join(row) + " |" for row in body), ""]


def summary(result: Answer, system: str) -> Answer:
    """The main figures of a system, over the held-out sets."""
    quality, speed = result["quality"][system], result["speed"].get(system, {})
    held = [
        quality[s["name"]] for s in result["sets"] if s["name"].startswith("held") and "recall" in quality[s["name"]]
    ]
    dense = [(s, q) for s, q in quality.items() if s.startswith("held") and s.endswith("notes") and "recall" in q]
    real, visits = quality.get("mtsamples", {}), quality.get(VISITS, {}).get("groups", {})
    work = result["main_work"]
    return {
        "recall": joined(q["recall"] for q in held),
        "leaking": joined(q["notes_leaking"] for _, q in dense),
        "over_masked": real.get("over_masked"),
        "over_masked_strict": real.get("over_masked_strict"),
        "hard": joined(q["hard_negatives_touched"] for q in held),
        "visits": joined(visits[group] for group in ("names", "clinicians") if group in visits),
        "rate": speed.get("kchars_per_cpu_s", {}).get(work, {}).get("median"),
        "times": speed.get("times_presidio", {}).get(work),
        "peak_mb": speed.get("peak_mb"),
        "torch": speed.get("torch"),
    }


def report(result: Answer, command: str) -> str:
    """The page."""
    systems = list(result["quality"])
    label = {system: result["labels"].get(system, system) for system in systems}
    lines = ["# De-identification", "", f"Made by `{command}`.", "", result["facts"], ""]
    head = [
        "system", "identifiers fully masked", "notes with any left", "names in visit notes", "real text over-masked",
        "hard negatives touched", "kchars / CPU-s", "× Presidio", "peak MB", "torch loaded",
    ]  # fmt: skip
    body = []
    for system in systems:
        s = summary(result, system)
        body.append([
            label[system], percent(s["recall"], 2), percent(s["leaking"]), percent(s["visits"], 2), percent(s["over_masked"], 2),
            percent(s["hard"]), f"{s['rate']:.1f}" if s["rate"] else "–", f"{s['times']:.1f}" if s["times"] else "–",
            f"{s['peak_mb']:,.0f}" if s["peak_mb"] else "–", {True: "yes", False: "no", None: "–"}[s["torch"]],
        ])  # fmt: skip
    body += [[f"{name}: not installed ({why})", *["–"] * 9] for name, why in result["not_installed"].items()]
    lines += [
        *table(head, body),
        "Identifiers and hard negatives: the held-out sets, written by hand by authors who saw neither the training "
        "templates nor each other's text; notes with any left: the whole notes among them; names in visit notes: "
        f"{VISITS}, public, written by people; real text and speed: mtsamples, outside the identifiers listed there by "
        "rule. Peak memory is that of the process that was timed. Texts of synthetic origin, "
        "ours above all, are a smoke test, not evidence about a hospital's notes.", "",
        "![masked identifiers against speed](deid.svg)", "", "## Sets", "",
        *table(
            ["set", "origin", "made by, used for", "notes", "chars", "identifiers", "unmarked notes", "digest"],
            ([s["name"], s["origin"], s["known"], f"{s['notes']:,}", f"{s['chars']:,}", f"{s['gold']:,}",
              f"{s['hard']:,}", f"`{s['digest']}`"] for s in result["sets"]),
        ),
        "## Quality by set", "",
    ]  # fmt: skip
    for data in result["sets"]:
        lines += [f"### {data['name']} (origin: {data['origin']})", ""]
        groups = [g for g in GROUPS if any(data["name"] in q and _group(q[data["name"]], g) for q in _scored(result))]
        head = ["system", "fully masked", *groups, "notes with any left", "over-masked"]
        extra = data["name"].startswith("mtsamples")
        rows_ = []
        for system in systems:
            q = result["quality"][system].get(data["name"])
            if q is None:
                continue
            if "error" in q:
                rows_.append([f"{label[system]}: failed ({q['error']})", *["–"] * (len(head) - 1 + 1)])
                continue
            name = label[system] + (f" ({q['failed']} notes failed)" if q["failed"] else "")
            last = percent(q["over_masked_strict"], 2) if extra else percent(q["hard_negatives_touched"])
            rows_.append([
                name, percent(q["recall"], 2), *(percent(q["groups"][g]) for g in groups),
                percent(q["notes_leaking"]), percent(q["over_masked"], 2), last,
            ])  # fmt: skip
        lines += table(
            [*head, "over-masked, partial dates and stand-ins counted" if extra else "unmarked notes touched"], rows_
        )
    works = list(dict.fromkeys(w for s in result["speed"].values() for w in s.get("kchars_per_cpu_s", {})))
    lines += ["## Speed", "", "Thousands of characters a CPU second, median (least to most), and times Presidio.", ""]
    body = []
    for system in systems:
        s = result["speed"].get(system, {})
        cells = []
        for work in works:
            rate, times = s.get("kchars_per_cpu_s", {}).get(work), s.get("times_presidio", {}).get(work)
            if rate and rate["median"]:
                spread = f" ({rate['least']:.1f} to {rate['most']:.1f})" if rate["repeats"] > 1 else ""
                cells.append(f"{rate['median']:.1f}{spread}" + (f", {times:.1f}×" if times else ""))
            else:
                cells.append(s.get("errors", {}).get(work) or "failed")
        memory = [f"{s[key]:,.0f}" if key in s else "–" for key in ("loaded_mb", "peak_mb", "one_note_peak_mb")]
        body.append([label[system], *cells, f"{s['load_cpu']:.1f}" if "load_cpu" in s else "–", *memory])
    names = [f"one note of {result['one_note_chars']:,} characters" if w == "one note" else w for w in works]
    lines += table(["system", *names, "load, CPU s", "MB loaded", "MB peak", "MB peak, one note"], body)
    lines += [
        "## Cost of many notes",
        "",
        f"{OURS[0]}, notes of {CURVE_LENGTH} characters cut from mtsamples, again and again at other places.",
        "",
    ]
    lines += table(
        ["notes", "CPU s", "CPU ms a note", "against the smallest", "peak MB"],
        (
            [f"{c['notes']:,}", f"{c['cpu']:.1f}", f"{1000 * c['cpu'] / c['notes']:.2f}",
             f"{c['cpu'] / c['notes'] / (first['cpu'] / first['notes']):.2f}", f"{c['peak_mb']:,.0f}"]
            for c in result["curve"] for first in result["curve"][:1]
        ),
    )  # fmt: skip
    lines += ["## Not measured", "", *(f"- {line}" for line in result["left_out"]), ""]
    return "\n".join(lines)


def _scored(result: Answer) -> list[Answer]:
    return list(result["quality"].values())


def _group(scores: Answer, group: str) -> bool:
    return "groups" in scores and bool(scores["groups"][group]["of"])


def picture(result: Answer) -> str:
    """Masked identifiers against speed, as SVG text."""
    import altair as alt
    import vl_convert

    values = []
    for system in result["quality"]:
        s = summary(result, system)
        if s["rate"] and s["recall"]["share"] is not None:
            kind = "clinicorpus" if system in OURS else "peers"
            values.append({"system": system, "speed": s["rate"], "masked": s["recall"]["share"], "kind": kind})
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("speed:Q", title="thousand characters a CPU second", scale=alt.Scale(type="log", domainMin=1)),
        y=alt.Y("masked:Q", title="identifiers fully masked", axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("kind:N", title=None, legend=None, scale=alt.Scale(range=["#1f6f78", "#c8553d"])),
    )  # fmt: skip
    points = base.mark_circle(size=90, opacity=1)
    # Peers crowd at the left of ours: their names stand on the other side.
    ours, peers = (base.transform_filter(f"datum.kind {sign} 'clinicorpus'") for sign in ("==", "!="))
    names = [
        ours.mark_text(align="left", dx=9, fontSize=11).encode(text="system:N"),
        peers.mark_text(align="right", dx=-9, fontSize=11).encode(text="system:N"),
    ]
    chart = (
        alt.layer(points, *names)
        .properties(width=640, height=360)
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, gridColor="#e6eaee", labelColor="#1d2733")
        .configure(font="Helvetica, Arial, sans-serif")
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def described(data: Set) -> Answer:
    hard = sum(not gold and not neutral for gold, neutral in zip(data.gold, data.neutral, strict=True))
    return {
        "name": data.name, "origin": data.origin, "known": data.known, "notes": len(data.texts),
        "chars": sum(map(len, data.texts)), "gold": sum(map(len, data.gold)), "hard": hard, "digest": frozen(data),
    }  # fmt: skip


def versions_of(speed: Answer) -> dict[str, str]:
    """What stands behind a system's name in the tables: the version of its package."""
    packages = {system: "presidio-analyzer" for system in speed if system.startswith("presidio")}
    return {
        system: f"{system} ({version})"
        for system, answer in speed.items()
        if (version := answer.get("versions", {}).get(packages.get(system, system)))
    }


def chosen_systems(only: list[str] | None, peers: dict[str, Peer], folder: Path | None) -> tuple[Answer, Answer]:
    """Interpreters by system, and why the missing ones are missing."""
    pythons: Answer = {}
    missing: Answer = {}
    for system in SYSTEMS:
        if only and system not in only:
            continue
        if system not in peers:
            pythons[system] = sys.executable
        elif folder is None:
            missing[system] = "left out by --no-peers"
        else:
            say(f"installing {system}")
            python, why = install(system, peers[system], folder)
            if python:
                pythons[system] = python
            else:
                missing[system] = why
    return pythons, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few notes, one repeat")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder of the results")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments; thrown away if not given")
    parser.add_argument("--no-peers", action="store_true", help="only what is installed with the project")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), help="only these")
    parser.add_argument("--repeats", type=int, help="of the speed of every system")
    parser.add_argument("--curve", type=int, nargs="*", help="numbers of notes of the cost curve")
    parser.add_argument("--adjudicated", type=Path, help="write the identifiers listed in mtsamples here, without text")
    args = parser.parse_args()
    size = QUICK if args.quick else FULL
    if args.repeats:
        size = size._replace(repeats=args.repeats)
    if args.curve is not None:
        size = size._replace(curve=tuple(args.curve))
    cores = sorted(os.sched_getaffinity(0))
    args.out.mkdir(parents=True, exist_ok=True)

    def benchmark(scratch: Path) -> Answer:
        peers, left_out = read_peers(PEERS_FILE)
        folder = None if args.no_peers else (args.peers or scratch / "peers").resolve()
        pythons, missing = chosen_systems(args.systems, peers, folder)
        sets = make_sets(size, scratch)
        texts = unique_texts(MTSAMPLES) if MTSAMPLES.is_file() else next(s for s in sets if "hospital" in s.name).texts
        if args.adjudicated and MTSAMPLES.is_file():
            args.adjudicated.write_text("".join(json.dumps(row) + "\n" for row in rows(texts)))
        quality = measure_quality(pythons, sets, scratch, cores)
        speed = measure_speed(pythons, sets, texts, size, scratch, cores[-1])
        curve = measure_curve(sys.executable, texts, size, scratch, cores[-1]) if OURS[0] in pythons else []
        facts = (
            f"Python {platform.python_version()}, {platform.machine()}, {len(cores)} cores, one used; "
            f"speed is the median of {size.repeats}, taken in turns. Each note by itself: names are not linked over a patient's "
            f"notes, and no structured identifiers are given."
            + (" A quick run with few notes: its figures are no result." if args.quick else "")
        )
        return {
            "facts": facts, "quick": args.quick, "sets": [described(s) for s in sets], "quality": quality,
            "speed": speed, "curve": curve, "not_installed": missing, "left_out": left_out,
            "main_work": "mtsamples" if MTSAMPLES.is_file() else "synthetic hospital",
            "one_note_chars": size.one_note, "labels": versions_of(speed),
        }  # fmt: skip

    with tempfile.TemporaryDirectory() as scratch:
        result = benchmark(Path(scratch))
    command = shlex.join(["python", "benchmarks/deid.py", *_told(sys.argv[1:])])
    page = report(result, command)
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    (args.out / "deid.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    (args.out / "deid.md").write_text(page)
    (args.out / "deid.svg").write_text(picture(result))
    print(page)  # noqa: T201


def _told(arguments: list[str]) -> list[str]:
    """The command line without folders of this machine."""
    return [a if not a.startswith("/") else "FOLDER" for a in arguments]


if __name__ == "__main__":
    main()
