"""Selfcheck, attack and the list for review, as a build makes them. Everything here is made up."""

from __future__ import annotations

import html
import json
import stat
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from corpus.checks import draw
from corpus.measure import disclosed
from corpus.recipe import load
from manifests import load as load_manifest
from manifests.card import render_card
from manifests.report import render_report
from tests.command import run_command

COUNT = 30
SURNAMES = "Abelson Brightwater Castellan Dunmore Eversole Farnsworth Grimaldi Hathaway Ingersoll Jankowski".split()
MAYOR = "She is the mayor of the town."


def note(i: int, visit: int) -> str:
    name = f"{SURNAMES[i % 10]}{'ab cd ef'.split()[i // 10]}"
    told = MAYOR if i == 3 and not visit else "No news of brindlemoor yet."
    return (
        f"Patient: {name}, Anna\nMRN: {4410000 + 7 * i}\nCHIEF COMPLAINT: cough number {i * 3 + visit}\nHPI: Ms. {name} has had "
        f"cough for {2 + i} days, rated {i % 10} of 10, on visit {visit * 31 + i}, and takes aspirin {i + visit} mg.\n"
        f"SOCIAL: {told} Called at 617-555-{1000 + 3 * i}.\nPLAN: Recheck in {i + 1} weeks, labs {i * 31 + visit}, with {name}.\n"
    )


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    rows = [
        {"note_id": f"n{i}-{visit}", "patient_id": f"p{i}", "text": note(i, visit), "charted_at": "2019-03-04"}
        for i in range(COUNT) for visit in range(2)
    ]  # fmt: skip
    (folder / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = [
        {"patient_id": f"p{i}", "last_name": f"{SURNAMES[i % 10]}{'ab cd ef'.split()[i // 10]}", "first_name": "Anna",
         "mrn": str(4410000 + 7 * i), "phone": f"617-555-{1000 + 3 * i}", "employer": "Brindlemoor"}
        for i in range(COUNT)
    ]  # fmt: skip
    (folder / "patients.jsonl").write_text("".join(json.dumps(row) + "\n" for row in known))
    return folder


def build(folder: Path, **changes: Any) -> dict[str, Any]:
    recipe = {
        "name": "ward", "source": {"kind": "jsonl", "path": "notes.jsonl", "patient_table": "patients.jsonl"},
        "workers": 1, "shards": 2, "stages": {"deid.detect": {"ner": "none"}, "dedupe.near": {"threshold": 1.0}}, **changes,
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CLINICORPUS_KEYS", str(folder.parent / f"{folder.name}-keys"))
        done = run_command(folder, "corpus", "build", "recipe.yaml", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def built(ward: Path) -> dict[str, Any]:
    return build(ward)


def entry(result: dict[str, Any], what: str) -> dict[str, Any]:
    (found,) = [m for m in result["measured"] if m["what"] == what]
    return dict(found)


def test_with_a_patient_table_recall_is_measured_by_a_detection_that_did_not_see_it(built: dict[str, Any]) -> None:
    checked = entry(built, "selfcheck")
    assert (checked["gold"], checked["origin"]) == ("patient table", "in-domain")
    figures = checked["figures"]
    assert figures["sample"] == {
        "notes": 60, "of_notes": 60, "patients": COUNT, "of_patients": COUNT, "drawn": "whole patients",
    }  # fmt: skip
    # Only the table knows what brindlemoor is; with it every place is masked.
    assert (figures["identifiers"]["EMPLOYER"]["places"], figures["identifiers"]["EMPLOYER"]["masked"]) == (59, 0)
    assert figures["identifiers"]["NAME"]["places"] == 180
    assert figures["overall"]["places"] == 359


def test_the_attack_runs_on_what_is_released_and_is_scored_with_the_table(built: dict[str, Any]) -> None:
    attacked = entry(built, "attack")
    assert (attacked["gold"], attacked["origin"]) == ("originals and patient table", "in-domain")
    figures = attacked["figures"]
    assert figures["scored_against"] == ["patient table", "originals"]
    assert figures["left"]["any"]["places"] == 0
    assert figures["sample"]["patients"] == COUNT
    assert figures["linking"]["all_rare_words"]["queries"] > 0


def test_card_and_report_tell_each_in_one_line(ward: Path, built: dict[str, Any]) -> None:
    sealed = load_manifest(ward / built["manifest"])
    card, report = render_card(sealed), html.unescape(render_report(sealed))
    for told in (
        "Without the patient table, detection masks ",
        "A direct identifier of the patient table is left of 0%",
    ):
        assert sum(told in line for line in card.splitlines()) == 1
        assert told in report
    assert "selfcheck** against patient table (origin: in-domain)" in card
    assert "Flagged for review, not masked: public office in <11 notes" in report
    assert "public office in <11 notes" in card


def test_rules_and_kinds_are_counted_in_the_manifest_and_small_counts_hidden(ward: Path, built: dict[str, Any]) -> None:
    sealed = load_manifest(ward / built["manifest"])
    (details,) = [s.details for s in sealed.stages if s.name == "deid.detect"]
    assert details["review"] == {"notes": "<11", "public_office": "<11"}
    assert set(details["rules"].values()) <= {"<11", *(f"{n * 10}" for n in range(1, 40))}
    assert any(rule.startswith("known.") for rule in details["rules"])


def test_the_list_for_review_stays_in_the_phi_zone(ward: Path, built: dict[str, Any]) -> None:
    page = ward / "work" / "ward" / "review.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    text = page.read_text()
    assert "public office: 1" in text
    assert "She is the <mark>mayor</mark> of the town." in text
    assert not any("mayor" in p.read_text() for p in (ward / "manifests").rglob("*") if p.is_file())
    records = pl.read_parquet(ward / "work" / "ward" / "ledger.parquet").filter(pl.col("note_id") == "n3-0")["record"]
    assert f"<code>{records[0]}</code>" in text


def test_every_decision_is_explained_in_the_phi_zone(ward: Path, built: dict[str, Any]) -> None:
    """Span, recognizer, score, rule and action stand in one table of the work folder."""
    folders = ward / "work" / "ward" / "segments"
    tables = [pl.read_parquet(p) for p in folders.glob("filters/*/data.parquet")]
    spans = pl.concat([t.select("record", "spans") for t in tables]).explode("spans").unnest("spans")
    assert spans.height > 200
    assert (
        spans.select("start", "end", "identifier", "recognizer", "score", "action").null_count().sum_horizontal()[0]
        == 0
    )
    assert (spans["score"] > 0).all()
    assert spans["recognizer"].str.contains(r"^\w+\.\w+").all()
    assert set(spans["action"]) <= {"placeholder", "generalise", "generalize", "keep", "surrogate", "shift"}
    page = (ward / "work" / "ward" / "examples.html").read_text()
    assert "NAME · known." in page
    assert " · placeholder" in page


def test_both_can_be_switched_off_and_a_build_stays_reproducible(ward: Path, built: dict[str, Any]) -> None:
    assert build(ward)["state"] == "unchanged"
    quiet = build(ward, measure={"selfcheck": False, "attack": False})
    assert [m["what"] for m in quiet["measured"]] == []
    assert quiet["version"] != built["version"]
    again = build(ward, shards=3)
    assert (entry(again, "selfcheck"), entry(again, "attack")) == (entry(built, "selfcheck"), entry(built, "attack"))


def test_notes_without_patients_are_attacked_with_nothing_but_the_originals(ward: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (ward / "notes.jsonl").read_text().splitlines()]
    for row in rows:
        del row["patient_id"]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = build(tmp_path, source={"kind": "jsonl", "path": "notes.jsonl"})
    assert [m["what"] for m in result["measured"]] == ["attack"]
    attacked = entry(result, "attack")
    assert (attacked["gold"], attacked["figures"]["linking"], attacked["figures"]["patients"]) == (
        "originals",
        None,
        None,
    )


def test_a_sample_is_of_whole_patients_within_its_budget() -> None:
    sizes = pl.DataFrame({"patient": [f"p{i}" for i in range(100)], "notes": [2] * 100, "chars": [1000] * 100})
    drawn = draw(sizes, "attack", budget=10_500)
    assert (drawn.patients.len(), drawn.notes, drawn.of_patients, drawn.of_notes) == (10, 20, 100, 200)
    assert draw(sizes.reverse(), "attack", budget=10_500).patients.to_list() == drawn.patients.to_list()
    assert draw(sizes, "selfcheck", budget=10_500).patients.to_list() != drawn.patients.to_list()
    assert draw(sizes, "attack", budget=10_500, most=4).patients.to_list() == drawn.patients.to_list()[:4]
    assert draw(sizes, "attack", budget=3).patients.len() == 1
    assert drawn.told()["patients"] == "<11"


def test_only_measurements_on_gold_are_pooled() -> None:
    """A selfcheck has `leaks` and `identifiers` too, of another shape."""
    figures = {"leaks": {"notes": 1 / 3}, "identifiers": {"NAME": {"places": 3}}}
    (out,) = disclosed([{"what": "selfcheck", "gold": "patient table", "origin": "in-domain", "figures": figures}])
    assert out["figures"] == {"leaks": {"notes": 0.333333}, "identifiers": {"NAME": {"places": 3}}}


def test_an_unknown_switch_is_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    from clinicorpus_errors import UserError

    path = tmp_path / "r.yaml"
    path.write_text("name: x\nsource: {kind: jsonl, path: n.jsonl}\nmeasure: {atack: true}\n")
    with pytest.raises(UserError) as error:
        load(path)
    assert "did you mean attack?" in str(error.value.cause)
