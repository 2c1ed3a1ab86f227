"""The schema of a corpus manifest. manifests/schema/corpus-manifest-1.json is made from it, for readers without Python."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

SCHEMA = "clinicorpus/corpus-manifest/1"


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Previous(Record):
    version: str
    sha256: str
    """Digest of the predecessor's manifest.json: the chain."""


class Corpus(Record):
    name: str
    version: str
    """MAJOR.MINOR from the recipe; the patch number counts the sealed builds of it."""
    created_at: str
    retain_until: str
    """Six years after sealing (45 CFR 164.316(b)(2)(i))."""
    previous: Previous | None


class Recipe(Record):
    given: dict[str, Any]
    """What the user wrote, paths withheld."""
    resolved: dict[str, Any]
    """The same with every default filled in."""


class Source(Record):
    kind: str
    holder: str | None
    legal_basis: str | None
    agreement: str | None
    purpose: str | None
    public: bool
    """True only for text that was already published."""
    bytes: int
    code: str
    """HMAC of the input under the release key: a plain digest of notes would itself be personal."""
    patient_unit: Literal["patient_id", "near_duplicate_cluster"]


class Key(Record):
    id: str
    kind: Literal["release", "demo"]
    nonces: Literal["random", "seeded"]


class Stage(Record):
    """One line of the ledger. `records_in + sum(created) == records_out + sum(dropped)`, and
    `chars_in + sum(inserted) == chars_out + sum(removed)`."""

    name: str
    scope: Literal["source", "note", "patient", "corpus"]
    code: str
    """SHA-256 over the first-party sources the stage imports."""
    params: dict[str, Any]
    records_in: NonNegativeInt
    created: dict[str, NonNegativeInt]
    dropped: dict[str, NonNegativeInt]
    records_out: NonNegativeInt
    chars_in: NonNegativeInt
    inserted: dict[str, NonNegativeInt]
    removed: dict[str, NonNegativeInt]
    chars_out: NonNegativeInt
    details: dict[str, Any] = Field(default_factory=dict)
    """Figures of this stage that are no drop: spans by identifier and action, algorithm versions. `rules`: spans by the rule
    that found them; `review`: notes with a characteristic that people should look at, by kind; both rounded to tens.
    `boilerplate`: places, notes and characters of sentences that recur across patients, rounded to tens.
    `past`: records whose cluster is one of an earlier version.
    `redundancy`: shares of words that stood in an earlier note of the same patient, by type, role and year."""


class Determination(Record):
    status: Literal["not determined"]
    """The tool transforms; a named person determines (45 CFR 164.514(b))."""


class Policy(Record):
    name: str
    sha256: str
    determination: Determination
    still_phi: bool | None = None
    """Whether the result is protected health information even if every identifier was found; null: not said."""
    says: str = ""
    """What the policy itself says of its result."""


class Measurement(Record):
    what: str
    """deid, filters, dedupe; selfcheck: recall against the patient table of a detection that did not see it; attack: a red
    team on what is released; contamination: items of an evaluation set that stood in records, and what became of these"""
    gold: str
    """What was measured against."""
    origin: Literal["synthetic", "public", "in-domain"]
    """Figures on synthetic gold are a smoke test, not evidence about a real corpus."""
    figures: dict[str, Any]


class Thresholds(Record):
    notes: float
    """Highest upper bound of the share of notes with a direct identifier left."""
    patients: float
    confidence: float
    """Of both bounds, one-sided."""


class Bound(Record):
    """Of the gold notes (or patients) that hold a direct identifier, those in which one was left."""

    leaking: NonNegativeInt
    holding: NonNegativeInt
    share: float | None
    upper: float
    """Upper bound; of notes over the effective number of notes, where leaks gather in few patients."""
    allowed: float
    confidence: float
    verdict: Literal["passed", "failed", "insufficient evidence"]


class ClassBound(Record):
    notes_holding: NonNegativeInt
    notes_leaking: NonNegativeInt
    upper: float
    """Upper bound of the share of the notes that hold this identifier, Bonferroni-corrected over the identifiers."""


class GateEvidence(Record):
    gold: str
    origin: Literal["synthetic", "public", "in-domain"]
    counts: bool
    """Whether gold of this origin counts for this corpus: synthetic gold never does for notes of real patients."""
    verdict: Literal["passed", "failed", "insufficient evidence"] | None
    notes: Bound | None
    patients: Bound | None
    identifiers: dict[str, ClassBound]


