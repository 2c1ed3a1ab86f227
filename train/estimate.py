"""What a recipe needs before anything starts: memory by device, steps, hours.

The model is built without memory (torch's meta device) from its config alone, with its adapter, so parameters are
counted, not guessed, and activations are the tensors that autograd really keeps in one forward pass. Weights that are
trained are fp32 with fp32 gradients and two moments of Adam: 16 bytes each. Time is arithmetic over the rate of the
device and a share of it that is reached in practice.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

from clinicorpus_errors import UserError
from train import adapters, hardware
from train.recipe import Adapter, Optimisation, TrainRecipe

Sharding = Literal["none", "zero2", "fsdp2"]
GIB = 2**30


class Device(NamedTuple):
    name: str
    memory: int
    """Bytes that training may take."""
    flops: float
    """Operations a second in the type it computes in, dense."""
    reached: float
    """Share of them that training reaches."""
    kind: Literal["cpu", "cuda"]


_GPU_REACHED = 0.35  # torchtitan and NeMo report 28 to 37 % for 8B models on H100 (docs/training.md)
# Vendors' memory (GiB) and dense bf16 rates (10^12 a second).
GPUS = {
    "a100-40": (40, 312), "a100-80": (80, 312), "l40s": (48, 362), "h100": (80, 989), "h200": (141, 989),
    "b200": (180, 2250), "rtx4090": (24, 165),
}  # fmt: skip
_OVERHEAD = {"cpu": 0.7 * GIB, "cuda": 1.5 * GIB}
"""Python with torch and transformers; on a GPU the CUDA context and what the allocator cannot use. Measured on a CPU."""
_TILE = 4096, 32768
"""Tokens and words of the vocabulary whose logits TRL's fused head holds at a time."""


class Need(NamedTuple):
    """Bytes on each device."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    head: float
    overhead: float

    @property
    def total(self) -> float:
        return sum(self)


class Plan(NamedTuple):
    parameters: int
    trained: int
    active: int
    """Parameters that a token passes through; fewer than all in a mixture of experts."""
    need: Need
    tokens: int | None
    """Of the whole run; None where the corpus is not built yet and the recipe does not say."""
    steps: int | None
    tokens_per_second: float
    hours: float | None


def this_device() -> Device:
    """The machine it runs on: free memory, and a rate measured with a short product of matrices."""
    import torch

    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        known = next((rate for key, (_, rate) in GPUS.items() if key.split("-")[0] in name.lower()), None)
        flops = known * 1e12 if known else _measured_rate("cuda", torch.bfloat16)
        return Device(name, torch.cuda.mem_get_info()[0], flops, _GPU_REACHED, "cuda")
    # A third of a bare product's rate is what SmolLM2-135M trains at on two cores (benchmarks/results/train.md).
    return Device(
        f"CPU, {torch.get_num_threads()} threads", free_memory(), _measured_rate("cpu", torch.float32), 0.33, "cpu"
    )


def a_gpu(name: str) -> Device:
    """A GPU of the table. Raises UserError for one that is not there."""
    if name not in GPUS:
        raise UserError("no such GPU is known", value=name, next="--gpu " + ", ".join(GPUS))
    memory, rate = GPUS[name]
    return Device(name, int(memory * GIB * 0.97), rate * 1e12, _GPU_REACHED, "cuda")


def free_memory() -> int:
    """Bytes this process may still take: what the kernel calls available, or less where a container limits it."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        line = next((x for x in meminfo.read_text().splitlines() if x.startswith("MemAvailable:")), None)
        free = int(line.split()[1]) * 1024 if line else free
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip() != "max":
        free = min(free, max(0, int(limit.read_text()) - int(used.read_text())))
    return free


def _measured_rate(device: str, dtype: Any) -> float:
    import torch

    a, b = (torch.ones(1024, 1024, device=device, dtype=dtype) for _ in range(2))
    a @ b
    best, until = 0.0, time.monotonic() + 0.3
    while time.monotonic() < until:
        began = time.perf_counter()
        float((a @ b)[0, 0])
        best = max(best, 2 * 1024**3 / (time.perf_counter() - began))
    return best


