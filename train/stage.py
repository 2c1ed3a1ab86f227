"""One stage of training from recipe to finished folder: bind, verify, measure, train, measure, publish.

    models/<name>/cpt/    weights, tokenizer, training.json
    models/<name>/sft/    the same, instruction-tuned
    models/<name>/        README.md, report.html, bom.cdx.json, made from the training.json of both
    work/train/<name>/    answers of the models: text near notes, never beside the model
    work/train/<name>/<stage>/    run.json and checkpoints of an unfinished run; gone when the model stands

A model folder appears with its training.json already inside, by one rename, so one that is there is finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl
from pydantic import ValidationError

import manifests
from clinicorpus_errors import UserError
from manifests.training import File, Override, TrainingManifest
from train import (
    adapters,
    base_model,
    chat,
    checkpoints,
    estimate,
    hardware,
    measure,
    metrics,
    mixture,
    offline,
    processes,
    publish,
    record,
    run_manifest,
    stamp,
    talk,
    tracking,
)  # fmt: skip
from train.bound_corpus import BoundCorpus, bind
from train.progress import say
from train.recipe import TrainRecipe, load_recipe

Stage = Literal["cpt", "sft"]

_CODE = (
    "adapters", "bound_corpus", "ceftune", "chat", "checkpoints", "cpt", "forgetting", "hardware", "ledger", "measure",
    "mixture", "neftune", "packing", "processes", "session", "sft", "stage", "trainer",
)  # fmt: skip
"""Modules whose change can change weights or figures; the rest only moves or shows them."""
_PACKAGES = ("accelerate", "peft", "tokenizers", "torch", "transformers", "trl")


class Start(NamedTuple):
    folder: Path
    label: str
    parent: TrainingManifest | None


def run(
    stage: Stage, data: dict[str, Any], root: Path, given: dict[str, Any], *, force: bool, override: str | None
) -> dict[str, Any]:
    """Train one stage, or find it done. See `train.run_cpt`."""
    meter = hardware.Meter()
    recipe = load_recipe(data)
    offline.need_training_packages()
    tracking.check(recipe.report_to)
    corpus = bind(recipe.corpus, root)
    if corpus.notice:
        say(f"warning: {corpus.notice}")
    offline.pin(root)
    tracking.pin(recipe.report_to, recipe.name, root)
    folder = root / "models" / recipe.name / stage
    processes.start()
    with publish.clean_exit(), processes.alone(folder.parent):
        offline.quiet()
        base = processes.from_main(lambda: base_model.resolve(recipe, root))
        start = _start(stage, recipe, corpus, base, root)
        inputs = _inputs(stage, recipe, corpus, base, start, root)
        unfinished = root / "work" / "train" / recipe.name / stage
        done = processes.from_main(lambda: _done(folder, unfinished))
        if force or done is None or done.key != _digest(inputs):
            if folder.exists() and not force:
                say(f"models/{recipe.name}/{stage}: " + ("made from other inputs" if done else "incomplete or changed"))
            machine = hardware.detect()
            bound_to = {name: value for name, value in inputs.items() if name != "evaluate"}
            overrides = processes.from_main(
                lambda: run_manifest.begin(
                    unfinished,
                    _digest(inputs),
                    bound_to | {"machine": machine.record()},
                    override=override,
                    force=force,
                )
            )
            done = _train(
                stage, recipe, given, corpus, base, start, inputs, overrides, machine, unfinished, folder, root, meter
            )
            if processes.is_main():
                checkpoints.discard(unfinished)
                record.write(folder.parent, corpus.manifest)
            return _summary(done, start, root, up_to_date=False)
        if processes.is_main():
            record.write(folder.parent, corpus.manifest)
        return _summary(done, start, root, up_to_date=True)


def _done(folder: Path, unfinished: Path) -> TrainingManifest | None:
    done = finished(folder)
    run_manifest.tidy(unfinished, done.key if done else None)
    return done


def finished(folder: Path) -> TrainingManifest | None:
    """The training manifest of a model folder if every file it names is there, unchanged; else None."""
    try:
        done = TrainingManifest.model_validate_json((folder / "training.json").read_bytes())
    except (OSError, ValidationError):
        return None
    for file in done.files:
        path = folder / file.path
        if not path.is_file() or path.stat().st_size != file.bytes or manifests.sha256_file(path) != file.sha256:
            return None
    return done


def _start(stage: Stage, recipe: TrainRecipe, corpus: BoundCorpus, base: base_model.BaseModel, root: Path) -> Start:
    """The model a stage begins with: for sft the cpt model of this very recipe and corpus, if there is one."""
    start = Start(base.folder, f"base {base.name}", None)
    if stage == "cpt":
        return start
    folder = root / "models" / recipe.name / "cpt"
    parent = finished(folder)
    if parent is not None and parent.key == _digest(_inputs("cpt", recipe, corpus, base, start, root)):
        say(f"instruction tuning starts from models/{recipe.name}/cpt")
        return Start(folder, f"models/{recipe.name}/cpt", parent)
    if not folder.exists():
        why = "there is no"
    else:
        why = "incomplete or changed:" if parent is None else "made from another recipe or corpus:"
    say(f"instruction tuning starts from the base model {base.name} ({why} models/{recipe.name}/cpt)")
    return start


def _inputs(
    stage: Stage, recipe: TrainRecipe, corpus: BoundCorpus, base: base_model.BaseModel, start: Start, root: Path
) -> dict[str, Any]:
    """Everything the stage's weights follow from, and under `evaluate` what its figures follow from as well."""
    template = recipe.sft.chat_template if stage == "sft" else None
    room = Path(__file__).parent
    general = measure.general_text(recipe.evaluate.general_text, root, limit=recipe.evaluate.general_bytes)
    return {
        stage: getattr(recipe, stage).model_dump(mode="json"),
        "stop": _stop(recipe, general),
        "evaluate": recipe.evaluate.model_dump(exclude={"forgetting"})
        | {"general_sha256": manifests.sha256_bytes(general.encode())},
        "chat_template": manifests.sha256_file(root / template) if template and (root / template).is_file() else None,
        "replay": mixture.replay_digest(recipe.cpt.replay, root) if stage == "cpt" else None,
        "seed": recipe.seed,
        "corpus": {"version": f"{corpus.name} {corpus.version}", "manifest": corpus.manifest_sha256},
        "base": base.files,
        "parent": start.parent.key if start.parent else None,
        "code": {name: manifests.sha256_file(room / f"{name}.py") for name in _CODE},
        "packages": {k: v for k, v in manifests.environment()["packages"].items() if k in _PACKAGES},
    }


