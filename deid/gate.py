"""The release gate: do the measurements of a build show that few enough direct identifiers are left?

**What is bounded.** Of the gold notes that hold a direct identifier (`identifiers.DIRECT`), the share in which any one
is left, and the same of patients. Notes without one are left out: they cannot leak, and adding them must not help.

**Simultaneous over the classes.** The bounded event is "something direct is left, of whatever class". Its share is at
least that of every single class, so one 95% bound on it bounds all classes at once, with nothing to correct. That is
better than Bonferroni, which would take 1,163 clean notes for 17 classes where this takes 598. Bounds by class are
shown beside it, Bonferroni-corrected, each on the notes that hold that class.
Notes **and** patients must hold: to pass wrongly both must err, so no correction is needed there either. Where a recipe
names several gold sets, one may carry the gate alone, so the confidence is raised to 1 - 0.05/sets.

**Notes of one patient** are not independent. The bound of notes takes the effective number of notes where leaks gather
in few patients; where there is no leak nothing can be estimated, and the bound of patients, who are independent, is
what protects.

**Which gold counts.** For notes of real patients only gold from these notes (`in-domain`): a system that reached .91
where it was trained reached .80 sight unseen (CEGS N-GRID 2016). For text that was published before, public gold does
too. For the synthetic hospital any does; synthetic gold never counts for anything else.

**A sample of the notes** is what in-domain gold must be. Where it lacks a class that was found so often in the corpus that
chance does not explain it, it is none, and there is insufficient evidence.

**Verdicts.** `passed`: one counted gold set shows both bounds and none fails. `failed`: in a counted set more was left
than is allowed. Else there is `insufficient evidence`. Both of the last keep the corpus from release. A failed gate
does not stop the build: the files are needed to find out why, they stay on the machine, and a build that cannot end
teaches people to lower thresholds. Nor does it stop training, which may be lawful inside the hospital; whoever trains
is told. What must not happen silently is release, so the status stands at the head of card and report, in the audit
and in the manifest, and a person who overrides it gives a reason under seal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deid.identifiers import DIRECT, IDENTIFIERS
from deid.statistics import clustered_upper_bound, examples_needed, upper_bound

SourceKind = Literal["synthetic", "public", "private"]

COUNTS: Mapping[str, tuple[str, ...]] = {
    "synthetic": ("synthetic", "public", "in-domain"),
    "public": ("public", "in-domain"),
    "private": ("in-domain",),
}
"""Origins of gold that count, by where the corpus comes from."""
NOTES, PATIENTS, CONFIDENCE = 0.005, 0.02, 0.95
PASSED, FAILED, INSUFFICIENT = "passed", "failed", "insufficient evidence"
SHORTEST_REASON = 15
NO_SAMPLE = 0.001
"""A class of the corpus whose absence from the gold is less likely than this was not left out by chance."""


class GateParams(BaseModel):
    """What the gate asks for, and why it is passed over if it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    notes: float = Field(default=NOTES, gt=0, lt=1)
    """Highest upper bound of the share of notes with a direct identifier left."""
    patients: float = Field(default=PATIENTS, gt=0, lt=1)
    """Highest upper bound of the share of patients with a direct identifier left."""
    confidence: float = Field(default=CONFIDENCE, ge=0.5, lt=1)
    """Confidence of both upper bounds, one-sided."""
    thresholds_reason: str | None = None
    """Why a threshold is looser than the default; goes into the manifest's `overrides`."""
    override_reason: str | None = None
    """Why the corpus may be released although the gate did not pass; goes into the manifest's `overrides`."""
    override_by: str | None = None
    """Who decided that: a name or a role."""

    @field_validator("thresholds_reason", "override_reason")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        if value is not None and len(value.strip()) < SHORTEST_REASON:
            raise ValueError(f"a reason says why, in {SHORTEST_REASON} characters or more")
        return value

    @model_validator(mode="after")
    def _reasons_fit(self) -> GateParams:
        if self.override_by and not self.override_reason:
            raise ValueError("an override needs a reason: override_reason is missing")
        if self.looser and not self.thresholds_reason:
            raise ValueError(
                f"thresholds looser than the default (notes {NOTES}, patients {PATIENTS}, confidence {CONFIDENCE}) "
                "need a reason: thresholds_reason is missing"
            )
        return self

    @property
    def looser(self) -> bool:
        """Whether any threshold asks for less than the default."""
        return self.notes > NOTES or self.patients > PATIENTS or self.confidence < CONFIDENCE


