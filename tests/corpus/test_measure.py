"""What is measured in a build: through the gate, into the manifest, and without small cells of patients' gold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from corpus.measure import disclosed, gold_digests
from corpus.recipe import Gold, load
from deid.evaluate import GOLD_SCHEMA, evaluate
from deid.spans import SPANS_DTYPE
from manifests import load as load_manifest
from manifests.card import render_card
from manifests.report import render_report
from tests.command import run_command

COUNTS = {"NAME": 60, "DATE": 40, "SSN": 9, "VEHICLE": 3, "EMAIL": 11, "URL": 12}


def measured(counts: dict[str, int], origin: str, *, kinds: dict[str, int] | None = None) -> dict[str, Any]:
    """One gold span a note, each its own patient; every tenth is missed."""
    labels = [name for name, count in counts.items() for _ in range(count)]
    kinds = kinds or {"note": len(labels)}
    notes = pl.DataFrame(
        {
            "note_id": [str(i) for i in range(len(labels))], "text": ["abcd efg"] * len(labels),
            "patient_id": [f"p{i}" for i in range(len(labels))],
            "kind": [name for name, count in kinds.items() for _ in range(count)], "file": ["Roe.txt"] * len(labels),
        }
    )  # fmt: skip
    gold = pl.DataFrame(
        [(str(i), 0, 4, name) for i, name in enumerate(labels)], schema=GOLD_SCHEMA, orient="row"
    ).with_columns(entity=pl.col("note_id"))
    span = {"start": 0, "end": 4, "score": 1.0, "recognizer": "t"}
    spans = [[{**span, "identifier": name}] if i % 10 else [] for i, name in enumerate(labels)]
    predicted = pl.DataFrame({"note_id": notes["note_id"], "spans": pl.Series(spans, dtype=SPANS_DTYPE)})
    return {
        "what": "deid", "gold": "g", "origin": origin, "figures": evaluate(notes, gold, predicted, origin=origin),
    }  # fmt: skip


def test_small_cells_of_patients_gold_are_pooled_so_that_none_follows_from_the_rest() -> None:
    whole = measured(COUNTS, "in-domain")
    figures = disclosed([whole])[0]["figures"]
    assert set(figures["identifiers"]) == {"NAME", "DATE", "EMAIL", "URL"}
    pooled = figures["identifiers_pooled"]
    assert (pooled["of"], pooled["gold"]) == (["SSN", "VEHICLE"], 12)
    assert pooled["full_cover_recall"] == pytest.approx(pooled["full_cover"] / 12)
    assert (
        set(figures["leaks"]["by_identifier"]) == set(figures["entities"]["identifiers"]) == set(figures["identifiers"])
    )
    assert figures["overall"]["gold"] == 135
    # The measurement itself is whole: the gate decides on all of it.
    assert set(whole["figures"]["identifiers"]) == set(COUNTS)


def test_one_small_cell_takes_another_with_it() -> None:
    figures = disclosed([measured({"NAME": 60, "SSN": 3, "URL": 12}, "in-domain")])[0]["figures"]
    assert set(figures["identifiers"]) == {"NAME"}
    assert figures["identifiers_pooled"]["gold"] == 15
    nearly_nothing = disclosed([measured({"SSN": 3}, "in-domain")])[0]["figures"]
    assert nearly_nothing["identifiers_pooled"]["gold"] == "<11"
    assert nearly_nothing["identifiers_pooled"]["full_cover_recall"] is None


def test_rare_kinds_of_notes_lose_their_names() -> None:
    kinds = {"clinic": 100, "Letter re Roe": 4, "ward": 31}
    figures = disclosed([measured(COUNTS, "in-domain", kinds=kinds)])[0]["figures"]
    assert set(figures["slices"]["kind"]["each"]) == {"clinic", "2 kinds of few notes"}
    assert "Roe" not in json.dumps(figures)


@pytest.mark.parametrize("origin", ["synthetic", "public"])
def test_gold_of_nobody_or_published_is_shown_whole_but_for_file_names(origin: str) -> None:
    figures = disclosed([measured(COUNTS, origin)])[0]["figures"]
    assert set(figures["identifiers"]) == set(COUNTS)
    assert set(figures["slices"]) == {"kind"}
    assert "Roe" not in json.dumps(figures)


def test_figures_have_six_digits() -> None:
    whole = measured(COUNTS, "public")
    assert whole["figures"]["overall"]["full_cover_recall"] == 121 / 135
    assert disclosed([whole])[0]["figures"]["overall"]["full_cover_recall"] == 0.896296


def test_a_folder_of_gold_has_a_digest_that_follows_its_files(tmp_path: Path) -> None:
    item = Gold(name="g", path=tmp_path, origin="in-domain")
    (tmp_path / "a.txt").write_text("one")
    first = gold_digests([item])
    assert first == gold_digests([item])
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert gold_digests([item]) != first


# --- in a build --------------------------------------------------------------------------------------------------


def note(i: int) -> str:
    return (
        f"CHIEF COMPLAINT: cough number {i}\nHPI: Called at 617-555-{i:04d}; she has had cough for {2 + i} days, rated "
        f"{i % 10} of 10, visit {i * 7919 % 1000}, and takes aspirin {i} mg.\nPLAN: Recheck in {i + 1} weeks, labs {i * 31}.\n"
    )


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLINICORPUS_KEYS", str(tmp_path.parent / f"{tmp_path.name}-keys"))
    rows = [{"note_id": f"n{i}", "patient_id": f"p{i // 2}", "text": note(i)} for i in range(40)]
    (tmp_path / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "gold").mkdir()
    text = "\n=====\n".join(
        f"#@ patient=p{i}\n#@ kind=call\nCalled at [[PHONE:617-555-{i:04d}]] today" for i in range(700)
    )
    (tmp_path / "gold" / "Roe.txt").write_text(text)
    return tmp_path


def build(folder: Path, origin: str = "in-domain", **changes: Any) -> dict[str, Any]:
    recipe = {
        "name": "ward", "source": {"kind": "jsonl", "path": "notes.jsonl"}, "workers": 1, "shards": 1,
        "stages": {"deid.detect": {"ner": "none"}}, "gold": [{"name": "calls", "path": "gold", "origin": origin}],
        **changes,
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    done = run_command(folder, "corpus", "build", "recipe.yaml", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_build_seals_its_verdict_and_an_override_is_a_version_of_its_own(ward: Path) -> None:
    passed = build(ward)
    assert (passed["gate"]["verdict"], passed["gate"]["status"]) == ("passed", "may be released")
    assert build(ward)["state"] == "unchanged"
    synthetic = build(ward, "synthetic")
    assert (synthetic["gate"]["verdict"], synthetic["version"]) == ("insufficient evidence", "0.1.1")
    reason = "shown to the privacy officer in the building only"
    overridden = build(ward, "synthetic", gate={"override_reason": reason, "override_by": "M. Officer"})
    assert (overridden["gate"]["status"], overridden["version"]) == ("may be released by override", "0.1.2")
    sealed = load_manifest(ward / overridden["manifest"])
    assert [line["reason"] for line in sealed.overrides] == [reason]
    assert reason in (ward / overridden["corpus"] / "README.md").read_text()
    audit = run_command(ward, "audit", "corpus", "--json")
    assert audit.returncode == 0, audit.stdout
    assert [row["gate"] for row in json.loads(audit.stdout)] == [
        "may be released", "not released: insufficient evidence", "may be released by override",
    ]  # fmt: skip
    for path in (ward / "manifests").rglob("*"):
        assert path.is_dir() or "Roe" not in path.read_text()
    told = run_command(ward, "corpus", "build", "recipe.yaml").stderr
    assert "release gate: insufficient evidence, may be released by override" in told
    assert "calls: synthetic gold does not count for notes of real patients" in told


def test_a_changed_verdict_fails_the_audit(ward: Path) -> None:
    result = build(ward, "synthetic")
    path = ward / result["manifest"]
    body = json.loads(path.read_text())
    body["gate"] |= {"verdict": "passed", "status": "may be released"}
    path.write_text(json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    audit = run_command(ward, "audit", "corpus", "--json")
    assert audit.returncode == 1
    assert "no evidence that counts passed" in audit.stdout


def test_what_is_sealed_renders_again_to_the_same_bytes(ward: Path) -> None:
    result = build(ward)
    sealed = load_manifest(ward / result["manifest"])
    with_card = sealed.model_copy(update={"files": [f for f in sealed.files if f.product != "report"]})
    assert render_report(with_card) == (ward / result["manifest"]).with_name("report.html").read_text()
    bare = sealed.model_copy(update={"files": [f for f in sealed.files if f.product not in ("card", "report")]})
    assert render_card(bare) == (ward / result["corpus"] / "README.md").read_text()


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{override_reason: ok}", "gate.override_reason: 'ok': a reason says why"),
        ("{notes: 0.02}", "thresholds_reason is missing"),
        ("{override: yes}", "did you mean override_by?"),
    ],
)
def test_a_gate_that_is_weakened_without_a_reason_is_a_mistake_of_the_recipe(
    tmp_path: Path, gate: str, said: str
) -> None:
    from clinicorpus_errors import UserError

    path = tmp_path / "r.yaml"
    path.write_text(f"name: x\nsource: {{kind: jsonl, path: n.jsonl}}\ngate: {gate}\n")
    with pytest.raises(UserError) as error:
        load(path)
    assert said in str(error.value.cause)
