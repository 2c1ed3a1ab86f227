"""Training a small part of the weights through PEFT, and what must not be combined.

An adapter folder is worthless without its base, so it says in its training manifest which one it belongs to, by digest,
and `load` and `merge` refuse any other. PEFT's own type "CPT" is Context-aware Prompt Tuning, not continued pretraining.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import manifests
from clinicorpus_errors import UserError
from train import hardware, processes, publish
from train.recipe import Adapter, Optimisation

LORA = ("lora", "qlora", "rslora", "dora", "pissa")
PROMPTS = ("prompt_tuning", "prefix_tuning")


def refuse(part: Optimisation, stage: str, machine: hardware.Hardware, *, packed: bool, tied: bool) -> None:
    """Raises UserError for combinations that would train something else than the recipe says, or nothing.

    `tied` says that the model's head is its input embeddings.
    """
    adapter = part.adapter
    key = f"{stage}.adapter"
    named = {adapter.targets} if isinstance(adapter.targets, str) else set(adapter.targets)
    embeddings, head = {"embed_tokens", "wte"}, {"lm_head"}
    refusals: list[tuple[bool, str, str, str]] = [
        (
            adapter.kind in PROMPTS and packed,
            f"{adapter.kind} cannot be packed",
            "one prompt would be put before a whole row of documents, not before each",
            f"--set {key}.kind=lora; in instruction tuning --set sft.packing=false will do",
        ),
        (
            adapter.kind in PROMPTS and bool(getattr(part, "ceftune_weight", 0)),
            f"{adapter.kind} cannot be trained with CEFTune",
            "the prompt enters as embeddings or as a cache, so there is no second pass of the same words without noise",
            f"--set sft.ceftune_weight=0, or {key}.kind=lora",
        ),
        (
            adapter.kind == "prefix_tuning" and machine.checkpointing,
            "prefix tuning cannot be trained with activation checkpointing",
            "the prefix is handed over in the cache, which checkpointing turns off (peft #869)",
            f"--set {key}.kind=prompt_tuning, or {stage}.checkpointing=false",
        ),
        (
            bool(named & head),
            "no adapter can be trained on the head",
            "the loss multiplies by the head's weight itself, past an adapter on it",
            f"leave lm_head out of {key}.targets; {key}.save_whole=[lm_head] trains it whole",
        ),
        (
            tied and bool((named & embeddings) | (set(adapter.save_whole) & (embeddings | head))),
            "input embeddings that are also the head cannot be adapted alone",
            "this model ties them: an adapter would reach the one and not the other, and a merge would change both",
            f"leave them out of {key}.targets and {key}.save_whole",
        ),
        (
            adapter.kind == "qlora" and machine.device != "cuda",
            "QLoRA needs an NVIDIA GPU",
            f"bitsandbytes' 4-bit layers have no kernels for this machine ({machine.device})",
            f"--set {key}.kind=lora",
        ),
        (
            adapter.lora_plus_ratio is not None and adapter.kind not in LORA,
            "LoRA+ needs a LoRA",
            f"{key}.kind is {adapter.kind}",
            f"--set {key}.lora_plus_ratio=null, or a kind of {', '.join(LORA)}",
        ),
        (
            bool(adapter.save_whole) and adapter.kind not in LORA,
            f"{key}.save_whole is of LoRA only",
            f"{adapter.kind} would leave it out in silence",
            f"--set {key}.save_whole=[]",
        ),
    ]
    for holds, what, cause, then in refusals:
        if holds:
            raise UserError(what, value=f"{key}.kind={adapter.kind}", cause=cause, next=then)


def config(adapter: Adapter) -> Any:
    """The PEFT configuration of an adapter."""
    import peft

    targets = adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets)

    if adapter.kind in LORA:
        return peft.LoraConfig(
            task_type="CAUSAL_LM",
            r=adapter.r,
            lora_alpha=adapter.alpha or 2 * adapter.r,
            lora_dropout=adapter.dropout,
            target_modules=targets,
            modules_to_save=list(adapter.save_whole) or None,
            use_rslora=adapter.kind == "rslora",
            use_dora=adapter.kind == "dora",
            init_lora_weights="pissa" if adapter.kind == "pissa" else True,
        )
    if adapter.kind == "osf":
        return peft.OSFConfig(task_type="CAUSAL_LM", target_modules=targets, effective_rank=1 - adapter.free_share)
    if adapter.kind == "prompt_tuning":
        return peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=adapter.virtual_tokens)
    return peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=adapter.virtual_tokens)


def wrap(model: Any, adapter: Adapter, work: Path, seed: int) -> Any:
    """`model` with the adapter to be trained; the model itself for kind full.

    Adapters begin from `seed`. PiSSA takes its part out of the base weights, so what it began with is kept in `work`:
    saved, it must become an adapter of the untouched base. Raises UserError if a target names nothing.
    """
    if adapter.kind == "full":
        return model
    import peft
    import torch

    if adapter.kind == "qlora":
        model = peft.prepare_model_for_kbit_training(model)
    torch.manual_seed(seed)
    try:
        wrapped = peft.get_peft_model(model, config(adapter))
    except ValueError as error:
        raise UserError(
            "the adapter does not fit the model",
            value=f"kind={adapter.kind}, targets={adapter.targets}",
            cause=str(error).splitlines()[0][:200],
            next="--set <stage>.adapter.targets=all-linear",
        ) from None
    if adapter.kind == "pissa" and processes.is_main():
        start = wrapped.peft_config["default"]
        start.init_lora_weights = True
        wrapped.save_pretrained(_beginning(work))
        start.init_lora_weights = "pissa"
    return wrapped


def save(model: Any, out: Path, work: Path, base: str, state: dict[str, Any] | None = None) -> None:
    """Write the adapter of `model` into `out`, from the weights in `state` if given; `base` is its base (`base_name`)."""
    given = {"state_dict": state} if state is not None else {}
    chosen = model.peft_config["default"]
    chosen.base_model_name_or_path = base
    if getattr(chosen, "init_lora_weights", None) == "pissa":
        model.save_pretrained(out, path_initial_model_for_weight_conversion=str(_beginning(work)), **given)
    else:
        model.save_pretrained(out, **given)
    (out / "README.md").unlink(missing_ok=True)  # a card of PEFT's with nothing in it


def _beginning(work: Path) -> Path:
    return work / "adapter-beginning"


def optimizer(model: Any, part: Optimisation) -> Any:
    """LoRA+ (2402.12354): the B matrices learn faster than the A. None where the recipe does not ask for it."""
    if part.adapter.lora_plus_ratio is None:
        return None
    import torch
    from peft.optimizers import create_loraplus_optimizer

    return create_loraplus_optimizer(
        model, torch.optim.AdamW, lr=part.learning_rate, loraplus_lr_ratio=part.adapter.lora_plus_ratio,
        loraplus_weight_decay=part.weight_decay, betas=tuple(part.adam_betas), eps=1e-8,
    )  # fmt: skip


def is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def base_name(folder: Path, root: Path) -> str:
    """How an adapter's files name its base: by its place in the workspace, else by its last part alone."""
    try:
        return folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return folder.name


