"""A corpus against the versions sealed before it, through the command."""

import json
import os
import random
import shutil

import polars as pl
import pytest

from manifests import load, newest, verify
from manifests.versions import version_folder
from tests.command import run_command

WORDS = [f"word{i}" for i in range(3000)]


def _words(number):
    return random.Random(number).choices(WORDS, k=120)


def _note(words):
    return "The patient was seen and is well with no pain. " + " ".join(words)


def _text(number, changed=()):
    return _note("other" if i in changed else word for i, word in enumerate(_words(number)))


def _far(number):
    """Linked to `_text(number)`, and too far from it to be dropped."""
    return _text(number, range(5, 120, 40))


def _between(one, other):
    """From one note to another in steps, each linked to the one before and too far from it to be dropped."""
    words = [*_words(one), *_words(other)]
    return [_note(words[step : step + 120]) for step in range(12, 120, 12)]


def _rows(patients, texts, day="2019-03-01T08:00:00"):
    return [
        {"note_id": note_id, "text": text, **({"patient_id": note_id.split("-")[0], "charted_at": day} if patients else {})}
        for note_id, text in texts.items()
    ]  # fmt: skip


FIRST = {f"p{i}-a": _text(i) for i in range(30)}
LATER = {
    "p0-a": _text(0),  # the same note again
    "p1-b": _text(1, [60]),  # nearly the same
    "p90-a": _text(90),
    "p90-b": _text(90).upper(),
    **{f"far{i}": _far(i) for i in range(2, 12)},
}
# Other shares than the first version had.
AGAINST = {
    "against": ["ward@0.1.0"], "version": "0.2",
    "stages": {"deid.detect": {"ner": "none"}, "split": {"validation": 0.01, "test": 0.01, "nonmember": 0.01}},
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def keys(tmp_path_factory):
    """A known key, so that splits and the order of records are those that the tests were written with."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "hospital.key").write_bytes(b"k" * 32)
    (folder / "hospital.key").chmod(0o600)
    os.environ["CLINICORPUS_KEYS"] = str(folder)
    yield
    del os.environ["CLINICORPUS_KEYS"]


def _build(root, rows, check=True, **more):
    root.mkdir(exist_ok=True)
    (root / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = {
        "name": "ward", "source": {"kind": "jsonl", "path": "notes.jsonl", "public": True}, "key": "hospital",
        "crosswalk_seed": 3, "shards": 2, "workers": 1, "measure": {"selfcheck": False, "attack": False},
        "stages": {"deid.detect": {"ner": "none"}, "split": {"validation": 0.2, "test": 0.3, "nonmember": 0.2}}, **more,
    }  # fmt: skip
    (root / "recipe.yaml").write_text(json.dumps(recipe))
    done = run_command(root, "corpus", "build", "recipe.yaml", "--json")
    if check:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return done


def _ledger(root, name="ward"):
    rows = pl.read_parquet(root / "work" / name / "ledger.parquet").select(
        "note_id", "record", "reason", "kept", "past"
    )
    return {row["note_id"]: row for row in rows.iter_rows(named=True)}


def _splits(root, name, version):
    files = (root / "corpora" / name / version).glob("[ps]*/*.parquet")
    return {
        record: path.name.split("-")[0]
        for path in files
        for record in pl.read_parquet(path, columns=["record"])["record"]
    }


def _files(result):
    return {f["path"]: f["sha256"] for f in result["files"] if f["path"].endswith(".parquet")}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with one version, of notes without patients."""
    root = tmp_path_factory.mktemp("past") / "one"
    assert _build(root, _rows(False, FIRST))["version"] == "0.1.0"
    return root


@pytest.fixture
def root(workspace, tmp_path):
    shutil.copytree(workspace, tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture(scope="module")
def later(workspace, tmp_path_factory):
    """The workspace with a second version against the first, the notes of it, and ledger and splits of the first."""
    root = tmp_path_factory.mktemp("later") / "root"
    shutil.copytree(workspace, root)
    first, places = _ledger(root), _splits(root, "ward", "0.1.0")
    split = {i: places[first[f"p{i}-a"]["record"]] for i in range(12, 30)}
    ends = [next(i for i in split if split[i] == name) for name in ("train", "test")]
    notes = LATER | {f"step{n}": text for n, text in enumerate(_between(*ends))}
    return root, notes, (first, places), _build(root, _rows(False, notes), **AGAINST)


def test_what_repeats_an_earlier_version_goes_and_names_its_record(later):
    root, notes, (first, _places), built = later
    found = _ledger(root)
    gone = {note for note in notes if found[note]["reason"]}
    assert gone in ({"p0-a", "p1-b", "p90-a"}, {"p0-a", "p1-b", "p90-b"})
    assert [tuple(found[n][c] for c in ("reason", "kept", "past")) for n in ("p0-a", "p1-b")] == [
        ("dedupe.past_exact", first["p0-a"]["record"], "ward@0.1.0"),
        ("dedupe.past_near", first["p1-a"]["record"], "ward@0.1.0"),
    ]
    stages = {stage["name"]: stage["dropped"] for stage in built["stages"]}
    assert stages["dedupe.exact"] == {"dedupe.exact": 1, "dedupe.past_exact": 1}
    assert stages["dedupe.near"] == {"dedupe.past_near": 1}


def test_a_linked_note_goes_where_the_earlier_one_is_whatever_the_shares_are_now(later):
    root, _notes, (first, places), _built = later
    found, now = _ledger(root), _splits(root, "ward", "0.2.0")
    there = [places[first[f"p{i}-a"]["record"]] for i in range(2, 12)]
    assert len(set(there)) > 2
    assert [now[found[f"far{i}"]["record"]] for i in range(2, 12)] == there


def test_between_two_earlier_splits_held_out_wins(later):
    root, notes, _first, _built = later
    found, now = _ledger(root), _splits(root, "ward", "0.2.0")
    assert {now[found[note]["record"]] for note in notes if note.startswith("step")} == {"test"}


def test_the_manifest_says_against_what(later):
    root, _notes, _first, _built = later
    path = newest(root, "ward")
    (against,) = load(path).against
    earlier = version_folder(root, "ward", "0.1.0") / "manifest.json"
    assert (against.name, against.version, against.notes) == ("ward", "0.1.0", 30)
    assert against.dropped == {"dedupe.past_exact": 1, "dedupe.past_near": 1}
    assert against.schemes["near"].startswith("tokens")
    assert verify(path, root) == []
    assert "ward 0.1.0" in path.with_name("report.html").read_text()
    assert "Deduplicated against ward 0.1.0" in (root / "corpora" / "ward" / "0.2.0" / "README.md").read_text()
    before = earlier.read_bytes()
    earlier.write_bytes(before.replace(b'"bytes": ', b'"bytes":  ', 1))
    try:
        assert any("deduplicated against, was changed" in problem for problem in verify(path, root))
    finally:
        earlier.write_bytes(before)


@pytest.mark.slow
def test_shards_and_order_do_not_matter(later, root):
    _root, notes, _first, built = later
    again = _build(root, _rows(False, dict(reversed(notes.items()))), **AGAINST, shards=3, workers=2)
    assert _files(again) == _files(built)


def test_an_unchanged_build_runs_no_stage(later):
    root, notes, _first, built = later
    again = _build(root, _rows(False, notes), **AGAINST)
    assert (again["state"], again["version"]) == ("unchanged", built["version"])


def test_signatures_stay_in_the_phi_zone_and_hold_the_released_only(later):
    root, _notes, _first, _built = later
    folder = root / "work" / "ward" / "signatures" / "0.2.0"
    stored = pl.concat([pl.read_parquet(p) for p in sorted(folder.glob("signatures-*"))])
    assert set(stored["note_id"]) == set(_splits(root, "ward", "0.2.0"))
    assert folder.stat().st_mode & 0o077 == 0
    assert not list((root / "corpora").rglob("*signatures*"))


@pytest.mark.slow
def test_a_patient_of_another_corpus_keeps_the_split_and_the_days(tmp_path):
    root = tmp_path / "root"
    _build(root, _rows(True, FIRST), crosswalk_seed=None)
    before, first = _splits(root, "ward", "0.1.0"), _ledger(root)
    new = {f"p{i}-z": _text(i, [60]) for i in range(10)} | {f"q{i}-z": _text(i, [61]) for i in range(5)}
    rows = _rows(True, new, day="2021-05-05T08:00:00")
    _build(root, rows, name="clinic", against=["ward@0.1.0"], crosswalk_seed=None)
    found, after = _ledger(root, "clinic"), _splits(root, "clinic", "0.1.0")
    # Other days of the same patients stay; of other patients, not.
    assert {note for note, row in found.items() if row["reason"]} == {f"q{i}-z" for i in range(5)}
    assert all(
        after[found[f"p{i}-z"]["record"]] == before[first[f"p{i}-a"]["record"]] for i in range(10)
    )  # fmt: skip


def _drop(root, version="0.1.0"):
    return root / "work" / "ward" / "signatures" / version


@pytest.mark.parametrize(
    ("damage", "changes", "said"),
    [
        (None, {"against": ["ward@0.7.0"]}, ("not sealed in this workspace", "ward@0.1.0")),
        (None, {"against": ["ward@0.1.0"], "key": "another"}, ("under another key", "key: ward")),
        (None, {"against": ["ward@0.1.0"], "crosswalk_seed": 4}, ("has other codes", "crosswalk_seed")),
        ("missing", {"against": ["ward@0.1.0"]}, ("missing", "build ward again")),
        ("damaged", {"against": ["ward@0.1.0"]}, ("damaged", "build ward again")),
        (None, {"against": ["ward@0.1.0"], "numbers_apart": True}, ("in another way", "numbers")),
        (None, {"against": ["ward 0.1.0"]}, ("against.0", "pattern")),
        (None, {"against": ["ward@0.1.0", "ward@0.1.0"]}, ("named twice", "correct the recipe")),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_stops_before_any_work(root, damage, changes, said):
    if damage == "missing":
        shutil.rmtree(_drop(root))
    elif damage == "damaged":
        path = next(_drop(root).glob("signatures-*"))
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    done = _build(root, _rows(False, LATER), check=False, version="0.2", **changes)
    assert done.returncode == 2
    assert all(part in done.stderr for part in said), done.stderr
    assert "read notes" not in done.stderr
    assert not (root / "corpora" / "ward" / "0.2.0").exists()


@pytest.mark.slow
@pytest.mark.parametrize("state", ["unchanged", "same"])
def test_the_same_build_puts_lost_signatures_back(root, state):
    whole = {p.name: p.read_bytes() for p in _drop(root).iterdir()}
    shutil.rmtree(_drop(root))
    if state == "same":
        shutil.rmtree(root / "work" / "ward")
    assert _build(root, _rows(False, FIRST))["state"] == state
    assert {p.name: p.read_bytes() for p in _drop(root).iterdir()} == whole


def test_clean_leaves_signatures_of_sealed_versions(later):
    root, notes, _first, _built = later
    assert run_command(root, "corpus", "clean").returncode == 0
    assert (_drop(root) / "record.json").is_file()
    again = _build(root, _rows(False, notes), **AGAINST)
    assert again["state"] == "unchanged"


@pytest.mark.slow
def test_numbers_of_the_recipe_reach_both_stages(root):
    texts = {"a-1": _text(1) + " dose 1.5 mg", "a-2": _text(1) + " dose 15 mg", "a-3": _text(1) + " dose 1.5 mg daily"}
    _build(root, _rows(False, texts), name="doses")
    assert sum(row["reason"] is None for row in _ledger(root, "doses").values()) == 1
    _build(root, _rows(False, texts), name="doses", numbers_apart=True)
    kept = {note for note, row in _ledger(root, "doses").items() if row["reason"] is None}
    assert "a-2" in kept
    assert len(kept) == 2
    stages = {stage.name: stage for stage in load(newest(root, "doses")).stages}
    assert [stages[name].params["numbers_apart"] for name in ("dedupe.exact", "dedupe.near")] == [True] * 2
    assert "numbers1" in stages["dedupe.near"].details["scheme"]