class Gate(Record):
    """The release gate. It says whether the measurements allow a release; that a corpus is de-identified says nobody
    but a named person (`policy.determination`)."""

    verdict: Literal["passed", "failed", "insufficient evidence"]
    status: Literal[
        "may be released", "may be released by override", "not released: gate failed",
        "not released: insufficient evidence",
    ]  # fmt: skip
    source: Literal["synthetic", "public", "private"]
    thresholds: Thresholds
    reasons: list[str]
    caveats: list[str]
    evidence: list[GateEvidence]


class Split(Record):
    unit: str
    shares: dict[str, float]
    records: dict[str, int]
    groups: dict[str, int]
    """Patients (or near-duplicate clusters) in each split."""
    groups_in_two_splits: int


class File(Record):
    path: str
    """Relative to corpora/<name>/<version>/ or, for zone `manifest`, to the manifest's own folder."""
    zone: Literal["corpus", "manifest"]
    product: Literal["pretrain", "instruct", "sealed", "card", "report"]
    split: str | None
    rows: int | None
    tokens: int | None
    bytes: int
    sha256: str


class Tokenizer(Record):
    name: str
    sha256: str


class Against(Record):
    """An earlier version that this one was deduplicated against, by its signatures."""

    name: str
    version: str
    sha256: str
    """Digest of its manifest.json."""
    notes: NonNegativeInt
    """Its released notes."""
    schemes: dict[str, str]
    """What its signatures are, `exact` and `near`."""
    dropped: dict[str, NonNegativeInt]
    """Records that went for one of its notes, by reason."""


class CorpusManifest(Record):
    schema_id: str = Field(alias="schema", default=SCHEMA)
    corpus: Corpus
    recipe: Recipe
    source: Source
    key: Key
    stages: list[Stage]
    policy: Policy
    measured: list[Measurement]
    split: Split
    tokenizer: Tokenizer
    files: list[File]
    statistics: dict[str, dict[str, str]]
    """Notes by type and by year; cells under 11 are suppressed, others rounded to ten, so that the
    difference of two versions shows no small cell either."""
    environment: dict[str, Any]
    overrides: list[dict[str, str]]
    """What was passed over, why and by whom: rule, reason, by."""
    gate: Gate | None = None
    """Null in versions that were sealed before there was a gate."""
    against: list[Against] = []

    @model_validator(mode="after")
    def _status_follows(self) -> CorpusManifest:
        """A verdict, a status and an override that do not go together were not written by a build."""
        if self.gate is None:
            return self
        overridden = any(line.get("rule") == "release gate" and line.get("reason") for line in self.overrides)
        expected = {
            "passed": "may be released", "failed": "not released: gate failed",
            "insufficient evidence": "not released: insufficient evidence",
        }[self.gate.verdict]  # fmt: skip
        if overridden and self.gate.verdict != "passed":
            expected = "may be released by override"
        if self.gate.status != expected:
            raise ValueError(f"gate.status does not follow from its verdict and the overrides: {expected}")
        if self.gate.verdict == "passed" and not any(e.counts and e.verdict == "passed" for e in self.gate.evidence):
            raise ValueError("gate.verdict is passed, but no evidence that counts passed")
        return self

    def dump(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


def release_notice(manifest: CorpusManifest) -> str | None:
    """What whoever uses this corpus must be told; None for the synthetic hospital and for what may be released.

    Nobody stands behind a synthetic note, so there is nothing to warn of, whatever the gate says of the detection.
    """
    if manifest.source.kind == "synthetic" or (manifest.gate and manifest.gate.verdict == "passed"):
        return None
    name = f"{manifest.corpus.name} {manifest.corpus.version}"
    if manifest.gate is None:
        return f"{name} was sealed without a release gate: how many identifiers are left in it was not judged"
    if manifest.gate.status == "may be released by override":
        return f"{name}: the release gate was overridden ({manifest.gate.verdict}); the reason stands in its manifest"
    left = "the text was published before" if manifest.source.public else "identifiers of patients may be left in it"
    return f"{name} is {manifest.gate.status}; {left}, and a model trained on it can repeat what is left"


def suppress(count: int) -> str:
    """A count that may leave the PHI zone: under 11 hidden, else rounded to the nearest ten."""
    return "<11" if count < 11 else f"{round(count, -1):,}"