class Evidence(NamedTuple):
    """One measurement: the name of the gold, its origin, and what `evaluate` returned, or None if it was not made."""

    gold: str
    origin: str
    figures: Mapping[str, Any] | None


class Decision(NamedTuple):
    """block: for the manifest's `gate`. overrides: lines for its `overrides`."""

    block: dict[str, Any]
    overrides: list[dict[str, str]]


def decide(
    measured: Sequence[Evidence], params: GateParams, *, source: SourceKind, names_patients: bool,
    kept: Collection[str] = (), found: Mapping[str, int] | None = None,
) -> Decision:  # fmt: skip
    """The gate's verdict on a corpus, its status and its reasons.

    `names_patients`: whether the corpus knows whose notes are whose; gold must then know it too. `kept`: identifiers
    that the policy keeps. `found`: how many spans of each identifier were found in the corpus.
    """
    counted = [e for e in measured if e.figures is not None and e.origin in COUNTS[source]]
    confidence = 1 - (1 - params.confidence) / max(1, len(counted))
    judged = [_judge(e, params, confidence, names_patients) for e in counted]
    reasons = [reason for one in judged for reason in one.pop("reasons")]
    verdicts = [one["verdict"] for one in judged]
    verdict = FAILED if FAILED in verdicts else PASSED if PASSED in verdicts else INSUFFICIENT
    if verdict == PASSED:
        reasons = []
    for one in measured:
        if one.figures is None:
            reasons += [f"{one.gold}: not measured"] * (verdict != PASSED)
        elif one.origin not in COUNTS[source] and verdict != PASSED:
            reasons.append(f"{one.gold}: {one.origin} gold does not count for {_CORPUS[source]}")
    if not counted:
        reasons.append(f"no gold was measured that counts for {_CORPUS[source]}: {' or '.join(COUNTS[source])}")
    if kept_direct := [name for name in IDENTIFIERS if name in kept and name in DIRECT]:
        verdict = FAILED
        reasons.append(f"the policy keeps {', '.join(kept_direct)}")
    absent, unlike = _untested(counted, found or {})
    caveats = []
    if absent:
        caveats.append(f"found in the corpus, but no example in the gold: {', '.join(absent)}")
    if unlike:
        reasons.append(
            f"the gold is no sample of these notes: {', '.join(unlike)} found in the corpus and nowhere in the gold"
        )
        verdict = INSUFFICIENT if verdict == PASSED else verdict
    if params.looser:
        caveats.append("a threshold is looser than the default")
    overridden = verdict != PASSED and params.override_reason is not None
    status = "may be released" if verdict == PASSED else f"not released: gate {verdict}"
    if verdict == INSUFFICIENT:
        status = f"not released: {verdict}"
    block = {
        "verdict": verdict,
        "status": "may be released by override" if overridden else status,
        "source": source,
        "thresholds": {"notes": params.notes, "patients": params.patients, "confidence": params.confidence},
        "reasons": reasons,
        "caveats": caveats,
        "evidence": [
            *judged,
            *(
                {"gold": e.gold, "origin": e.origin, "counts": e.origin in COUNTS[source], "verdict": None, "notes": None, "patients": None,
                 "identifiers": {}}
                for e in measured if e not in counted
            ),
        ],
    }  # fmt: skip
    overrides = []
    if params.looser:
        overrides.append({"rule": "release gate: thresholds", "reason": str(params.thresholds_reason)})
    if overridden:
        overrides.append({"rule": "release gate", "verdict": verdict, "reason": str(params.override_reason)})
    for line in overrides:
        line["by"] = params.override_by or "not stated"
    return Decision(block, overrides)