def skeleton(folder: Path, adapter: Adapter, dtype: Any, *, layers: int | None = None) -> Any:
    """The model of a folder's config with its adapter, on the meta device: shapes without memory."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # noqa: BLE001  # any library error here means: no usable config
        raise UserError(
            "the base model's config does not load", value=folder.name, cause=type(error).__name__,
            next="--set base=<folder with at least config.json>",
        ) from None  # fmt: skip
    if layers is not None:
        config.get_text_config().num_hidden_layers = layers
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
        if adapter.kind in adapters.LORA or adapter.kind in adapters.PROMPTS:
            import peft

            chosen = adapters.config(adapter)
            if adapter.kind in adapters.LORA:
                chosen.init_lora_weights = True  # PiSSA would decompose weights that are not there
            model = peft.get_peft_model(model, chosen)
    return model.train()


def _kept(model: Any, tokens: int) -> float:
    """Bytes that autograd keeps of one forward pass of the layers over a row of `tokens`."""
    import torch

    ids = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool, device="meta")
    parameters = {p.untyped_storage()._cdata for p in model.parameters()}
    sizes: dict[int, int] = {}
    held = []  # or a freed storage's address would come again

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in parameters:
            sizes[storage._cdata] = storage.nbytes()
            held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        embedded = model.get_input_embeddings()(ids).requires_grad_()
        model.base_model(inputs_embeds=embedded, attention_mask=mask, use_cache=False)
    return float(sum(sizes.values()))


def activations(folder: Path, tokens: int, *, bf16: bool, checkpointing: bool) -> float:
    """Bytes of activations for `tokens` tokens in one flattened row.

    On the meta device attention keeps its matrix, which the kernels in use do not: the part that grows with the square
    is taken out, and what they do keep of a packed row's mask is put in. An adapter keeps the inputs of the layers it
    stands on as training them would, so this is of the whole model trained.
    """
    import torch

    dtype = torch.bfloat16 if bf16 else torch.float32
    one, two = (skeleton(folder, Adapter(), dtype, layers=n) for n in (1, 2))
    short, long = 64, 128
    each = []
    for model in (one, two):
        a, b = _kept(model, short), _kept(model, long)
        each.append(2 * a / short - b / long)  # of linear x tokens + quadratic x tokens squared, the linear
    layer, rest = each[1] - each[0], max(0.0, 2 * each[0] - each[1])
    masks = tokens**2 * (2 if bf16 else 4)  # SDPA turns the mask into numbers, in each layer
    width, _, layers = _shape(folder)
    if checkpointing:
        return tokens * (rest + layer + layers * width * (2 if bf16 else 4)) + masks
    return tokens * (rest + layers * layer) + layers * masks


def _counts(folder: Path, part: Optimisation) -> tuple[int, int, int]:
    """(all, trained, active) parameters."""
    import torch

    model = skeleton(folder, part.adapter, torch.bfloat16)
    config = model.config.get_text_config()
    everything = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if part.adapter.kind == "osf":
        trained = 0
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and not name.endswith("lm_head"):
                low = round(min(module.weight.shape) * part.adapter.free_share)
                trained += low * (sum(module.weight.shape) + 1)
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    used = getattr(config, "num_experts_per_tok", None)
    among = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    active = everything - (round(experts * (1 - used / among)) if used and among else 0)
    return everything, trained, active


def of_stage(
    recipe: TrainRecipe,
    stage: Literal["cpt", "sft"],
    folder: Path,
    device: Device,
    *,
    processes: int = 1,
    sharding: Sharding = "none",
    corpus_tokens: int | None = None,
) -> Plan:
    """Memory on each of `processes` devices, steps and hours of one stage on the model whose config is in `folder`.

    `corpus_tokens`: tokens of the corpus' training split, for the time.
    """
    part: Optimisation = getattr(recipe, stage)
    kind = part.adapter.kind
    bf16 = device.kind == "cuda"
    checkpointing = hardware.Hardware(device.kind, bf16, 1, checkpointing=bf16).of(part.checkpointing).checkpointing
    everything, trained, active = _counts(folder, part)
    whole = processes if sharding == "fsdp2" else 1
    states = processes if sharding in ("fsdp2", "zero2") else 1
    frozen_bytes = 0.55 if kind == "qlora" else (2 if bf16 and kind != "full" else 4)  # nf4 with its scales
    frozen = everything if kind == "osf" else everything - trained
    weights = frozen * frozen_bytes + trained * 4
    if kind == "osf":
        weights += 3 * everything * 4  # the decomposition: what is kept, what may change, and where that began
    if bf16 and sharding != "fsdp2" and kind == "full":
        weights += 2 * trained  # autocast's copies
    width, vocabulary, layers = _shape(folder)
    gathered = 0.0
    if sharding == "fsdp2":  # layers are put together for as long as they compute, and so is the head, in fp32
        gathered = 2 * everything / layers * (2 if bf16 else 4) + vocabulary * width * 4
    row = part.max_length * part.batch_size + (part.adapter.virtual_tokens if kind in adapters.PROMPTS else 0)
    need = Need(
        weights=weights / whole + gathered,
        gradients=trained * 4 / states,
        optimizer=trained * 8 / states,
        activations=activations(folder, row, bf16=bf16, checkpointing=checkpointing),
        # A tile of logits with what it is turned into, and the head's gradient where it is summed up.
        head=min(row, _TILE[0]) * min(vocabulary, _TILE[1]) * 4 * 3 + (vocabulary * width * 4 if kind == "full" else 0),
        overhead=_OVERHEAD[device.kind],
    )
    # Forward 2, backward through activations 2, through weights 2 where they are trained, forward again if checkpointed,
    # and once more for CEFTune: that pass keeps nothing for the backward one, so it needs time but no memory.
    again = checkpointing + bool(getattr(part, "ceftune_weight", 0))
    per_token = 4 * active + 2 * (min(trained, active)) + 2 * active * again
    rate = device.flops * device.reached * processes / per_token
    tokens = _tokens(part, corpus_tokens)
    at_once = part.max_length * part.batch_size * part.gradient_accumulation
    steps = None if tokens is None else max(1, round(tokens / at_once))
    if part.max_steps is not None:
        steps = min(steps or part.max_steps, part.max_steps)
        tokens = steps * at_once if tokens is None else min(tokens, steps * at_once)
    hours = None if tokens is None else tokens / rate / 3600
    return Plan(everything, trained, active, need, tokens, steps, rate, hours)


def _shape(folder: Path) -> tuple[int, int, int]:
    """(hidden width, vocabulary, layers)"""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config()
    return int(config.hidden_size), int(config.vocab_size), int(config.num_hidden_layers)


def _tokens(part: Optimisation, corpus_tokens: int | None) -> int | None:
    epoch = min((n for n in (part.max_tokens, corpus_tokens) if n is not None), default=None)
    if epoch is None:
        return None
    replay = getattr(part, "replay", None)
    return round(epoch * part.epochs / (1 - replay.share if replay else 1))


def check(plan: Plan, device: Device, stage: str) -> None:
    """Raises UserError with the figures if the stage needs more memory than a device has."""
    if plan.need.total > device.memory:
        figures = ", ".join(f"{name} {value / GIB:.1f}" for name, value in plan.need._asdict().items())
        raise UserError(
            f"{stage} needs more memory than there is",
            value=f"{plan.need.total / GIB:.1f} GiB on each device, {device.memory / GIB:.1f} GiB free on {device.name}",
            cause=f"in GiB: {figures}",
            next=_advice(plan, stage),
        )


def _advice(plan: Plan, stage: str) -> str:
    states = plan.need.weights + plan.need.gradients + plan.need.optimizer
    if plan.need.activations > states:
        return f"--set {stage}.max_length=... lower, {stage}.batch_size=1 or {stage}.checkpointing=true"
    return (
        f"--set {stage}.adapter.kind=lora, or more devices: clinicorpus train plan RECIPE --gpus 8 --sharding fsdp2"
        if plan.trained * 2 > plan.parameters
        else "a smaller base model, or more devices: clinicorpus train plan RECIPE --gpus 8 --sharding fsdp2"
    )


def for_recipe(
    data: dict[str, Any],
    root: Path,
    *,
    gpu: str | None = None,
    processes: int = 1,
    sharding: Sharding = "none",
) -> dict[str, Any]:
    """What both stages of a parsed recipe need, on this machine or on `processes` GPUs of a kind.

    Only the base's config is read, and the corpus' manifest if there is one. Returns figures by stage, `fits` and,
    where it does not, `refusal`. Raises UserError for a recipe or a base that cannot be read.
    """
    from train import base_model
    from train.bound_corpus import bind
    from train.recipe import load_recipe

    recipe = load_recipe(data)
    device = a_gpu(gpu) if gpu else this_device()
    local = Path(recipe.base) if Path(recipe.base).is_absolute() else root / recipe.base
    folder = local if (local / "config.json").is_file() else base_model.resolve(recipe, root).folder
    try:
        tokens = bind(recipe.corpus, root).tokens
    except UserError:
        tokens = {}
    machine = hardware.Hardware(device.kind, device.kind == "cuda", 1, checkpointing=device.kind == "cuda")
    stages: dict[str, Any] = {}
    for stage, product in (("cpt", "pretrain"), ("sft", "instruct")):
        part: Optimisation = getattr(recipe, stage)
        plan = of_stage(
            recipe, stage, folder, device, processes=processes, sharding=sharding,  # type: ignore[arg-type]
            corpus_tokens=tokens.get((product, "train")),
        )  # fmt: skip
        refusal = None
        try:
            adapters.refuse(
                part, stage, machine.of(part.checkpointing), packed=stage == "cpt" or recipe.sft.packing,
                tied=base_model.tied(folder),
            )  # fmt: skip
            check(plan, device, stage)
        except UserError as error:
            refusal = {"what": error.what, "value": error.value, "cause": error.cause, "next": error.next}
        stages[stage] = {
            "parameters": plan.parameters, "trained": plan.trained, "active": plan.active,
            "memory_bytes": {k: round(v) for k, v in plan.need._asdict().items()} | {"total": round(plan.need.total)},
            "tokens": plan.tokens, "steps": plan.steps, "tokens_per_second": round(plan.tokens_per_second, 1),
            "hours": None if plan.hours is None else round(plan.hours, 2), "fits": refusal is None, "refusal": refusal,
        }  # fmt: skip
    return {
        "name": recipe.name, "device": device.name, "devices": processes, "sharding": sharding,
        "memory_bytes": device.memory, "stages": stages,
    }  # fmt: skip


def show(figures: dict[str, Any], console: Any = None) -> None:
    """Print the plan as a table, in GiB on each device, and why it is refused if it is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = console or Console(highlight=False)
    devices = f"{figures['devices']} x {figures['device']}" if figures["devices"] > 1 else figures["device"]
    table = Table(
        box=box.SIMPLE, title_justify="left",
        title=f"{figures['name']} on {devices}, {figures['memory_bytes'] / GIB:.1f} GiB free on each",
    )  # fmt: skip
    table.add_column("")
    for stage in figures["stages"]:
        table.add_column(stage, justify="right")
    each = list(figures["stages"].values())
    table.add_row("parameters, millions", *(f"{s['parameters'] / 1e6:,.1f}" for s in each))
    table.add_row("  trained", *(f"{s['trained'] / 1e6:,.1f}" for s in each))
    for name in (*Need._fields, "total"):
        table.add_row(f"{name}, GiB", *(f"{s['memory_bytes'][name] / GIB:.2f}" for s in each))
    table.add_row("tokens", *("?" if s["tokens"] is None else f"{s['tokens']:,}" for s in each))
    table.add_row("steps", *("?" if s["steps"] is None else f"{s['steps']:,}" for s in each))
    table.add_row("tokens/s, about", *(f"{s['tokens_per_second']:,.0f}" for s in each))
    table.add_row("hours, about", *("?" if s["hours"] is None else f"{s['hours']:,.2f}" for s in each))
    table.add_row("fits", *("yes" if s["fits"] else "no" for s in each))
    console.print(table)
