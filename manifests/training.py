"""The schema of a training manifest: what a model was made of. Written last, as models/<name>/<stage>/training.json."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field

from manifests.corpus_manifest import CorpusManifest, Record

SCHEMA = "clinicorpus/training-manifest/1"


class TrainedOn(Record):
    name: str
    version: str
    manifest_sha256: str


class Base(Record):
    name: str
    source: str
    files: dict[str, str]
    """File name to sha256: weights, config, tokenizer, template."""


class Parent(Record):
    """The model this one was trained from, if it was itself trained here."""

    stage: Literal["cpt"]
    training_sha256: str


class Recipe(Record):
    given: dict[str, Any]
    """What the user wrote; paths are cut to their last part, a prompt is withheld."""
    resolved: dict[str, Any]
    """The same with every default filled in."""


class Step(Record):
    step: int
    loss: float
    """Mean over the loss tokens of the step, in nats; with NEFTune's noise and CEFTune's term where they are used."""
    learning_rate: float


class Saved(Record):
    """A checkpoint, also one that was deleted since."""

    step: int
    bytes: int
    sha256: str
    """Of its COMPLETE record, which names size and sha256 of every file."""


class Session(Record):
    """One process that trained; a run that was interrupted has several."""

    from_step: int
    to_step: int
    wall_seconds: float
    """Of training alone, up to the checkpoint the next session went on from."""
    cpu_seconds: float


class Override(Record):
    """Someone went on with a run although its inputs had changed."""

    rule: Literal["resume"]
    reason: str
    changed: list[str]
    """`cpt.learning_rate: 0.01 → 0.002`; digests are cut to eight digits."""
    step: int


class Stopped(Record):
    """Training ended before its steps were done, because the recipe said so."""

    rule: Literal["forgetting"]
    step: int
    loss_before: float
    """On general text, of the model as training found it."""
    loss: float
    bound: float
    """Share by which it was allowed to rise."""


class Run(Record):
    steps: int
    epochs: float
    tokens_seen: int
    """Tokens that went through the model, padding left out, over all epochs."""
    loss_tokens_seen: int = 0
    """Tokens whose prediction entered the loss, counted where they went through the model."""
    tokens_per_second: float
    loss_mean: float
    losses: list[Step]
    evaluations: list[dict[str, float]] = Field(default_factory=list)
    """`eval_clinical_loss` and `eval_general_loss` by step, where the recipe asks for them."""
    stopped: Stopped | None = None
    """Null where training went to its end."""
    neftune: dict[str, float] | None = None
    """`alpha` asked for, `effective_alpha` measured on the noise drawn, `stock_alpha` that a scale by the row's length
    would have amounted to; null without noise."""
    ceftune: dict[str, float] | None = None
    """`weight` of the term, and `mean_distance` between clean and noisy features over the steps, before the weight, of the
    main process; null without it."""
    checkpoints: list[Saved]
    sessions: list[Session]
    device: str
    precision: str
    threads: int
    kernels: str
    """Instruction set of the CPU that torch's kernels use, or the name of the GPU."""
    processes: int


class BitsPerByte(Record):
    documents: int
    tokens: int
    bytes: int
    before: float | None
    """Of the model this stage started from; null where that was too large to be measured on one device."""
    after: float
    before_95: list[float] | None = None
    """95% interval, documents drawn by patient; null for fewer than 8 patients and for one text."""
    after_95: list[float] | None = None
    change_95: list[float] | None = None
    """Of after / before - 1, both over the same draws; null also where the stage before measured `before`."""


class File(Record):
    path: str
    bytes: int
    sha256: str


class TrainingManifest(Record):
    schema_id: str = Field(alias="schema", default=SCHEMA)
    name: str
    stage: Literal["cpt", "sft"]
    created_at: str
    key: str
    """Digest of everything the weights follow from; an equal key is not trained again."""
    corpus: TrainedOn
    base: Base
    parent: Parent | None
    merged_from: str | None = None
    """sha256 of the training.json of the adapter that was merged into this model."""
    tokenizer_sha256: str
    chat_template_sha256: str | None
    recipe: Recipe
    seed: int
    overrides: list[Override]
    """Empty, or the weights follow from more than the inputs named here."""
    data: dict[str, Any]
    """cpt: documents taken and left, tokens, packing. sft: examples taken, left and dropped by reason, tasks.
    Both: achieved shares of the tokens, by note type or task."""
    run: Run
    bits_per_byte: dict[str, BitsPerByte]
    """`heldout` (notes of test patients) and `general`."""
    environment: dict[str, Any]
    wall_seconds: float
    """Of all sessions; of earlier ones, their training alone."""
    cpu_seconds: float
    peak_memory_bytes: int
    """Of the last session."""
    files: list[File]

    def dump(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


class Trained(NamedTuple):
    """A finished stage, as card, report and bill of materials are made from it."""

    manifest: TrainingManifest
    sha256: str
    """Digest of its training.json."""
    corpus: CorpusManifest | None
    """Null where the corpus' manifest is not at hand, or is not the one trained on any more."""


def follows(stages: list[Trained]) -> bool:
    """Whether the last of the stages was trained from the one before it."""
    parent = stages[-1].manifest.parent
    return len(stages) > 1 and parent is not None and parent.training_sha256 == stages[-2].sha256
