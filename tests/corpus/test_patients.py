"""The patient table on its way to detection: under the codes of the shards, refused where it tells nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clinicorpus_errors import UserError
from corpus.ingest import ingest
from corpus.keys import DEMO_KEY, purpose_keys
from corpus.patients import FILE, coded, open_known, table_file, write_known
from corpus.recipe import Recipe, load
from corpus.zones import Workspace
from tests.command import run_command

TABLE = "patient_id,first_name,last_name,mrn\np1,Maria,Gonzalez,00482913\np2,Ingrid,Tarnholt,77120045\np9,Jan,Berg,55501234\n"
CODES = pl.DataFrame(
    {"patient_id": ["p1", "p1", "p2", None], "patient": ["aa", "aa", "bb", "cc"], "record": ["r1", "r2", "r3", "r4"]}
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "patients.csv"
    path.write_text(TABLE)
    return path


def test_values_stand_under_codes_and_those_of_strangers_under_none(table: Path, tmp_path: Path) -> None:
    out = tmp_path / FILE
    counts = write_known(table, CODES, out)
    assert counts == {"patients": 3, "with_notes": 2, "values": 12}
    known = open_known(out)
    assert ("last_name", "Tarnholt") in known.rows("bb")
    assert known.rows("p1") == []
    assert known.rows("p2") == []
    found = known.matcher("aa").find("Gonzalez, Tarnholt, Berg, 482913, 77120045, 55501234")
    assert [s.recognizer for s in found] == ["known.name", "known.mrn", "known.any_mrn", "known.any_mrn"]


def test_written_bytes_are_the_same_again(table: Path, tmp_path: Path) -> None:
    write_known(table, CODES, tmp_path / "a")
    write_known(table, CODES.reverse(), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_of_other_patients_is_refused(table: Path) -> None:
    with pytest.raises(UserError, match="no patient of the patient table has a note"):
        write_known(table, CODES.with_columns(patient_id=pl.lit("x")), table)
    with pytest.raises(UserError, match="the notes name no patients"):
        coded(pl.DataFrame(), CODES.with_columns(patient_id=pl.lit(None, dtype=pl.String)))


def test_which_file_a_recipe_means(tmp_path: Path, table: Path) -> None:
    assert table_file(None, None) is None
    assert table_file(table, None) == table
    assert table_file(Path("hospital"), tmp_path) == tmp_path / "patients.parquet"
    with pytest.raises(UserError, match="no such patient table"):
        table_file(tmp_path / "absent.csv", None)


def _recipe(tmp_path: Path, table: str | None) -> Recipe:
    notes = tmp_path / "notes.csv"
    notes.write_text("note_id,patient_id,text\nn1,p1,Gonzalez was seen\nn2,p2,Tarnholt left\n")
    source = {"kind": "csv", "path": str(notes), "public": True, "patient_table": table}
    return Recipe.model_validate({"name": "t", "source": source, "crosswalk_seed": 1, "shards": 2})


def test_ingest_lays_the_table_beside_the_shards(tmp_path: Path, table: Path) -> None:
    workspace, keys = Workspace(tmp_path / "w"), purpose_keys(DEMO_KEY, "demo")
    with workspace.enter():
        blind = ingest(_recipe(tmp_path, None), workspace, keys)
        first = ingest(_recipe(tmp_path, str(table)), workspace, keys)
        again = ingest(_recipe(tmp_path, str(table)), workspace, keys)
        table.write_text(TABLE.replace("00482913", "00482914"))
        changed = ingest(_recipe(tmp_path, str(table)), workspace, keys)
    assert blind.known is None
    assert first.known is not None
    assert changed.known is not None
    assert first.account["details"]["patient_table"] == {"patients": 3, "with_notes": 2, "values": 12}
    assert again.known == first.known
    assert (again.fresh, changed.fresh) == (False, True)
    assert changed.known[1] != first.known[1]
    assert [digest for _, digest in changed.shards] == [digest for _, digest in blind.shards]
    patient = pl.concat([pl.read_parquet(path) for path, _ in first.shards]).filter(
        pl.col("text").str.contains("Gonz")
    )["group"][0]
    assert ("last_name", "Gonzalez") in open_known(first.known[0]).rows(patient)
    assert first.known[0].is_relative_to(workspace.work)


def test_a_recipe_names_its_table_and_does_not_show_its_path(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: t\nsource: {kind: csv, path: a.csv, patient_table: MRN44.csv}\n")
    recipe, given = load(path)
    assert recipe.source.patient_table == Path("MRN44.csv")
    assert given["source"]["patient_table"] == recipe.resolved()["source"]["patient_table"] == "(withheld)"
    hospital, given = load(path, ["source={kind: synthetic, patient_table: hospital}"])
    assert given["source"]["patient_table"] == hospital.resolved()["source"]["patient_table"] == "hospital"
    with pytest.raises(UserError, match="mistake"):
        load(path, ["source={kind: synthetic, patient_table: other.csv}"])


NOTES = [
    ("n1", "p1", "Gonzalez slept well, and the wound of Maria is dry. Her number 77120045 was on the wrong chart."),
    ("n2", "p2", "She was well; tarnhotl walked. Nothing else is to be told of this visit to the ward on the hill."),
]


def _masked(folder: Path, *more: str) -> dict[str, str]:
    out = folder / "out.parquet"
    done = run_command(folder, "deid", "apply", "notes.csv", "--out", str(out), "--workers", "1", *more)
    assert done.returncode == 0, done.stderr
    return dict(pl.read_parquet(out).select("note_id", "text").iter_rows())


def test_the_command_finds_what_the_table_knows(tmp_path: Path, table: Path) -> None:
    pl.DataFrame(NOTES, schema=["note_id", "patient_id", "text"], orient="row").write_csv(tmp_path / "notes.csv")
    texts = _masked(tmp_path, "--patients", str(table))
    assert not {"Gonzalez", "Maria", "77120045"} & set(re.findall(r"\w+", texts["n1"]))
    assert "tarnhotl" not in texts["n2"]
    done = run_command(tmp_path, "deid", "detect", "notes.csv", "--out", "o.jsonl", "--patients", "absent.csv")
    assert done.returncode == 2
    assert "no such patient table" in done.stderr


def test_a_build_finds_what_the_table_knows_and_another_table_runs_again(tmp_path: Path, table: Path) -> None:
    rows = [
        (f"n{i}", f"p{1 + i % 2}", NOTES[i % 2][2] + f" Day {i} of {i * 7} was calm, and the rest is of no {i}.")
        for i in range(8)
    ]
    pl.DataFrame(rows, schema=["note_id", "patient_id", "text"], orient="row").write_csv(tmp_path / "notes.csv")
    recipe = {
        "name": "t", "crosswalk_seed": 1, "shards": 2, "workers": 1, "stages": {"deid.detect": {"ner": "none"}},
        "source": {"kind": "csv", "path": "notes.csv", "public": True, "patient_table": str(table)},
    }  # fmt: skip
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    keys = {"CLINICORPUS_KEYS": str(tmp_path.parent / "keys_of_patients")}

    def build() -> dict[str, Any]:
        done = run_command(tmp_path, "corpus", "build", "r.yaml", "--root", "w", "--json", **keys)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    first = build()
    texts = " ".join(
        t
        for p in (tmp_path / "w" / "corpora").rglob("*.parquet")
        for t in pl.read_parquet(p).get_column("text", default=pl.Series([""]))
    )
    assert not {"Gonzalez", "tarnhotl", "77120045"} & set(re.findall(r"\w+", texts))
    assert build()["state"] == "unchanged"
    table.write_text(TABLE.replace("Tarnholt", "Tarnheim"))
    assert (build()["state"], first["state"]) == ("sealed", "sealed")