def _untested(counted: Sequence[Evidence], found: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Direct identifiers of the corpus without an example in the gold: those that chance explains, and the others.

    A bound on gold holds for the corpus as far as the gold is a sample of it. If a share s of what was found is of one
    class, none of n gold spans is with probability (1 - s)^n.
    """
    if not counted:
        return [], []
    classes = [name for name in IDENTIFIERS if name in DIRECT]
    gold = {name: sum(e.figures["identifiers"].get(name, {}).get("gold", 0) for e in counted) for name in classes}  # type: ignore[index]
    total = sum(found.get(name, 0) for name in classes)
    absent: list[str] = []
    unlike: list[str] = []
    for name in classes:
        if found.get(name, 0) and not gold[name]:
            chance = (1 - found[name] / total) ** sum(gold.values())
            (unlike if chance < NO_SAMPLE else absent).append(name)
    return absent, unlike


_CORPUS = {
    "synthetic": "a synthetic corpus", "public": "text that was published before", "private": "notes of real patients",
}  # fmt: skip


def _judge(evidence: Evidence, params: GateParams, confidence: float, names_patients: bool) -> dict[str, Any]:
    assert evidence.figures is not None
    leaks = evidence.figures["leaks"]
    direct = leaks["direct"]
    reasons: list[str] = []
    notes = _bounded(
        evidence.gold, "notes", direct["notes_leaking"], direct["notes_holding"], direct["design_effect"],
        params.notes, confidence, reasons,
    )  # fmt: skip
    patients = None
    if "patients_holding" in direct:
        patients = _bounded(
            evidence.gold, "patients", direct["patients_leaking"], direct["patients_holding"], 1.0, params.patients,
            confidence, reasons,
        )  # fmt: skip
    elif names_patients:
        reasons.append(f"{evidence.gold}: the gold does not say which notes are of one patient")
    verdicts = [part["verdict"] for part in (notes, patients) if part]
    verdict = PASSED if not reasons else FAILED if FAILED in verdicts else INSUFFICIENT
    classes = {name: counts for name, counts in leaks["by_identifier"].items() if name in DIRECT}
    each = 1 - (1 - confidence) / max(1, len(classes))
    return {
        "gold": evidence.gold, "origin": evidence.origin, "counts": True, "verdict": verdict,
        "notes": notes, "patients": patients,
        "identifiers": {
            name: {
                "notes_holding": c["notes_holding"], "notes_leaking": c["notes_leaking"],
                "upper": upper_bound(c["notes_leaking"], c["notes_holding"], confidence=each),
            }
            for name, c in classes.items()
        },
        "reasons": reasons,
    }  # fmt: skip


def _bounded(
    gold: str, what: str, leaking: int, holding: int, effect: float, allowed: float, confidence: float,
    reasons: list[str],
) -> dict[str, Any]:  # fmt: skip
    upper = clustered_upper_bound(leaking, holding, effect, confidence=confidence)
    share = leaking / holding if holding else None
    verdict = PASSED if upper <= allowed else FAILED if share is not None and share > allowed else INSUFFICIENT
    if verdict == FAILED:
        reasons.append(
            f"{gold}: a direct identifier is left in {leaking:,} of {holding:,} {what} that hold one ({share:.2%}; "
            f"allowed {allowed:.2%})"
        )
    elif verdict == INSUFFICIENT:
        needed = examples_needed(1 - allowed, misses=leaking, confidence=confidence)
        more = f"; {needed:,} would show it" if effect == 1 and needed > holding else ""
        reasons.append(
            f"{gold}: {leaking:,} of {holding:,} {what} with a direct identifier left bound the share by {upper:.2%} "
            f"(allowed {allowed:.2%}){more}"
        )
    return {
        "leaking": leaking, "holding": holding, "share": share, "upper": upper, "allowed": allowed,
        "confidence": confidence, "verdict": verdict,
    }  # fmt: skip
