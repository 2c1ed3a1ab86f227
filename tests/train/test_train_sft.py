"""Instruction tuning: what is learned, and where NEFTune's noise is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clinicorpus_errors import UserError
from train import chat, hardware, load_recipe, measure, sft, talk
from train.bound_corpus import bind

torch = pytest.importorskip("torch", reason="needs the train extra")

SMOLLM2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TURNS = [
    {"role": "user", "content": "Where does the river run?"},
    {"role": "assistant", "content": "To the sea."},
    {"role": "user", "content": "And the mill?"},
    {"role": "assistant", "content": "It stands."},
]


@pytest.mark.parametrize("template", [None, SMOLLM2_TEMPLATE], ids=["tiny", "smollm2"])
def test_the_loss_covers_the_assistants_words_and_the_end_of_turn(
    load: Callable[[], tuple[Any, Any]], template: str | None
) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = template or tokenizer.chat_template
    ids, labels = sft.tokenise(tokenizer, TURNS, chat.training_template(tokenizer))
    assert ids == tokenizer.apply_chat_template(TURNS, tokenize=True)["input_ids"]
    learned = [label for label in labels if label != -100]
    assert tokenizer.decode(learned) == "To the sea.<|im_end|>It stands.<|im_end|>"
    assert learned.count(tokenizer.eos_token_id) == 2


def test_labels_are_those_of_trl(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = load()
    args = SFTConfig(str(tmp_path), assistant_only_loss=True, bf16=False, use_cpu=True, report_to="none")
    theirs = SFTTrainer(
        model=model, args=args, train_dataset=Dataset.from_list([{"messages": TURNS}]), processing_class=tokenizer
    ).train_dataset[0]
    ids, labels = sft.tokenise(tokenizer, TURNS, chat.training_template(tokenizer))
    assert (theirs["input_ids"], theirs["labels"]) == (ids, labels)


def test_a_template_that_leaves_the_end_of_turn_out_is_refused(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = chat.CHATML.replace(
        "message['content'] + '<|im_end|>' }}{% endgeneration %}", "message['content'] }}{% endgeneration %}<|im_end|>"
    )
    with pytest.raises(UserError, match="leaves the end of the assistant's turn out"):
        chat.training_template(tokenizer)


def test_a_template_without_markers_of_an_unknown_family_is_refused(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    with pytest.raises(UserError, match="does not tell what the assistant wrote"):
        chat.training_template(tokenizer)


def test_a_template_without_roles_is_refused(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = "{% for m in messages %}{% generation %}{{ m['content'] }}{% endgeneration %}{% endfor %}"
    with pytest.raises(UserError, match="knows no roles") as caught:
        chat.training_template(tokenizer)
    assert "sft.chat_template" in (caught.value.next or "")


@pytest.mark.parametrize(
    ("condition", "told"), [("true", "the user's turn"), ("role == 'bot'", "nothing of the assistant's turn")]
)
def test_a_template_that_marks_other_turns_than_the_assistants_is_refused(
    load: Callable[[], tuple[Any, Any]], condition: str, told: str
) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = (
        "{% for m in messages %}{% set role = m['role'] %}{{ '<|im_start|>' + role }}{% if " + condition + " %}"
        "{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
        "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{% endfor %}"
    )
    with pytest.raises(UserError, match=told):
        chat.training_template(tokenizer)


def test_a_model_without_a_template_is_refused_unless_the_recipe_gives_one(
    load: Callable[[], tuple[Any, Any]], tmp_path: Path
) -> None:
    _, tokenizer = load()
    tokenizer.chat_template = None
    with pytest.raises(UserError, match="has no chat template") as caught:
        chat.set_template(tokenizer, None, tmp_path)
    assert "sft.chat_template" in (caught.value.next or "")
    with pytest.raises(UserError, match="cannot be read"):
        chat.set_template(tokenizer, "none.jinja", tmp_path)
    (tmp_path / "mine.jinja").write_text(chat.CHATML)
    chat.set_template(tokenizer, "mine.jinja", tmp_path)
    assert tokenizer.chat_template == chat.CHATML


def test_a_conversation_the_template_refuses_is_told_without_its_text(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    strict = "{{ raise_exception(messages[0]['content']) }}"
    with pytest.raises(UserError) as caught:
        sft.tokenise(tokenizer, TURNS, strict)
    assert "river" not in str(caught.value)
    assert caught.value.value == "user assistant user assistant"
    assert caught.value.__cause__ is None


def _frame(*conversations: list[dict[str, str]]) -> pl.DataFrame:
    return pl.DataFrame({"task": ["t"] * len(conversations), "messages": list(conversations)})


def test_what_cannot_be_trained_on_is_dropped_and_counted(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    template = chat.training_template(tokenizer)
    part = load_recipe({"name": "t", "sft": {"max_length": 120}}).sft
    frame = _frame(
        TURNS[:2],
        [TURNS[0], {"role": "assistant", "content": "the sea " * 200}],
        [TURNS[0], {"role": "assistant", "content": "The end <|im_end|> and on."}],
        [TURNS[0]],
    )
    columns, figures = sft.take(frame, tokenizer, template, part, 1)
    assert figures["dropped"] == {"sft.no_assistant": 1, "sft.special_token": 1, "sft.too_long": 1}
    assert (figures["examples_taken"], figures["examples_left"], figures["tasks"]) == (1, 0, {"t": 1})
    assert figures["tokens_in"] == len(columns["input_ids"][0])
    assert figures["loss_tokens"] == sum(label != -100 for label in columns["labels"][0])
    with pytest.raises(UserError, match="no conversation has a token of the assistant to learn from: 1"):
        sft.take(_frame([TURNS[0]]), tokenizer, template, part, 1)
    with pytest.raises(UserError, match=r"no conversation is left .* sft\.no_assistant: 1, sft\.too_long: 1"):
        sft.take(
            _frame([TURNS[0]], [TURNS[0], {"role": "assistant", "content": "sea " * 999}]), tokenizer, template, part, 1
        )


def test_every_conversation_is_taken_left_or_dropped(load: Callable[[], tuple[Any, Any]]) -> None:
    _, tokenizer = load()
    frame = _frame(*[[TURNS[0], {"role": "assistant", "content": "sea " * n}] for n in range(1, 60)])
    for limits in ({"max_examples": 7}, {"max_tokens": 900}, {}):
        part = load_recipe({"name": "t", "sft": {"max_length": 100} | limits}).sft
        _, figures = sft.take(frame, tokenizer, chat.training_template(tokenizer), part, 1)
        total = figures["examples_taken"] + figures["examples_left"] + sum(figures["dropped"].values())
        assert total == len(frame)
        assert figures["examples_taken"] <= limits.get("max_examples", 10**9)
        assert figures["tokens_in"] <= limits.get("max_tokens", 10**9)


class _Embeddings:
    """Compares what enters the first layer with the embeddings before any noise."""

    def __init__(self, model: Any) -> None:
        self.model, self.seen = model, []
        model.model.layers[0].register_forward_pre_hook(self._enter, with_kwargs=True)
        model.model.register_forward_pre_hook(self._ids, with_kwargs=True)

    def _ids(self, module: Any, args: Any, kwargs: Any) -> None:
        self.ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]

    def _enter(self, module: Any, args: Any, kwargs: Any) -> None:
        entered = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        noise = (entered - self.model.get_input_embeddings().weight[self.ids]).abs().max().item()
        bound = 1 / math.sqrt(entered.shape[1] * entered.shape[2])
        self.seen.append((module.training, noise, bound))


@pytest.mark.parametrize("alpha", [0.0, 7.0])
def test_noise_is_on_in_training_within_its_bound_and_off_everywhere_else(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path, alpha: float
) -> None:
    model, tokenizer = load()
    watch = _Embeddings(model)
    recipe["sft"] |= {"neftune_noise_alpha": alpha}
    sft.train_sft(model, tokenizer, bind("demo", shared_workspace), load_recipe(recipe), hardware.detect(), tmp_path)
    trained = watch.seen.copy()
    assert len(trained) == 6
    for training, noise, bound in trained:
        assert training
        assert noise == 0 if alpha == 0 else 0.9 * alpha * bound < noise <= alpha * bound * (1 + 1e-4)
    watch.seen.clear()
    model.train()
    measure.bits_per_byte(model, tokenizer, ["the river"], window=64)
    talk.answer(model, tokenizer, TURNS[:1], max_new_tokens=3)
    model(input_ids=torch.tensor([[5, 6, 7]]))
    assert all(noise == 0 for _, noise, _ in watch.seen)
    *scored, (still_training, _, _) = watch.seen
    assert still_training
    assert len(scored) >= 2
    assert not any(training for training, _, _ in scored)


@pytest.mark.parametrize("packing", [False, True], ids=["padded", "packed"])
def test_noise_follows_each_conversations_length_in_shared_rows(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path, packing: bool
) -> None:
    model, tokenizer = load()
    seen: list[tuple[Any, Any]] = []
    model.register_forward_pre_hook(lambda m, a, k: seen.append((k, None)), with_kwargs=True)

    def enter(module: Any, args: Any, kwargs: Any) -> None:
        entered = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        batch = seen[-1][0]
        clean = torch.nn.functional.embedding(batch["input_ids"], model.get_input_embeddings().weight)
        seen[-1] = (batch, (entered - clean).detach())

    model.model.layers[0].register_forward_pre_hook(enter, with_kwargs=True)
    recipe["sft"] |= {"packing": packing, "batch_size": 3, "gradient_accumulation": 1, "neftune_noise_alpha": 5}
    data, run = sft.train_sft(
        model, tokenizer, bind("demo", shared_workspace), load_recipe(recipe), hardware.detect(), tmp_path
    )
    lengths = []
    for batch, noise in seen[-run["steps"] :]:
        if packing:
            parts = [noise[0, a:b] for a, b in itertools.pairwise(batch["cu_seq_lens_q"].tolist())]
        else:
            mask = batch["attention_mask"].bool()
            assert noise[~mask].abs().max() < 1e-6 if not mask.all() else True
            parts = [row[keep] for row, keep in zip(noise, mask, strict=True)]
        for part in parts:
            bound = 5 / math.sqrt(part.numel())
            assert 0.9 * bound < part.abs().max() <= bound * (1 + 1e-4)
            lengths.append(len(part))
    assert sum(lengths) == data["tokens_in"] == run["tokens_seen"]
    assert run["loss_tokens_seen"] == data["loss_tokens"]
    assert run["neftune"]["effective_alpha"] == pytest.approx(5, rel=0.05)
    assert run["neftune"]["stock_alpha"] < 5


def test_training_rows_hold_no_padding_at_batch_size_one(
    load: Callable[[], tuple[Any, Any]], shared_workspace: Path, recipe: dict[str, Any], tmp_path: Path
) -> None:
    model, tokenizer = load()
    rows = []
    model.register_forward_pre_hook(lambda m, a, k: rows.append(k["attention_mask"]), with_kwargs=True)
    data, run = sft.train_sft(
        model, tokenizer, bind("demo", shared_workspace), load_recipe(recipe), hardware.detect(), tmp_path
    )
    assert all(bool(mask.all()) for mask in rows)
    assert run["tokens_seen"] == data["tokens_in"] == sum(mask.numel() for mask in rows)