def _stop(recipe: TrainRecipe, general: str) -> dict[str, Any] | None:
    """What an early end of training follows from."""
    want = recipe.evaluate
    if want.forgetting is None:
        return None
    text = manifests.sha256_bytes(general.encode())
    return want.forgetting.model_dump() | {"every": want.every, "general_sha256": text}


def _stamp(
    stage: Stage, recipe: TrainRecipe, inputs: dict[str, Any], corpus: BoundCorpus, start: Start
) -> dict[str, str]:
    """What the weight files say of themselves. Equal weights get equal words: no name, no time."""
    follows_from = {part: inputs[part] for part in (stage, "seed", "stop", "chat_template")}
    return {
        "stage": stage,
        "corpus": f"{corpus.name} {corpus.version}",
        "corpus_sha256": corpus.manifest_sha256,
        "recipe_sha256": _digest(follows_from),
        "base_sha256": _digest(inputs["base"]),
        **({"parent_key": start.parent.key} if start.parent else {}),
    }


def _digest(inputs: dict[str, Any]) -> str:
    return manifests.sha256_bytes(manifests.canonical(inputs))


def _train(
    stage: Stage,
    recipe: TrainRecipe,
    given: dict[str, Any],
    corpus: BoundCorpus,
    base: base_model.BaseModel,
    start: Start,
    inputs: dict[str, Any],
    overrides: list[Override],
    machine: hardware.Hardware,
    unfinished: Path,
    folder: Path,
    root: Path,
    meter: hardware.Meter,
) -> TrainingManifest:
    tokenizer = base_model.load_tokenizer(start.folder)
    if stage == "sft":
        chat.set_template(tokenizer, recipe.sft.chat_template, root)
        chat.training_template(tokenizer)  # refuse a template that cannot be trained before anything takes time
    size = sum(p.stat().st_size for p in start.folder.iterdir() if p.is_file())
    publish.need_space(root, int(2.1 * size), "the trained model")  # its files are copied once, to be stamped
    part = getattr(recipe, stage)
    adapters.refuse(
        part, stage, machine.of(part.checkpointing), packed=stage == "cpt" or recipe.sft.packing,
        tied=base_model.tied(base.folder),
    )  # fmt: skip
    device = estimate.this_device()
    estimate.check(
        estimate.of_stage(
            recipe, stage, base.folder, device, processes=processes.count(), sharding=processes.sharding()
        ),
        device,
        stage,
    )
    model = base_model.load_model(
        start.folder, root, base.folder, weights=machine.weights(part.adapter.kind),
        four_bit=part.adapter.kind == "qlora",
    )  # fmt: skip
    sharded = processes.sharding() == "fsdp2"
    if not sharded:  # else it may be larger than a device; the trainer spreads it
        model = model.to(machine.device)
    base_model.check_match(model, tokenizer, start.folder.name)
    if part.max_length > model.config.max_position_embeddings:
        raise UserError(
            f"{stage}.max_length is longer than the model's context",
            value=part.max_length,
            cause=f"the model takes {model.config.max_position_embeddings} tokens",
            next=f"--set {stage}.max_length={model.config.max_position_embeddings}",
        )
    figures = machine.record()
    say(
        f"{stage}: {recipe.name} on corpus {corpus.name} {corpus.version}; "
        f"{figures['device']}, {figures['precision']}, {figures['threads']} threads"
    )

    score = _scorer(recipe, corpus, root)
    question = None if sharded else _question(recipe, corpus, tokenizer)

    def ask() -> str:
        assert question
        return talk.answer(model, tokenizer, question["messages"], max_new_tokens=recipe.evaluate.max_new_tokens)

    def measure_before() -> dict[str, Any]:
        bits: dict[str, list[float]] = {}
        if start.parent:  # measured there, on the same texts: they are part of its key
            scores: dict[str, float | None] = {k: s.after for k, s in start.parent.bits_per_byte.items()}
        elif sharded:  # nowhere to measure it: it stands whole on the CPU only
            scores = dict.fromkeys(("heldout", "general"))
        else:
            say("measuring the model before training")
            measured = score.of(model, tokenizer)
            scores = {what: score_.bits_per_byte for what, score_ in measured.items()}
            bits = {what: [bits for bits, _ in score_.each] for what, score_ in measured.items()}
        return {"scores": scores, "bits": bits, "answer": ask() if question else None}

    before = (
        run_manifest.once(unfinished / "before.json", _digest(inputs), measure_before)
        if processes.is_main()
        else measure_before()
    )
    answers = question and question | {"before": before["answer"]}
    model = adapters.wrap(model, part.adapter, unfinished, recipe.seed)
    data, run = _trainer(stage)(model, tokenizer, corpus, recipe, machine, unfinished, root)
    say("measuring the model after training")
    after = score.of(model, tokenizer)
    if answers:
        answers |= {"after": ask()}
        if start.parent:
            answers |= {"base": (_answers(root, recipe.name, "cpt") or {}).get("before", "")}
        if processes.is_main():
            _keep_answers(root, recipe.name, stage, answers)

    state = processes.whole_state(model)
    if not processes.is_main():
        return processes.from_main(_of_the_main_process)
    with publish.appearing(folder) as staging:
        if part.adapter.kind == "full":
            base_model.save(model, tokenizer, staging, state)
        else:
            adapters.save(model, staging, unfinished, adapters.base_name(start.folder, root), state)
            tokenizer.save_pretrained(staging)
        stamp.write(staging, _stamp(stage, recipe, inputs, corpus, start))
        shutil.copyfile(unfinished / metrics.NAME, staging / metrics.NAME)
        manifest = TrainingManifest.model_validate(
            {
                "name": recipe.name,
                "stage": stage,
                "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "key": _digest(inputs),
                "corpus": {
                    "name": corpus.name, "version": corpus.version, "manifest_sha256": corpus.manifest_sha256
                },
                "base": {"name": base.name, "source": base.source, "files": base.files},
                "parent": start.parent
                and {"stage": "cpt", "training_sha256": manifests.sha256_file(start.folder / "training.json")},
                "tokenizer_sha256": _tokenizer_sha256(tokenizer),
                "chat_template_sha256": manifests.sha256_bytes(manifests.canonical(tokenizer.chat_template))
                if tokenizer.chat_template
                else None,
                "recipe": {"given": _publishable(given), "resolved": _publishable(recipe.model_dump())},
                "seed": recipe.seed,
                "overrides": [o.model_dump() for o in overrides],
                "data": data,
                "run": run,
                "bits_per_byte": {
                    what: {
                        "documents": s.documents, "tokens": s.tokens, "bytes": s.bytes,
                        "before": before["scores"][what], "after": s.bits_per_byte,
                        **_intervals(start.parent, what, before["bits"].get(what), s, score.patients[what]),
                    }
                    for what, s in after.items()
                },
                "environment": manifests.environment(),
                "files": listed(staging),
                **_cost(meter, run["sessions"]),
            }
        )  # fmt: skip
        for file in manifest.files:
            _sync(staging / file.path)
        manifests.write_atomic(staging / "training.json", manifests.canonical(manifest.dump()))
    return processes.from_main(lambda: manifest)


