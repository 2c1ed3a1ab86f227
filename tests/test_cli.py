"""What a user meets: each mistake is explained, each row answered for, nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.command import run_command

COMMAND = str(Path(sys.executable).with_name("clinicorpus"))
NOTES = [
    {"note_id": "a", "text": "Seen by Dr. Harold Winslow on 03/04/2019. MRN: 4471920. Call 617-555-0188 with results."},
    {"note_id": "b", "text": "Patient is a 93-year-old woman from Boston, MA 02115 with Parkinson disease, BP 120/80."},
    {"note_id": "c", "text": ""},
    {"note_id": "d", "text": "seen by dr. harold winslow on 03/04/2019; mrn 4471920, call 617 555 0188 with results!"},
]


def _run(*args, cwd, **environment):
    if "PYTHONPATH" in environment:  # changes the interpreter: a process of its own
        env = {**os.environ, **environment}
        return subprocess.run([COMMAND, *map(str, args)], cwd=cwd, env=env, capture_output=True, text=True)
    return run_command(cwd, *args, **environment)


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in NOTES) + "not json\n")
    return path


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("corpus", "build", "nothing.yaml"), "no such recipe"),
        (("corpus", "build", "bad.yaml"), "3 mistakes"),
        (("corpus", "build", "missing.yaml"), "no such file of notes"),
        (("corpus", "build", "columns.yaml"), "columns are missing"),
        (("corpus", "build", "gold.yaml"), "a gold set of the recipe is missing"),
        (("corpus", "build", "unreadable.yaml"), "no note could be read: reader.malformed 1"),
        (("train", "cpt", "nothing.yaml"), "no such recipe"),
        (("audit", "corpus"), "nothing to audit"),
        (("audit", "corpus", "nothing.json"), "no such manifest"),
        (("deid", "detect", "nothing.jsonl", "--out", "x.jsonl"), "no such file of notes"),
        (("deid", "apply", "notes.jsonl", "--out", "x.jsonl", "--policy", "mine"), "mine"),
        (("deid", "detect", "notes.jsonl", "--out", "x.docx"), "format of --out"),
        (("dedupe", "run", "notes.jsonl", "--out", "x", "--threshold", "7"), "--threshold"),
        (("dedupe", "run", "notes.jsonl", "--out", "x", "--link-threshold", "0.9"), "--link-threshold"),
        (("dedupe", "run", "notes.jsonl", "--out", "x", "--against", "notes.jsonl"), "no file of signatures"),
        (("dedupe", "run", "notes.jsonl", "--out", "x", "--signatures", "notes.jsonl"), "a file that is read"),
        (("synthetic", "build", "--out", "."), "not empty"),
    ],
)
def test_a_mistake_is_explained_without_a_traceback(tmp_path, notes, args, said):
    (tmp_path / "bad.yaml").write_text("name: X\nsource: {kind: csv, path: a}\nshards: 0\nworker: 2\n")
    (tmp_path / "missing.yaml").write_text("name: x\nsource: {kind: csv, path: nothing.csv}\n")
    (tmp_path / "columns.yaml").write_text("name: x\nsource: {kind: csv, path: n.csv}\n")
    (tmp_path / "n.csv").write_text("id,body\n1,x\n")
    (tmp_path / "unreadable.yaml").write_text("name: x\nsource: {kind: jsonl, path: u.jsonl}\n")
    (tmp_path / "u.jsonl").write_text("{\n")
    (tmp_path / "gold.yaml").write_text(
        "name: x\nsource: {kind: jsonl, path: notes.jsonl}\ngold: [{name: g, path: nothing.jsonl, origin: public}]\n"
    )
    done = _run(*args, cwd=tmp_path, CLINICORPUS_KEYS=str(tmp_path.parent / f"{tmp_path.name}-keys"))
    output = done.stdout + done.stderr
    assert done.returncode in (1, 2), output
    assert said in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_detect_answers_for_every_note_in_either_format(tmp_path, notes, kind):
    if kind == "parquet":
        pl.DataFrame(NOTES).write_parquet(tmp_path / "notes.parquet")
    out = tmp_path / f"spans.{kind}"
    done = _run("deid", "detect", f"notes.{kind}", "--out", out, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = pl.read_parquet(out) if kind == "parquet" else pl.read_ndjson(out)
    assert rows["note_id"].to_list() == ["a", "b", "c", "d"]
    if kind == "jsonl":
        assert "reader.malformed 1" in done.stderr
        assert set(json.loads(out.read_text().splitlines()[0])["spans"][0]) == {
            "start", "end", "identifier", "score", "recognizer", "entity",
        }  # fmt: skip
    found = {NOTES[0]["text"][s["start"] : s["end"]] for s in rows["spans"][0].to_list()}
    assert {"Harold Winslow", "03/04/2019", "4471920", "617-555-0188"} <= found
    assert rows["spans"].to_list()[2] == []


def test_apply_leaves_no_identifier_and_says_what_it_did(tmp_path, notes):
    done = _run("deid", "apply", notes, "--out", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["note_id"]: row for row in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    text = rows["a"]["text"]
    assert not any(secret in text for secret in ("Winslow", "03/04", "4471920", "617-555"))
    assert "2019" in text
    assert "90+" in rows["b"]["text"]
    assert "93" not in rows["b"]["text"]
    assert "Parkinson disease" in rows["b"]["text"]
    assert "BP 120/80" in rows["b"]["text"]
    for span in rows["a"]["spans"]:
        assert text[span["out_start"] : span["out_end"]] == span["value"]
        assert span["action"] in ("placeholder", "generalise", "keep")
    assert "Winslow" not in done.stdout + done.stderr


def test_dedupe_divides_a_table_into_kept_and_ledger(tmp_path, notes):
    done = _run("dedupe", "run", notes, "--out", "deduped", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = pl.read_parquet(tmp_path / "deduped" / "kept.parquet")
    ledger = pl.read_parquet(tmp_path / "deduped" / "ledger.parquet")
    assert sorted([*kept["note_id"], *ledger["note_id"]]) == ["a", "b", "c", "d"]
    assert ledger.height >= 0


def test_dedupe_goes_against_the_signatures_that_it_saved(tmp_path, notes):
    first = _run("dedupe", "run", notes, "--out", "one", "--signatures", "one.signatures", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    (tmp_path / "folder").mkdir()
    more = pl.DataFrame([*NOTES, {"note_id": "new", "text": "Nothing that was ever said before of anybody."}])
    more.write_csv(tmp_path / "folder" / "notes.csv")
    again = ("dedupe", "run", "folder", "--out", "two", "--against", "one.signatures")
    done = _run(*again, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept, ledger = (pl.read_parquet(tmp_path / "two" / f"{name}.parquet") for name in ("kept", "ledger"))
    assert "new" in kept["note_id"]
    was_kept = pl.read_parquet(tmp_path / "one" / "kept.parquet")["note_id"]
    known = ledger.filter(pl.col("past") == "one.signatures")
    assert set(was_kept) & {note["note_id"] for note in NOTES if note["text"]} <= set(known["kept_id"])
    other = _run(*again, "--bands", "10", cwd=tmp_path)
    assert other.returncode == 2
    assert "another way" in other.stderr
    assert "--signatures" in other.stderr


def test_two_workers_find_what_one_finds(tmp_path):
    rows = [{"note_id": f"n{i}", "text": NOTES[i % 2]["text"] + f" Visit {i}."} for i in range(220)]
    pl.DataFrame(rows).write_parquet(tmp_path / "n.parquet")
    for workers in (1, 2):
        done = _run("deid", "detect", "n.parquet", "--out", f"{workers}.jsonl", "--workers", workers, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_a_full_disk_is_named_and_leaves_nothing_that_looks_whole(tmp_path, notes):
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nreal = os.fsync\n"
        "def full(fd):\n"
        "    if os.path.exists('full'):\n        raise OSError(28, 'No space left on device')\n"
        "    return real(fd)\n"
        "os.fsync = full\n"
    )
    (tmp_path / "r.yaml").write_text("name: x\nsource: {kind: synthetic, patients: 2}\nworkers: 1\n")
    (tmp_path / "full").touch()
    done = _run("corpus", "build", "r.yaml", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "manifests").exists()
    assert not list((tmp_path / "work").rglob("record.json"))
    (tmp_path / "full").unlink()
    assert _run("corpus", "build", "r.yaml", cwd=tmp_path, PYTHONPATH=str(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("out", "said"), [("notes.jsonl", "the file of notes itself"), ("no/x.jsonl", "no such folder")]
)
def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path, notes, out, said):
    before = notes.read_bytes()
    for command in ("detect", "apply"):
        done = _run("deid", command, "notes.jsonl", "--out", out, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert "find identifiers" not in done.stderr
    assert notes.read_bytes() == before


def test_a_policy_with_surrogates_asks_for_its_key_and_repeats_with_it(tmp_path: Path) -> None:
    rows = [
        {"note_id": "1", "patient_id": "p", "charted_at": "2019-03-04", "text": "Maria Gonzalez was seen on 3/4/2019."}
    ]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("deid", "apply", "n.jsonl", "--out", "o.jsonl", "--policy", "expert_shifted_v1")
    refused = run_command(tmp_path, *command)
    assert refused.returncode == 2
    assert "--key" in refused.stderr
    texts = []
    for _ in range(2):
        done = run_command(
            tmp_path, *command, "--key", "ward", CLINICORPUS_KEYS=str(tmp_path.parent / f"{tmp_path.name}-keys")
        )
        assert done.returncode == 0, done.stderr
        texts.append(json.loads((tmp_path / "o.jsonl").read_text())["text"])
        (tmp_path / "o.jsonl").unlink()
    assert texts[0] == texts[1]
    assert "Gonzalez" not in texts[0]
    assert "3/4/2019" not in texts[0]
