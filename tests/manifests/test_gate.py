"""The release gate in the manifest: what fits together, what a user of the corpus is told, old manifests."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from manifests.card import render_card
from manifests.corpus_manifest import CorpusManifest, release_notice
from manifests.rendering import deid_rows, deid_tables, percent
from manifests.report import render_report
from manifests.verify import gate_status

BOUND = {
    "leaking": 0, "holding": 800, "share": 0.0, "upper": 0.0037, "allowed": 0.005, "confidence": 0.95,
    "verdict": "passed",
}  # fmt: skip
GATE: dict[str, Any] = {
    "verdict": "passed", "status": "may be released", "source": "private",
    "thresholds": {"notes": 0.005, "patients": 0.02, "confidence": 0.95}, "reasons": [], "caveats": ["a caveat"],
    "evidence": [
        {
            "gold": "ward sample", "origin": "in-domain", "counts": True, "verdict": "passed", "notes": BOUND,
            "patients": None, "identifiers": {"NAME": {"notes_holding": 700, "notes_leaking": 0, "upper": 0.0043}},
        },
        {
            "gold": "made up", "origin": "synthetic", "counts": False, "verdict": None, "notes": None, "patients": None,
            "identifiers": {},
        },
    ],
}  # fmt: skip
FAILED = {**GATE, "verdict": "failed", "status": "not released: gate failed", "reasons": ["3 of 40 notes"]}
OVERRIDE = {"rule": "release gate", "verdict": "failed", "reason": "used inside the hospital only", "by": "a person"}
# Measurements of a version sealed before there was a gate.
OLD = {
    "notes": 3, "notes_with_gold": 2,
    "overall": {"gold": 4, "predicted": 4, "full_cover": 3, "full_cover_recall": 0.75, "full_cover_recall_95": [0.19, 0.99],
                "any_cover": 4, "any_cover_recall": 1.0, "precision": None},
    "identifiers": {"NAME": {"safe_harbor": "A", "gold": 0, "predicted": 4, "full_cover": 0, "full_cover_recall": None,
                             "full_cover_recall_95": [0.0, 1.0], "any_cover": 0, "any_cover_recall": None, "precision": 0.5}},
    "leaks": {"notes_with_any_leak": {"leaking": 1, "notes": 3, "share": 0.33, "upper_95": 0.86}},
    "over_masking": {"characters_outside_gold": 90, "masked": 9, "share": 0.1},
}  # fmt: skip


def manifest(*, kind: str = "csv", public: bool = False, **changes: Any) -> CorpusManifest:
    stage = {
        "name": "reader", "scope": "source", "code": "0", "params": {}, "records_in": 1, "created": {}, "dropped": {},
        "records_out": 1, "chars_in": 1, "inserted": {}, "removed": {}, "chars_out": 1,
    }  # fmt: skip
    body = {
        "corpus": {"name": "ward", "version": "0.1.0", "created_at": "t", "retain_until": "t", "previous": None},
        "recipe": {"given": {}, "resolved": {}},
        "source": {
            "kind": kind, "holder": None, "legal_basis": None, "agreement": None, "purpose": None, "public": public,
            "bytes": 1, "code": "0", "patient_unit": "patient_id",
        },
        "key": {"id": "k", "kind": "release", "nonces": "random"}, "stages": [stage],
        "policy": {"name": "p", "sha256": "0", "determination": {"status": "not determined"}},
        "measured": [{"what": "deid", "gold": "old", "origin": "public", "figures": OLD}],
        "split": {"unit": "patient_id", "shares": {}, "records": {}, "groups": {}, "groups_in_two_splits": 0},
        "tokenizer": {"name": "t", "sha256": "0"}, "files": [], "statistics": {},
        "environment": {"python": "3", "git": {"commit": None, "dirty": False}, "packages": {}}, "overrides": [],
        **changes,
    }  # fmt: skip
    return CorpusManifest.model_validate(copy.deepcopy(body))


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"gate": GATE}, None),
        ({"gate": FAILED}, "ward 0.1.0 is not released: gate failed; identifiers of patients may be left"),
        ({"gate": FAILED, "public": True}, "the text was published before"),
        ({"gate": FAILED, "kind": "synthetic"}, None),
        ({}, "sealed without a release gate"),
        ({"kind": "synthetic"}, None),
        (
            {"gate": {**FAILED, "status": "may be released by override"}, "overrides": [OVERRIDE]},
            "the release gate was overridden (failed)",
        ),
    ],
)
def test_whoever_uses_a_corpus_is_told_what_the_gate_said(changes: dict[str, Any], notice: str | None) -> None:
    told = release_notice(manifest(**changes))
    assert told is None if notice is None else notice in str(told)


@pytest.mark.parametrize(
    "changes",
    [
        {"gate": {**FAILED, "status": "may be released"}},
        {"gate": {**FAILED, "verdict": "passed"}},
        {"gate": {**FAILED, "status": "may be released by override"}},
        {"gate": FAILED, "overrides": [OVERRIDE]},
        {"gate": {**FAILED, "status": "may be released by override"}, "overrides": [{**OVERRIDE, "reason": ""}]},
        {"gate": {**GATE, "evidence": []}},
        {"gate": {**GATE, "evidence": [{**GATE["evidence"][0], "counts": False}]}},
        {"gate": {**GATE, "status": "released"}},
        {"gate": {**GATE, "extra": 1}},
    ],
)
def test_a_gate_that_no_build_could_have_written_does_not_load(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        manifest(**changes)


@pytest.mark.parametrize("changes", [{}, {"gate": GATE}, {"gate": FAILED}])
def test_card_and_report_show_the_gate_first_and_old_measurements_still(changes: dict[str, Any]) -> None:
    one = manifest(**changes)
    card, page = render_card(one), render_report(one)
    for text in (card, page):
        assert "0.7500" in text
        assert "33%" in text
        if changes:
            assert changes["gate"]["verdict"] in text
            assert text.index("Release gate") < text.index("0.7500")
            assert all(reason in text for reason in changes["gate"]["reasons"])
        else:
            assert "ealed without a release gate" in text
    assert ("This folder is not to be passed on" in card) is (changes.get("gate") is FAILED)


def test_an_override_is_shown_with_its_reason() -> None:
    one = manifest(gate={**FAILED, "status": "may be released by override"}, overrides=[OVERRIDE])
    assert "by a person, because: used inside the hospital only" in render_card(one)
    assert "used inside the hospital only" in render_report(one)


def test_a_manifest_from_before_the_gate_can_be_read(tmp_path: Path) -> None:
    data = manifest().dump()
    for name in ("gate",):
        del data[name]
    for name in ("still_phi", "says"):
        del data["policy"][name]
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(data))
    assert gate_status(path) is None
    assert CorpusManifest.model_validate(data).gate is None
    path.write_text(json.dumps(manifest(gate=FAILED).dump()))
    assert gate_status(path) == "not released: gate failed"
    path.write_text("{")
    assert gate_status(path) is None


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0.0, "0%"), (1.0, "100%"), (0.005, "0.5%"), (0.95, "95%"), (1e-6, "<0.01%"), (1 - 1e-6, ">99.99%")],
)
def test_only_nothing_is_shown_as_nothing_and_only_all_as_all(share: float | None, shown: str) -> None:
    assert percent(share) == shown


def test_what_is_not_shown_says_how_much_is_missing() -> None:
    figures = {**OLD, "overall": {**OLD["overall"], "claim": {"verdict": "insufficient evidence", "missing": 1299}}}  # type: ignore[dict-item]
    assert deid_rows(figures)[0].claim == "+1,299"
    assert [table.title for table in deid_tables(figures)] == ["What is left", "Harmless text that was masked"]