def _intervals(
    parent: TrainingManifest | None, what: str, before: list[float] | None, after: measure.Score, patients: list[str]
) -> dict[str, Any]:
    """95% intervals of bits per byte before, after, and of the change, where both were measured here."""
    known = parent.bits_per_byte[what].after_95 if parent else None
    bits, sizes = [b for b, _ in after.each], [size for _, size in after.each]
    change = measure.interval(bits, before, patients) if before else None
    return {
        "before_95": measure.interval(before, sizes, patients) if before else known,
        "after_95": measure.interval(bits, sizes, patients),
        "change_95": change and [round(bound - 1, 6) for bound in change],
    }


def _of_the_main_process() -> TrainingManifest:
    raise AssertionError("only the main process publishes")


def listed(folder: Path) -> list[File]:
    """Every file of a model folder that is about to appear, for its manifest."""
    return [
        File(path=p.name, bytes=p.stat().st_size, sha256=manifests.sha256_file(p)) for p in sorted(folder.iterdir())
    ]


def _cost(meter: hardware.Meter, sessions: list[dict[str, Any]]) -> dict[str, Any]:
    """What the run cost, the training of earlier sessions included."""
    cost = meter.read()
    for name in ("wall_seconds", "cpu_seconds"):
        cost[name] = round(cost[name] + sum(session[name] for session in sessions[:-1]), 1)
    return cost


