"""The whole line on a small hospital of our own making: accounts, zones, determinism, kills, audit."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from manifests import load, newest, sealed, verify
from tests.command import run_command

# The installed command, not `python -m`: that puts the current folder first, where manifests/ is no package.
COMMAND = str(Path(sys.executable).with_name("clinicorpus"))
CANARY = "Quillworth"
SYMPTOMS = ["cough", "chest pain", "fever", "dizziness", "nausea", "back pain", "fatigue", "headache"]
DRUGS = ["lisinopril 10 mg daily", "metformin 500 mg BID", "atorvastatin 40 mg nightly", "albuterol as needed"]


def _note(i):
    symptom, drug = SYMPTOMS[i % 8], DRUGS[i % 4]
    return (
        f"Patient: {CANARY}, Anna\nMRN: {4410000 + i}\nDate of Service: 03/{1 + i % 28:02d}/2019\n"
        f"CHIEF COMPLAINT: {symptom}\nHPI: She has had {symptom} for {2 + i} days, rated {i % 10} of 10, and denies other "
        f"complaints number {i * 7919 % 1000} on this visit {i}.\nMEDICATIONS:\n- {drug}\n- aspirin {i} mg\n"
        f"ASSESSMENT: {symptom}, improving since day {i}.\nPLAN: Continue {drug}. Recheck in {i + 1} weeks with labs {i * 31}.\n"
    )


def _rows(count=60):
    rows = [
        {"note_id": f"n{i}", "patient_id": f"p{i // 3}", "text": _note(i), "note_type": "clinic", "charted_at": f"2019-03-{1 + i % 28:02d}T08:00:00"}
        for i in range(count)
    ]  # fmt: skip
    rows.append({"note_id": "copy", "patient_id": "p0", "text": _note(0).upper(), "charted_at": "2019-03-01T08:00:00"})
    rows.append({"note_id": "empty", "patient_id": "p0", "text": " "})
    rows.append({"note_id": "short", "patient_id": "p1", "text": "Seen today."})
    rows.append({"note_id": "n1", "patient_id": "p9", "text": "an id that occurs again"})
    return rows


@pytest.fixture(scope="module", autouse=True)
def keys(tmp_path_factory):
    """One key folder for all builds here: another key gives other codes, and so other bytes."""
    os.environ["CLINICORPUS_KEYS"] = str(tmp_path_factory.mktemp("keys"))
    yield
    del os.environ["CLINICORPUS_KEYS"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "MRN4410000.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _rows()) + "{broken\n")
    return path


def _recipe(folder, source, **keys):
    lines = {
        "name": "ward", "source": {"kind": "jsonl", "path": str(source), "public": True}, "crosswalk_seed": 3,
        "shards": 3, "workers": 1, "stages": {"deid.detect": {"ner": "none"}}, **keys,
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(lines))
    return path


def _run(folder, *args, check=True):
    done = run_command(folder, *args)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def _run_apart(folder, *args, **environment):
    """In a process of its own, for tests that change what a process is."""
    env = {**os.environ, **environment}
    return subprocess.run([COMMAND, *args], cwd=folder, env=env, capture_output=True, text=True)


def _build(folder, source, **keys):
    folder.mkdir(parents=True, exist_ok=True)
    return json.loads(_run(folder, "corpus", "build", str(_recipe(folder, source, **keys)), "--json").stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("builds") / "one"
    return folder, _build(folder, source)


def _digests(result):
    return {f["path"]: f["sha256"] for f in result["files"] if f["path"].endswith(".parquet")}


def test_every_row_read_ends_somewhere(built):
    folder, result = built
    stages = {s["name"]: s for s in result["stages"]}
    assert stages["reader"]["records_in"] == 65
    assert stages["reader"]["dropped"] == {"reader.duplicate_id": 1, "reader.empty": 1, "reader.malformed": 1}
    assert stages["dedupe.exact"]["dropped"] == {"dedupe.exact": 1}
    assert stages["filters"]["dropped"] == {"filters.short": 1}
    ledger = pl.read_parquet(folder / "work" / "ward" / "ledger.parquet")
    assert ledger.height == 65
    released = sum(f["rows"] for f in result["files"] if f["rows"] and not f["path"].startswith("instruct"))
    assert ledger["reason"].null_count() == released
    row = ledger.filter(pl.col("stage") == "dedupe.exact")
    kept = ledger.filter(pl.col("record") == row["kept"][0])["note_id"].to_list()
    assert {*kept, *row["note_id"]} == {"n0", "copy"}


def test_released_files_hold_the_allowed_columns_ordered_by_key(built):
    _folder, result = built
    for entry in result["files"]:
        if entry["path"].endswith(".parquet"):
            frame = pl.read_parquet(Path(result["corpus"]) / entry["path"])
            expected = {
                "instruct": ["record", "patient", "parent", "task", "messages", "prompt", "completion", "tokens"]
            }
            assert frame.columns == expected.get(
                entry["path"].split("/")[0], ["record", "patient", "note_type", "year", "text", "tokens", "copied"]
            )
            assert frame["record"].is_sorted()


def test_no_patient_stands_in_two_splits(built):
    _folder, result = built
    seen = {}
    for entry in result["files"]:
        if entry["path"].endswith(".parquet"):
            split = entry["path"].split("/")[1].split("-")[0]
            for patient in pl.read_parquet(Path(result["corpus"]) / entry["path"])["patient"]:
                assert seen.setdefault(patient, split) == split
    assert len(seen) == 20


def test_identifiers_stay_in_the_phi_zone(built):
    folder, _ = built
    for path in folder.rglob("*"):
        if not path.is_file() or path.name == "recipe.yaml" or "work" in path.relative_to(folder).parts:
            continue
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text = json.dumps(pl.read_parquet(path).to_dicts()).encode()
        for secret in (CANARY.encode(), b"441000", b"03/02/2019", b"2019-03", b"MRN44"):
            assert secret.lower() not in text.lower(), f"{secret!r} in {path.name}"
    assert (folder / "work").stat().st_mode & 0o077 == 0


def test_released_bytes_do_not_depend_on_workers_or_shards(built, source, tmp_path):
    one = _digests(built[1])
    assert _digests(_build(tmp_path / "w2", source, workers=2, shards=5)) == one
    assert _digests(_build(tmp_path / "s1", source, shards=1)) == one


def test_released_bytes_do_not_depend_on_the_order_of_rows(built, tmp_path):
    path = tmp_path / "reversed.jsonl"
    rows = [row for row in _rows() if row["text"] != "an id that occurs again"]
    path.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    assert _digests(_build(tmp_path / "r", path)) == _digests(built[1])


def test_unchanged_nothing_runs_and_other_shards_seal_no_new_version(source, tmp_path):
    folder = tmp_path / "again"
    assert _build(folder, source)["state"] == "sealed"
    assert _build(folder, source)["state"] == "unchanged"
    assert _build(folder, source, shards=4)["state"] == "same"
    assert [p.parent.name for p in sealed(folder)] == ["0.1.0"]
    changed = _build(folder, source, stages={"deid.detect": {"ner": "none"}, "filters": {"min_words": 0}})
    assert (changed["state"], changed["version"]) == ("sealed", "0.1.1")
    assert load(newest(folder)).corpus.previous.version == "0.1.0"


def test_one_changed_byte_fails_the_audit_by_name_and_a_build_restores_it(source, tmp_path):
    folder = tmp_path / "flip"
    result = _build(folder, source)
    target = Path(result["corpus"]) / "pretrain" / "train-00000-of-00001.parquet"
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(bytes(data))
    audit = _run(folder, "audit", "corpus", check=False)
    assert audit.returncode == 1
    assert "train-00000-of-00001.parquet: changed" in re.sub(r"\s+", " ", audit.stdout)
    assert _build(folder, source)["state"] == "restored"
    assert _run(folder, "audit", "corpus").returncode == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda m: m["stages"][2].update(records_out=1), "do not add up"),
        (lambda m: m["corpus"].update(version="9.9.9"), "another version"),
        (lambda m: m.pop("policy"), "policy"),
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m["files"].pop(0), "not in the manifest"),
        (lambda m: m["stages"][4]["dropped"].update({"filters.short": -1, "filters.garbled": 2}), "greater than"),
        (lambda m: m.update(stages=[]), "names no stage"),
        (lambda m: m["environment"].update(load=float("nan")), "not in canonical form"),
        (lambda m: m["files"][0].update(path="../0.1.0/" + m["files"][0]["path"]), "outside of the version's folder"),
    ],
)
def test_a_manifest_that_was_tampered_with_fails(built, tmp_path, damage, said):
    folder, result = built
    path = Path(result["manifest"])
    content = path.read_bytes()
    try:
        manifest = json.loads(content)
        damage(manifest)
        path.write_text(json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
        assert any(said in problem for problem in verify(path, folder))
    finally:
        path.write_bytes(content)
    assert verify(path, folder) == []


def test_a_link_in_place_of_a_file_fails(built, tmp_path):
    folder, result = built
    target = Path(result["corpus"]) / "pretrain" / "train-00000-of-00001.parquet"
    target.rename(tmp_path / "moved")
    try:
        target.symlink_to(tmp_path / "moved")
        assert any("a link" in problem for problem in verify(Path(result["manifest"]), folder))
    finally:
        target.unlink()
        (tmp_path / "moved").rename(target)


def test_a_version_whose_manifest_is_gone_is_not_passed_over(source, tmp_path):
    folder = tmp_path / "gone"
    manifest = Path(_build(folder, source)["manifest"])
    (folder / manifest).rename(folder / manifest.with_name("old.json"))
    audit = _run(folder, "audit", "corpus", check=False)
    assert audit.returncode == 1
    assert "0.1.0" in audit.stdout
    # Its files are not removed either, and its number is not given again.
    assert _build(folder, source)["version"] == "0.1.1"
    assert (folder / "corpora" / "ward" / "0.1.0" / "README.md").is_file()


def test_files_without_their_manifest_go_after_a_kill_between_the_two_renames(source, tmp_path):
    folder = tmp_path / "between"
    result = _build(folder, source)
    manifest = folder / result["manifest"]
    manifest.parent.rename(manifest.parent.with_name(".partial-0.1.0"))
    again = _build(folder, source)
    assert (again["state"], again["version"]) == ("sealed", "0.1.0")
    assert _digests(again) == _digests(result)


def test_a_changed_predecessor_breaks_the_chain(source, tmp_path):
    folder = tmp_path / "chain"
    _build(folder, source)
    _build(folder, source, stages={"deid.detect": {"ner": "none"}, "filters": {"min_words": 0}})
    first = sealed(folder)[0]
    first.write_bytes(first.read_bytes().replace(b'"holder": null', b'"holder": "me"'))
    audit = _run(folder, "audit", "corpus", check=False)
    assert audit.returncode == 1
    assert "changed after this one was sealed" in re.sub(r"\s+", " ", audit.stdout)


def test_the_audit_has_nothing_to_say_before_a_build(tmp_path):
    done = _run(tmp_path, "audit", "corpus", check=False)
    assert done.returncode == 2
    assert "make corpus" in done.stderr


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_that_looks_finished(built, source, tmp_path):
    folder = tmp_path / "killed"
    folder.mkdir()
    recipe = _recipe(folder, source)
    kills = 0
    for delay in (0.4, 0.9, 1.5, 2.2, 3.0, 4.0, 5.5, 8.0):
        process = subprocess.Popen(
            [COMMAND, "corpus", "build", str(recipe)], cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        for manifest in sealed(folder):
            assert verify(manifest, folder) == []
        for version in (folder / "corpora" / "ward").glob("[0-9]*"):
            assert (folder / "manifests" / "versions" / "ward" / version.name).is_dir()
    assert kills >= 3
    result = _build(folder, source)
    assert _digests(result) == _digests(built[1])
    assert not list(folder.rglob(".partial-*"))


def test_two_builds_at_once_are_refused(source, tmp_path):
    from corpus.zones import Workspace

    folder = tmp_path / "two"
    folder.mkdir()
    old = os.umask(0)
    try:
        environment = dict(os.environ)
        with Workspace(folder).enter():
            done = _run_apart(folder, "corpus", "build", str(_recipe(folder, source)))
    finally:
        os.umask(old)
        os.environ.clear()
        os.environ.update(environment)
    assert done.returncode == 2
    assert "another build runs in this workspace" in done.stderr
    assert f"process {os.getpid()}" in done.stderr


def test_a_build_leaves_only_codes_in_its_output(built, source):
    folder, _ = built
    done = _run(folder, "corpus", "build", "recipe.yaml")
    assert CANARY not in done.stdout + done.stderr


def test_random_nonces_keep_the_bytes_within_a_workspace(source, tmp_path):
    folder = tmp_path / "random"
    keys = {"crosswalk_seed": None}
    first = _build(folder, source, **keys)
    assert load(Path(first["manifest"])).key.nonces == "random"
    assert _build(folder, source, **keys, shards=2)["state"] == "same"
    assert _digests(_build(tmp_path / "elsewhere", source, **keys)) != _digests(first)


def test_clean_keeps_what_an_unchanged_build_needs(source, tmp_path):
    folder = tmp_path / "clean"
    _build(folder, source, shards=2)
    _build(folder, source)
    freed = json.loads(_run(folder, "corpus", "clean", "--json").stdout)
    assert freed["removed_bytes"] > 0
    assert freed["kept_bytes"] > 0
    assert _build(folder, source)["state"] == "unchanged"
    assert json.loads(_run(folder, "corpus", "clean", "--json").stdout)["removed_bytes"] == 0


def test_the_plan_counts_before_anything_runs(source, tmp_path):
    plan = json.loads(_run(tmp_path, "corpus", "plan", str(_recipe(tmp_path, source)), "--json").stdout)
    assert (plan["records"], plan["rejected"]) == (63, 2)
    assert plan["fits"]
    assert not (tmp_path / "work").exists()


def test_the_report_is_one_file_of_numbers(built):
    page = Path(built[1]["manifest"]).with_name("report.html").read_text()
    assert "<svg" in page
    assert not re.search(r"""(src|href)=["']""", page)
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)


