"""The schema of a corpus manifest. manifests/schema/corpus-manifest-1.json is made from it, for readers without Python."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

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
    """Figures of this stage that are no drop: spans by identifier and action, algorithm versions."""


class Determination(Record):
    status: Literal["not determined"]
    """The tool transforms; a named person determines (45 CFR 164.514(b))."""


class Policy(Record):
    name: str
    sha256: str
    determination: Determination


class Measurement(Record):
    what: str
    """deid, filters, dedupe"""
    gold: str
    origin: Literal["synthetic", "public", "in-domain"]
    """Figures on synthetic gold are a smoke test, not evidence about a real corpus."""
    figures: dict[str, Any]


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

    def dump(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


def suppress(count: int) -> str:
    """A count that may leave the PHI zone: under 11 hidden, else rounded to the nearest ten."""
    return "<11" if count < 11 else f"{round(count, -1):,}"