def _trainer(stage: Stage) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    from train.cpt import train_cpt
    from train.sft import train_sft

    return {"cpt": train_cpt, "sft": train_sft}[stage]


class Scorer(NamedTuple):
    of: Callable[..., dict[str, measure.Score]]
    """Scores a model on both texts."""
    patients: dict[str, list[str]]
    """Whose each document is; a text of nobody's is one."""


def _scorer(recipe: TrainRecipe, corpus: BoundCorpus, root: Path) -> Scorer:
    """Read the two texts once."""
    want = recipe.evaluate
    frame = corpus.read("pretrain", "test", ["record", "text", "patient"])
    texts = {
        "heldout": measure.within(frame, want.heldout_bytes),
        "general": [measure.general_text(want.general_text, root, limit=want.general_bytes)],
    }

    def score(model: Any, tokenizer: Any) -> dict[str, measure.Score]:
        window = min(want.window, model.config.max_position_embeddings)
        return {what: measure.bits_per_byte(model, tokenizer, t, window=window) for what, t in texts.items()}

    whose = frame.select(pl.coalesce("patient", "record").cast(pl.String)).to_series().to_list()
    return Scorer(score, {"heldout": whose[: len(texts["heldout"])], "general": ["nobody"]})


def _question(recipe: TrainRecipe, corpus: BoundCorpus, tokenizer: Any) -> dict[str, Any] | None:
    """The one prompt answered before and after: the recipe's, or the first of the test split that fits the window.

    None when the corpus holds no instructions, or none that fits.
    """
    want = recipe.evaluate
    if want.prompt != "from_corpus":
        return {"prompt": want.prompt, "messages": [{"role": "user", "content": want.prompt}]}
    if ("instruct", "test") not in corpus.files:
        return None
    for messages in corpus.read("instruct", "test", ["record", "messages"])["messages"].to_list():
        *asked, reference = messages
        prompt = asked[-1]["content"]
        if len(measure.encode(tokenizer, prompt)) <= want.window:
            return {"prompt": prompt, "reference": reference["content"], "messages": asked}
    say("no held-out instruction fits evaluate.window: no answer is generated")
    return None