def test_no_network_is_asked(source, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "def refuse(*a, **k):\n    raise RuntimeError('network')\n"
        "socket.socket.connect = refuse\nsocket.create_connection = refuse\nsocket.getaddrinfo = refuse\n"
    )
    folder = tmp_path / "offline"
    folder.mkdir()
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = _run_apart(folder, "corpus", "build", str(_recipe(folder, source)), PYTHONPATH=path)
    assert "sealed" in done.stderr


def test_help_answers_at_once():
    started = time.perf_counter()
    subprocess.run([COMMAND, "--help"], check=True, capture_output=True)
    assert time.perf_counter() - started < 3  # 0.25 s on an idle machine; this catches an import of a heavy library
    loaded = subprocess.run(
        [sys.executable, "-c", "import clinicorpus, sys; print(sorted(m for m in ('polars', 'spacy', 'torch') if m in sys.modules))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]"


def test_damage_in_work_is_repaired_by_the_next_build(source, tmp_path):
    folder = tmp_path / "damaged"
    _build(folder, source)
    ward = folder / "work" / "ward"
    (ward / "ledger.parquet").unlink()
    assert _build(folder, source)["state"] == "unchanged"
    assert pl.read_parquet(ward / "ledger.parquet").height == 65
    (ward / "sealed.json").write_text("3")
    (ward / "needed.json").write_text("3")
    next(ward.rglob("record.json")).write_text("[]")
    assert _build(folder, source)["state"] == "same"
    shutil.rmtree(folder / "work")
    assert _build(folder, source)["state"] == "same"
    assert pl.read_parquet(ward / "ledger.parquet").height == 65


def test_a_lost_or_damaged_crosswalk_is_told(source, tmp_path):
    folder = tmp_path / "crosswalk"
    _build(folder, source, crosswalk_seed=None)
    shutil.rmtree(folder / "work" / "ward")
    crosswalk = folder / "work" / "crosswalk.sqlite"
    crosswalk.write_bytes(b"not a database" * 100)
    done = _run(folder, "corpus", "build", "recipe.yaml", check=False)
    assert done.returncode == 2
    assert "the crosswalk cannot be read" in done.stderr
    crosswalk.unlink()
    assert "patients get other codes" in re.sub(r"\s+", " ", _run(folder, "corpus", "build", "recipe.yaml").stderr)


def test_a_corrected_kind_is_read_again(tmp_path):
    path = tmp_path / "notes.txt"
    pl.DataFrame(_rows(6)[:6]).write_csv(path)
    _recipe(tmp_path, path)
    assert "no note could be read" in _run(tmp_path, "corpus", "build", "recipe.yaml", check=False).stderr
    _run(tmp_path, "corpus", "build", "recipe.yaml", "--set", "source.kind=csv")


def test_a_type_of_note_that_few_patients_have_is_withheld(tmp_path):
    rows = [row | {"note_type": f"Letter re {CANARY}" if i % 3 else "clinic"} for i, row in enumerate(_rows()[:60])]
    rows = [row if int(row["patient_id"][1:]) < 10 else row | {"note_type": "clinic"} for row in rows]
    path = tmp_path / "n.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = _recipe(tmp_path, path, crosswalk_seed=None)
    args = ("corpus", "build", str(recipe), "--set", "source.public=false", "--json")
    result = json.loads(_run(tmp_path, *args).stdout)
    types = pl.scan_parquet(tmp_path / result["corpus"] / "pretrain" / "*.parquet").collect()["note_type"]
    assert set(types) == {"clinic", None}
    assert CANARY not in Path(result["manifest"]).read_text()
    assert load(tmp_path / result["manifest"]).stages[0].details == {"rare_note_types": {"types": 1, "notes": 20}}
