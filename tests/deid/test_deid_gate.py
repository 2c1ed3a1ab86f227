"""The release gate: what passes, what fails, what is not enough, and what an override leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from deid.gate import COUNTS, Evidence, GateParams, decide
from deid.statistics import upper_bound

PATIENTS = 400
CLEAN = {"notes": 800, "patients": PATIENTS}


def figures(
    *, notes: int = 800, left: int = 0, patients: int | None = PATIENTS, patients_left: int = 0, effect: float = 1.0,
    **classes: tuple[int, int],
) -> dict[str, Any]:  # fmt: skip
    """What `evaluate` returns, as far as the gate reads it. `classes`: identifier to (notes leaking, notes holding)."""
    direct: dict[str, Any] = {"notes_holding": notes, "notes_leaking": left, "design_effect": effect}
    if patients is not None:
        direct |= {"patients_holding": patients, "patients_leaking": patients_left}
    classes = classes or {"NAME": (left, notes)}
    return {
        "identifiers": {name: {"gold": holding} for name, (_, holding) in classes.items()},
        "leaks": {
            "direct": direct,
            "by_identifier": {
                name: {"notes_holding": holding, "notes_leaking": leaking}
                for name, (leaking, holding) in classes.items()
            },
        },
    }


def verdict(*evidence: Evidence, source: str = "private", params: GateParams | None = None, **rest: Any) -> Any:
    options = {"names_patients": True, **rest}
    return decide(evidence, params or GateParams(), source=source, **options)  # type: ignore[arg-type]


def own(**counts: Any) -> Evidence:
    return Evidence("ward", "in-domain", figures(**counts))


def test_enough_gold_without_a_leak_passes() -> None:
    block, overrides = verdict(own())
    assert (block["verdict"], block["status"], block["reasons"], overrides) == ("passed", "may be released", [], [])
    assert block["evidence"][0]["notes"]["upper"] == pytest.approx(upper_bound(0, 800))


@pytest.mark.parametrize(
    ("counts", "expected", "said"),
    [
        ({"notes": 598}, "passed", None),
        ({"notes": 597}, "insufficient evidence", "598 would show it"),
        ({"patients": 149}, "passed", None),
        ({"patients": 148}, "insufficient evidence", "149 would show it"),
        ({"left": 1}, "insufficient evidence", "1 of 800 notes"),
        ({"left": 5}, "failed", "5 of 800 notes that hold one (0.62%; allowed 0.50%)"),
        ({"patients_left": 9}, "failed", "9 of 400 patients"),
        ({"notes": 0, "patients": 0}, "insufficient evidence", "0 of 0 notes"),
        ({"patients": None}, "insufficient evidence", "does not say which notes are of one patient"),
        ({"notes": 5000, "left": 10, "effect": 9.0}, "insufficient evidence", "10 of 5,000 notes"),
        ({"notes": 5000, "left": 10}, "passed", None),
    ],
)
def test_the_bounds_decide(counts: dict[str, Any], expected: str, said: str | None) -> None:
    block, _ = verdict(own(**counts))
    assert block["verdict"] == expected
    assert (said is None and not block["reasons"]) or any(str(said) in reason for reason in block["reasons"])
    assert block["status"].startswith("may be" if expected == "passed" else "not released")


def test_where_nobody_knows_the_patients_the_notes_decide() -> None:
    assert verdict(own(patients=None), names_patients=False)[0]["verdict"] == "passed"


@pytest.mark.parametrize(
    ("source", "origin", "passes"),
    [
        ("private", "synthetic", False),
        ("private", "public", False),
        ("private", "in-domain", True),
        ("public", "synthetic", False),
        ("public", "public", True),
        ("public", "in-domain", True),
        ("synthetic", "synthetic", True),
    ],
)
def test_only_gold_that_says_something_about_these_notes_counts(source: str, origin: str, passes: bool) -> None:
    block, _ = verdict(Evidence("g", origin, figures(notes=100_000, patients=50_000)), source=source)
    assert block["verdict"] == ("passed" if passes else "insufficient evidence")
    assert block["evidence"][0]["counts"] is passes
    assert passes or any("does not count" in reason for reason in block["reasons"])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 200_000)), max_size=3))
def test_synthetic_gold_never_satisfies_the_gate_for_real_notes(sets: list[tuple[int, int]]) -> None:
    evidence = [Evidence(f"s{k}", "synthetic", figures(notes=n, patients=n)) for k, n in sets]
    for source in ("private", "public"):
        assert verdict(*evidence, source=source)[0]["verdict"] == "insufficient evidence"


def test_without_gold_there_is_insufficient_evidence_and_the_origin_wanted_is_told() -> None:
    block, _ = verdict()
    assert block["verdict"] == "insufficient evidence"
    assert block["reasons"] == ["no gold was measured that counts for notes of real patients: in-domain"]
    missing, _ = verdict(Evidence("ward", "in-domain", None))
    assert "ward: not measured" in missing["reasons"]


def test_one_failing_set_is_not_saved_by_another_and_more_sets_ask_for_more() -> None:
    assert verdict(own(), own(left=20))[0]["verdict"] == "failed"
    assert verdict(own(notes=600), own(notes=10))[0]["verdict"] == "insufficient evidence"
    assert verdict(own(notes=600))[0]["verdict"] == "passed"
    assert verdict(own(notes=800), own(notes=10))[0]["verdict"] == "passed"


def test_bounds_by_class_hold_for_all_classes_at_once() -> None:
    block, _ = verdict(own(NAME=(0, 700), SSN=(0, 40), CITY=(9, 50)))
    classes = block["evidence"][0]["identifiers"]
    assert set(classes) == {"NAME", "SSN"}
    assert classes["SSN"]["upper"] == pytest.approx(upper_bound(0, 40, confidence=1 - 0.05 / 2))


def test_the_bound_of_any_class_bounds_every_class() -> None:
    # A leak of any single class is a leak: no class can be above what is shown of their union.
    for leaking in range(4):
        union = upper_bound(leaking, 800)
        assert all(upper_bound(part, 800) <= union for part in range(leaking + 1))


def test_a_policy_that_keeps_a_direct_identifier_fails() -> None:
    block, _ = verdict(own(), kept=["CITY", "NAME"])
    assert (block["verdict"], block["reasons"]) == ("failed", ["the policy keeps NAME"])
    assert verdict(own(), kept=["CITY", "DATE"])[0]["verdict"] == "passed"


def test_a_class_of_the_corpus_without_an_example_in_the_gold_is_told() -> None:
    block, _ = verdict(own(NAME=(0, 800)), found={"NAME": 90_000, "DEVICE": 100, "CITY": 9000})
    assert block["verdict"] == "passed"
    assert block["caveats"] == ["found in the corpus, but no example in the gold: DEVICE"]


def test_gold_without_a_class_that_is_frequent_in_the_corpus_is_no_sample_of_it() -> None:
    block, _ = verdict(own(PHONE=(0, 800)), found={"NAME": 40_000, "PHONE": 10_000})
    assert block["verdict"] == "insufficient evidence"
    assert "the gold is no sample of these notes: NAME found in the corpus and nowhere in the gold" in block["reasons"]
    assert verdict(own(PHONE=(0, 800), left=20), found={"NAME": 9})[0]["verdict"] == "failed"
    assert verdict(found={"NAME": 9})[0]["caveats"] == []


def test_an_override_needs_a_reason_and_leaves_a_line() -> None:
    params = GateParams(override_reason="only used inside the hospital, IRB 2026-114", override_by="privacy officer")
    block, overrides = verdict(own(left=20), params=params)
    assert (block["verdict"], block["status"]) == ("failed", "may be released by override")
    assert overrides == [
        {
            "rule": "release gate", "verdict": "failed", "reason": "only used inside the hospital, IRB 2026-114",
            "by": "privacy officer",
        }
    ]  # fmt: skip
    passed, none = verdict(own(), params=params)
    assert (passed["status"], none) == ("may be released", [])


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"override_reason": "ok"}, "a reason says why"),
        ({"override_reason": "   " * 9}, "a reason says why"),
        ({"override_by": "me"}, "override_reason is missing"),
        ({"notes": 0.01}, "thresholds_reason is missing"),
        ({"patients": 0.03}, "thresholds_reason is missing"),
        ({"confidence": 0.9}, "thresholds_reason is missing"),
        ({"notes": 0}, "greater than 0"),
        ({"confidence": 1}, "less than 1"),
        ({"note": 0.1}, "Extra inputs"),
    ],
)
def test_parameters_that_weaken_the_gate_without_saying_why_are_refused(given_: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GateParams(**given_)


def test_a_looser_threshold_is_written_down_even_if_it_decides_nothing() -> None:
    params = GateParams(notes=0.01, thresholds_reason="pilot of two months on one ward")
    block, overrides = verdict(own(), params=params)
    assert overrides == [
        {"rule": "release gate: thresholds", "reason": "pilot of two months on one ward", "by": "not stated"}
    ]
    assert "a threshold is looser than the default" in block["caveats"]
    assert verdict(own(), params=GateParams(notes=0.001))[0]["verdict"] == "insufficient evidence"


@settings(max_examples=80)
@given(st.integers(1, 4000), st.data())
def test_more_leaks_never_help(notes: int, data: st.DataObject) -> None:
    left = data.draw(st.integers(0, min(notes, 40)))
    order = ["passed", "insufficient evidence", "failed"]
    less, more = (
        order.index(verdict(own(notes=notes, left=count, patients=5000))[0]["verdict"]) for count in (left // 2, left)
    )
    assert less <= more


def test_every_origin_of_a_recipe_is_known_to_the_gate() -> None:
    assert set(COUNTS["synthetic"]) == {"synthetic", "public", "in-domain"}