def _answers_path(root: Path, name: str, stage: str) -> Path:
    return root / "work" / "train" / name / f"{stage}-answers.json"


def _keep_answers(root: Path, name: str, stage: str, answers: dict[str, Any]) -> None:
    path = _answers_path(root, name, stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    manifests.write_atomic(path, manifests.canonical({k: v for k, v in answers.items() if k != "messages"}))


def _answers(root: Path, name: str, stage: str) -> dict[str, str] | None:
    try:
        return dict(json.loads(_answers_path(root, name, stage).read_bytes()))
    except (OSError, ValueError):
        return None


def _summary(done: TrainingManifest, start: Start, root: Path, *, up_to_date: bool) -> dict[str, Any]:
    """What the command prints and returns as JSON."""
    model = f"models/{done.name}/{done.stage}"
    base = (start.parent or done).bits_per_byte
    return {
        "name": done.name,
        "stage": done.stage,
        "up_to_date": up_to_date,
        "model": model,
        "start": start.label,
        "corpus": done.corpus.model_dump(),
        "data": done.data,
        "bits_per_byte": {
            what: score.model_dump() | {"base": base[what].before} for what, score in done.bits_per_byte.items()
        },
        "stopped": done.run.stopped and done.run.stopped.model_dump(),
        "report": f"models/{done.name}/report.html",
        "answer": _answers(root, done.name, done.stage),
        "tokens_seen": done.run.tokens_seen,
        "tokens_per_second": done.run.tokens_per_second,
        "wall_seconds": done.wall_seconds,
        "cpu_seconds": done.cpu_seconds,
        "peak_memory_bytes": done.peak_memory_bytes,
        "next": f"clinicorpus train generate {model}"
        if done.stage == "sft"
        else "clinicorpus train sft, with the same recipe",
    }


def _tokenizer_sha256(tokenizer: Any) -> str:
    """Digest of the vocabulary, merges and rules, as the fast tokenizer serialises them."""
    return manifests.sha256_bytes(tokenizer.backend_tokenizer.to_str().encode())


def _publishable(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe without what may point to a person or a machine: paths cut to their last part, no prompt."""
    out: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, dict):
            out[key] = _publishable(value)
        elif key in ("base", "corpus", "general_text", "chat_template", "text") and isinstance(value, str):
            out[key] = Path(value).name
        elif key == "prompt" and value != "from_corpus":
            out[key] = "withheld"
        else:
            out[key] = value
    return out


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
