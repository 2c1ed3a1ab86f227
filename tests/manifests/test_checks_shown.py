"""Selfcheck and attack on the card and the report: one line, whatever was measured."""

from __future__ import annotations

from typing import Any

import pytest

from manifests.rendering import check_line

SHARE = {"share": 0.0, "upper_95": 0.02}
ATTACK: dict[str, Any] = {
    "notes": 900, "left": None, "dates": {"patients_with_dates_in_full": 0, "shift_inferred": SHARE},
    "rare_names": {"patients": {"share": 0.25}, "real": None}, "linking": None,
}  # fmt: skip
RECALL = {"places": 800, "recall": 0.995, "recall_95": [0.99, 1.0], "recall_95_patients": None}
SELFCHECK: dict[str, Any] = {
    "notes": 90, "overall": RECALL, "leaks": {"patients_with_direct_leak": SHARE},
    "sample": {"notes": 90, "of_notes": 1200, "patients": "<11", "of_patients": 140},
}  # fmt: skip


def test_a_selfcheck_says_what_it_found_and_on_how_many() -> None:
    line = check_line("selfcheck", SELFCHECK)
    assert line == (
        "Without the patient table, detection masks 99.5% of 800 places of its values (95%: 0.9900 – 1.0000); a direct "
        "identifier of the table is left of 0% of patients, at most 2% (90 notes of <11 patients, drawn from 1,200 notes)."
    )
    assert "No value" in str(check_line("selfcheck", {**SELFCHECK, "overall": {**RECALL, "places": 0}}))


def test_an_attack_without_truth_says_less() -> None:
    assert check_line("attack", ATTACK) == (
        "Dates in full are left of 0, and the shift is given away of 0%; what looks like a rare name is left of 25% (900 notes)."
    )


@pytest.mark.parametrize("what", ["selfcheck", "attack"])
def test_what_was_not_measured_says_why(what: str) -> None:
    assert check_line(what, {"measured": False, "cause": "no note is released"}) == "Not measured: no note is released."


def test_other_measurements_keep_their_tables() -> None:
    assert check_line("deid", {"overall": {}}) is None