def load(folder: Path, root: Path, base: Path | None = None) -> Any:
    """The model of an adapter folder on its verified base: merged, but for soft prompts, which have nothing to merge.

    `base` is the base's folder if it stands outside `root`. Raises UserError if the base is not found or not the one
    the adapter was trained on.
    """
    import peft

    from train import base_model

    under = _verified_base(folder, root, base)
    model = base_model.load_model(under, root, base)
    try:
        model = peft.PeftModel.from_pretrained(model, str(folder))
    except Exception as error:  # noqa: BLE001  # whatever a library says, this adapter does not load
        raise UserError("the adapter does not load", value=folder.name, cause=type(error).__name__) from None
    return model if _peft_type(folder) in ("PROMPT_TUNING", "PREFIX_TUNING") else model.merge_and_unload()


def _peft_type(folder: Path) -> str:
    import json

    return str(json.loads((folder / "adapter_config.json").read_bytes())["peft_type"])


def _verified_base(folder: Path, root: Path, base: Path | None) -> Path:
    import json

    from train import base_model, stage

    done = stage.finished(folder)
    if done is None:
        raise UserError(
            "the adapter's training manifest does not hold",
            value=folder.name,
            cause="training.json is missing, or a file is not the one it names",
            next="train it again",
        )
    named = json.loads((folder / "adapter_config.json").read_bytes())["base_model_name_or_path"]
    where = root / named if done.parent or base is None else base
    if not where.is_dir():
        raise UserError(
            "the adapter's base model is not here", value=Path(named).name, next="--base <folder of the base model>"
        )
    fits = (
        manifests.sha256_file(where / "training.json") == done.parent.training_sha256
        and stage.finished(where) is not None
        if done.parent
        else base_model.digests(where) == done.base.files
    )
    if not fits:
        raise UserError(
            "the adapter was trained on another base model",
            value=f"{folder.name} on {where.name}",
            cause="files of the base are not those its training manifest names",
            next="--base <folder of the base model>",
        )
    return where


def merge(folder: Path, out: Path, root: Path, base: Path | None = None) -> dict[str, Any]:
    """Write the adapter in `folder` and its base as one model into `out`, with a training manifest that names both.

    Raises UserError if there is nothing to merge, the base does not fit, or the merged model answers otherwise than
    base and adapter together.
    """
    import peft
    import torch

    from train import base_model, stage, stamp

    if not is_adapter(folder):
        raise UserError(
            "there is no adapter to merge", value=folder.name, next="clinicorpus train generate " + str(folder)
        )
    if _peft_type(folder) in ("PROMPT_TUNING", "PREFIX_TUNING"):
        raise UserError(
            "soft prompts cannot be merged", value=folder.name, cause="they are inputs, not weights",
            next="use the folder as it is: clinicorpus train generate " + folder.name,
        )  # fmt: skip
    if out.exists():
        raise UserError("the folder is there already", value=out.name, next="name a new one")
    under = _verified_base(folder, root, base)
    whole = peft.PeftModel.from_pretrained(base_model.load_model(under, root, base), str(folder)).eval()
    ids = torch.arange(3, 35)[None] % whole.config.get_text_config().vocab_size
    with torch.inference_mode():
        together = whole(input_ids=ids, use_cache=False).logits
        merged = whole.merge_and_unload()
        alone = merged(input_ids=ids, use_cache=False).logits
    apart = float((together - alone).norm() / together.norm())
    if not apart < 1e-3:
        raise UserError("the merged model is not base and adapter together", value=f"logits differ by {apart:.1%}")
    done = stage.finished(folder)
    assert done is not None
    size = sum(p.numel() * p.element_size() for p in merged.parameters())
    publish.need_space(root, int(1.1 * size), "the merged model")
    out.parent.mkdir(parents=True, exist_ok=True)
    with publish.appearing(out) as staging:
        base_model.save(merged, base_model.load_tokenizer(folder), staging)
        stamp.write(staging, stamp.read(folder) | {"merged_from_key": done.key})
        record = done.model_copy(
            update={"merged_from": manifests.sha256_file(folder / "training.json"), "files": stage.listed(staging)}
        )
        manifests.write_atomic(staging / "training.json", manifests.canonical(record.dump()))
    return {"model": out.name, "from": folder.name, "base": under.name, "logits_apart": apart}
